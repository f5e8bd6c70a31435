"""Every fault by name: provoked through the plant or an input, its reaction, latch and reset."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from joint_bench import Step, Trace, counts, make_script, play_scripts
from test_servo import ENABLE, moving

from guidearm_protocol import messages as wire

RECORD = (
    "NOW", "STATE", "FAULT", "FAULT_TIME", "FAULT_POSITION", "FAULT_STATE_BEFORE", "POSITION",
    "BRIDGE", "BRAKE", "DUTY", "PULL_LINE", "AUTHORISED", "SET_SPEED", "BRAKE_OPEN", "SPEED",
    "SET_ACCELERATION", "P_DECELERATION",
)  # fmt: skip
MIDWAY = moving(0, 300, 3.0)


def slow_move() -> list[Step]:
    """Return the steps into a move at 2 deg/s."""
    speed = (1 << 24) * 2 // 360
    segments = [[speed * number // 50, speed, 20_000] for number in range(1, 100)]
    return [*ENABLE, ["queue", segments], ["run", 40], ["start_in", 30_000], ["run", 230]]


# what provokes a fault, and what else the joint is given
PROVOKED: dict[int, tuple[list[Step], dict[str, Any]]] = {
    wire.FOLLOWING_ERROR: (
        [*MIDWAY, ["load", "EXTRA_LOAD", 30_000], ["run", 900]],
        {"parameter_values": {"following_error": 50}},
    ),
    wire.LINK_TIMEOUT: ([*MIDWAY, ["run", 1000, 0]], {}),
    wire.UNDERRUN: ([*moving(0, 700, queued=30)], {}),
    wire.STOP_LINE: ([*MIDWAY, ["load", "INPUTS", 1], ["run", 900]], {}),
    wire.SOFT_LIMIT: (
        [*MIDWAY, ["run", 1500]],
        {"parameter_values": {"upper_trip": round(counts(0.8))}},
    ),
    wire.OVER_SPEED: (
        [*MIDWAY, ["load", "EXTRA_LOAD", -300_000], ["run", 400]],
        {"parameter_values": {"following_error": 4096}},
    ),
    wire.ENCODERS_DISAGREE: ([*MIDWAY, ["load", "OUTPUT_STEP", 30_000], ["run", 400]], {}),
    wire.EMERGENCY_STOP: ([*MIDWAY, ["load", "INPUTS", 2], ["run", 900]], {}),
    wire.PARAMETER_CRC: ([["run", 10]], {"damaged": True}),
    wire.OVER_CURRENT: (  # a winding with a quarter of its turns shorted
        [
            *(*MIDWAY, ["load", "STALL_TORQUE", 30_000]),
            *(["load", "TORQUE_LIMIT", 400_000], ["run", 400]),
        ],
        {},
    ),
    wire.MOTOR_ENCODER: ([*MIDWAY, ["load", "MOTOR_ENCODER_FROZEN", 1], ["run", 400]], {}),
    wire.OUTPUT_ENCODER: ([*MIDWAY, ["load", "OUTPUT_ENCODER_FROZEN", 1], ["run", 900]], {}),
    wire.STALL: ([*slow_move(), ["load", "FRICTION", 190_000], ["run", 900]], {}),
    wire.OVER_TEMPERATURE: ([*MIDWAY, ["load", "WINDING_TEMPERATURE", 1500], ["run", 900]], {}),
    wire.SUPPLY: ([*MIDWAY, ["load", "SUPPLY_VOLTAGE", 16_000], ["run", 900]], {}),
    wire.WATCHDOG_RESET: ([["run", 10]], {"plant_values": {"FORCED_INPUTS": 64}}),
    wire.HARD_LIMIT: ([*MIDWAY, ["load", "FORCED_INPUTS", 8], ["run", 900]], {}),
    wire.BRAKE: ([["load", "BRAKE_TORQUE", 20_000], ["enable", 0], ["run", 300]], {}),
    wire.HOMING: (
        [["home"], ["leap", 25_600], ["run", 400]],
        {"parameter_values": {"has_absolute_encoder": 0, "home_speed": 1 << 21}},
    ),
}
# the same faults by other ways
BESIDES: tuple[tuple[int, list[Step]], ...] = (
    (wire.FOLLOWING_ERROR, [*MIDWAY, ["load", "FRICTION", 190_000], ["run", 900]]),
    (wire.MOTOR_ENCODER, [*MIDWAY, ["load", "FORCED_INPUTS", 16], ["run", 400]]),
    (wire.OUTPUT_ENCODER, [*MIDWAY, ["load", "FORCED_INPUTS", 32], ["run", 900]]),
    (wire.SUPPLY, [*MIDWAY, ["load", "SUPPLY_VOLTAGE", 33_000], ["run", 900]]),
    (wire.BRAKE, [["load", "BRAKE_JAMMED", 1], ["enable", 0], ["run", 500]]),
    (wire.LINK_TIMEOUT, [*moving(0, 100, 3.0), ["silent", 501_000], ["run", 900, 0]]),
)
RESET: list[Step] = [["reset_fault"], ["run", 2]]
CURED: list[Step] = [["load", "INPUTS", 0], ["load", "FORCED_INPUTS", 0]]


@cache
def provoked() -> dict[int, Trace]:
    """Provoke each, try to enable, reset."""
    after: list[Step] = [["enable", 0], ["run", 200], *CURED, ["run", 1], *RESET]
    scripts = [
        make_script([*steps, *after], record=RECORD, **more) for steps, more in PROVOKED.values()
    ]
    return dict(zip(PROVOKED, play_scripts(scripts), strict=True))


def latched(trace: Trace) -> int:
    """Return the tick at which the fault was latched."""
    return int(np.flatnonzero(trace["FAULT"])[0])


def test_every_fault_of_the_table_is_provoked() -> None:
    assert set(PROVOKED) == {fault[0] for fault in wire.FAULTS[1:]}


@pytest.mark.parametrize("fault", wire.FAULTS[1:], ids=lambda fault: fault[1])
def test_fault(fault: tuple[int, str, str, int]) -> None:
    code, _, _, reaction = fault
    trace = provoked()[code]
    at = latched(trace)
    reset = len(trace["STATE"]) - 2
    # the first cause stays, with what was true when it was found
    assert set(trace["FAULT"][at:reset]) == {code}
    assert set(trace["FAULT_TIME"][at:reset]) == {trace["NOW"][at]}
    assert set(trace["FAULT_POSITION"][at:reset]) == {trace["POSITION"][at]}
    before = trace["STATE"][at - 1] if at else wire.SWITCH_ON_DISABLED
    assert trace["FAULT_STATE_BEFORE"][at] == before
    # the stop line tells the others, unless they told this one
    assert set(trace["PULL_LINE"][at:reset]) == {int(code != wire.STOP_LINE)}
    assert trace["AUTHORISED"][at:].max() == 0
    if reaction == wire.TORQUE_OFF:
        assert trace["STATE"][at] == wire.FAULT_STATE
        for name in ("BRIDGE", "BRAKE", "DUTY"):
            assert set(trace[name][at:]) == {0}
    else:
        check_controlled_stop(trace, at)
    # it stays until a person resets it, and torque until a person enables
    assert trace["STATE"][reset - 1] == wire.FAULT_STATE
    parameters_damaged = code == wire.PARAMETER_CRC
    refusal = wire.REASON_PARAMETERS if parameters_damaged else wire.REASON_FAULT
    assert trace.answers[-7] == refusal
    assert trace.answers[-2] == (wire.REASON_PARAMETERS if parameters_damaged else 0)
    if not parameters_damaged:
        assert (trace.last("STATE"), trace.last("FAULT")) == (wire.SWITCH_ON_DISABLED, 0)
        assert (trace.last("PULL_LINE"), trace.last("BRIDGE")) == (0, 0)


def check_controlled_stop(trace: Trace, at: int) -> None:
    """Hold the reaction to its order: ramp within limits, brake, torque off when it is shut."""
    assert trace["STATE"][at] == wire.FAULT_REACTION_ACTIVE
    off = at + int(np.flatnonzero(trace["BRIDGE"][at:] == 0)[0])
    closing = at + int(np.flatnonzero(trace["BRAKE"][at:] == 0)[0])
    if trace["BRAKE"][at]:
        assert set(trace["SET_SPEED"][closing:]) == {0}
        assert np.abs(trace["SET_ACCELERATION"][at + 1 : off]).max() <= trace.last("P_DECELERATION")
        assert trace["BRAKE_OPEN"][off - 1] == 0
    assert off - closing >= 59 or not trace["BRAKE"][at]
    assert set(trace["STATE"][at:off]) == {wire.FAULT_REACTION_ACTIVE}
    assert set(trace["STATE"][off : len(trace["STATE"]) - 2]) == {wire.FAULT_STATE}
    assert set(trace["BRIDGE"][off:]) == {0}


def test_the_same_faults_by_other_ways() -> None:
    scripts = [make_script(steps, record=RECORD) for _, steps in BESIDES]
    for (code, _), trace in zip(BESIDES, play_scripts(scripts), strict=True):
        assert trace.last("FAULT") == code
        assert trace.last("STATE") == wire.FAULT_STATE
