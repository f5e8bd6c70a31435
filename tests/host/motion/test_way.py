"""A way judged from few samples: as by `check_motion` from many, and refused in one line."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guidearm.errors import MotionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm, load_arm
from guidearm.kinematics.clearance import Rod, Room
from guidearm.motion import Changeable, MotionState, check_way, joint_move, retarget, state_at
from guidearm.motion.check import LEAST_CLEARANCE_M, TORQUE_SHARE, check_motion

ARM = load_arm("guide6")
POST = Room((Rod("post", np.array([0.3, 0.25, 0.0]), np.array([0.3, 0.25, 0.8]), 0.03),))
LEFT_MM = 1.0  # what may be left unproven
LARGE = np.radians([-15, 10, 12, -20, 5, -30])
offsets = st.lists(st.floats(-0.8, 0.8), min_size=6, max_size=6).map(np.array)


def least(motion: Changeable, arm: Arm, room: Room | None) -> tuple[float, float]:
    """Return the least clearance, mm, and the largest share of a torque, from dense samples."""
    found = {finding.name.split(": ")[1]: finding for finding in check_motion(motion, arm, room)}
    return found["clearance"].measured, found["torque, share of what the joint has"].measured


def refusal(motion: Changeable, arm: Arm = ARM, room: Room | None = None) -> str:
    try:
        check_way(motion, arm, room)
    except MotionError as error:
        return str(error)
    return ""


def half_way() -> MotionState:
    move = joint_move(ARM.home, ARM.home + np.array([0.5, -0.3, 0.4, -0.2, 0.6, 0.1]), ARM)
    return state_at(move, 0.4 * move.duration_s)


def assert_agrees(motion: Changeable, arm: Arm) -> None:
    clearance_mm, torque = least(motion, arm, POST)
    refused = refusal(motion, arm, POST)
    if clearance_mm >= 1e3 * LEAST_CLEARANCE_M and torque <= TORQUE_SHARE:
        # samples elsewhere may be a trace nearer
        assert not refused or min(clearance_mm - 3.0, 10 * (TORQUE_SHARE - torque)) < 0.1
    if clearance_mm < 1e3 * LEAST_CLEARANCE_M - LEFT_MM or torque > TORQUE_SHARE + 0.01:
        assert refused


@settings(max_examples=60, deadline=None)
@given(offsets, offsets, st.floats(0.1, 1.0))
def test_it_finds_what_dense_samples_find(start: Array, goal: Array, speed: float) -> None:
    begin = ARM.home + 0.2 * start
    if min(ARM.clearances(begin, POST).least, 1.0) < LEAST_CLEARANCE_M:
        return
    # half as strong: torque is a matter, too
    weak = replace(ARM, torque=0.3 * ARM.torque)
    if np.any(np.abs(ARM.gravity_torque(begin)) > TORQUE_SHARE * weak.torque):
        return
    for arm in (ARM, weak):
        assert_agrees(joint_move(begin, ARM.home + goal, arm, speed), arm)


@settings(max_examples=30, deadline=None)
@given(offsets)
def test_it_finds_it_from_a_moving_state_too(goal: Array) -> None:
    assert_agrees(retarget(half_way(), ARM.home + goal, ARM), ARM)


def test_a_thin_rod_in_the_way_is_not_stepped_over() -> None:
    """A rod 2 mm across, in a fast move, and what is said of it."""
    move = joint_move(ARM.home, ARM.home + np.radians([120.0, 0, 0, 0, 0, 0]), ARM)
    for share in np.linspace(0.2, 0.8, 13):
        q, _ = move.sample(np.array([share * move.duration_s]))
        tip = (ARM.forward(q[0]) @ ARM.T_flange_guide)[:3, 3]
        rod = Rod("needle", tip - [0, 0, 0.05], tip - [0, 0, 0.01], 0.001)
        told = refusal(move, ARM, Room((rod,)))
        assert told.startswith("joint move: clearance is ")
        assert " mm (sleeve from needle, " in told
        assert "s on the way), at least 3 is allowed: choose another posture" in told
        assert "\n" not in told


def test_a_torque_that_is_too_much_names_its_joint() -> None:
    move = joint_move(ARM.home, ARM.home + np.radians([60.0, 0, 0, 0, 0, 0]), ARM)
    weak = replace(ARM, torque=np.array([80.0, 21.0, 80.0, 20.0, 20.0, 20.0]))
    assert np.all(np.abs(ARM.gravity_torque(ARM.home)) < TORQUE_SHARE * weak.torque)
    fast = joint_move(ARM.home, ARM.home + np.radians([0.0, 20.0, 0, 0, 0, 0]), ARM)
    assert refusal(move, weak) == ""
    told = refusal(fast, weak)
    assert told.startswith("joint move: torque, share of what the joint has is ")
    assert "(joint 2, " in told
    assert told.endswith("at most 0.8 is allowed: choose another posture or move the base")


def test_who_is_too_near_may_go_away_and_not_nearer() -> None:
    tip = (ARM.forward(ARM.home) @ ARM.T_flange_guide)[:3, 3]
    rod = Rod("bone", tip - [0, 0, 0.05], tip - [0, 0, 0.0115], 0.002)
    room = Room((rod,))
    assert 0.0 < ARM.clearances(ARM.home, room).least < LEAST_CLEARANCE_M
    q = {mm: ARM.inverse(raised(mm), ARM.home) for mm in (-0.5, 0.5, 20.0)}
    to = {mm: each[np.argmin(np.max(np.abs(each - ARM.home), axis=1))] for mm, each in q.items()}
    assert refusal(joint_move(ARM.home, to[20.0], ARM), ARM, room) == ""
    assert refusal(joint_move(ARM.home, to[0.5], ARM), ARM, room) == ""
    assert "sleeve from bone" in refusal(joint_move(ARM.home, to[-0.5], ARM), ARM, room)
    assert refusal(joint_move(ARM.home, ARM.home, ARM), ARM, room) == ""


def raised(mm: float) -> Array:
    """T_base_flange (4, 4) of the flange at home, so much higher."""
    T = ARM.forward(ARM.home).copy()
    T[2, 3] += 1e-3 * mm
    return T


@contextmanager
def counted() -> Generator[list[int]]:
    """Count the postures that are judged."""
    postures: list[int] = []
    real = Arm.clearances

    def clearances(self: Arm, q: Array, room: Room | None = None) -> object:
        postures.append(len(np.atleast_2d(q)))
        return real(self, q, room)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Arm, "clearances", clearances)
        yield postures


def test_few_postures_prove_it() -> None:
    """A correction, two looks at all; a change of posture, some dozens instead of thousands."""
    rest = state_at(joint_move(ARM.home, ARM.home, ARM), 0.0)
    small = retarget(rest, ARM.home + 0.002, ARM)
    large = retarget(half_way(), ARM.home + LARGE, ARM)
    check_way(small, ARM, POST)  # what is kept from one to the next is there
    for motion, rounds, most in ((small, 1, 3), (large, 5, 80)):
        with counted() as postures:
            check_way(motion, ARM, POST)
        assert len(postures) <= rounds
        assert sum(postures) <= most
