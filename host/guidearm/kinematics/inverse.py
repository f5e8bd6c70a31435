"""What every inverse kinematics offers to an arm, whatever its way of finding postures."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array

Rows = tuple[float, ...]
"""A transform as 16 floats, row by row."""


AT_ZERO: Array = np.zeros(6)
"""Zero for each joint; as a centre of turns the very object means that there is no turning."""
AT_ZERO.setflags(write=False)


class InverseKinematics(Protocol):
    """Postures that put an arm's flange at a pose.

    `near` (6,) rad is where the arm stands; it decides what the pose leaves open. Of angles that
    look alike the one within half a turn of `centre` (6,) rad is given. Joint limits are not looked
    at.
    """

    @property
    def branches(self) -> int:
        """How many postures a pose can have at most."""
        ...

    @property
    def none_found(self) -> str:
        """What it means, in words, when a pose has no posture."""
        ...

    def postures(self, T_base_flange: Rows, near: Array, centre: Array) -> Array:
        """Return the postures (n, 6) rad of one rigid pose, n from 0 to `branches`."""
        ...

    def postures_batch(
        self, T_base_flange: Array, near: Array, centre: Array
    ) -> tuple[Array, Array]:
        """Return the postures of rigid poses (n, 4, 4), and how far each is from a singularity.

        (n, branches, 6) rad and (n, branches), the least absolute of `singularity_factors`; NaN
        where there is no posture.
        """
        ...

    def singularity_factors(self, q: ArrayLike) -> Array:
        """Return signed distances from the singularities: q (..., 6) rad -> (..., k).

        Each is in [-1, 1]; 0 is singular. No path without a singularity leads from one sign to the
        other.
        """
        ...
