"""Whole turns: which of the angles that look alike lies within a joint's limits."""

from __future__ import annotations

from math import ceil, floor, pi

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array

# A joint may stand this far (rad) past a limit by rounding.
LIMIT_SLACK = 1e-9
_TURN = 2.0 * pi


def nearest_turn(angle: float, reference: float, lower: float, upper: float) -> float | None:
    """Angle plus whole turns, within the limits and nearest to the reference; None if none is.

    All rad.
    """
    fewest = ceil((lower - LIMIT_SLACK - angle) / _TURN)
    most = floor((upper + LIMIT_SLACK - angle) / _TURN)
    if fewest > most:
        return None
    return angle + _TURN * min(most, max(fewest, round((reference - angle) / _TURN)))


def nearest_turns(angle: Array, reference: ArrayLike, lower: Array, upper: Array) -> Array:
    """`nearest_turn` for arrays that broadcast, rad; NaN where no turn lies within the limits."""
    fewest = np.ceil((lower - LIMIT_SLACK - angle) / _TURN)
    most = np.floor((upper + LIMIT_SLACK - angle) / _TURN)
    turns = np.round((np.asarray(reference, dtype=np.float64) - angle) / _TURN)
    turns = np.minimum(most, np.maximum(fewest, turns))
    return np.where(fewest <= most, angle + _TURN * turns, np.nan)
