from __future__ import annotations

import numpy as np
import pytest

from guidearm.geometry import Array, apply, exp_so3, perturbation, rigid_fit
from guidearm.tracking import MARKERS, default_spheres, marker_covariance

POINT = np.array([0.02, -0.11, 0.09])
FLE = 0.1e-3


def fitzpatrick_tre_squared(spheres: Array, fle: float, point: Array) -> float:
    """TRE^2 = FLE^2 / N (1 + 1/3 sum d_k^2 / f_k^2) over the principal axes, written plainly."""
    centre = spheres.mean(axis=0)
    _, axes = np.linalg.eigh((spheres - centre).T @ (spheres - centre))
    total = 0.0
    for axis in np.asarray(axes.T, dtype=np.float64):  # Columns are the eigenvectors.
        from_axis = (point - centre) - ((point - centre) @ axis) * axis
        each = (spheres - centre) - np.outer((spheres - centre) @ axis, axis)
        total += float(from_axis @ from_axis) / float(np.sum(each**2)) * len(spheres)
    return fle**2 / len(spheres) * (1.0 + total / 3.0)


@pytest.mark.parametrize("name", MARKERS)
def test_trace_is_the_tre_of_fitzpatrick(name: str) -> None:
    spheres = default_spheres(name)
    for point in (POINT, spheres[0], np.zeros(3)):
        covariance = marker_covariance(spheres, FLE, point)
        expected = fitzpatrick_tre_squared(spheres, FLE, point)
        assert float(np.trace(covariance)) == pytest.approx(expected, rel=1e-12)


def test_it_turns_with_the_marker() -> None:
    spheres, R = default_spheres("patient"), exp_so3([0.4, -1.1, 0.7])
    turned = marker_covariance(spheres @ R.T, FLE, R @ POINT)
    np.testing.assert_allclose(turned, R @ marker_covariance(spheres, FLE, POINT) @ R.T, atol=1e-18)


def test_it_is_what_rigid_fits_to_noisy_spheres_do() -> None:
    rng = np.random.default_rng(4)
    spheres = default_spheres("arm_marker")
    T_camera_marker = perturbation([0.1, 0.2, 1.4], [0.3, 0.1, -0.2])
    errors: list[Array] = []
    for _ in range(3000):
        noise = rng.normal(0.0, FLE / np.sqrt(3.0), spheres.shape)
        fit, _ = rigid_fit(spheres, apply(T_camera_marker, spheres) + noise)
        miss = apply(fit, POINT) - apply(T_camera_marker, POINT)
        errors.append(np.asarray(T_camera_marker[:3, :3].T @ miss, dtype=np.float64))
    found = np.cov(np.array(errors).T)
    expected = marker_covariance(spheres, FLE, POINT)
    assert np.linalg.norm(found - expected) < 0.06 * np.linalg.norm(expected)
