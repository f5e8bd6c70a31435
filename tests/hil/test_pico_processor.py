"""The Picos' processor: instructions beside rp2040js's own, exceptions, and planted faults.

Skipped where the rig is not set up.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from guidearm_hil.frozen_rig import ROOT, RigSetUpError
from guidearm_hil.pico.process import FOLDER, firmware

PROGRAMS = Path(__file__).with_name("pico_processor")
INSTRUCTIONS = 50_000  # of the 65,536 halfwords at least so many are compared


def why_not() -> str:
    """Return why the emulator cannot run, nothing if it can."""
    try:
        firmware()
    except RigSetUpError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "the rig is there")


def differences(programs: Path, seed: int) -> list[dict[str, Any]]:
    """Return the instructions that do something else than they have to."""
    command = ["node", programs / "compare.mjs", str(seed)]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert told["compared"] > INSTRUCTIONS
    return told["differences"]


def exceptions_pass(programs: Path) -> bool:
    """Tell whether the tests of exceptions pass."""
    command = ["node", "--test", programs / "exceptions.test.mjs"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_every_instruction_does_what_it_has_to(seed: int) -> None:
    assert differences(PROGRAMS, seed) == []


def test_exceptions_sleep_and_what_is_refused() -> None:
    assert exceptions_pass(PROGRAMS)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a place with the emulator and these programs, to be spoilt."""
    emulator = tmp_path / FOLDER.relative_to(ROOT)
    shutil.copytree(FOLDER, emulator, ignore=shutil.ignore_patterns("node_modules"))
    (emulator / "node_modules").symlink_to(FOLDER / "node_modules")
    shutil.copytree(PROGRAMS, tmp_path / PROGRAMS.relative_to(ROOT))
    return tmp_path


def spoil(copied: Path, name: str, text: str, planted: str) -> Path:
    """Put a fault into a file of the emulator; return the programs beside it."""
    emulator = copied / FOLDER.relative_to(ROOT)
    source = (emulator / name).read_text()
    assert source.count(text) == 1, "the text is not there any more: plant the fault anew"
    (emulator / name).write_text(source.replace(text, planted))
    return copied / PROGRAMS.relative_to(ROOT)


@pytest.mark.parametrize(
    ("text", "planted", "shown"),
    [
        ("if (by) C = result >>> 31;", "C = result >>> 31;", {"C"}),
        ("if (C && result != 0) {", "if (C) {", {"r15", "cycles"}),
    ],
    ids=["carry of ROR by 0", "BHI where equal"],
)
def test_a_wrong_instruction_is_found(
    copied: Path, text: str, planted: str, shown: set[str]
) -> None:
    programs = spoil(copied, "processor/execute.ts", text, planted)
    emulator = copied / FOLDER.relative_to(ROOT)
    subprocess.run(["npm", "run", "--silent", "processor"], cwd=emulator, check=True)
    found = [set(each["got"]) for each in differences(programs, 1)]
    assert shown <= set[str]().union(*found)


@pytest.mark.parametrize(
    ("text", "planted"),
    [
        ("this.xPSR | (aligned << 7)", "this.xPSR"),
        ("this.words[MASKED] !== 0 && own > 0 ? 0 : own", "own"),
        ("if (this.words[WAITING] === FOR_EVENT) this.#goOn();", "this.#goOn();"),
    ],
    ids=["alignment of the stack forgotten", "mask ignored", "any wait ends by an event"],
)
def test_a_wrong_exception_is_found(copied: Path, text: str, planted: str) -> None:
    assert not exceptions_pass(spoil(copied, "core.mjs", text, planted))
