"""The arm as built: link errors in, Newton from the closed form out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, exp_se3, frame_along, pose_difference
from guidearm.kinematics import Arm, load_arm, solve_pose


def link_errors(seed: int) -> Array:
    """0.3 mm and 0.7 mrad per axis: what an uncalibrated arm has."""
    scale = np.array([3e-4] * 3 + [7e-4] * 3)
    return scale * np.random.default_rng(seed).normal(size=(7, 6))


def test_no_errors_is_the_nominal_arm(arm: Arm) -> None:
    built = arm.with_errors(np.zeros((7, 6)))
    q = np.random.default_rng(1).uniform(arm.lower, arm.upper, size=(50, 6))
    np.testing.assert_array_equal(built.forward(q), arm.forward(q))
    np.testing.assert_array_equal(built.joint_frames(q), arm.joint_frames(q))


def test_first_error_moves_the_base_and_last_the_flange(arm: Arm) -> None:
    q = arm.home
    twist = np.array([1e-3, -2e-3, 3e-3, 4e-3, 5e-3, -6e-3])
    for place, expected in (
        (0, exp_se3(twist) @ arm.forward(q)),
        (6, arm.forward(q) @ exp_se3(twist)),
    ):
        twists = np.zeros((7, 6))
        twists[place] = twist
        np.testing.assert_allclose(arm.with_errors(twists).forward(q), expected, atol=1e-15)


def test_an_error_between_links_sits_in_its_link_frame(arm: Arm) -> None:
    twists = np.zeros((7, 6))
    twists[3, 0] = 1e-3
    q = arm.home
    moved = arm.with_errors(twists).forward(q)[:3, 3] - arm.forward(q)[:3, 3]
    np.testing.assert_allclose(moved, 1e-3 * arm.joint_frames(q)[3, :3, 0], atol=1e-15)


def test_newton_reaches_the_pose_the_closed_form_misses(arm: Arm) -> None:
    rng = np.random.default_rng(2)
    missed: list[float] = []
    for seed in range(10):
        built = arm.with_errors(link_errors(seed))
        for q in rng.uniform(-2.8, 2.8, size=(10, 6)):
            if arm.singularity(q) < 0.1:
                continue
            T = built.forward(q)
            nominal = built.forward(arm.nearest(T, q))
            missed.append(float(np.linalg.norm(nominal[:3, 3] - T[:3, 3])))
            solved = built.solve(T, q)
            assert np.linalg.norm(pose_difference(built.forward(solved), T)) < 1e-11
            np.testing.assert_allclose(solved, q, atol=1e-9)
    assert 0.5e-3 < np.median(missed) < 2e-3


def test_newton_converges_at_a_singular_pose() -> None:
    arm = load_arm("ur5")
    built = arm.with_errors(link_errors(3))
    q = np.array([0.2, -1.4, 1.6, 0.7, 0.0, 0.5])
    T = built.forward(q)
    solved = solve_pose(built.chain, T, q + 0.05, tolerance=1e-10)
    assert solved is not None
    assert np.linalg.norm(pose_difference(built.forward(solved), T)) < 1e-10


def test_newton_admits_defeat() -> None:
    arm = load_arm("guide6")
    built = arm.with_errors(link_errors(4))
    far = frame_along([2.0, 0.0, 0.3], [0.0, 0.0, -1.0])
    assert solve_pose(built.chain, far, arm.home) is None
    with pytest.raises(UnreachableError, match="guide6 with its link errors cannot reach"):
        built.solve(far, arm.home)


def test_a_limit_passed_because_of_the_errors_is_named() -> None:
    """The nominal posture is just inside, the true one just outside."""
    arm = load_arm("guide6")
    built = arm.with_errors(link_errors(5))
    T = arm.forward(arm.home)
    away = built.solve(T, arm.home)[2] - arm.home[2]
    assert abs(away) > 1e-5
    between = arm.home[2] + 0.5 * away
    lower, upper = arm.home - 0.5, arm.home + 0.5
    (upper if away > 0.0 else lower)[2] = between
    narrow = dataclasses.replace(arm, lower=lower, upper=upper)
    np.testing.assert_allclose(narrow.nearest(T, arm.home), arm.home, atol=1e-9)
    with pytest.raises(UnreachableError, match="joint 3 outside its limits"):
        narrow.with_errors(built.twists).solve(T, arm.home)


def test_errors_that_are_none_are_refused(arm: Arm) -> None:
    for bad, words in (
        (np.zeros((6, 6)), "seven twists"),
        (np.full((7, 6), 0.03), "20 mm"),
        (np.full((7, 6), np.nan), "20 mm"),
    ):
        with pytest.raises(InputError, match=words):
            arm.with_errors(bad)
