"""The holding brake: its sequence with torque, its test, and what the link does meanwhile.

Drops are true link motion of the shoulder of guide6 with the arm stretched out horizontally.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from joint_bench import Step, Trace, counts, play
from numpy.typing import NDArray
from test_servo import moving

from guidearm.kinematics import load_arm
from guidearm_hil.gravity import Gravity
from guidearm_hil.joint_design import drivetrain
from guidearm_protocol import messages as wire

SHOULDER = 1
RECORD = (
    "STATE", "FAULT", "BRAKE", "BRAKE_OPEN", "BRIDGE", "ERROR", "POSITION", "LINK_POSITION",
    "MODE", "SET_SPEED", "INTEGRAL", "AUTHORISED",
)  # fmt: skip
HOLDING: list[Step] = [["enable", 0], ["run", 1000]]
BRAKE_DELAY_S = 0.04
TEST = 6


@cache
def full_load() -> float:
    """Return the greatest torque (Nm) that gravity asks of the shoulder: arm stretched out."""
    gravity = Gravity(load_arm("guide6"))
    elbows = np.linspace(-0.3, 0.3, 13)
    postures = [np.array([0.0, 0.0, elbow, wrist, 0.0, 0.0]) for elbow in elbows for wrist in
                np.linspace(-np.pi, np.pi, 25)]  # fmt: skip
    return max(abs(gravity(q)[SHOULDER]) for q in postures)


def link_deg(trace: Trace) -> NDArray[np.float64]:
    return trace["LINK_POSITION"] / 1024 / 409600 * 360


def under_load(steps: list[Step]) -> Trace:
    return play(steps, joint=SHOULDER, load_nm=full_load(), record=RECORD)


def test_the_load_is_that_of_the_stretched_arm() -> None:
    assert 39.0 < full_load() < 41.0


# ---- opening


def test_torque_and_test_come_before_the_brake_opens() -> None:
    trace = under_load(HOLDING)
    on = trace.first("BRIDGE", 1)
    opening = trace.first("BRAKE", 1)
    assert set(trace["MODE"][on:opening]) == {TEST}
    # a step of the sequence may wait for a tick that has no dear slice to look at
    assert 2 * 15 - 1 <= opening - on <= 2 * (15 + 4)
    # both directions, and the motor turns by less than what tells a bad brake
    assert np.ptp(trace["POSITION"][on:opening]) <= 2
    assert trace["STATE"][trace.first("BRAKE_OPEN", 1)] == wire.SWITCHED_ON


def test_the_first_enabling_drops_an_unknown_load_by_less_than_the_limit() -> None:
    link = link_deg(under_load(HOLDING))
    assert np.abs(link - link[0]).max() < 0.05


def test_the_torque_that_the_brake_took_over_is_put_back_before_it_opens() -> None:
    trace = under_load([*HOLDING, ["stop"], ["run", 400], *HOLDING])
    link = link_deg(trace)[1402:]
    assert np.abs(link - link[0]).max() < 0.002
    assert np.abs(trace["ERROR"][1402:]).max() <= 256


def test_a_torque_of_another_place_is_not_put_back() -> None:
    moved = [["load", f"{end}_POSITION", 9000 * 1024] for end in ("MOTOR", "LINK")]
    elsewhere: list[Step] = [*moved, ["run", 2]]
    trace = under_load([*HOLDING, ["stop"], ["run", 400], *elsewhere, ["enable", 0], ["run", 3]])
    assert trace["INTEGRAL"][1400] != 0
    assert trace.last("INTEGRAL") == 0


@pytest.mark.parametrize(("newton_metres", "good"), [(120, True), (65, True), (50, False)])
def test_a_brake_that_holds_less_than_its_test_is_found(newton_metres: int, good: bool) -> None:
    worn: Step = ["load", "BRAKE_TORQUE", newton_metres * 1000]
    trace = play([worn, *HOLDING], joint=SHOULDER, record=RECORD)
    if good:
        assert trace.last("STATE") == wire.OPERATION_ENABLED
    else:
        assert trace.last("FAULT") == wire.BRAKE
        assert trace["BRAKE"].max() == 0  # it never let go


# ---- closing

STOPS: dict[str, list[Step]] = {
    "stop": [["stop"], ["run", 600]],
    "silence": [["silent", 600_000], ["run", 600, 0]],
    "stop line": [["load", "INPUTS", 1], ["run", 600]],
    "emergency stop": [["load", "INPUTS", 2], ["run", 600]],
    "over-temperature": [["load", "WINDING_TEMPERATURE", 1500], ["run", 600]],
    "low supply": [["load", "SUPPLY_VOLTAGE", 17_000], ["run", 600]],
    "output encoder": [["load", "FORCED_INPUTS", 32], ["run", 600]],
}


@pytest.mark.parametrize("kind", STOPS)
@pytest.mark.parametrize("from_motion", [False, True])
def test_a_commanded_or_fault_stop_never_drops_the_arm(kind: str, from_motion: bool) -> None:
    """In motion the silence is a fault; at rest it is none. At most 0.05 degrees in both."""
    start = [*HOLDING, *moving(SHOULDER, 300, -1.5)[2:]] if from_motion else HOLDING
    trace = under_load([*start, *STOPS[kind]])
    begun = len(trace["STATE"]) - 600
    assert trace.last("BRIDGE") == 0
    rest = begun + int(np.flatnonzero(trace["SET_SPEED"][begun:] == 0)[0])
    # once the set-point rests, the motor stays where torque and then the brake hold it
    off = rest + int(np.flatnonzero(trace["BRIDGE"][rest:] == 0)[0])
    assert trace["BRAKE_OPEN"][off - 1] == 0
    assert np.abs(trace["ERROR"][rest:off]).max() / 256 < counts(math.radians(0.05))
    assert np.ptp(trace["POSITION"][off - 1 :]) <= 1
    if not from_motion:
        link = link_deg(trace)
        assert np.abs(link[begun:] - link[begun - 1]).max() < 0.05


def test_torque_stays_until_a_brake_that_sticks_open_has_closed() -> None:
    sticking: list[Step] = [["load", "BRAKE_JAMMED", 1], ["stop"], ["run", 2000]]
    trace = under_load([*HOLDING, *sticking])
    link = link_deg(trace)
    assert (trace.last("STATE"), trace.last("FAULT")) == (wire.FAULT_REACTION_ACTIVE, wire.BRAKE)
    assert trace.last("BRIDGE") == 1
    assert np.abs(link[-2000:] - link[-2001]).max() < 0.05
    freed = under_load([*HOLDING, *sticking, ["load", "BRAKE_JAMMED", 0], ["run", 100]])
    assert fault_of_words(freed) == wire.BRAKE


def fault_of_words(trace: Trace) -> int:
    assert (trace.last("STATE"), trace.last("BRIDGE")) == (wire.FAULT_STATE, 0)
    return trace.last("FAULT")


def loss_of_supply_bound_deg() -> float:
    """Return how far the shoulder can drop when the supply is lost.

    It falls freely while the brake closes, then the brake stops motor and link; the link swings on
    into its gear, for which the whole energy is allowed to go into the spring.
    """
    d = drivetrain(load_arm("guide6"), SHOULDER)
    link_inertia = float(load_arm("guide6").inertia[SHOULDER])
    inertia = d.motor_inertia + link_inertia
    fall = full_load() / inertia
    speed = fall * BRAKE_DELAY_S
    closing = fall * BRAKE_DELAY_S**2 / 2
    braking = speed**2 / 2 / ((d.brake_torque - full_load()) / inertia)
    swing = speed * math.sqrt(link_inertia / d.stiffness)
    return math.degrees(closing + braking + swing)


@pytest.mark.parametrize("volt", [0, 11])
def test_a_lost_supply_drops_the_arm_within_the_bound_of_the_brakes_delay(volt: int) -> None:
    trace = under_load([*HOLDING, ["load", "SUPPLY_VOLTAGE", volt * 1000], ["run", 600]])
    link = link_deg(trace)
    drop = np.abs(link[-600:] - link[-601]).max()
    assert fault_of_words(trace) == wire.SUPPLY
    assert 0.3 < drop < loss_of_supply_bound_deg() < 1.5


def test_supply_that_comes_back_does_not_move_the_arm() -> None:
    steps: list[Step] = [["load", "SUPPLY_VOLTAGE", 0], ["run", 300]]
    trace = under_load([*HOLDING, *steps, ["load", "SUPPLY_VOLTAGE", 24_000], ["run", 300]])
    assert np.ptp(trace["POSITION"][-300:]) == 0
    assert trace["BRIDGE"][-300:].max() == 0
