"""The search over the roll about the guide's axis."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, exp_so3, frame_along, inverse, rotation_z, transform
from guidearm.kinematics import (
    Arm,
    Verdict,
    guide_candidates,
    guide_line,
    guide_search,
    load_arm,
)
from guidearm.kinematics.guide_axis import (
    LARGEST_SIGHT,
    LEAST_LIMIT_MARGIN,
    LEAST_SINGULARITY,
    SIGHT_COST,
)

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


def test_every_posture_is_offered_or_has_its_reason() -> None:
    room = np.array([3.0, 1.2, 1.0, 3.0, 3.0, 3.0])
    narrow = dataclasses.replace(GUIDE6, lower=GUIDE6.home - room, upper=GUIDE6.home + room)
    line = line_near_home(narrow, np.array([0.2, 0.1, 0.1]), np.array([0.3, -0.2, 0.1]))
    found = guide_search(narrow, narrow.T_flange_guide, line, narrow.home, rolls=72)
    told = found.rejections()
    assert len(found) + len(told) == found.verdict.size == 8 * 72
    assert sum(found.rejected.values()) == len(told)
    counts = {
        words: sum(rejection.verdict.words == words for rejection in told)
        for words in found.rejected
    }
    assert counts == found.rejected
    assert set(counts) >= {"out of reach", "at or outside a joint limit"}
    for rejection in told:
        place = round(rejection.roll / (2.0 * np.pi) * 72)
        assert found.verdict[rejection.branch, place] == rejection.verdict
        if rejection.verdict is Verdict.OUTSIDE_LIMITS:
            assert re.fullmatch(
                r"joint [1-6] is \d+\.\d deg (in|out)side its limits, 2\.9 inside is needed",
                rejection.reason,
            )
    np.testing.assert_array_equal(found.q, [candidate.q for candidate in found])
    np.testing.assert_array_equal(found.cost, [candidate.cost for candidate in found[:]])
    for candidate in found[:: max(1, len(found) // 10)]:
        place = round(candidate.roll / (2.0 * np.pi) * 72)
        assert found.verdict[candidate.branch, place] == Verdict.USABLE


def test_how_far_a_posture_is_beyond_a_limit() -> None:
    lower = GUIDE6.home - np.radians([10, 170, 170, 170, 170, 170])
    upper = GUIDE6.home + np.radians([10, 170, 170, 170, 170, 170])
    narrow = dataclasses.replace(GUIDE6, lower=lower, upper=upper)
    q = GUIDE6.home.copy()
    q[0] += np.radians(14.0)
    line = GUIDE6.forward(q) @ GUIDE6.T_flange_guide
    reasons = {
        rejection.reason
        for rejection in guide_search(narrow, GUIDE6.T_flange_guide, line, GUIDE6.home).rejections()
        if rejection.roll == 0.0
    }
    assert "joint 1 is 4.0 deg outside its limits, 2.9 inside is needed" in reasons


def camera_at(place: Array) -> Array:
    return frame_along(place, -place)


def test_the_marker_faces_the_camera() -> None:
    arm = GUIDE6
    line = line_near_home(arm, np.zeros(3), np.zeros(3))
    camera = camera_at(np.array([1.2, -0.8, 1.0]))
    # Facing aside: straight up it would do so whatever the roll.
    marker = arm.T_flange_arm_marker @ transform(exp_so3([0.9, 0.0, 0.0]), np.zeros(3))
    blind = guide_search(arm, arm.T_flange_guide, line, arm.home)
    found = guide_search(
        arm, arm.T_flange_guide, line, arm.home, T_base_camera=camera, T_flange_marker=marker
    )
    assert 0 < len(found) < len(blind)
    assert blind[0].sight == 0.0
    for candidate in found[:: len(found) // 20]:
        T = arm.forward(candidate.q) @ marker
        normal = T[:3, :3] @ arm.marker_normal
        to_camera = camera[:3, 3] - T[:3, 3]
        cosine = normal @ to_camera / np.linalg.norm(to_camera)
        np.testing.assert_allclose(np.cos(candidate.sight), cosine, atol=1e-9)
        assert candidate.sight <= LARGEST_SIGHT
        with_view = candidate.cost - SIGHT_COST * (candidate.sight / LARGEST_SIGHT) ** 2
        without = candidate.travel + 0.2 / candidate.singularity + 0.1 / candidate.limit_margin
        np.testing.assert_allclose(with_view, without, rtol=1e-12)
    away = found.rejected["turning the marker from the camera"]
    assert away == len(blind) - len(found)
    reasons = [r.reason for r in found.rejections() if r.verdict is Verdict.OUT_OF_SIGHT]
    assert all(re.fullmatch(r"the marker looks \d+ deg past the camera, 60 .*", r) for r in reasons)


def test_a_camera_beneath_sees_no_marker() -> None:
    line = line_near_home(GUIDE6, np.zeros(3), np.zeros(3))
    below = camera_at(np.array([0.3, 0.0, -2.0]))
    with pytest.raises(UnreachableError, match=r"\d+ turning the marker from the camera; move"):
        guide_candidates(GUIDE6, GUIDE6.T_flange_guide, line, GUIDE6.home, T_base_camera=below)
    # a marker on the other side of the flange faces it
    other = GUIDE6.T_flange_arm_marker @ transform(exp_so3([np.pi, 0.0, 0.0]), np.zeros(3))
    found = guide_candidates(
        GUIDE6,
        GUIDE6.T_flange_guide,
        line,
        GUIDE6.home,
        T_base_camera=below,
        T_flange_marker=other,
    )
    assert len(found) > 100


def test_a_line_is_told_by_entry_direction_and_depth() -> None:
    line = guide_line([0.3, 0.1, 0.2], [0.0, 3.0, -4.0], depth_m=0.05)
    np.testing.assert_allclose(line[:3, 2], [0.0, 0.6, -0.8])
    np.testing.assert_allclose(line[:3, 3], [0.3, 0.13, 0.16])
    before = guide_line([0.3, 0.1, 0.2], [0.0, 3.0, -4.0], depth_m=-0.05)
    np.testing.assert_allclose(before[:3, 3], [0.3, 0.07, 0.24])
    with pytest.raises(InputError, match="no length"):
        guide_line([0.3, 0.1, 0.2], [0.0, 0.0, 0.0])


def test_a_calibrated_arm_is_led_by_what_it_is() -> None:
    rng = np.random.default_rng(5)
    twists = np.array([3e-4] * 3 + [7e-4] * 3) * rng.normal(size=(7, 6))
    built = GUIDE6.with_errors(twists, np.full(6, 2e-5))
    line = line_near_home(GUIDE6, np.array([0.02, 0.01, 0.0]), np.array([0.1, 0.0, 0.1]))
    found = guide_candidates(built, GUIDE6.T_flange_guide, line, GUIDE6.home, rolls=24)
    T_line_guide = inverse(line) @ built.forward(found.q) @ GUIDE6.T_flange_guide
    np.testing.assert_allclose(T_line_guide[:, :3, 3], 0.0, atol=1e-10)
    nominal = guide_candidates(GUIDE6, GUIDE6.T_flange_guide, line, GUIDE6.home, rolls=24)
    assert abs(len(found) - len(nominal)) <= 8
    assert np.max(np.abs(found[0].q - nominal[0].q)) < 0.02


def test_arguments_that_are_none_are_refused() -> None:
    good, seed = np.eye(4), np.zeros(6)
    with pytest.raises(InputError, match="T_flange_guide is not a rigid transform"):
        guide_candidates(GUIDE6, 2.0 * good, good, seed)
    with pytest.raises(InputError, match=r"T_base_line (is not a rigid transform|must be one)"):
        guide_candidates(GUIDE6, good, good[:3], seed)
    with pytest.raises(InputError, match="seed posture"):
        guide_candidates(GUIDE6, good, good, seed[:5])
    with pytest.raises(InputError, match="at least 1"):
        guide_candidates(GUIDE6, good, good, seed, rolls=0)
