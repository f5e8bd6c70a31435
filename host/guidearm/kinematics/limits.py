"""Whole turns: which of the angles that look alike lies within a joint's limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.geometry import Array

# A joint may stand this far (rad) past a limit by rounding.
LIMIT_SLACK = 1e-9
_TURN = 2.0 * np.pi


def nearest_turns(angle: ArrayLike, reference: ArrayLike, lower: Array, upper: Array) -> Array:
    """Angles plus whole turns, within the limits and nearest to the reference.

    Arrays that broadcast, rad; NaN where no turn lies within the limits.
    """
    given = np.asarray(angle, dtype=np.float64)
    fewest = np.ceil((lower - LIMIT_SLACK - given) / _TURN)
    most = np.floor((upper + LIMIT_SLACK - given) / _TURN)
    turns = np.round((np.asarray(reference, dtype=np.float64) - given) / _TURN)
    turns = np.minimum(most, np.maximum(fewest, turns))
    return np.where(fewest <= most, given + _TURN * turns, np.nan)


def turned_into_limits(
    angles: Array, reference: Array, lower: Array, upper: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Postures (6, ...) by `nearest_turns`, and which of them lie within the limits (...).

    Joints come first. The angles are in [-pi, pi] or NaN, the reference is (6,); what is not within
    the limits comes out as NaN. Joints that need no look get none.
    """
    wide = (lower <= reference - np.pi) & (reference + np.pi <= upper)
    inside = np.isfinite(angles[0])
    if np.all(wide) and not np.any(reference):
        return angles, inside
    result = np.empty_like(angles)
    for joint in range(6):
        angle, near = angles[joint], reference[joint]
        if wide[joint]:
            result[joint] = angle + _TURN * np.rint((near - angle) / _TURN)
        else:
            result[joint] = nearest_turns(angle, near, lower[joint], upper[joint])
            inside &= np.isfinite(result[joint])
    if not np.all(inside):
        np.copyto(result, np.nan, where=~inside)
    return result, inside
