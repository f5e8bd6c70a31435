"""The search over the roll about the guide's axis."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, exp_so3, frame_along, inverse, rotation_z, transform
from guidearm.kinematics import Arm, guide_candidates, load_arm
from guidearm.kinematics.guide_axis import LEAST_LIMIT_MARGIN, LEAST_SINGULARITY

GUIDE6 = load_arm("guide6")


def line_near_home(arm: Arm, offset: Array, tilt: Array) -> Array:
    T = arm.forward(arm.home) @ arm.T_flange_guide
    return transform(exp_so3(tilt) @ T[:3, :3], T[:3, 3] + offset)


small = st.tuples(*[st.floats(-0.1, 0.1)] * 3).map(np.array)
tilts = st.tuples(*[st.floats(-0.4, 0.4)] * 3).map(np.array)


@given(small, tilts)
def test_candidates_put_the_guide_on_the_line(offset: Array, tilt: Array) -> None:
    arm = GUIDE6
    T_base_line = line_near_home(arm, offset, tilt)
    candidates = guide_candidates(arm, arm.T_flange_guide, T_base_line, arm.home, rolls=24)
    q = np.array([c.q for c in candidates])
    T_base_guide = arm.forward(q) @ arm.T_flange_guide
    roll = np.array([c.roll for c in candidates])
    T_line_guide = inverse(T_base_line) @ T_base_guide
    np.testing.assert_allclose(T_line_guide[:, :3, 3], 0.0, atol=1e-12)
    np.testing.assert_allclose(T_line_guide[:, :3, :3], rotation_z(roll), atol=1e-9)
    assert np.all(arm.singularity(q) >= LEAST_SINGULARITY)
    assert np.all(q >= arm.lower + LEAST_LIMIT_MARGIN - 1e-12)
    assert np.all(q <= arm.upper - LEAST_LIMIT_MARGIN + 1e-12)


def test_the_best_comes_first_and_says_why() -> None:
    arm = GUIDE6
    line = line_near_home(arm, np.array([0.02, -0.03, 0.01]), np.array([0.1, 0.2, 0.0]))
    candidates = guide_candidates(arm, arm.T_flange_guide, line, arm.home)
    costs = [c.cost for c in candidates]
    assert costs == sorted(costs)
    for c in candidates[:: len(candidates) // 20]:
        np.testing.assert_allclose(c.travel, np.max(np.abs(c.q - arm.home)), rtol=1e-12)
        np.testing.assert_allclose(c.singularity, arm.singularity(c.q), rtol=1e-12)
        margin = np.min(np.minimum(c.q - arm.lower, arm.upper - c.q))
        np.testing.assert_allclose(c.limit_margin, margin, rtol=1e-12)
    assert candidates[0].travel < 0.5


def test_a_guide_already_on_the_line_stays(arm: Arm) -> None:
    """With equal conditioning all round the least travel wins: none."""
    line = line_near_home(arm, np.zeros(3), np.zeros(3))
    best = guide_candidates(arm, arm.T_flange_guide, line, arm.home)[0]
    assert best.travel < 0.15


def test_a_singular_start_is_left() -> None:
    """Travel does not buy a posture next to a singularity."""
    arm = GUIDE6
    q = arm.home.copy()
    q[4] = 0.06
    line = arm.forward(q) @ arm.T_flange_guide
    best = guide_candidates(arm, arm.T_flange_guide, line, q)[0]
    assert best.singularity > 3.0 * arm.singularity(q)


def test_out_of_reach_is_counted() -> None:
    line = frame_along([2.0, 0.0, 0.2], [0.0, 0.0, -1.0])
    with pytest.raises(
        UnreachableError,
        match=r"guide6 puts the guide on the line at \[2000, 0, 200\] mm: "
        r"of 2880 \(8 branches x 360 rolls\) 2880 out of reach; move the base",
    ):
        guide_candidates(GUIDE6, GUIDE6.T_flange_guide, line, GUIDE6.home)


def test_joint_limits_are_counted() -> None:
    line = line_near_home(GUIDE6, np.zeros(3), np.zeros(3))
    narrow = dataclasses.replace(GUIDE6, lower=GUIDE6.home - 0.02, upper=GUIDE6.home + 0.02)
    with pytest.raises(UnreachableError, match=r"of 288 .* 288 at or outside a joint limit; move"):
        guide_candidates(narrow, GUIDE6.T_flange_guide, line, GUIDE6.home, rolls=36)


def test_singular_postures_are_counted() -> None:
    """With the guide on the flange axis, turning about it leaves a stretched arm stretched."""
    line = GUIDE6.forward([0.0, -0.8, 0.01, -1.0, 1.2, 0.0])
    with pytest.raises(UnreachableError, match=r"of 2880 .* out of reach, \d+ too near a sing"):
        guide_candidates(GUIDE6, np.eye(4), line, GUIDE6.home)


def test_arguments_that_are_none_are_refused() -> None:
    good, seed = np.eye(4), np.zeros(6)
    with pytest.raises(InputError, match="T_flange_guide is not a rigid transform"):
        guide_candidates(GUIDE6, 2.0 * good, good, seed)
    with pytest.raises(InputError, match="T_base_line is not a rigid transform"):
        guide_candidates(GUIDE6, good, good[:3], seed)
    with pytest.raises(InputError, match="seed posture"):
        guide_candidates(GUIDE6, good, good, seed[:5])
    with pytest.raises(InputError, match="at least 1"):
        guide_candidates(GUIDE6, good, good, seed, rolls=0)
