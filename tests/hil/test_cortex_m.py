"""The firmware on a Cortex-M3 in QEMU. Skipped where the rig is not set up."""

from __future__ import annotations

import json
import shutil
from functools import cache

import pytest

from guidearm_hil.cortex_m.budget import HEAP, Measured, measure
from guidearm_hil.cortex_m.image import RIG, CortexMError
from guidearm_hil.cortex_m.machine import CortexM
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_tools.image import FIRMWARE_FILES


def why_not() -> str:
    """Return why the rig cannot run, nothing if it can."""
    try:
        RIG.image()
    except RigSetUpError as error:
        return str(error)
    return "" if shutil.which("qemu-system-arm") else "qemu-system-arm is not installed"


WHY_NOT = why_not()
needs_rig = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "the rig is there")


@cache
def measured() -> Measured:
    return measure()


def test_the_firmware_is_frozen_whole() -> None:
    files = RIG.files()
    assert set(FIRMWARE_FILES) <= set(files)
    assert {"board.py", "measure.py", "guidearm_protocol/messages.py"} <= set(files)


@needs_rig
def test_scripts_run_and_their_errors_come_back() -> None:
    with CortexM() as machine:
        assert machine.run("import sys\nprint(sys.maxsize, sys.implementation.version[:2])") == (
            "2147483647 (1, 25)\r\n"
        )
        with pytest.raises(CortexMError, match="ZeroDivisionError"):
            machine.run("1 // 0")
        assert machine.run("print(2)") == "2\r\n"


_COUNTING = """
import clock, micropython
@micropython.asm_thumb
def none(r0, r1):
    nop()
@micropython.asm_thumb
def more(r0, r1):
    nop()
    nop()
    nop()
    nop()
for function in (none, more, none, more):
    print(clock.calling(function, 0, 0))
"""


@needs_rig
def test_one_instruction_counts_as_one() -> None:
    with CortexM() as machine:
        few, many, again, more = map(int, machine.run(_COUNTING).split())
    assert many - few == 3
    assert (few, many) == (again, more)


@needs_rig
def test_what_is_measured_is_the_same_again() -> None:
    assert json.dumps(measured().everything) == json.dumps(measure().everything)


@needs_rig
def test_a_move_allocates_nothing_and_transactions_keep_nothing() -> None:
    everything = measured().everything
    assert everything["allocated_by_ticks"] == 0
    assert {case["kept"] for case in everything["transactions"].values()} == {0}


@needs_rig
def test_every_transaction_runs_with_the_heap_locked() -> None:
    everything = measured().everything
    sent = {name: case["sent"] for name, case in everything["transactions"].items()}
    assert sent == {name: case["sent"] for name, case in everything["transactions_locked"].items()}
    assert sent["frame for another joint"] == 0
    assert sent["cycle of 6 joints with set-points"] == 35


@needs_rig
def test_the_heap_holds_the_firmware() -> None:
    assert 0 < measured().everything["heap"] <= HEAP


def test_rows_tell_what_is_over_its_bound() -> None:
    talk = {"instructions": 9000, "received": 43, "sent": 35, "passing": 0, "kept": 0}
    names = (
        "cycle of 3 joints with set-points",
        "frame for another joint",
        "reply of another joint",
    )
    ticks = {"hold": 900, "run": 1201, "run, fetch": 1500, "ramp, x, capture of 19": 5000}
    rows = Measured(
        {
            "ticks": {name: {"most": most} for name, most in ticks.items()},
            "transactions": dict.fromkeys(names, talk),
            "allocated_by_ticks": 16,
            "heap": HEAP,
        }
    ).rows()
    assert [row.ok for row in rows] == [False, True, True, False, False, True, True]
    assert rows[1].measured == 1500
