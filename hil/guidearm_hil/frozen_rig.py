"""A rig whose MicroPython has the firmware frozen in: where it is kept, and whether it is current.

The firmware's files are those of the image builder's explicit list, with a board beside them.
Frozen, they run from flash as they are in an image for a chip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import guidearm_tools
from guidearm_hil.errors import RigError
from guidearm_tools.image import image_digest

ROOT = Path(guidearm_tools.__file__).resolve().parents[2]


class RigSetUpError(RigError):
    """A rig is not set up here, is out of date, or cannot be built."""


@dataclass(frozen=True)
class FrozenRig:
    """One such rig.

    Fields: its name, which `tools/setup --rig` takes; the file that its build leaves as the
    program; the files to freeze, name to content; what else it is made of, likewise.
    """

    name: str
    program: str
    files: Callable[[], dict[str, bytes]]
    beside: Callable[[], Mapping[str, bytes]] = dict[str, bytes]

    @property
    def folder(self) -> Path:
        """Where this checkout keeps the rig."""
        return ROOT / ".rigs" / self.name

    @property
    def stamp(self) -> Path:
        """The file that holds the digest of what was built."""
        return self.folder / "frozen-digest"

    def digest(self) -> str:
        """Return the digest of what has to be built."""
        return image_digest({**self.files(), **self.beside()})

    def is_current(self, folder: Path | None = None) -> bool:
        """Tell whether the rig holds just what this checkout would build."""
        stamp = (folder or self.folder) / self.stamp.name
        return stamp.is_file() and stamp.read_text().strip() == self.digest()

    def image(self, folder: Path | None = None) -> Path:
        """Return the rig's program.

        Raises RigSetUpError when the rig is not set up or holds other firmware than this
        checkout's: what was tested there would not be what is shipped.
        """
        set_up = f"run tools/setup --rig {self.name}"
        folder = folder or self.folder
        program = folder / self.program
        if not program.is_file() or not (folder / self.stamp.name).is_file():
            raise RigSetUpError(f"the rig {self.name} is not set up: {set_up}")
        if not self.is_current(folder):
            raise RigSetUpError(f"the rig {self.name} holds other firmware than this: {set_up}")
        return program
