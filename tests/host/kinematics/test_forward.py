"""Forward kinematics, Jacobian, singularities and gravity against independent derivations."""

from __future__ import annotations

import numpy as np
import pytest

from guidearm.geometry import Array, is_transform, pose_difference, transform
from guidearm.kinematics import Arm, load_arm
from guidearm.kinematics.ur_inverse import UrInverse


def postures(arm: Arm, count: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(arm.lower, arm.upper, size=(count, 6))


def test_zero_posture_of_the_ur5() -> None:
    # Read off the geometry: the arm lies along -x, the tool looks along -y.
    T = load_arm("ur5").forward(np.zeros(6))
    expected = transform(
        [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        [-0.425 - 0.39225, -0.10915 - 0.0823, 0.089159 - 0.09465],
    )
    np.testing.assert_allclose(T, expected, atol=1e-15)


def test_frames_are_the_product_of_link_screws(arm: Arm) -> None:
    """Each link built from its four elementary motions, one posture at a time."""

    def rotation(axis: int, angle: float) -> Array:
        T = np.eye(4)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        T[i, i] = T[j, j] = np.cos(angle)
        T[j, i] = np.sin(angle)
        T[i, j] = -T[j, i]
        return T

    assert isinstance(arm.solver, UrInverse)
    g = arm.solver.geometry
    d = [g.d1, 0.0, 0.0, g.d4, g.d5, g.d6]
    a = [0.0, g.a2, g.a3, 0.0, 0.0, 0.0]
    alpha = 0.5 * np.pi * np.array([1.0, 0.0, 0.0, 1.0, -1.0, 0.0])
    for q in postures(arm, 20):
        frames = arm.joint_frames(q)
        expected = np.eye(4)
        for i in range(6):
            np.testing.assert_allclose(frames[i], expected, atol=1e-14)
            along = transform(np.eye(3), [a[i], 0.0, d[i]])
            expected = expected @ rotation(2, q[i]) @ along @ rotation(0, alpha[i])
        np.testing.assert_allclose(frames[6], expected, atol=1e-14)
        np.testing.assert_array_equal(arm.forward(q), frames[6])


def test_batches_are_postures_one_by_one(arm: Arm) -> None:
    q = postures(arm, 12).reshape(3, 4, 6)
    assert arm.joint_frames(q).shape == (3, 4, 7, 4, 4)
    assert is_transform(arm.forward(q), 1e-14)
    for i, j in np.ndindex(3, 4):
        one = q[i, j]
        np.testing.assert_allclose(arm.forward(q)[i, j], arm.forward(one), atol=1e-15)
        np.testing.assert_allclose(arm.jacobian(q)[i, j], arm.jacobian(one), atol=1e-15)
        np.testing.assert_allclose(arm.gravity_torque(q)[i, j], arm.gravity_torque(one), atol=1e-13)
        np.testing.assert_array_equal(arm.singularity(q)[i, j], arm.singularity(one))
        np.testing.assert_array_equal(arm.within_limits(q)[i, j], arm.within_limits(one))


@pytest.mark.parametrize("errors", [False, True])
def test_jacobian_is_the_derivative_of_the_pose(arm: Arm, errors: bool) -> None:
    rng = np.random.default_rng(2)
    body = arm
    if errors:
        body = arm.with_errors(rng.normal(scale=1e-3, size=(7, 6)))
    step = 1e-5
    for q in postures(arm, 20):
        numeric = np.empty((6, 6))
        for i in range(6):
            ahead, behind = (body.forward(q + s * step * np.eye(6)[i]) for s in (1.0, -1.0))
            numeric[:, i] = pose_difference(ahead, behind) / (2.0 * step)
        np.testing.assert_allclose(body.jacobian(q), numeric, atol=1e-9)


def test_determinant_is_the_product_of_the_singularity_factors(arm: Arm) -> None:
    q = postures(arm, 500)
    assert isinstance(arm.solver, UrInverse)
    g = arm.solver.geometry
    product = np.prod(arm.singularity_factors(q), axis=-1) * g.reach
    np.testing.assert_allclose(np.linalg.det(arm.jacobian(q)), g.a2 * g.a3 * product, atol=1e-15)
    assert np.all(np.abs(arm.singularity_factors(q)) <= 1.0)


def test_singularity_is_the_worst_of_three() -> None:
    arm = load_arm("ur5")
    assert arm.singularity([0.3, -1.0, 0.0, 0.5, 1.0, 0.0]) == 0.0
    assert arm.singularity([0.3, -1.0, 1.0, 0.5, 0.0, 0.0]) == 0.0
    upright = np.deg2rad([20.0, -90.0, 0.0, -90.0, 50.0, 0.0])
    np.testing.assert_allclose(arm.singularity_factors(upright)[0], 0.0, atol=1e-16)


def test_gravity_torque_is_minus_the_gradient_of_potential_energy(arm: Arm) -> None:
    def potential(q: Array) -> float:
        frames = arm.joint_frames(q)[1:]
        heights = [(T @ np.append(c, 1.0))[2] for T, c in zip(frames, arm.com, strict=True)]
        return float(9.81 * np.dot(arm.mass, heights))

    step = 1e-5
    for q in postures(arm, 20):
        gradient = [
            (potential(q + step * e) - potential(q - step * e)) / (2.0 * step) for e in np.eye(6)
        ]
        np.testing.assert_allclose(arm.gravity_torque(q), -np.array(gradient), atol=1e-7)


def test_the_guide_arm_carries_itself_in_any_posture() -> None:
    """Gravity plus full acceleration of the effective inertia stays under 80 % of the torque."""
    arm = load_arm("guide6")
    stretched = np.array([0.0, 0.0, 0.0, -np.pi / 2, np.pi / 2, 0.0])
    q = np.concatenate([postures(arm, 5000), [stretched]])
    gravity = np.abs(arm.gravity_torque(q))
    assert gravity[-1, 1] > 35.0
    assert np.all(gravity + arm.inertia * arm.acceleration < 0.8 * arm.torque)
