"""Composition, exponential and validation of rigid transforms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.errors import InputError
from guidearm.geometry import (
    Array,
    apply,
    check_transform,
    exp_se3,
    exp_so3,
    frame_along,
    inverse,
    is_transform,
    perturbation,
    pose_difference,
    skew,
    transform,
)


def random_transforms(seed: int, *shape: int) -> Array:
    rng = np.random.default_rng(seed)
    return transform(exp_so3(rng.normal(size=(*shape, 3))), rng.normal(size=(*shape, 3)))


def test_inverse_and_apply_in_batches() -> None:
    T = random_transforms(1, 5, 4)
    np.testing.assert_allclose(T @ inverse(T), np.broadcast_to(np.eye(4), T.shape), atol=1e-14)
    points = np.random.default_rng(2).normal(size=(7, 3))
    moved = apply(T[..., None, :, :], points)
    assert moved.shape == (5, 4, 7, 3)
    homogeneous = T[3, 2] @ np.append(points[6], 1.0)
    np.testing.assert_allclose(moved[3, 2, 6], homogeneous[:3], atol=1e-15)
    np.testing.assert_allclose(apply(inverse(T[1, 1]), apply(T[1, 1], points)), points, atol=1e-14)


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-3, 0.0499, 0.0501, 1.0, 3.0])
def test_twist_exponential_is_the_matrix_exponential(size: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        w = rng.normal(size=3)
        twist = np.concatenate([rng.normal(size=3), size * w / np.linalg.norm(w)])
        generator = np.zeros((4, 4))
        generator[:3, :3] = skew(twist[3:])
        generator[:3, 3] = twist[:3]
        power, series = np.eye(4), np.eye(4)
        for n in range(1, 60):
            power = power @ generator / n
            series = series + power
        np.testing.assert_allclose(exp_se3(twist), series, rtol=0.0, atol=3e-14)


def test_perturbation_and_pose_difference_belong_together() -> None:
    step = np.array([0.01, -0.02, 0.03, 0.1, -0.2, 0.3])
    now = random_transforms(4)
    target = now.copy()
    target[:3, :3] = exp_so3(step[3:]) @ now[:3, :3]
    target[:3, 3] += step[:3]
    np.testing.assert_allclose(pose_difference(target, now), step, atol=1e-15)
    np.testing.assert_allclose(
        pose_difference(perturbation(step[:3], step[3:]), np.eye(4)), step, atol=1e-15
    )


@given(st.tuples(*[st.floats(-1.0, 1.0)] * 3).map(np.array))
def test_frame_along_points_where_told(direction: Array) -> None:
    length = float(np.linalg.norm(direction))
    if length <= 1e-12:
        with pytest.raises(InputError, match="no length"):
            frame_along(np.zeros(3), direction)
        return
    T = frame_along([1.0, 2.0, 3.0], direction)
    assert is_transform(T, 1e-12)
    np.testing.assert_allclose(T[:3, 2], direction / length, atol=1e-15)
    np.testing.assert_array_equal(T[:3, 3], [1.0, 2.0, 3.0])


def spoilt(row: int, column: int, value: float) -> Array:
    T = np.eye(4)
    T[row, column] = value
    return T


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.eye(3), "shape"),
        (spoilt(0, 3, np.nan), "not finite"),
        (spoilt(1, 1, np.inf), "not finite"),
        (spoilt(3, 0, 0.1), "last row"),
        (spoilt(3, 3, 2.0), "last row"),
        (spoilt(0, 0, 1.001), "orthonormal"),
        (spoilt(0, 1, 0.001), "orthonormal"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "left-handed"),
        (np.stack([np.eye(4), np.zeros((4, 4))]), "last row"),
    ],
)
def test_what_is_not_a_transform_is_named(bad: Array, words: str) -> None:
    assert not is_transform(bad)
    with pytest.raises(InputError, match=f"T_base_guide is not a rigid transform: .*{words}"):
        check_transform(bad, "T_base_guide")


def test_a_good_transform_passes_unchanged() -> None:
    T = random_transforms(5, 3)
    assert is_transform(T)
    np.testing.assert_array_equal(check_transform(T, "T_a_b"), T)
