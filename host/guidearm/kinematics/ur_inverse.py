"""Inverse kinematics of UR-type arms: the closed form, and Newton where it misses by rounding.

With the wrist 1e-8 rad from singular, q6 is known to 1e-8 rad only; that shifts axis 4 by 1e-9 m,
and an arm at full stretch then seems not to reach. Away from such meetings of two singularities
nothing is missed.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.inverse import AT_ZERO, Rows
from guidearm.kinematics.limits import turned_to
from guidearm.kinematics.numeric import distinct, newton
from guidearm.kinematics.ur import COARSE, EXACT, UrGeometry, branches
from guidearm.kinematics.ur_batch import branches_batch


class UrInverse:
    """Every branch, exact everywhere; `InverseKinematics`.

    Branches come in order of their number, see `kinematics.ur`. Those that coincide at a
    singularity come once; where axes 4 and 6 coincide, q6 is that of `near` if the arm then
    reaches.
    """

    branches = 8
    none_found = "out of reach"

    def __init__(self, geometry: UrGeometry) -> None:
        """Take the lengths of the arm."""
        self.geometry = geometry

    @cached_property
    def chain(self) -> Chain:
        """The chain that the closed form inverts."""
        return self.geometry.chain

    def postures(self, T_base_flange: Rows, near: Array, centre: Array) -> Array:
        """See `InverseKinematics.postures`."""
        q = branches(self.geometry, T_base_flange, near.item(5))
        if len(q) == 0:
            q = self._polished(np.reshape(T_base_flange, (1, 4, 4)), near, centre)[0]
            return q[np.isfinite(q[:, 0])]
        return q if centre is AT_ZERO else turned_to(q, centre)

    def postures_batch(
        self, T_base_flange: Array, near: Array, centre: Array
    ) -> tuple[Array, Array]:
        """See `InverseKinematics.postures_batch`."""
        q, singularity = branches_batch(self.geometry, T_base_flange, near.item(5), centre)
        # branch and pose, as they lie in memory
        missing = np.flatnonzero(np.isnan(singularity.T).all(axis=0))
        if len(missing):
            q[missing] = self._polished(T_base_flange[missing], near, centre)
            singularity[missing] = np.min(np.abs(self.singularity_factors(q[missing])), axis=-1)
        return q, singularity

    def _polished(self, T_base_flange: Array, near: Array, centre: Array) -> Array:
        """Postures (n, 8, 6) at poses (n, 4, 4) that the closed form just missed, or NaN."""
        start, _ = branches_batch(self.geometry, T_base_flange, near.item(5), tolerances=COARSE)
        # most of what has no branch is far out of reach
        some = np.any(np.isfinite(start[..., 0]), axis=-1)
        T = np.repeat(T_base_flange[some], 8, axis=0)
        q, reached = newton(self.chain, T, start[some].reshape(-1, 6), tolerance=EXACT.reach)
        q[~reached] = np.nan
        start[some] = distinct(turned_to(q, centre).reshape(-1, 8, 6))
        return start

    def singularity_factors(self, q: ArrayLike) -> Array:
        """Rho / reach (shoulder), sin q3 (elbow), sin q5 (wrist): q (..., 6) rad -> (..., 3).

        Det J = a2 a3 rho s3 s5. The three signs name the branch.
        """
        g = self.geometry
        angles = np.asarray(q, dtype=np.float64)
        q2, q3, q4 = angles[..., 1], angles[..., 2], angles[..., 3]
        q23 = q2 + q3
        rho = g.a2 * np.cos(q2) + g.a3 * np.cos(q23) + g.d5 * np.sin(q23 + q4)
        return np.stack([rho / g.reach, np.sin(q3), np.sin(angles[..., 4])], axis=-1)
