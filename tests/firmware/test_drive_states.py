"""The CiA 402 state machine: every situation times every event, on the real tick."""

from __future__ import annotations

import pytest
from joint_bench import Step, Trace, make_script, play_scripts
from test_servo import ENABLE, moving

from guidearm_protocol import drive
from guidearm_protocol import messages as wire

BUTTON: Step = ["load", "FORCED_INPUTS", 2]
RELEASED: Step = ["load", "FORCED_INPUTS", 0]
HOT: Step = ["load", "WINDING_TEMPERATURE", 1500]
BROKEN_ENCODER: Step = ["load", "FORCED_INPUTS", 16]

REACTING: list[Step] = [*moving(0, 250, 3.0), BUTTON, ["run", 3], RELEASED]
SITUATIONS: dict[int, list[Step]] = {
    wire.NOT_READY_TO_SWITCH_ON: [],
    wire.SWITCH_ON_DISABLED: [["run", 1]],
    wire.SWITCHED_ON: [["run", 1], *ENABLE, ["run", 700, 0], ["run", 1]],
    drive.TORQUE_ON: [["run", 1], ["enable", 0], ["run", 20]],
    wire.OPERATION_ENABLED: [["run", 1], *ENABLE],
    wire.QUICK_STOP_ACTIVE: [["run", 1], *moving(0, 250, 3.0), ["stop"], ["run", 3]],
    wire.FAULT_REACTION_ACTIVE: [["run", 1], *REACTING],
    wire.FAULT_STATE: [["run", 1], *REACTING, ["run", 900]],
}
# how an event comes, and ticks until it has taken effect
EVENTS: dict[str, list[Step]] = {
    drive.ENABLE: [["enable", 0], ["run", 3]],
    drive.RESUME: [["enable", 1], ["run", 3]],
    drive.STOP: [["stop"], ["run", 3]],
    drive.RESET_FAULT: [["reset_fault"], ["run", 3]],
    drive.HOME: [["home"], ["run", 3]],
    drive.SET_CLOCK: [["set_clock", 0, 0, 0], ["run", 3]],
    drive.START: [["start", 50_000], ["run", 3]],
    drive.CANCEL: [["cancel"], ["run", 3]],
    drive.FIRST_TICK: [["run", 1]],
    drive.BRAKE_MOVED: [["run", 900]],
    drive.SILENCE: [["silent", 600_000], ["run", 10, 0]],
    drive.FAULT: [HOT, ["run", 10]],
    drive.FAULT_AT_ONCE: [BROKEN_ENCODER, ["run", 3]],
    drive.STOP_INPUT: [BUTTON, ["run", 3]],
}


def situation(trace: Trace) -> int:
    state, torque = trace.last("STATE"), trace.last("BRIDGE")
    if state == wire.SWITCHED_ON and torque:
        return drive.TORQUE_ON
    # torque is on exactly where the words say so
    live = (wire.OPERATION_ENABLED, wire.QUICK_STOP_ACTIVE, wire.FAULT_REACTION_ACTIVE)
    assert torque == (state in live)
    return state


def expected(start: int, event: str) -> tuple[tuple[int, ...], int]:
    """Return what may follow; before the first tick every event meets that tick first."""
    following, reason = drive.after(start, event)
    if start == wire.NOT_READY_TO_SWITCH_ON:
        following, _ = drive.after(start, drive.FIRST_TICK)
    return following, reason


def test_the_tables_cover_every_situation_and_event() -> None:
    assert set(SITUATIONS) == set(range(9)) - {wire.READY_TO_SWITCH_ON}
    assert set(EVENTS) == set(drive.EVENTS)
    pairs = [row[:2] for row in drive.REFUSALS]
    assert len(set(pairs)) == len(pairs)
    assert not set(pairs) & {row[:2] for row in drive.TRANSITIONS}
    assert all(row[1] in drive.EVENTS for row in (*drive.TRANSITIONS, *drive.REFUSALS))


@pytest.mark.parametrize("event", drive.EVENTS)
def test_an_event_in_every_situation(event: str) -> None:
    scripts = [make_script([*steps, *EVENTS[event]], booted=False) for steps in SITUATIONS.values()]
    before = [make_script([*steps], booted=False) for steps in SITUATIONS.values()]
    starts = play_scripts(before)
    for start, reached, trace in zip(SITUATIONS, starts, play_scripts(scripts), strict=True):
        if start != wire.NOT_READY_TO_SWITCH_ON:
            assert situation(reached) == start
        following, reason = expected(start, event)
        assert situation(trace) in following, drive.SITUATIONS[start]
        if event in drive.REQUESTS:
            answer = trace.answers[-2]
            assert (answer or wire.REASON_NONE) == reason, drive.SITUATIONS[start]


def test_each_of_two_ways_out_of_torque_on_is_taken_where_it_belongs() -> None:
    opening, closing = play_scripts(
        [
            make_script([["enable", 0], ["run", 100]]),
            make_script([*ENABLE, ["silent", 600_000], ["run", 10, 0], ["run", 100]]),
        ]
    )
    assert situation(opening) == wire.OPERATION_ENABLED
    assert situation(closing) == wire.SWITCHED_ON
