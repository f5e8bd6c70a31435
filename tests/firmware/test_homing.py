"""Homing: on the absolute encoder at power-on, or once against the stop where there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from joint_bench import Step, Trace, counts, make_script, move_segments, play, play_scripts

from guidearm_protocol import messages as wire

STOP_DEG = -15.0
RECORD = (
    "STATE", "MODE", "FAULT", "HOMED", "POSITION", "LINK_POSITION", "CURRENT", "SPEED", "BRIDGE",
    "BRAKE", "AUTHORISED",
)  # fmt: skip
SEEK = 5
AT_STOP = round(counts(math.radians(STOP_DEG)))


def with_stop(joint: int = 0, load_nm: float = 0.0, at_deg: float = 0.0) -> dict[str, Any]:
    """Return what makes a joint that has a stop at -15 deg and no absolute encoder."""
    return {
        "joint": joint,
        "load_nm": load_nm,
        "at_rad": math.radians(at_deg),
        "parameter_values": {"has_absolute_encoder": 0, "home_position": AT_STOP},
        "plant_values": {"OUTPUT_ENCODER_FROZEN": 1, "STOP_LOWER": AT_STOP * 1024},
        "record": RECORD,
    }


HOME: list[Step] = [["home"], ["run", 2600]]
CASES = [with_stop(), with_stop(1, 40.5), with_stop(1, -40.5), with_stop(5), with_stop(0, 0.0, 4.0)]


@pytest.fixture(scope="module")
def homed() -> list[Trace]:
    return play_scripts([make_script(HOME, **case) for case in CASES])


def test_before_it_nothing_can_be_enabled() -> None:
    trace = play([["enable", 0], ["run", 50]], **with_stop())
    assert trace.answers[0] == wire.REASON_NOT_HOMED
    assert (trace.last("HOMED"), trace["BRIDGE"].max()) == (0, 0)


def test_it_finds_the_stop_and_ends_off_with_the_brake_on(homed: list[Trace]) -> None:
    for trace in homed:
        assert trace.answers[0] == wire.REASON_NONE
        assert (trace.last("HOMED"), trace.last("FAULT")) == (1, 0)
        assert trace.last("STATE") == wire.SWITCH_ON_DISABLED
        assert (trace.last("BRIDGE"), trace.last("BRAKE"), trace.last("AUTHORISED")) == (0, 0, 0)
        # torque and speed stay small
        seeking = trace["MODE"] == SEEK
        assert np.abs(trace["SPEED"][seeking]).max() / 256 < counts(math.radians(40)) / 1000
        assert np.abs(trace["CURRENT"][seeking]).max() <= 0.75 * 16_000


def test_what_it_finds_is_repeatable(homed: list[Trace]) -> None:
    """Wound up by the same torque, it takes the same place for the stop from 15 and 19 degrees."""
    first, fourth = homed[0], homed[4]
    off = [trace.last("POSITION") - trace.last("LINK_POSITION") / 1024 for trace in (first, fourth)]
    assert abs(off[0] - off[1]) < counts(math.radians(0.02))
    # the gear's wind-up under homing torque stays in it: `home_position` is told with it
    for trace in homed:
        error = trace.last("POSITION") - trace.last("LINK_POSITION") / 1024
        assert abs(error) < counts(math.radians(0.35))


def test_afterwards_it_moves_inside_its_limits_only() -> None:
    back = move_segments(0, math.radians(STOP_DEG), 0.0)
    steps: list[Step] = [*HOME, ["enable", 0], ["run", 100], ["queue", back], ["run", 40]]
    trace = play([*steps, ["start_in", 30_000], ["run", 900]], **with_stop())
    assert (trace.last("STATE"), trace.last("FAULT")) == (wire.OPERATION_ENABLED, 0)
    assert abs(trace.last("POSITION")) < 4
    assert abs(trace.last("LINK_POSITION") / 1024) < counts(math.radians(0.35))


@pytest.mark.parametrize(
    ("steps", "state", "fault"),
    [
        ([["stop"], ["run", 300]], wire.SWITCH_ON_DISABLED, wire.NO_FAULT),
        ([["run", 900, 0]], wire.FAULT_STATE, wire.LINK_TIMEOUT),
        ([["load", "INPUTS", 1], ["run", 300]], wire.FAULT_STATE, wire.STOP_LINE),
        ([["load", "FORCED_INPUTS", 4], ["run", 300]], wire.FAULT_STATE, wire.HARD_LIMIT),
    ],
)
def test_on_its_way_it_stops_like_any_move(steps: list[Step], state: int, fault: int) -> None:
    trace = play([["home"], ["run", 500], *steps], **with_stop())
    assert trace["MODE"][500] == SEEK
    assert (trace.last("STATE"), trace.last("FAULT")) == (state, fault)
    assert (trace.last("HOMED"), trace.last("BRIDGE")) == (0, 0)


def test_the_soft_limits_hold_from_the_first_tick() -> None:
    """Booted outside: homed at once, the way out is refused by the limit, the way in is free."""
    limit = {"upper_trip": round(counts(0.5)), "upper_limit": round(0.49 / 2 / math.pi * 2**24)}
    start = 39_112 / counts(1.0)  # the middle of a step of the output encoder, 0.6 rad
    out, back = (
        play(
            [
                *(["enable", 0], ["run", 100]),
                *(["queue", move_segments(0, start, to)], ["run", 40]),
                *(["start_in", 30_000], ["run", 1100], ["depth"]),
            ],
            at_rad=start,
            parameter_values=values,
            record=RECORD,
        )
        for to, values in ((0.8, {"upper_trip": limit["upper_trip"]}), (0.4, limit))
    )
    assert out["HOMED"][0] == 1
    assert out.last("FAULT") == wire.SOFT_LIMIT
    assert out["POSITION"].max() < counts(0.61)
    assert (back.last("FAULT"), back.last("STATE")) == (wire.NO_FAULT, wire.OPERATION_ENABLED)
    assert back.last("POSITION") < counts(0.41)
    further = ["queue", move_segments(0, start, 0.8)]
    refused = play(
        [["enable", 0], ["run", 100], further, ["run", 40], ["depth"]],
        at_rad=start,
        parameter_values=limit,
    )
    assert refused.answers[-1] <= 1  # the first segment ends within a count of where it stands
