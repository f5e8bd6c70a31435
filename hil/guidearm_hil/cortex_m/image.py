"""What is frozen into the rig's MicroPython, and whether the rig that is there holds just that.

The firmware's files are those of the image builder's explicit list; beside them stands a board in
memory with what measures. Frozen, they run from flash as they are in an image for a chip.
"""

from __future__ import annotations

from pathlib import Path

import guidearm_tools
from guidearm.errors import GuideArmError
from guidearm_tools.image import image_digest, image_files

_ON_TARGET = Path(__file__).with_name("on_target")
_MODULES = ("clock.py", "measure.py")
_SET_UP = "tools/setup --rig cortex-m"


class CortexMError(GuideArmError):
    """The Cortex-M rig is not there, is out of date, or does not run."""


def rig_folder() -> Path:
    """Return where this checkout keeps the rig."""
    return Path(guidearm_tools.__file__).resolve().parents[2] / ".rigs" / "cortex-m"


def frozen_files() -> dict[str, bytes]:
    """Return the files to freeze: name to content, in order of name."""
    return image_files(_ON_TARGET / "board.py", [_ON_TARGET / name for name in _MODULES])


def digest() -> str:
    """Return the digest of what has to be frozen, which a rig's `frozen-digest` holds."""
    return image_digest(frozen_files())


def firmware_elf(folder: Path | None = None) -> Path:
    """Return the rig's program.

    Raises CortexMError when the rig is not set up or holds other firmware than this checkout's:
    what was measured would not be what is shipped.
    """
    folder = rig_folder() if folder is None else folder
    elf, stamp = folder / "firmware.elf", folder / "frozen-digest"
    if not elf.is_file() or not stamp.is_file():
        raise CortexMError(f"the rig cortex-m is not set up: run {_SET_UP}")
    if stamp.read_text().strip() != digest():
        raise CortexMError(f"the rig cortex-m holds other firmware than this: run {_SET_UP}")
    return elf
