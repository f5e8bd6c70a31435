"""The registration error at a target, against the published formula and against simulation."""

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.testing import assert_allclose

from guidearm.geometry import Array, apply, perturbation, rigid_fit
from guidearm.mapping import Registration

# Fiducials of a ruler, metres, about 80 mm wide, and targets at and far from them.
RULER = np.array(
    [[-40, -30, 0], [40, -30, 5], [40, 30, -5], [-40, 30, 10], [0, 0, 30], [15, -20, 20]]
) * 1e-3  # fmt: skip
TARGETS = np.array([[0, 0, 10], [20, -10, 140], [-90, 60, 30], [5, 5, -70]]) * 1e-3


def registration(fiducials: Array, fre_m: float = 0.0002) -> Registration:
    return Registration(np.eye(4), fre_m, fiducials, datetime(2025, 3, 1, tzinfo=UTC), "1.2")


def fitzpatrick_tre(fiducials: Array, target: Array, fle_m: float) -> float:
    """TRE by distances to the principal axes, as in the paper, sharing nothing with the code."""
    centred = fiducials - fiducials.mean(axis=0)
    _, _, axes = np.linalg.svd(centred)
    d = target - fiducials.mean(axis=0)
    ratio = 0.0
    for axis in axes:
        f2 = float(np.sum(np.cross(centred, axis) ** 2)) / len(fiducials)
        ratio += float(np.sum(np.cross(d, axis) ** 2)) / f2
    return float(np.sqrt(fle_m**2 / len(fiducials) * (1.0 + ratio / 3.0)))


def test_fle_follows_from_fre_and_the_number_of_fiducials() -> None:
    known = registration(RULER, fre_m=0.0002)
    assert_allclose(known.fle_m, 0.0002 / np.sqrt(1.0 - 2.0 / 6.0), rtol=1e-12)
    assert known.degrees_of_freedom == 12


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("count", [4, 5, 6])
def test_the_trace_is_fitzpatricks_tre(target: Array, count: int) -> None:
    known = registration(RULER[:count])
    tre = np.sqrt(np.trace(known.target_covariance(target)))
    assert_allclose(tre, fitzpatrick_tre(RULER[:count], target, known.fle_m), rtol=1e-9)


def test_the_covariance_turns_with_the_image() -> None:
    rng = np.random.default_rng(11)
    for target in TARGETS[1:]:
        here = registration(RULER).target_covariance(target)
        T = perturbation(rng.uniform(-1.0, 1.0, 3), rng.uniform(-2.0, 2.0, 3))
        R = T[:3, :3]
        there = registration(apply(T, RULER)).target_covariance(apply(T, target))
        assert_allclose(there, R @ here @ R.T, rtol=1e-9, atol=1e-18)
        spread = np.linalg.eigvalsh(here)
        assert spread[2] > 1.2 * spread[0], "an isotropic one could not tell"


def test_it_takes_many_points_and_is_symmetric_positive() -> None:
    known = registration(RULER)
    together = known.target_covariance(TARGETS)
    assert together.shape == (4, 3, 3)
    for one, target in zip(together, TARGETS, strict=True):
        assert_allclose(one, known.target_covariance(target), rtol=1e-12)
        assert_allclose(one, one.T, atol=1e-24)
        assert np.min(np.linalg.eigvalsh(one)) > 0.0


def simulate(fle_m: float, trials: int) -> tuple[Array, Array]:
    """Return FRE (trials,) and errors at the targets in image axes (trials, targets, 3)."""
    rng = np.random.default_rng(20250301)
    noise = rng.normal(0.0, fle_m / np.sqrt(3.0), (trials, *RULER.shape))
    T_patient_image = perturbation([0.1, 0.2, -0.3], [0.5, -0.8, 1.0])
    fre = np.empty(trials)
    error = np.empty((trials, *TARGETS.shape))
    measured = apply(T_patient_image, RULER + noise)
    back = np.linalg.inv(T_patient_image)
    for i in range(trials):
        fitted, fre[i] = rigid_fit(RULER, measured[i])
        error[i] = apply(back @ fitted, TARGETS) - TARGETS
    return fre, error


def test_it_agrees_with_simulation() -> None:
    """4000 registrations: a variance scatters by 2.2 %, so 8 % is over three standard errors."""
    fle_m = 0.0003
    fre, error = simulate(fle_m, 4000)
    assert_allclose(np.sqrt(np.mean(fre**2)), fle_m * np.sqrt(1.0 - 2.0 / 6.0), rtol=0.02)
    known = registration(RULER, fre_m=float(np.sqrt(np.mean(fre**2))))
    for k, target in enumerate(TARGETS):
        expected = known.target_covariance(target)
        # In the axes that make the expected one the unit matrix, so that every entry counts alike.
        whiten = np.linalg.inv(np.linalg.cholesky(expected))
        found = np.cov(error[:, k].T)
        assert_allclose(whiten @ found @ whiten.T, np.eye(3), atol=0.08)
        assert np.all(
            np.abs(np.mean(error[:, k], axis=0)) < 4.0 * np.sqrt(np.diag(expected) / 4000)
        )
