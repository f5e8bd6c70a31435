"""Distances between line segments and simple volumes, for many at once.

A segment swept by a sphere is a capsule, so the distance of two capsules is that of their
segments less both radii. All points are (..., 3) m in one frame; batch axes broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry.rotations import Array

# A segment shorter than this (m) is a point; the square is what the formulas compare with.
_POINT_M2 = 1e-18


def segment_distance(a0: ArrayLike, a1: ArrayLike, b0: ArrayLike, b1: ArrayLike) -> Array:
    """Distance (...) m of the segment from a0 to a1 from the one from b0 to b1, each (..., 3) m.

    Either may be a point. The nearest points of the two lines, clamped to the segments one after
    the other: Ericson, Real-Time Collision Detection (2005), section 5.1.9. Directions within 1e-6
    rad count as parallel, which costs as much of a segment's length.
    """
    start = np.asarray(a0, dtype=np.float64)
    other = np.asarray(b0, dtype=np.float64)
    along = np.asarray(a1, dtype=np.float64) - start
    across = np.asarray(b1, dtype=np.float64) - other
    gap = start - other
    a, e = _dot(along, along), _dot(across, across)
    b, c, f = _dot(along, across), _dot(along, gap), _dot(across, gap)
    a_is_point, b_is_point = a < _POINT_M2, e < _POINT_M2
    a_safe, e_safe = np.where(a_is_point, 1.0, a), np.where(b_is_point, 1.0, e)
    # Parallel segments have no one nearest point: any s will do, t then fits it.
    crossing = a * e - b * b
    parallel = crossing <= 1e-12 * a * e
    s = np.where(parallel, 0.0, (b * f - c * e) / np.where(parallel, 1.0, crossing))
    s = np.clip(s, 0.0, 1.0)
    t = np.where(b_is_point, 0.0, (b * s + f) / e_safe)
    clamped = np.clip(t, 0.0, 1.0)
    s = np.where((t != clamped) | b_is_point, (b * clamped - c) / a_safe, s)
    s = np.where(a_is_point, 0.0, np.clip(s, 0.0, 1.0))
    t = np.where(a_is_point & ~b_is_point, np.clip(f / e_safe, 0.0, 1.0), clamped)
    return np.asarray(np.linalg.norm(gap + s[..., None] * along - t[..., None] * across, axis=-1))


def segment_box_distance(a0: ArrayLike, a1: ArrayLike, half: ArrayLike) -> Array:
    """Distance (...) m of the segment from a0 to a1, (..., 3) m, from a box round the origin.

    `half` (3,) m are the box's half edges, along the axes of the points' frame; 0 where the
    segment enters it. Half the squared distance along the segment has a slope that is monotone and
    piecewise linear, with its corners where the segment crosses the planes of the faces: the piece
    in which it changes sign holds the nearest point.
    """
    start, end = np.asarray(a0, dtype=np.float64), np.asarray(a1, dtype=np.float64)
    edge = np.asarray(half, dtype=np.float64)
    along = end - start
    level = np.abs(along) < 1e-15
    step = np.where(level, 1.0, along)
    corners = [np.where(level, 0.0, (side * edge - start) / step) for side in (-1.0, 1.0)]
    ends = np.broadcast_to(np.array([0.0, 1.0]), (*start.shape[:-1], 2))
    t = np.sort(np.clip(np.concatenate([*corners, ends], axis=-1), 0.0, 1.0), axis=-1)

    def outside(at: Array) -> Array:
        """Give the vector (..., n, 3) from the box to the segment's points at t (..., n)."""
        points = start[..., None, :] + at[..., None] * along[..., None, :]
        return np.sign(points) * np.maximum(np.abs(points) - edge, 0.0)

    slope = np.sum(outside(t) * along[..., None, :], axis=-1)
    # The last corner before the slope turns positive, and the one after it.
    before = np.maximum(np.sum(slope < 0.0, axis=-1, keepdims=True) - 1, 0)
    after = np.minimum(before + 1, t.shape[-1] - 1)
    t0, t1 = np.take_along_axis(t, before, -1), np.take_along_axis(t, after, -1)
    g0, g1 = np.take_along_axis(slope, before, -1), np.take_along_axis(slope, after, -1)
    turns = (g0 < 0.0) & (g1 > g0)
    share = np.where(turns, -g0 / np.where(turns, g1 - g0, 1.0), 0.0)
    nearest = t0 + np.clip(share, 0.0, 1.0) * (t1 - t0)
    return np.asarray(np.linalg.norm(outside(nearest)[..., 0, :], axis=-1))


def segment_plane_distance(
    a0: ArrayLike, a1: ArrayLike, point: ArrayLike, normal: ArrayLike
) -> Array:
    """Signed distance (...) m of the nearer end of a segment (..., 3) m from a plane.

    The plane goes through `point` (3,) m; `normal` (3,) of length 1 points to the free side, where
    the distance is positive.
    """
    origin, direction = np.asarray(point, dtype=np.float64), np.asarray(normal, dtype=np.float64)
    first = _dot(np.asarray(a0, dtype=np.float64) - origin, direction)
    last = _dot(np.asarray(a1, dtype=np.float64) - origin, direction)
    return np.minimum(first, last)


def _dot(x: Array, y: Array) -> Array:
    return np.einsum("...i,...i->...", x, y)
