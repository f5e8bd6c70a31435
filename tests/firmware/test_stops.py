"""Stops from any state and speed: how long, how far, and that they last until a person enables."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from joint_bench import Step, Trace, make_script, play_scripts
from test_servo import ENABLE, moving

from guidearm_protocol import messages as wire

MARGIN_TICKS = 20
AFTER = 600
REST_COUNTS = 0.05 / 360 * 409600  # the motor within 0.05 deg of where it stays
RECORD = (
    "STATE", "MODE", "SET_SPEED", "SET_POINT", "SPEED", "POSITION", "FAULT", "AUTHORISED",
    "BRIDGE", "BRAKE", "SET_ACCELERATION", "P_DECELERATION", "P_JERK",
)  # fmt: skip
KINDS: dict[str, Step] = {"STOP": ["stop"], "emergency stop": ["load", "INPUTS", 2]}
# ticks into a move, from its second segment on: the first begins where the host thought it would
SPEEDS = (12, 30, 60, 100, 150, 200, 250, 300, 350, 450, 600, 800, 1200)
LOADS = ((0, 0.0), (1, 0.0), (1, 40.5), (1, -40.5), (5, 0.0))
NO_ENCODER: dict[str, Any] = {
    "parameter_values": {"has_absolute_encoder": 0},
    "plant_values": {"OUTPUT_ENCODER_FROZEN": 1},
}
STATES: dict[str, tuple[list[Step], dict[str, Any]]] = {
    "switch on disabled": ([], {}),
    "brake test": ([["enable", 0], ["run", 10]], {}),
    "brake opening": ([["enable", 0], ["run", 60]], {}),
    "holding": (ENABLE, {}),
    "armed": (moving(0, -15, 3.0), {}),
    "underrun's ramp": ([*moving(0, 345, queued=30)], {}),
    "silence's brake": ([*ENABLE, ["run", 505, 0]], {}),
    "switched on": ([*ENABLE, ["run", 700, 0]], {}),
    "seeking the stop": ([["home"], ["run", 400]], NO_ENCODER),
}
AGAIN: list[Step] = [
    *(["load", "INPUTS", 0], ["run", 5], ["set_clock", 0, 0, 0], ["run", 2]),
    *(["start", 1 << 20], ["run", 2], ["enable", 1], ["run", 100]),
]


def rested(trace: Trace, begun: int) -> tuple[int, int]:
    """Return ticks from a stop until the set-point rests, and until the motor does."""
    resting = begun + AFTER
    nonzero = np.flatnonzero(trace["SET_SPEED"][begun:resting])
    away = np.abs(trace["POSITION"][begun:resting] - trace["POSITION"][resting - 1])
    far = np.flatnonzero(away > REST_COUNTS)
    set_point, motor = (int(found[-1]) + 1 if found.size else 0 for found in (nonzero, far))
    return set_point, motor


@cache
def stopped(kind: str) -> list[Trace]:
    scripts = [
        make_script(
            [*moving(joint, ticks, 3.0), KINDS[kind], ["run", AFTER], *AGAIN],
            joint,
            load_nm=load,
            record=RECORD,
        )
        for joint, load in LOADS
        for ticks in SPEEDS
    ]
    return play_scripts(scripts)


@pytest.mark.parametrize("kind", KINDS)
def test_from_any_speed_at_rest_within_the_deceleration_limit_and_20_ms(kind: str) -> None:
    for trace in stopped(kind):
        begun = len(trace["STATE"]) - AFTER - 109
        speed = abs(int(trace["SET_SPEED"][begun - 1]))
        deceleration = int(trace.last("P_DECELERATION"))
        limit = speed / deceleration + MARGIN_TICKS
        set_point, motor = rested(trace, begun)
        assert set_point <= limit
        assert motor <= limit
        # and as far as that takes at most
        way = abs(int(trace["SET_POINT"][begun + AFTER - 1] - trace["SET_POINT"][begun - 1])) / 256
        allowed = speed * speed / 2 / deceleration + speed * MARGIN_TICKS
        assert way <= allowed / 65536 + 1
        ramp = trace["SET_ACCELERATION"][begun : begun + AFTER]
        assert np.abs(ramp[1:]).max() <= deceleration
        check_lasting(trace, kind)


def check_lasting(trace: Trace, kind: str) -> None:
    """Hold it to rest: neither START nor a resumed ENABLE moves it again."""
    assert trace.answers[-2] == (
        wire.REASON_FAULT if trace.last("FAULT") else wire.REASON_NOT_AUTHORISED
    )
    assert trace.last("AUTHORISED") == 0
    assert trace["BRIDGE"][-200:].max() == 0
    assert trace["BRAKE"][-200:].max() == 0
    assert np.ptp(trace["POSITION"][-200:]) == 0
    if kind == "emergency stop":
        assert trace.last("FAULT") != wire.NO_FAULT
        assert trace.last("STATE") == wire.FAULT_STATE


@pytest.mark.parametrize("kind", KINDS)
def test_from_any_state(kind: str) -> None:
    scripts = [
        make_script([*steps, KINDS[kind], ["run", AFTER], *AGAIN], record=RECORD, **more)
        for steps, more in STATES.values()
    ]
    for state, trace in zip(STATES, play_scripts(scripts), strict=True):
        begun = len(trace["STATE"]) - AFTER - 109
        speed = abs(int(trace["SET_SPEED"][begun - 1]))
        limit = speed / int(trace.last("P_DECELERATION")) + MARGIN_TICKS
        assert max(rested(trace, begun)) <= limit, state
        assert trace.last("AUTHORISED") == 0, state
        assert trace["BRIDGE"][begun + AFTER :].max() == 0, state
        assert trace.answers[-2] != wire.REASON_NONE, state
        pressed = kind == "emergency stop" and state != "switch on disabled"
        if pressed or state == "underrun's ramp":
            assert trace.last("STATE") == wire.FAULT_STATE, state
        else:
            assert trace.last("STATE") == wire.SWITCH_ON_DISABLED, state
