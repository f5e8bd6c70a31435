"""Cubic Hermite pieces: ends and slopes at the ends."""

from __future__ import annotations

from guidearm.geometry import Array


def cubic_hermite(
    u: Array, width: Array, x0: Array, v0: Array, x1: Array, v1: Array
) -> tuple[Array, Array]:
    """Value and slope at fraction u in [0, 1] of a piece; all shapes broadcast.

    `x0`, `v0`, `x1`, `v1` are value and slope at both ends, `width` (> 0) the length of the piece
    in the unit the slopes are taken by. Exact at u = 0 and u = 1.
    """
    w = 1.0 - u
    x = w * w * (1.0 + 2.0 * u) * x0 + u * u * (1.0 + 2.0 * w) * x1
    x = x + u * w * width * (w * v0 - u * v1)
    v = 6.0 * u * w * (x1 - x0) / width + w * (w - 2.0 * u) * v0 + u * (u - 2.0 * w) * v1
    return x, v


def bend(u: Array, width: Array, x0: Array, v0: Array, x1: Array, v1: Array) -> Array:
    """Second derivative of the same piece."""
    chord = (6.0 - 12.0 * u) * (x1 - x0) / width
    return (chord + (6.0 * u - 4.0) * v0 + (6.0 * u - 2.0) * v1) / width
