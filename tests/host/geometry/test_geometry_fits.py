"""Rigid fits and mean poses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.errors import InputError
from guidearm.geometry import (
    Array,
    angle_between,
    apply,
    exp_so3,
    inverse,
    is_transform,
    mean_transform,
    perturbation,
    rigid_fit,
)


@given(st.integers(0, 10_000), st.integers(3, 12))
def test_exact_points_give_the_exact_transform(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    T = perturbation(rng.normal(size=3), rng.uniform(-1.8, 1.8, size=3))
    source = rng.uniform(-0.1, 0.1, size=(count, 3))
    fitted, rms = rigid_fit(source, apply(T, source))
    spread = np.linalg.svd(source - source.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(fitted, T, atol=1e-14 * spread[0] / spread[1] + 1e-14)
    assert rms < 1e-14


def test_planar_points_are_not_mirrored() -> None:
    source = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.1, 0.0], [0.1, 0.13, 0.0]])
    noise = np.random.default_rng(1).normal(scale=1e-3, size=(50, 4, 3))
    for error in noise:
        fitted, _ = rigid_fit(source, source + error)
        assert is_transform(fitted, 1e-12)
        assert angle_between(fitted[:3, 2], [0.0, 0.0, 1.0]) < 0.1


def test_the_residual_is_the_least_root_mean_square() -> None:
    rng = np.random.default_rng(2)
    source = rng.uniform(-0.1, 0.1, size=(6, 3))
    target = source + rng.normal(scale=1e-3, size=(6, 3))
    T, rms = rigid_fit(source, target)

    def residual(candidate: Array) -> float:
        return float(np.linalg.norm(apply(candidate, source) - target)) / 6**0.5

    np.testing.assert_allclose(rms, residual(T), rtol=1e-12)
    for step in 1e-5 * rng.normal(size=(100, 6)):
        assert residual(perturbation(step[:3], step[3:]) @ T) > rms


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (np.zeros((4, 3)), np.zeros((5, 3)), "paired"),
        (np.zeros((4, 2)), np.zeros((4, 2)), "paired"),
        (np.eye(3)[:2], np.eye(3)[:2], "at least 3"),
        (np.full((4, 3), np.nan), np.zeros((4, 3)), "finite"),
        (np.outer(np.arange(4.0), [1.0, 2.0, 3.0]), np.eye(4)[:, :3], "source .* one line"),
        (np.eye(4)[:, :3], np.zeros((4, 3)), "target .* one line"),
    ],
)
def test_unusable_points_are_refused(source: Array, target: Array, words: str) -> None:
    with pytest.raises(InputError, match=words):
        rigid_fit(source, target)


def test_mean_of_a_symmetric_cloud_is_its_centre() -> None:
    rng = np.random.default_rng(3)
    centre = perturbation([0.1, 0.2, 0.3], [1.0, -2.0, 0.5])
    steps = np.array([0.01, 0.01, 0.01, 0.2, 0.2, 0.2]) * rng.normal(size=(20, 6))
    cloud = [
        centre @ perturbation(sign * step[:3], sign * step[3:])
        for step in steps
        for sign in (1, -1)
    ]
    np.testing.assert_allclose(mean_transform(np.array(cloud)), centre, atol=1e-14)
    np.testing.assert_allclose(mean_transform(centre[None]), centre, atol=1e-15)


def test_mean_moves_with_the_frame() -> None:
    rng = np.random.default_rng(4)
    poses = perturbation(rng.normal(size=(9, 3)), 0.3 * rng.normal(size=(9, 3)))
    T = perturbation([1.0, 0.0, -1.0], [0.4, 2.0, -1.0])
    np.testing.assert_allclose(mean_transform(T @ poses), T @ mean_transform(poses), atol=1e-14)
    np.testing.assert_allclose(
        mean_transform(poses @ inverse(T))[:3, :3],
        (mean_transform(poses) @ inverse(T))[:3, :3],
        atol=1e-14,
    )


def test_a_mean_that_does_not_exist_is_refused() -> None:
    half_turns = perturbation(np.zeros((2, 3)), [[0.0, 0.0, np.pi], [0.0, 0.0, 0.0]])
    with pytest.raises(InputError, match="no mean rotation"):
        mean_transform(half_turns)
    with pytest.raises(InputError, match="n >= 1"):
        mean_transform(np.zeros((0, 4, 4)))
    with pytest.raises(InputError, match="n >= 1"):
        mean_transform(exp_so3(np.zeros((3, 3))))
