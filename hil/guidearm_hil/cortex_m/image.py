"""What the rig's two programs are made of: the firmware, and beside it what measures it."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from guidearm.errors import GuideArmError
from guidearm_hil.frozen_rig import FrozenRig
from guidearm_tools.image import BOARDS as BOARD_MODULES
from guidearm_tools.image import image_files

PROCESSORS = {"m3": "M3", "m0plus": "M0+"}
"""Whose code the rig holds: the name of its program, and the name for people."""

BOARDS = Path(__file__).with_name("boards")
_ON_TARGET = Path(__file__).with_name("on_target")
_MODULES = (
    "clock.py",
    "events.py",
    "handover.py",
    "interrupting.py",
    "joint_in_memory.py",
    "measure.py",
    "pico_interrupt.py",
    "running.py",
)


class CortexMError(GuideArmError):
    """The Cortex-M does not run, or what runs on it fails."""


def frozen_files() -> dict[str, bytes]:
    """Return the files to freeze: name to content, in order of name.

    The board is in memory; the modules of the Pico's are there for what its interrupt takes.
    """
    own = [_ON_TARGET / name for name in _MODULES]
    with as_file(files("guidearm_firmware") / "boards") as boards:
        pico = [boards / name for name in BOARD_MODULES["rp2"]]
        return image_files(_ON_TARGET / "board.py", [*own, *pico])


def board_files() -> dict[str, bytes]:
    """Return what says how MicroPython is built for each processor: name to content."""
    paths = (path for path in BOARDS.rglob("*") if path.is_file())
    return {f"boards/{path.relative_to(BOARDS)}": path.read_bytes() for path in paths}


RIG = FrozenRig("cortex-m", f"{list(PROCESSORS)[-1]}.elf", frozen_files, board_files)
"""Its `program` is that of the last processor, which is built last."""


def program(processor: str) -> Path:
    """Return the program for one of PROCESSORS; raises RigSetUpError as `RIG.image` does."""
    return RIG.image().with_name(f"{processor}.elf")
