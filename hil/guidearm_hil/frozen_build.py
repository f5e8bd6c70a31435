"""Building a rig's MicroPython out of Debian's source, with the firmware frozen in.

Nothing is installed and no root is needed; the source comes through `tools/fetch-micropython`,
which has apt check its signatures. MicroPython itself is built once; after a change of the firmware
only that is frozen anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guidearm_hil.frozen_rig import ROOT, FrozenRig, RigSetUpError

_FETCHER = ROOT / "tools" / "fetch-micropython"
CROSS_COMPILER = "arm-none-eabi-gcc"
COMPILING = {
    CROSS_COMPILER: "gcc-arm-none-eabi",
    "make": "make",
    "gcc": "gcc libc6-dev",
    "dpkg-source": "dpkg-dev",
}
"""What every such build needs: program to Debian package."""


@dataclass(frozen=True)
class Headers:
    """C or C++ headers that a Debian package brings to the cross compiler."""

    package: str
    names: Sequence[str]
    language: str = "c"

    def are_there(self) -> bool:
        """Tell whether the cross compiler, which is installed, finds them."""
        preprocessed = subprocess.run(
            [CROSS_COMPILER, "-mthumb", "-mcpu=cortex-m3", "-E", "-x", self.language, "-"],
            input="".join(f"#include <{name}>\n" for name in self.names),
            capture_output=True,
            text=True,
            check=False,
        )
        return preprocessed.returncode == 0


# MicroPython's version is its own, not that of the repository the rig lies in
_ENVIRONMENT = {"GIT_CEILING_DIRECTORIES": str(ROOT / ".rigs")}
NEWLIB = Headers("libnewlib-arm-none-eabi", ("errno.h", "math.h"))


def missing_packages(programs: Mapping[str, str], headers: Sequence[Headers]) -> list[str]:
    """Return the Debian packages that a build or its rig lacks here, in order of name."""
    missing = [package for program, package in programs.items() if shutil.which(program) is None]
    compiler = COMPILING[CROSS_COMPILER]
    missing += [each.package for each in headers if compiler in missing or not each.are_there()]
    return sorted(missing)


def say(text: str) -> None:
    """Tell progress."""
    print(f"setup: {text}", file=sys.stderr)


class Build:
    """One build of one rig, in the rig's folder, with a log of what the tools say."""

    def __init__(self, rig: FrozenRig, beside: Sequence[str] = ()) -> None:
        """Build `rig`; its source needs the Debian packages `beside`."""
        self.rig = rig
        self.folder = rig.folder
        self.source = rig.folder / "source"
        self.packages = rig.folder / "packages"
        self._log = rig.folder / "log"
        self._beside = beside

    def run(
        self, make_source: Callable[[Build], None], make_program: Callable[[Build], None]
    ) -> bool:
        """Make the rig what this checkout needs; return whether anything had to be done.

        `make_source` builds once what does not depend on the firmware, from `source` and
        `packages`; `make_program` does the rest. Raises RigSetUpError, in one line, for a network
        that does not answer and a build that fails.
        """
        made = self.source / "made"
        wanted = _FETCHER.read_bytes() + "\n".join(self._beside).encode()
        fresh = made.is_file() and made.read_bytes() == wanted
        if fresh and self.rig.is_current():
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log.write_bytes(b"")
        self.rig.stamp.unlink(missing_ok=True)
        if not fresh:
            self._fetch()
            make_source(self)
            shutil.rmtree(self.packages)
            made.write_bytes(wanted)
        say("building MicroPython with the firmware")
        digest = self.rig.digest()
        make_program(self)
        self.rig.stamp.write_text(digest + "\n")
        return True

    def _fetch(self) -> None:
        """Unpack MicroPython's source into `source`, beside it in `packages` what was asked for."""
        for old in (self.source, self.packages):
            shutil.rmtree(old, ignore_errors=True)
        fetched = subprocess.run(
            [_FETCHER, self.packages, "source", *self._beside],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if fetched.returncode != 0:
            raise RigSetUpError(fetched.stdout.strip() or "MicroPython's source cannot be fetched")
        self.unpack("micropython", self.source)

    def unpack(self, package: str, into: Path) -> None:
        """Unpack a fetched source package into a folder that is not there."""
        description = next(self.packages.glob(f"{package}_*.dsc"))
        # apt has checked the files against its signed index; the uploader's key need not be here
        self.call(["dpkg-source", "--no-check", "-x", str(description), str(into)], self.folder)

    def manifest(self, first: str = "", files: Mapping[str, bytes] | None = None) -> Path:
        """Write the files to freeze and a manifest that names them; return the manifest.

        The files are those of the rig, if no others are given; one that is as it was keeps its
        date. `first` are lines of the manifest that come first.
        """
        frozen = self.folder / "frozen"
        files = self.rig.files() if files is None else files
        for old in sorted(frozen.rglob("*"), reverse=True):
            if old.is_file() and old.relative_to(frozen).as_posix() not in files:
                old.unlink()
        for name, content in files.items():
            path = frozen / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)
        manifest = self.folder / "manifest.py"
        manifest.write_text(f"{first}freeze({str(frozen)!r}, {tuple(files)!r})\n")
        return manifest

    def make(self, where: Path, *arguments: str) -> None:
        """Run make in a folder, on all cores."""
        cores = len(os.sched_getaffinity(0))
        self.call(["make", f"-j{cores}", *arguments], where)

    def call(self, command: list[str], where: Path) -> None:
        """Run a command, its words in the log. Raises RigSetUpError with its first error."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as file:
            done = subprocess.run(
                command,
                cwd=where,
                env=os.environ | _ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            lines = self._log.read_text(errors="replace").splitlines()
            # make echoes its recipes, and one of them has an error in its words
            told = [line.strip() for line in lines if "rror" in line and "echo" not in line]
            errors = told or lines[-1:]
            raise RigSetUpError(
                f"{command[0]} failed ({errors[0] if errors else 'silently'}): see {self._log}"
            )


def set_up(build: Callable[[], bool]) -> None:
    """Build, or end with one line that says why not."""
    try:
        build()
    except RigSetUpError as error:
        sys.exit(f"setup: {error}")
