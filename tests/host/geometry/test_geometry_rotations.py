"""Rotation vectors, matrices and angles, by definition and at the ends of their range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.geometry import (
    Array,
    angle_between,
    exp_so3,
    log_so3,
    rotation_rpy,
    rotation_z,
    skew,
)

coordinate = st.floats(-1.0, 1.0)
vectors = st.tuples(coordinate, coordinate, coordinate).map(np.array)
directions = vectors.filter(lambda v: float(np.linalg.norm(v)) > 1e-3)


@given(directions, st.floats(0.0, np.pi - 1e-9))
def test_logarithm_undoes_exponential(axis: Array, angle: float) -> None:
    v = axis / np.linalg.norm(axis) * angle
    np.testing.assert_allclose(log_so3(exp_so3(v)), v, rtol=0.0, atol=1e-14 + 1e-15 * angle)


@pytest.mark.parametrize("angle", [0.0, 1e-300, 1e-17, 1e-9, 1e-5])
def test_small_rotations_lose_no_digits(angle: float) -> None:
    v = angle * np.array([0.6, 0.0, -0.8])
    np.testing.assert_allclose(log_so3(exp_so3(v)), v, rtol=1e-14, atol=0.0)


@pytest.mark.parametrize("axis", [*np.eye(3), [0.6, 0.8, 0.0], [-0.48, 0.6, 0.64]])
@pytest.mark.parametrize("short_of_pi", [0.0, 1e-12, 1e-8, 1e-4])
def test_rotations_near_half_a_turn(axis: list[float], short_of_pi: float) -> None:
    v = np.array(axis) * (np.pi - short_of_pi)
    R = exp_so3(v)
    np.testing.assert_allclose(exp_so3(log_so3(R)), R, rtol=0.0, atol=1e-15)
    if short_of_pi > 0.0:
        np.testing.assert_allclose(log_so3(R), v, rtol=0.0, atol=1e-14)


def test_a_batch_is_its_rotations_one_by_one() -> None:
    v = np.random.default_rng(1).normal(size=(4, 25, 3))
    R = exp_so3(v)
    assert R.shape == (4, 25, 3, 3)
    np.testing.assert_allclose(
        R @ np.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.det(R), 1.0, atol=1e-14)
    for i, j in np.ndindex(4, 25):
        np.testing.assert_allclose(R[i, j], series(skew(v[i, j])), atol=1e-13)
        np.testing.assert_array_equal(log_so3(R)[i, j], log_so3(R[i, j]))


def series(K: Array) -> Array:
    """Matrix exponential by its power series; for arguments of a few units."""
    term, total = np.eye(len(K)), np.eye(len(K))
    for n in range(1, 60):
        term = term @ K / n
        total = total + term
    return total


def test_roll_pitch_yaw_turn_about_fixed_axes() -> None:
    quarter = np.pi / 2
    roll_then_yaw = rotation_rpy([quarter, 0.0, quarter])
    # y goes to z by the roll and stays there; z goes to -y, then to x by the yaw.
    np.testing.assert_allclose(roll_then_yaw @ [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], atol=1e-15)
    np.testing.assert_allclose(roll_then_yaw @ [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], atol=1e-15)
    pitch = rotation_rpy([[0.0, quarter, 0.0]])[0]
    np.testing.assert_allclose(pitch @ [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], atol=1e-15)


def test_elementary_rotations() -> None:
    np.testing.assert_allclose(rotation_z(np.pi / 2) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-16)
    angles = np.array([[0.1, -2.0], [3.0, 0.0]])
    zeros = np.zeros_like(angles)
    about_z = exp_so3(np.stack([zeros, zeros, angles], axis=-1))
    np.testing.assert_allclose(rotation_z(angles), about_z, atol=1e-15)
    u, v = np.array([1.0, 2.0, 3.0]), np.array([-4.0, 5.0, 0.5])
    np.testing.assert_array_equal(skew(u) @ v, np.cross(u, v))


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1.0, np.pi - 1e-8, np.pi])
def test_angle_between_at_every_size(angle: float) -> None:
    u = 3.0 * np.array([1.0, 0.0, 0.0])
    v = 0.2 * np.array([np.cos(angle), np.sin(angle), 0.0])
    np.testing.assert_allclose(angle_between(u, v), angle, rtol=1e-12, atol=1e-16)
