"""The firmware on a Cortex-M in QEMU. Skipped where the rig is not set up."""

from __future__ import annotations

import json
import shutil
from functools import cache

import pytest

from guidearm_hil.cortex_m.budget import ENTRY, HEAP, M0PLUS, M3, Costs, WorstTicks, measure_costs
from guidearm_hil.cortex_m.hand_over import Interrupted
from guidearm_hil.cortex_m.image import PROCESSORS, RIG, CortexMError, program
from guidearm_hil.cortex_m.machine import CortexM
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_hil.target import times
from guidearm_hil.target.pico_tick import measure_tick
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
def costs(processor: str) -> Costs:
    return measured_anew(processor)


def measured_anew(processor: str) -> Costs:
    with CortexM(processor) as machine:
        return measure_costs(machine.run)


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
    again = measured_anew(processor)
    assert json.dumps(costs(processor).everything) == json.dumps(again.everything)


@needs_rig
@on_each
def test_a_move_allocates_nothing(processor: str) -> None:
    assert costs(processor).everything["allocated_by_ticks"] == 0


@needs_rig
@on_each
def test_every_transaction_runs_with_the_heap_locked(processor: str) -> None:
    everything = costs(processor).everything
    sent = {name: case["sent"] for name, case in everything["transactions"].items()}
    assert sent == {name: case["sent"] for name, case in everything["transactions_locked"].items()}
    assert sent["frame for another joint"] == 0
    assert sent["cycle of 6 joints with set-points"] == 35


@needs_rig
def test_the_virtual_rig_charges_what_was_counted() -> None:
    """To a twentieth, so that not every change of the firmware asks for the table anew."""
    try:
        tick = measure_tick()
    except RigSetUpError as error:  # the rig pico
        pytest.skip(str(error))
    measured = times.times(costs("m0plus"), tick)
    assert times.written() == {
        name: pytest.approx(value, rel=0.05, abs=1) for name, value in measured.items()
    }, f"run {times.COMMAND}"


def test_the_table_of_times_is_that_of_the_command() -> None:
    assert times.FILE.read_text() == times.as_text(times.written())


@needs_rig
@on_each
def test_the_heap_holds_the_firmware(processor: str) -> None:
    assert 0 < costs(processor).everything["heap"] <= HEAP


def test_rows_tell_what_is_over_its_bound() -> None:
    talk = {"instructions": 9000, "received": 43, "sent": 35, "allocated": 0}
    names = (
        "cycle of 3 joints with set-points",
        "frame for another joint",
        "reply of another joint",
    )
    ticks = {"hold": 900, "run": 1250, "brake's sequence": 1700}
    everything = {
        "ticks": {name: {"most": most} for name, most in ticks.items()},
        "transactions": dict.fromkeys(names, talk),
        "allocated_by_ticks": 16,
        "heap": HEAP,
    }
    ok = {
        processor: {
            row.name: row.ok for row in Costs({**everything, "processor": processor}).rows()
        }
        for processor in (M3, M0PLUS)
    }
    assert list(ok[M3].values()) == [False, False, True, True]
    assert list(ok[M0PLUS].values()) == [True, True, False, False, True, True]


def test_the_worst_tick_is_told_with_what_it_met() -> None:
    dearest = {"hold": [1599, "stop"], "run": [1601, "jam, stop line"]}
    rows = {
        processor: WorstTicks({"processor": processor, "dearest": dearest}).rows()[0]
        for processor in (M3, M0PLUS)
    }
    assert [rows[M3].ok, rows[M0PLUS].ok] == [False, True]
    assert "worst path (run: jam, stop line)" in rows[M3].name


_DRAWN = """
import events
joint = events.Walked()
print([[name for name, _ in joint._drawn()] for _ in range(50)])
"""


@needs_rig
def test_the_same_events_are_drawn_in_every_run() -> None:
    told: list[str] = []
    for _ in range(2):
        with CortexM("m3") as machine:
            told.append(machine.run(_DRAWN))
    assert told[0] == told[1]
    assert all(event in told[0] for event in ("stop line", "CANCEL", "stall"))


_LOAD = """
import json, running
joint = running.Running(hard={})
print(json.dumps(joint.under_load(300, True)))
"""


@needs_rig
@on_each
def test_no_tick_is_dropped_under_a_full_bus_and_the_collector(processor: str) -> None:
    with CortexM(processor) as machine:
        load = json.loads(machine.run(_LOAD.format(True)))
    assert load["ticks"] >= 300
    assert load["dropped"] == 0
    assert load["fault"] == 0
    assert load["replies"] > 0
    assert load["passes_in_motion"] > 0
    assert load["most"] - load["least"] <= 120


@needs_rig
def test_ticks_are_dropped_by_soft_interrupts() -> None:
    """They wait for the collector, and what comes meanwhile is one."""
    with CortexM("m0plus") as machine:
        load = json.loads(machine.run(_LOAD.format(False)))
    assert load["dropped"] > 0


@needs_rig
@on_each
def test_an_interrupts_entry_is_counted_exactly(processor: str) -> None:
    script = "import running\nprint(running.entry(), running.entry(), running.around())"
    with CortexM(processor) as machine:
        entry, again, around = map(int, machine.run(script).split())
    assert entry == again
    assert 100 < around < entry + 100


_PICO = """
import running
handler, state = running.pico_interrupt.handler()
print(running.entry(handler, state), running.entry(handler, state))
before = state[running.servo.TICKS]
handler(None)
print(state[running.servo.TICKS] - before)
"""


@needs_rig
@on_each
def test_the_picos_own_interrupt_runs_its_tick(processor: str) -> None:
    with CortexM(processor) as machine:
        entry, again, ticks = machine.run(_PICO).split()
    assert entry == again
    assert 200 < int(entry) <= ENTRY
    assert ticks == "1"


_HANDED_OVER = """
from handover import *
at = Situations(Joint())
s = at.joint.state
def start():
{}
print(json.dumps(Operation(at.queued, (start,)).sweep(7)))
"""
_ARGUMENTS = """
    s[servo.ARGUMENT] = at.instant
"""
_COMMAND = "    s[servo.COMMAND] = servo.START\n"


def handed_over(steps: str) -> Interrupted:
    with CortexM("m0plus") as machine:
        found = json.loads(machine.run(_HANDED_OVER.format(steps)))
    return Interrupted("start", found["inside"], found["mixed"], found["first"])


@needs_rig
def test_a_command_behind_its_arguments_is_never_a_mixture() -> None:
    assert [row.ok for row in handed_over(_ARGUMENTS + _COMMAND).rows()] == [True, True]


@needs_rig
def test_a_command_before_its_arguments_is_found() -> None:
    broken = handed_over(_COMMAND + _ARGUMENTS)
    assert broken.mixed > 10
    assert "state[" in broken.first
    assert [row.ok for row in broken.rows()] == [True, False]


_REPORT = """
from handover import *
at = Situations(Joint())
s = at.joint.state
def report():
    return s[servo.NOW], s[servo.CURRENT]
print(json.dumps(Operation(at.moving, (report,)).sweep(7)))
"""


@needs_rig
def test_a_report_of_two_ticks_is_found() -> None:
    with CortexM("m0plus") as machine:
        found = json.loads(machine.run(_REPORT))
    assert found["mixed"] > 0
    assert "returned" in found["first"]
