"""Inverse kinematics: every branch, everywhere, singularities included."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, exp_se3, frame_along, pose_difference
from guidearm.kinematics import Arm, arm_names, load_arm
from guidearm.kinematics.ur import UrGeometry
from guidearm.kinematics.ur_batch import branches_batch
from guidearm.kinematics.ur_inverse import UrInverse

ARMS = {name: load_arm(name) for name in arm_names()}
angles = st.lists(st.floats(-np.pi, np.pi), min_size=6, max_size=6).map(np.array)
some_arm = st.sampled_from(arm_names())


def geometry(arm: Arm) -> UrGeometry:
    assert isinstance(arm.solver, UrInverse)
    return arm.solver.geometry


def worst(T: Array, q: Array, arm: Arm) -> tuple[float, float]:
    """Largest position (m) and rotation (rad) error of postures (n, 6) for poses (n, 4, 4)."""
    error = pose_difference(T, arm.forward(q))
    return (
        float(np.max(np.linalg.norm(error[..., :3], axis=-1))),
        float(np.max(np.linalg.norm(error[..., 3:], axis=-1))),
    )


def grid(rng: np.random.Generator, arm: Arm, count: int) -> Array:
    """Postures with all joints at multiples of 45 degrees, within the limits."""
    q = np.deg2rad(45.0 * rng.integers(-4, 5, size=(count, 6)))
    return q[arm.within_limits(q)]


def contains(found: Array, q: Array, tolerance: float) -> bool:
    turns = (found - q) / (2.0 * np.pi)
    return bool(np.any(np.max(np.abs(turns - np.round(turns)), axis=-1) < tolerance))


def test_ten_thousand_random_poses(arm: Arm) -> None:
    rng = np.random.default_rng(1)
    q = rng.uniform(np.maximum(arm.lower, -np.pi), np.minimum(arm.upper, np.pi), size=(10_000, 6))
    T = arm.forward(q)
    found, valid = arm.inverse_batch(T)
    assert np.all(np.any(valid, axis=-1))
    position, rotation = worst(np.repeat(T, valid.sum(axis=-1), axis=0), found[valid], arm)
    assert position < 1e-12
    assert rotation < 1e-12


def test_the_posture_itself_is_among_the_branches(arm: Arm) -> None:
    rng = np.random.default_rng(2)
    q = rng.uniform(np.maximum(arm.lower, -np.pi), np.minimum(arm.upper, np.pi), size=(500, 6))
    q = q[arm.singularity(q) > 0.01]
    for one in q:
        found = arm.inverse(arm.forward(one))
        assert contains(found, one, 1e-11)
        signs = {tuple(row) for row in np.sign(arm.singularity_factors(found)).tolist()}
        assert len(signs) == len(found)


def test_one_pose_and_many_poses_agree(arm: Arm) -> None:
    """As sets, up to whole turns: rounding decides between pi and -pi, and where branches meet."""
    rng = np.random.default_rng(3)
    q = np.concatenate([rng.uniform(-np.pi, np.pi, size=(500, 6)), grid(rng, arm, 500)])
    T = arm.forward(q)
    seed = 0.1 * np.arange(6)
    found, valid = arm.inverse_batch(T.reshape(-1, 1, 4, 4), seed)
    assert found.shape == (len(q), 1, 8, 6)
    assert np.all(np.isnan(found[~valid]))
    for i in range(len(q)):
        one_by_one, batch = arm.inverse(T[i], seed), found[i, 0][valid[i, 0]]
        if i < 500:
            np.testing.assert_allclose(batch, one_by_one, atol=1e-9)
        assert all(contains(batch, row, 1e-6) for row in one_by_one)
        assert all(contains(one_by_one, row, 1e-6) for row in batch)


def test_branches_come_in_the_order_of_their_number(arm: Arm) -> None:
    rng = np.random.default_rng(4)
    T = arm.forward(rng.uniform(-np.pi, np.pi, size=(300, 6)))
    found, singularity = branches_batch(geometry(arm), T)
    np.testing.assert_allclose(singularity, arm.singularity(found), atol=1e-13)
    rho, s3, s5 = np.moveaxis(arm.singularity_factors(found), -1, 0)
    reached = np.isfinite(rho)
    number = 4 * (rho < 0.0) + 2 * (s5 < 0.0) + (s3 < 0.0)
    np.testing.assert_array_equal(number[reached], (np.arange(8) + 0 * number)[reached])


def test_every_axis_aligned_pose_has_a_solution(arm: Arm) -> None:
    rng = np.random.default_rng(5)
    q = grid(rng, arm, 20_000)
    T = arm.forward(q)
    found, valid = arm.inverse_batch(T)
    assert np.all(np.any(valid, axis=-1))
    position, rotation = worst(np.repeat(T, valid.sum(axis=-1), axis=0), found[valid], arm)
    assert position < 1e-12
    assert rotation < 1e-12
    for pose in T[:2000]:
        one = arm.inverse(pose)
        assert len(one) > 0
        assert max(worst(pose, one, arm)) < 1e-12


@pytest.mark.parametrize("exponent", range(3, 17))
def test_next_to_singularities(exponent: int) -> None:
    """A 45 degree grid disturbed by every size, where two or three singularities nearly meet."""
    arm = ARMS["ur5"]
    rng = np.random.default_rng(exponent)
    q = grid(rng, arm, 3000)
    q = q + 10.0**-exponent * rng.normal(size=q.shape) * (rng.random(q.shape) < 0.5)
    T = arm.forward(q)
    found, valid = arm.inverse_batch(T)
    assert np.all(np.any(valid, axis=-1))
    position, rotation = worst(np.repeat(T, valid.sum(axis=-1), axis=0), found[valid], arm)
    assert position < 2e-10
    assert rotation < 1e-9


def test_poses_that_only_newton_finds() -> None:
    """Wrist and elbow singular within rounding of each other: the closed form alone misses some."""
    arm = ARMS["ur5"]
    rng = np.random.default_rng(6)
    q = np.deg2rad(45.0 * rng.integers(-4, 5, size=(20_000, 6)))
    q[:, 2] = 0.0
    q[:, 4] = 1e-8 * rng.normal(size=len(q))
    T = arm.forward(q)
    missed = ~np.any(np.isfinite(branches_batch(geometry(arm), T)[0][..., 0]), axis=-1)
    assert 0 < np.sum(missed) < 2000
    found, valid = arm.inverse_batch(T)
    assert np.all(np.any(valid, axis=-1))
    position, rotation = worst(np.repeat(T, valid.sum(axis=-1), axis=0), found[valid], arm)
    assert position < 2e-10
    assert rotation < 1e-9
    for pose in T[missed]:
        one = arm.inverse(pose)
        assert len(one) > 0
        assert max(worst(pose, one, arm)) < 1e-9


@given(some_arm, angles)
def test_everything_returned_is_right_and_within_limits(name: str, q: Array) -> None:
    arm = ARMS[name]
    T = arm.forward(q)
    found = arm.inverse(T)
    assert np.all(arm.within_limits(found))
    if arm.within_limits(q) and abs(q[2]) < 3.0:
        assert len(found) > 0
    if len(found):
        assert max(worst(T, found, arm)) < 1e-9


@given(some_arm, angles, angles)
def test_each_joint_takes_the_turn_nearest_to_the_seed(name: str, q: Array, offset: Array) -> None:
    arm = ARMS[name]
    seed = np.clip(2.0 * offset, arm.lower, arm.upper)
    for row in arm.inverse(arm.forward(q), seed):
        for turn in (-2.0 * np.pi, 2.0 * np.pi):
            other = row + turn
            inside = (other >= arm.lower) & (other <= arm.upper)
            assert np.all(~inside | (np.abs(other - seed) >= np.abs(row - seed) - 1e-9))


def test_without_a_seed_the_turn_nearest_to_zero(arm: Arm) -> None:
    q = np.random.default_rng(7).uniform(-np.pi, np.pi, size=(200, 6))
    found, valid = arm.inverse_batch(arm.forward(q))
    assert np.all(np.abs(found[valid]) <= np.pi + 1e-12)


def test_a_free_wrist_takes_q6_from_the_seed() -> None:
    arm = ARMS["ur5"]
    for q5 in (0.0, np.pi):
        q = np.array([0.4, -1.2, 1.5, 0.3, q5, 0.8])
        T = arm.forward(q)
        for q6 in (-3.0, 0.1, 0.8, 2.0):
            found = arm.inverse(T, seed=[0.0, 0.0, 0.0, 0.0, 0.0, q6])
            aligned = found[np.abs(np.sin(found[:, 4])) < 1e-9]
            assert len(aligned) == 2
            np.testing.assert_allclose(aligned[:, 5], q6, atol=1e-12)
            assert max(worst(T, found, arm)) < 1e-12


def test_a_free_wrist_finds_another_q6_where_the_seed_does_not_reach() -> None:
    arm = ARMS["ur5"]
    q = np.array([0.4, -1.2, 0.01, -1.9, 0.0, 0.8])
    T = arm.forward(q)
    for q6 in (q[5] + np.pi, q[5] + 2.0, q[5] - 2.0):
        found = arm.inverse(T, seed=[0.0, 0.0, 0.0, 0.0, 0.0, q6])
        aligned = found[np.abs(np.sin(found[:, 4])) < 1e-9]
        assert len(aligned) == 2
        assert np.all(np.abs(aligned[:, 5] - q6) > 0.1)
        assert max(worst(T, found, arm)) < 1e-12


def test_the_shoulder_branches_meet_without_noise(arm: Arm) -> None:
    """Where rho is zero q1 is known to all digits, not to the root of the rounding error."""
    g = geometry(arm)
    rng = np.random.default_rng(11)
    q = rng.uniform(-np.pi, np.pi, size=(2000, 6))
    sine = -(g.a2 * np.cos(q[:, 1]) + g.a3 * np.cos(q[:, 1] + q[:, 2])) / g.d5
    apart = np.abs(np.sin(q[:, 2])) * np.abs(np.sin(q[:, 4])) > 0.1
    q, sine = q[apart & (np.abs(sine) < 0.9)], sine[apart & (np.abs(sine) < 0.9)]
    q[:, 3] = np.arcsin(sine) - q[:, 1] - q[:, 2]
    q = q[np.abs(q[:, 2]) < arm.upper[2]]
    assert len(q) > 50
    for one in q:
        found = arm.inverse(arm.forward(one))
        assert contains(found, one, 1e-11)
        assert len(found) <= 4


def test_nearest_stays_with_the_posture_it_comes_from(arm: Arm) -> None:
    rng = np.random.default_rng(8)
    q = rng.uniform(arm.lower, arm.upper, size=(300, 6))
    q = q[arm.singularity(q) > 0.2]
    for one in q:
        seed = np.clip(one + rng.uniform(-0.02, 0.02, size=6), arm.lower, arm.upper)
        np.testing.assert_allclose(arm.nearest(arm.forward(one), seed), one, atol=1e-10)


def test_nearest_is_the_least_travel(arm: Arm) -> None:
    rng = np.random.default_rng(9)
    for q, seed in zip(*rng.uniform(-2.9, 2.9, size=(2, 50, 6)), strict=True):
        T = arm.forward(q)
        travel = np.linalg.norm(arm.inverse(T, seed) - seed, axis=-1)
        chosen = np.linalg.norm(arm.nearest(T, seed) - seed)
        np.testing.assert_allclose(chosen, np.min(travel), atol=1e-12)


def test_out_of_reach_says_so(arm: Arm) -> None:
    far = frame_along([2.0, 0.0, 0.3], [0.0, 0.0, -1.0])
    inside_the_column = frame_along([0.0, 0.0, 0.3], [0.0, 0.0, -1.0])
    for pose in (far, inside_the_column):
        assert arm.inverse(pose).shape == (0, 6)
        assert not np.any(arm.inverse_batch(pose)[1])
        with pytest.raises(UnreachableError, match=rf"{arm.name} cannot .* mm: out of reach"):
            arm.nearest(pose, arm.home)


def test_outside_the_limits_names_the_joint() -> None:
    arm = ARMS["guide6"]
    lower, upper = arm.lower.copy(), arm.upper.copy()
    lower[2], upper[2] = -0.1, 0.1
    stiff = dataclasses.replace(arm, lower=lower, upper=upper)
    T = arm.forward(arm.home)
    with pytest.raises(UnreachableError, match="each of 8 postures has joint 3 outside its limits"):
        stiff.nearest(T, arm.home)
    assert stiff.inverse(T).shape == (0, 6)
    assert not np.any(stiff.inverse_batch(T)[1])


def test_turns_are_counted_within_narrow_limits() -> None:
    """A joint whose range lies beyond half a turn takes the turn that lies in it."""
    arm = ARMS["guide6"]
    lower, upper = arm.lower.copy(), arm.upper.copy()
    lower[5], upper[5] = np.deg2rad([100.0, 350.0])
    shifted = dataclasses.replace(arm, lower=lower, upper=upper)
    T = arm.forward([0.1, -1.5, -1.6, -1.3, 1.4, -2.0])
    found = shifted.inverse(T)
    assert contains(found, np.array([0.1, -1.5, -1.6, -1.3, 1.4, -2.0]), 1e-11)
    assert np.all((found[:, 5] >= lower[5]) & (found[:, 5] <= upper[5]))
    batch, valid = shifted.inverse_batch(T)
    np.testing.assert_allclose(batch[valid], found, atol=1e-12)


def not_a_pose(factor: float, row: int, column: int) -> Array:
    T = ARMS["guide6"].forward(ARMS["guide6"].home)
    T[row, column] *= factor
    return T


@pytest.mark.parametrize(
    "bad",
    [
        not_a_pose(1.0001, 0, 1),
        not_a_pose(-1.0, 2, 2),
        not_a_pose(np.nan, 1, 3),
        not_a_pose(np.inf, 0, 3),
        not_a_pose(2.0, 3, 3),
        np.eye(4)[:3],
    ],
)
def test_a_pose_that_is_none_is_refused(bad: Array) -> None:
    arm = ARMS["guide6"]
    with pytest.raises(InputError, match="T_base_flange"):
        arm.inverse(bad)
    with pytest.raises(InputError, match="T_base_flange"):
        arm.inverse_batch(bad)
    with pytest.raises(InputError, match="T_base_flange"):
        arm.nearest(bad, arm.home)


def test_a_seed_that_is_none_is_refused() -> None:
    arm = ARMS["guide6"]
    T = arm.forward(arm.home)
    for seed in ([0.0] * 5, [np.nan] * 6, [[0.0] * 6]):
        with pytest.raises(InputError, match="six finite joint angles"):
            arm.nearest(T, seed)


def test_rounding_of_the_pose_at_full_stretch_does_no_harm(arm: Arm) -> None:
    """Poses on the boundary, computed along another way and so off by some 1e-12 m."""
    rng = np.random.default_rng(10)
    q = rng.uniform(-np.pi, np.pi, size=(2000, 6))
    q[:, 2] = 0.0
    T = arm.forward(q) @ exp_se3(1e-12 * rng.normal(size=(2000, 6)))
    found, valid = arm.inverse_batch(T)
    assert np.all(np.any(valid, axis=-1))
    position, _ = worst(np.repeat(T, valid.sum(axis=-1), axis=0), found[valid], arm)
    assert position < 2e-10
