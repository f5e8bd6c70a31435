"""The arm as built: link errors in, Newton from the closed form out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, exp_se3, frame_along, pose_difference
from guidearm.kinematics import Arm, load_arm, newton
from guidearm.kinematics.limits import turned_to


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
            solved = built.nearest(T, q)
            assert np.linalg.norm(pose_difference(built.forward(solved), T)) < 1e-11
            np.testing.assert_allclose(solved, q, atol=1e-9)
    assert 0.5e-3 < np.median(missed) < 2e-3


def test_newton_converges_at_a_singular_pose() -> None:
    arm = load_arm("ur5")
    built = arm.with_errors(link_errors(3))
    q = np.array([0.2, -1.4, 1.6, 0.7, 0.0, 0.5])
    T = built.forward(q)
    solved, reached = newton(built.chain, T[None], q[None] + 0.05, tolerance=1e-10)
    assert reached[0]
    assert np.linalg.norm(pose_difference(built.forward(solved[0]), T)) < 1e-10


def test_newton_admits_defeat() -> None:
    arm = load_arm("guide6")
    built = arm.with_errors(link_errors(4))
    far = frame_along([2.0, 0.0, 0.3], [0.0, 0.0, -1.0])
    assert not newton(built.chain, far[None], arm.home[None])[1][0]
    with pytest.raises(
        UnreachableError, match=r"guide6 cannot reach .* mm: with its link errors no posture"
    ):
        built.nearest(far, arm.home)


def test_a_limit_passed_because_of_the_errors_is_named() -> None:
    """The nominal posture is just inside, the true one just outside."""
    arm = load_arm("guide6")
    twists = link_errors(5)
    built = arm.with_errors(twists)
    T = arm.forward(arm.home)
    away = built.nearest(T, arm.home)[2] - arm.home[2]
    assert abs(away) > 1e-5
    between = arm.home[2] + 0.5 * away
    lower, upper = arm.home - 0.5, arm.home + 0.5
    (upper if away > 0.0 else lower)[2] = between
    narrow = dataclasses.replace(arm, lower=lower, upper=upper)
    np.testing.assert_allclose(narrow.nearest(T, arm.home), arm.home, atol=1e-9)
    with pytest.raises(UnreachableError, match="joint 3 outside its limits"):
        narrow.with_errors(twists).nearest(T, arm.home)


def test_errors_that_are_none_are_refused(arm: Arm) -> None:
    for bad, words in (
        (np.zeros((6, 6)), "seven twists"),
        (np.full((7, 6), 0.03), "20 mm"),
        (np.full((7, 6), np.nan), "20 mm"),
    ):
        with pytest.raises(InputError, match=words):
            arm.with_errors(bad)


# ---- joints that give way


def test_a_joint_gives_way_by_its_compliance_times_its_torque(arm: Arm) -> None:
    compliance = 1e-5 * np.arange(1.0, 7.0)
    built = arm.with_errors(np.zeros((7, 6)), compliance)
    q = np.random.default_rng(6).uniform(-3.0, 3.0, size=(20, 6))
    expected = arm.forward(q + compliance * arm.gravity_torque(q))
    np.testing.assert_allclose(built.forward(q), expected, atol=1e-15)
    # a horizontal arm hangs lower
    stretched = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert built.forward(stretched)[2, 3] < arm.forward(stretched)[2, 3] - 1e-4


def test_its_jacobian_knows_of_it(arm: Arm) -> None:
    built = arm.with_errors(link_errors(7), np.full(6, 1e-3))
    step = 1e-5
    for q in np.random.default_rng(7).uniform(-3.0, 3.0, size=(10, 6)):
        numeric = np.empty((6, 6))
        for i in range(6):
            ahead, behind = (built.forward(q + s * step * np.eye(6)[i]) for s in (1.0, -1.0))
            numeric[:, i] = pose_difference(ahead, behind) / (2.0 * step)
        np.testing.assert_allclose(built.jacobian(q), numeric, atol=1e-8)


def test_compliance_that_is_none_is_refused(arm: Arm) -> None:
    twists = np.zeros((7, 6))
    for bad in (np.full(6, -1e-6), np.full(6, 2e-3), np.full(6, np.nan)):
        with pytest.raises(InputError, match="from 0 to 1e-3 rad/Nm"):
            arm.with_errors(twists, bad)
    with pytest.raises(InputError, match="one number a joint"):
        arm.with_errors(twists, np.zeros(5))
    with pytest.raises(InputError, match="has link errors already"):
        arm.with_errors(twists).with_errors(twists)


# ---- all branches, many poses


def test_a_micrometre_on_all_but_one_in_a_thousand(arm: Arm) -> None:
    """And what is given is right, whatever is not."""
    built = arm.with_errors(link_errors(8), np.full(6, 2e-5))
    q = np.random.default_rng(8).uniform(-np.pi, np.pi, size=(2000, 6))
    q[:, 2] = np.clip(q[:, 2], arm.lower[2], arm.upper[2])
    T = built.forward(q)
    found, valid = built.inverse_batch(T)
    assert found.shape == (2000, 8, 6)
    error = pose_difference(np.repeat(T, valid.sum(axis=-1), axis=0), built.forward(found[valid]))
    assert np.max(np.linalg.norm(error, axis=-1)) < 1e-9
    assert np.mean(np.any(valid, axis=-1)) >= 0.999
    assert np.all(built.within_limits(found[valid]))
    nominal, _ = arm.inverse_batch(T)
    away = built.forward(nominal[np.isfinite(nominal[..., 0])])
    reached = np.repeat(T, np.isfinite(nominal[..., 0]).sum(axis=-1), axis=0)
    assert np.median(np.linalg.norm(away[:, :3, 3] - reached[:, :3, 3], axis=-1)) > 5e-4


@pytest.mark.parametrize("stretch", [0.0, 1e-6, 1e-3, 0.02])
def test_the_edge_of_the_workspace_is_the_real_arms(arm: Arm, stretch: float) -> None:
    """The nominal arm does not reach about half of what the real one does when stretched."""
    built = arm.with_errors(link_errors(9))
    q = np.random.default_rng(9).uniform(-np.pi, np.pi, size=(300, 6))
    q[:, 2] = stretch
    q = q[np.abs(arm.singularity_factors(q)[:, [0, 2]]).min(axis=-1) > 0.1]
    T = built.forward(q)
    _, nominal = arm.inverse_batch(T)
    found, valid = built.inverse_batch(T)
    # a double root is found as one of two that miss by the square root of what rounding leaves
    solved = int(np.sum(np.any(valid, axis=-1))) / len(T)
    assert solved > 0.97
    if stretch <= 1e-3:
        assert solved > np.mean(np.any(nominal, axis=-1)) + 0.005
    error = pose_difference(np.repeat(T, valid.sum(axis=-1), axis=0), built.forward(found[valid]))
    assert np.max(np.abs(error)) < 1e-9


def test_branches_are_those_of_the_nominal_arm(arm: Arm) -> None:
    built = arm.with_errors(link_errors(10))
    q = np.random.default_rng(10).uniform(-2.8, 2.8, size=(200, 6))
    q = q[arm.singularity(q) > 0.1]
    found, valid = built.inverse_batch(built.forward(q))
    nominal, there = arm.inverse_batch(built.forward(q))
    both = valid & there
    assert np.mean(both == there) > 0.98
    apart = np.abs(turned_to(found[both] - nominal[both], 0.0))
    assert np.quantile(apart, 0.999) < 0.1
    assert np.median(apart) < 5e-3


def test_a_pose_twice_gives_the_same_bytes(arm: Arm) -> None:
    built = arm.with_errors(link_errors(11), np.full(6, 1e-5))
    T = built.forward(arm.home)
    first, second = built.inverse(T), built.inverse(T)
    assert len(first) >= 4
    np.testing.assert_array_equal(first, second)
