"""What every inverse kinematics offers to an arm, whatever its way of finding postures."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import ArrayLike

from guidearm.geometry import Array

Rows = tuple[float, ...]
"""A transform as 16 floats, row by row."""


class InverseKinematics(Protocol):
    """Postures that put an arm's flange at a pose.

    Joint limits are not looked at: angles come in [-pi, pi] rad and mean all their turns. `near`
    (6,) rad is where the arm stands; it decides what the pose leaves open.
    """

    @property
    def branches(self) -> int:
        """How many postures a pose can have at most."""
        ...

    @property
    def none_found(self) -> str:
        """What it means, in words, when a pose has no posture."""
        ...

    def postures(self, T_base_flange: Rows, near: Array) -> Array:
        """Return the postures (n, 6) rad of one rigid pose, n from 0 to `branches`."""
        ...

    def postures_batch(self, T_base_flange: Array, near: Array) -> tuple[Array, Array]:
        """Return the postures of rigid poses (n, 4, 4), and their singularity factors.

        (n, branches, 6) rad and (n, branches, k); NaN where there is no posture.
        """
        ...

    def singularity_factors(self, q: ArrayLike) -> Array:
        """Return signed distances from the singularities: q (..., 6) rad -> (..., k).

        Each is in [-1, 1]; 0 is singular. No path without a singularity leads from one sign to the
        other.
        """
        ...
