"""What is frozen into the Pico's MicroPython: the firmware on the board that it is meant for."""

from __future__ import annotations

from pathlib import Path

from guidearm_firmware.boards import rp2_pins
from guidearm_hil.frozen_rig import FrozenRig
from guidearm_tools.image import board_files, image_files

BOARD = "rp2"
BAUDS = (rp2_pins.BAUD, 3_000_000)
"""Rates of the bus for which the rig has an image."""

_HERE = Path(__file__).parent
_ON_TARGET = _HERE / "on_target"
ALIGNMENT = _HERE / "frozen" / "micropython.cmake"
ROM_SOURCES = tuple(_HERE / "rom" / name for name in ("rom.c", "tables.S", "rom.ld"))


def frozen_files() -> dict[str, bytes]:
    """Return the files to freeze: name to content, in order of name."""
    board, modules = board_files(BOARD)
    return image_files(board, [*modules, _ON_TARGET / "_boot.py"])


def changed_files(name: str, old: str, new: str) -> dict[str, bytes]:
    """Return the files with a piece of one of them replaced, of which there has to be just one."""
    files = frozen_files()
    text = files[name].decode()
    if text.count(old) != 1:
        raise ValueError(f"{name} has {old!r} {text.count(old)} times")
    files[name] = text.replace(old, new).encode()
    return files


def files_at(baud: int) -> dict[str, bytes]:
    """Return the files of an image whose bus has another rate."""
    if baud == rp2_pins.BAUD:
        return frozen_files()
    return changed_files("rp2_pins.py", f"BAUD = {rp2_pins.BAUD}", f"BAUD = {baud}")


def image_name(baud: int) -> str:
    """Return the file of the image with a rate, in the rig's folder."""
    return "firmware.bin" if baud == rp2_pins.BAUD else f"firmware-{baud}.bin"


def other_ingredients() -> dict[str, bytes]:
    """Return what the boot ROM is made of, how what is frozen is built, and at which rates."""
    sources = (*ROM_SOURCES, ALIGNMENT)
    files = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sources}
    return {**files, "rates": repr(BAUDS).encode()}


RIG = FrozenRig("pico", image_name(rp2_pins.BAUD), frozen_files, other_ingredients)
