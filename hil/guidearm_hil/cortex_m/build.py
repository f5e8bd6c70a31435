"""Builds the rig: MicroPython for QEMU's MPS2_AN385, the firmware frozen in.

`tools/setup --rig cortex-m` runs it.
"""

from __future__ import annotations

import shutil
import sys

from guidearm_hil.cortex_m.image import RIG
from guidearm_hil.frozen_build import COMPILING, NEWLIB, Build, missing_packages, say, set_up
from guidearm_hil.frozen_rig import RigSetUpError

_BOARD = "MPS2_AN385"
_PROGRAMS = {**COMPILING, "qemu-system-arm": "qemu-system-arm"}


def build() -> bool:
    """Make the rig what this checkout needs; return whether anything had to be done.

    Raises RigSetUpError, in one line, for missing packages, a network that does not answer and a
    build that fails.
    """
    missing = missing_packages(_PROGRAMS, [NEWLIB])
    if missing:
        raise RigSetUpError(f"the rig cortex-m needs packages: apt-get install {' '.join(missing)}")
    return Build(RIG).run(_make_source, _make_program)


def _make_source(build: Build) -> None:
    say("building mpy-cross")
    build.make(build.source / "mpy-cross")


def _make_program(build: Build) -> None:
    port = build.source / "ports" / "qemu"
    manifest = build.manifest()
    build.make(port, f"BOARD={_BOARD}", f"FROZEN_MANIFEST={manifest}", f"PYTHON={sys.executable}")
    shutil.copyfile(port / f"build-{_BOARD}" / "firmware.elf", build.folder / RIG.program)


if __name__ == "__main__":
    set_up(build)
