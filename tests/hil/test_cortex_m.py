"""The firmware on a Cortex-M in QEMU. Skipped where the rig is not set up."""

from __future__ import annotations

import json
import shutil
from functools import cache

import pytest

from guidearm_hil.cortex_m.budget import HEAP, Measured, measure
from guidearm_hil.cortex_m.image import PROCESSORS, RIG, CortexMError, program
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
on_each = pytest.mark.parametrize("processor", PROCESSORS)


@cache
def measured(processor: str) -> Measured:
    return measure(processor)


def test_the_firmware_is_frozen_whole() -> None:
    files = RIG.files()
    assert set(FIRMWARE_FILES) <= set(files)
    assert {"board.py", "measure.py", "guidearm_protocol/messages.py"} <= set(files)


@needs_rig
def test_each_processor_has_its_program() -> None:
    assert len({program(processor).read_bytes() for processor in PROCESSORS}) == len(PROCESSORS)


@needs_rig
@on_each
def test_scripts_run_and_their_errors_come_back(processor: str) -> None:
    with CortexM(processor) as machine:
        assert machine.run("import sys\nprint(sys.maxsize, sys.implementation.version[:2])") == (
            "2147483647 (1, 25)\r\n"
        )
        with pytest.raises(CortexMError, match="ZeroDivisionError"):
            machine.run("1 // 0")
        assert machine.run("print(2)") == "2\r\n"


_SEALING = """
import uctypes
from joint import frame
content = bytearray(16)
content[1:10] = b"123456789"
at = uctypes.addressof(content)
print(frame.seal_frame(frame.CRC_START, frame.CRC_TABLE_AT, at, 9), content.hex())
"""


@needs_rig
@on_each
def test_frozen_code_computes_with_its_own_literals(processor: str) -> None:
    """Code for an M0+ that is not aligned to words loads others."""
    with CortexM(processor) as machine:
        sealed = machine.run(_SEALING).split()
    assert sealed == ["15", "0e3132333435363738392639f4cb0000"]


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
@on_each
def test_one_instruction_counts_as_one(processor: str) -> None:
    with CortexM(processor) as machine:
        few, many, again, more = map(int, machine.run(_COUNTING).split())
    assert many - few == 3
    assert (few, many) == (again, more)


@needs_rig
@on_each
def test_what_is_measured_is_the_same_again(processor: str) -> None:
    again = measure(processor)
    assert json.dumps(measured(processor).everything) == json.dumps(again.everything)


@needs_rig
@on_each
def test_a_move_allocates_nothing(processor: str) -> None:
    assert measured(processor).everything["allocated_by_ticks"] == 0


@needs_rig
@on_each
def test_every_transaction_runs_with_the_heap_locked(processor: str) -> None:
    everything = measured(processor).everything
    sent = {name: case["sent"] for name, case in everything["transactions"].items()}
    assert sent == {name: case["sent"] for name, case in everything["transactions_locked"].items()}
    assert sent["frame for another joint"] == 0
    assert sent["cycle of 6 joints with set-points"] == 35


@needs_rig
@on_each
def test_the_heap_holds_the_firmware(processor: str) -> None:
    assert 0 < measured(processor).everything["heap"] <= HEAP


def test_rows_tell_what_is_over_its_bound() -> None:
    talk = {"instructions": 9000, "received": 43, "sent": 35, "allocated": 0}
    names = (
        "cycle of 3 joints with set-points",
        "frame for another joint",
        "reply of another joint",
    )
    ticks = {"hold": 900, "run": 1250, "brake's sequence": 1700, "ramp, capture of 19": 5000}
    everything = {
        "ticks": {name: {"most": most} for name, most in ticks.items()},
        "transactions": dict.fromkeys(names, talk),
        "allocated_by_ticks": 16,
        "heap": HEAP,
    }
    ok = {
        processor: {row.name: row.ok for row in Measured(processor, everything).rows()}
        for processor in PROCESSORS
    }
    assert list(ok["m3"].values()) == [False, False, False, True, True]
    assert list(ok["m0plus"].values()) == [True, True, False, True, True, True, False]
    assert "servo tick, worst path (brake's sequence), M3 instructions, at most" in ok["m3"]
