"""Finds a genuine MicroPython to run joint firmware on.

`python -m guidearm_tools.micropython` names the one that will be used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import guidearm_tools
from guidearm.errors import GuideArmError

OLDEST = (1, 25)
"""The firmware's own version; older ones emit other native code and lack what it uses."""

VARIABLE = "GUIDEARM_MICROPYTHON"
"""The environment variable that names an interpreter and overrides every other."""

# Prints name, version and the largest machine word, and proves that native code is emitted.
_PROBE = """
import sys
import micropython
@micropython.viper
def double(x: int) -> int:
    return x + x
print(sys.implementation[0], *sys.implementation[1][:3], sys.maxsize, double(21))
"""
_PROBE_SECONDS = 10


class MicroPythonError(GuideArmError):
    """No MicroPython that can run the firmware is to be had."""


@dataclass(frozen=True)
class Interpreter:
    """A MicroPython that was run and found fit."""

    path: Path
    version: tuple[int, int, int]
    word_bits: int

    def __str__(self) -> str:
        """Name, version and word size, as shown to a user."""
        return f"MicroPython {'.'.join(map(str, self.version))}, {self.word_bits}-bit"

    def environment(self, modules: Path) -> dict[str, str]:
        """Return the whole environment of a process that runs the modules of one folder.

        Nothing else is on its path: a stray file in a user's MicroPython folder or in
        site-packages would shadow `struct` or `time`.
        """
        return {"MICROPYPATH": f".frozen:{modules}"}


def find_interpreter(environ: Mapping[str, str] | None = None) -> Interpreter:
    """Return the MicroPython of `GUIDEARM_MICROPYTHON`, else the checkout's, else the PATH's.

    Each candidate is run before it is believed. A named one that is unfit is an error; it is
    never replaced by another in silence. Raises MicroPythonError when none is fit, and says how
    to mend it.
    """
    environ = os.environ if environ is None else environ
    named = environ.get(VARIABLE)
    if named:
        path = shutil.which(named, path=environ.get("PATH"))
        if path is None:
            raise MicroPythonError(
                f"{VARIABLE}={named} is not a program: name a MicroPython {_oldest()} or newer"
            )
        return probe(Path(path))

    reasons: list[str] = []
    for candidate in _candidates(environ):
        try:
            return probe(candidate)
        except MicroPythonError as error:
            reasons.append(str(error))
    found = "; ".join(reasons) or "no MicroPython found"
    raise MicroPythonError(
        f"{found}: run tools/setup in a checkout, or set {VARIABLE}=/path to a MicroPython "
        f"{_oldest()} or newer"
    )


def probe(path: Path) -> Interpreter:
    """Run an interpreter to learn what it is.

    Raises MicroPythonError, with the path and the reason, when it does not run, is not
    MicroPython, is too old, or cannot emit native code.
    """
    try:
        answer = subprocess.run(
            [path, "-c", _PROBE],
            env={"MICROPYPATH": ".frozen"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except OSError as error:
        raise MicroPythonError(f"{path} does not run ({error.strerror})") from error
    except subprocess.TimeoutExpired as error:
        raise MicroPythonError(f"{path} does not answer within {_PROBE_SECONDS} s") from error
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise MicroPythonError(f"{path} is no MicroPython with viper ({last})")
    try:
        name, major, minor, patch, largest, doubled = answer.stdout.split()
        version = (int(major), int(minor), int(patch))
        word_bits = int(largest).bit_length() + 1
    except ValueError as error:
        raise MicroPythonError(f"{path} is no MicroPython with viper") from error
    if name != "micropython" or doubled != "42":
        raise MicroPythonError(f"{path} is no MicroPython with viper")
    if version[:2] < OLDEST:
        number = ".".join(map(str, version))
        raise MicroPythonError(f"{path} is MicroPython {number}, older than {_oldest()}")
    return Interpreter(path, version, word_bits)


def _candidates(environ: Mapping[str, str]) -> list[Path]:
    checkout = Path(guidearm_tools.__file__).resolve().parents[2]
    candidates = [checkout / ".micropython" / "micropython"]
    on_path = shutil.which("micropython", path=environ.get("PATH"))
    if on_path is not None:
        candidates.append(Path(on_path))
    return [candidate for candidate in candidates if candidate.is_file()]


def _oldest() -> str:
    return ".".join(map(str, OLDEST))


def main() -> None:
    """Print the interpreter that will be used, or why there is none."""
    try:
        interpreter = find_interpreter()
    except MicroPythonError as error:
        sys.exit(str(error))
    print(f"{interpreter.path} ({interpreter})")


if __name__ == "__main__":
    main()
