"""What is frozen into the Pico's MicroPython: the firmware on the board that it is meant for."""

from __future__ import annotations

from pathlib import Path

from guidearm_hil.frozen_rig import FrozenRig
from guidearm_tools.image import board_files, image_files

BOARD = "rp2"
_HERE = Path(__file__).parent
_ON_TARGET = _HERE / "on_target"
ALIGNMENT = _HERE / "frozen" / "micropython.cmake"
ROM_SOURCES = tuple(_HERE / "rom" / name for name in ("rom.c", "tables.S", "rom.ld"))


def frozen_files() -> dict[str, bytes]:
    """Return the files to freeze: name to content, in order of name."""
    board, modules = board_files(BOARD)
    return image_files(board, [*modules, _ON_TARGET / "_boot.py"])


def rom_files() -> dict[str, bytes]:
    """Return what the boot ROM is made of, and how what is frozen is built."""
    sources = (*ROM_SOURCES, ALIGNMENT)
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sources}


RIG = FrozenRig("pico", "firmware.bin", frozen_files, rom_files)
