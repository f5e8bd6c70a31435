"""Distances of segments, against a dense search that cannot be wrong by more than its step."""

from __future__ import annotations

import numpy as np
import pytest

from guidearm.geometry import segment_box_distance, segment_distance, segment_plane_distance

STEPS = 2000


def _points(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.uniform(-1.0, 1.0, (n, 3))


def _along(a0: np.ndarray, a1: np.ndarray) -> np.ndarray:
    """Points of one segment, (STEPS + 1, 3)."""
    return a0 + np.linspace(0.0, 1.0, STEPS + 1)[:, None] * (a1 - a0)


def _to_segment(points: np.ndarray, b0: np.ndarray, b1: np.ndarray) -> np.ndarray:
    """Distances of points from a segment, by projection."""
    along = b1 - b0
    length2 = along @ along
    t = np.zeros(len(points)) if length2 == 0.0 else np.clip((points - b0) @ along / length2, 0, 1)
    return np.linalg.norm(points - b0 - t[:, None] * along, axis=-1)


@pytest.mark.parametrize("kind", ["any", "parallel", "nearly parallel", "points", "touching"])
def test_two_segments(kind: str) -> None:
    rng = np.random.default_rng(1)
    a0, a1, b0, b1 = (_points(rng, 200) for _ in range(4))
    if kind == "parallel":
        b1 = b0 + rng.uniform(-2, 2, (200, 1)) * (a1 - a0)
    elif kind == "nearly parallel":
        b1 = b0 + rng.uniform(-2, 2, (200, 1)) * (a1 - a0) + 1e-7 * _points(rng, 200)
    elif kind == "points":
        a1[:100] = a0[:100]
        b1[50:] = b0[50:]
    elif kind == "touching":
        b0 = a0 + rng.uniform(0, 1, (200, 1)) * (a1 - a0)
    found = segment_distance(a0, a1, b0, b1)
    assert np.allclose(found, segment_distance(b1, b0, a0, a1), atol=1e-9)
    for i, distance in enumerate(found):
        dense = _to_segment(_along(a0[i], a1[i]), b0[i], b1[i]).min()
        step = np.linalg.norm(a1[i] - a0[i]) / STEPS
        assert distance <= dense + (1e-6 if kind == "nearly parallel" else 1e-9)
        assert distance >= dense - step - 1e-12


@pytest.mark.parametrize("kind", ["any", "along an axis", "points", "inside"])
def test_segment_and_box(kind: str) -> None:
    rng = np.random.default_rng(2)
    half = np.array([0.3, 0.2, 0.1])
    a0, a1 = _points(rng, 300), _points(rng, 300)
    if kind == "along an axis":
        a1 = a0.copy()
        a1[np.arange(300), rng.integers(0, 3, 300)] = rng.uniform(-1, 1, 300)
    elif kind == "points":
        a1 = a0
    elif kind == "inside":
        a0 *= half
    found = segment_box_distance(a0, a1, half)
    if kind == "inside":
        assert np.all(found == 0.0)
    for i, distance in enumerate(found):
        points = _along(a0[i], a1[i])
        dense = np.linalg.norm(np.maximum(np.abs(points) - half, 0.0), axis=-1).min()
        step = np.linalg.norm(a1[i] - a0[i]) / STEPS
        assert distance <= dense + 1e-9
        assert distance >= dense - step - 1e-12


def test_segment_and_plane() -> None:
    up = np.array([0.0, 0.0, 1.0])
    a0 = np.array([[0.0, 0.0, 0.5], [0.0, 0.0, -0.2]])
    a1 = np.array([[1.0, 0.0, 0.2], [0.0, 1.0, 0.3]])
    assert segment_plane_distance(a0, a1, [9.0, 9.0, 0.1], up) == pytest.approx([0.1, -0.3])


def test_batch_axes_broadcast() -> None:
    rng = np.random.default_rng(3)
    a0, a1 = rng.normal(size=(4, 1, 3)), rng.normal(size=(4, 1, 3))
    b0, b1 = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    whole = segment_distance(a0, a1, b0, b1)
    assert whole.shape == (4, 5)
    assert whole[2, 3] == pytest.approx(float(segment_distance(a0[2, 0], a1[2, 0], b0[3], b1[3])))
