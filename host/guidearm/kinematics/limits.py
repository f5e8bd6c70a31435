"""Whole turns: which of the angles that look alike a joint takes within its limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.geometry import Array

# A joint may stand this far (rad) past a limit by rounding.
LIMIT_SLACK = 1e-9
_TURN = 2.0 * np.pi


def turned_to(angle: Array, centre: Array | float) -> Array:
    """Angles plus whole turns, within half a turn of the centre; rad, arrays that broadcast."""
    return angle + _TURN * np.rint((centre - angle) * (1.0 / _TURN))


def turn_centres(near: ArrayLike, lower: Array, upper: Array) -> Array:
    """Centres (6,) rad of the turns in which angles lie within limits and nearest to `near`.

    A joint with a turn of room has one within its limits for every angle, and takes that which is
    nearest to `near` (6,). With less room there is one at most: what is nearest to the middle.
    """
    # With the slack, of two ends of a turn that lie on both limits the nearer is taken.
    lowest, highest = lower + np.pi - LIMIT_SLACK, upper - np.pi + LIMIT_SLACK
    room = highest >= lowest
    centre = np.minimum(np.maximum(near, lowest), highest)
    return np.where(room, centre, 0.5 * (lower + upper))


def within_limits(angles: Array, lower: Array, upper: Array) -> NDArray[np.bool_]:
    """Which postures (6, ...) in their `turn_centres` turns lie within the limits: (...) bool.

    Joints come first; those with a turn of room need no look. NaN does not.
    """
    inside = np.isfinite(angles[0])
    for joint in np.flatnonzero(upper - lower < _TURN - 2.0 * LIMIT_SLACK):
        row = angles[joint]
        inside &= (row >= lower[joint] - LIMIT_SLACK) & (row <= upper[joint] + LIMIT_SLACK)
    return inside
