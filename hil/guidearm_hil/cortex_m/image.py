"""What is frozen into the rig's MicroPython: the firmware, and beside it what measures it."""

from __future__ import annotations

from pathlib import Path

from guidearm.errors import GuideArmError
from guidearm_hil.frozen_rig import FrozenRig
from guidearm_tools.image import image_files

_ON_TARGET = Path(__file__).with_name("on_target")
_MODULES = ("clock.py", "measure.py")


class CortexMError(GuideArmError):
    """The Cortex-M does not run, or what runs on it fails."""


def frozen_files() -> dict[str, bytes]:
    """Return the files to freeze: name to content, in order of name. The board is in memory."""
    return image_files(_ON_TARGET / "board.py", [_ON_TARGET / name for name in _MODULES])


RIG = FrozenRig("cortex-m", "firmware.elf", frozen_files)
