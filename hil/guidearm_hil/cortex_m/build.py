"""Builds the rig: MicroPython for QEMU's MPS2_AN385 out of Debian's source, firmware frozen in.

`tools/setup --rig cortex-m` runs it. Nothing is installed and no root is needed; the source comes
through `tools/fetch-micropython`, which has apt check its signatures. MicroPython itself is built
once; after a change of the firmware only that is frozen anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from guidearm_hil.cortex_m.image import CortexMError, digest, frozen_files, rig_folder

_ROOT = rig_folder().parents[1]
_FETCHER = _ROOT / "tools" / "fetch-micropython"
_BOARD = "MPS2_AN385"
_PACKAGES = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "make": "make",
    "gcc": "gcc libc6-dev",
    "dpkg-source": "dpkg-dev",
}
_NEWLIB = "libnewlib-arm-none-eabi"


def missing_packages() -> list[str]:
    """Return the Debian packages that the build or the rig lacks here."""
    missing = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
    if "gcc-arm-none-eabi" in missing or not _finds_newlib():
        missing.append(_NEWLIB)
    return sorted(missing)


def _finds_newlib() -> bool:
    compiled = subprocess.run(
        ["arm-none-eabi-gcc", "-mthumb", "-mcpu=cortex-m3", "-E", "-"],
        input="#include <errno.h>\n#include <math.h>\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return compiled.returncode == 0


def build() -> bool:
    """Make the rig what this checkout needs; return whether anything had to be done.

    Raises CortexMError, in one line, for missing packages, a network that does not answer and a
    build that fails.
    """
    folder = rig_folder()
    wanted, have = digest(), folder / "frozen-digest"
    missing = missing_packages()
    if missing:
        raise CortexMError(f"the rig cortex-m needs packages: apt-get install {' '.join(missing)}")
    made = folder / "source" / "made"
    fresh = made.is_file() and made.read_bytes() == _FETCHER.read_bytes()
    if fresh and have.is_file() and have.read_text().strip() == wanted:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    log.write_bytes(b"")
    have.unlink(missing_ok=True)
    if not fresh:
        _fetch(folder, log)
        _say("building mpy-cross")
        _make(folder / "source" / "mpy-cross", log)
        made.write_bytes(_FETCHER.read_bytes())
    _say("building MicroPython with the firmware")
    _freeze(folder, log)
    have.write_text(wanted + "\n")
    return True


def _fetch(folder: Path, log: Path) -> None:
    """Unpack MicroPython's source into folder/source."""
    source, packages = folder / "source", folder / "packages"
    for old in (source, packages):
        shutil.rmtree(old, ignore_errors=True)
    fetched = subprocess.run(
        [_FETCHER, packages, "source"], stdout=subprocess.PIPE, text=True, check=False
    )
    if fetched.returncode != 0:
        raise CortexMError(fetched.stdout.strip() or "MicroPython's source cannot be fetched")
    description = next(packages.glob("*.dsc"))
    # apt has checked the files against its signed index; the uploader's key need not be here
    _run(["dpkg-source", "--no-check", "-x", str(description), str(source)], folder, log)
    shutil.rmtree(packages)


def _freeze(folder: Path, log: Path) -> None:
    frozen = folder / "frozen"
    shutil.rmtree(frozen, ignore_errors=True)
    files = frozen_files()
    for name, content in files.items():
        path = frozen / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    manifest = folder / "manifest.py"
    manifest.write_text(f"freeze({str(frozen)!r}, {tuple(files)!r})\n")
    port = folder / "source" / "ports" / "qemu"
    _make(port, log, f"BOARD={_BOARD}", f"FROZEN_MANIFEST={manifest}", f"PYTHON={sys.executable}")
    shutil.copyfile(port / f"build-{_BOARD}" / "firmware.elf", folder / "firmware.elf")


def _make(where: Path, log: Path, *arguments: str) -> None:
    cores = len(os.sched_getaffinity(0))
    _run(["make", f"-j{cores}", *arguments], where, log)


def _run(command: list[str], where: Path, log: Path) -> None:
    with log.open("ab") as file:
        done = subprocess.run(
            command,
            cwd=where,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line.strip() for line in lines if "rror" in line] or lines[-1:]
        raise CortexMError(
            f"{command[0]} failed ({errors[0] if errors else 'silently'}): see {log}"
        )


def _say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr)


def main() -> None:
    """Build, or say in one line why not."""
    try:
        build()
    except CortexMError as error:
        sys.exit(f"setup: {error}")


if __name__ == "__main__":
    main()
