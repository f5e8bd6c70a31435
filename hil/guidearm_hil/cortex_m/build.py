"""Builds the rig: MicroPython for QEMU, twice, the firmware frozen in.

`tools/setup --rig cortex-m` runs it.
"""

from __future__ import annotations

import shutil
import sys

from guidearm_hil.cortex_m.image import BOARDS, PROCESSORS, RIG, board_files
from guidearm_hil.frozen_build import COMPILING, NEWLIB, Build, missing_packages, say, set_up
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_tools.image import image_digest

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
    port, manifest = build.source / "ports" / "qemu", build.manifest()
    options = image_digest(board_files())
    for processor in PROCESSORS:
        objects = port / f"build-{processor}"
        made = objects / "made"
        if not made.is_file() or made.read_text() != options:
            # make does not see that a compiler's options have changed
            shutil.rmtree(objects, ignore_errors=True)
            objects.mkdir()
            made.write_text(options)
        variables = {
            "BOARD": processor,
            "BOARD_DIR": BOARDS / processor,
            "BUILD": objects.name,
            "FROZEN_MANIFEST": manifest,
            "PYTHON": sys.executable,
        }
        build.make(port, *(f"{name}={value}" for name, value in variables.items()))
        shutil.copyfile(objects / "firmware.elf", build.folder / f"{processor}.elf")


if __name__ == "__main__":
    set_up(build)
