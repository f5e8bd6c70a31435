"""Inverse kinematics of an arm as it was really built: the nominal postures, then damped Newton.

Identified link errors leave axes 2 to 4 not quite parallel, so that no closed form fits; that of
the nominal arm misses by a millimetre or two and is where Newton begins. What is given is what
reaches the pose within `TOLERANCE`, nothing else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.geometry import Array
from guidearm.kinematics.inverse import InverseKinematics, Rows
from guidearm.kinematics.limits import turned_to
from guidearm.kinematics.numeric import Body, distinct, newton

# Position (m) and rotation (rad) error of what is given, together.
TOLERANCE = 1e-11
# At the boundary of the workspace the nominal arm may not reach what the real one does: it is asked
# for poses this far (m) beside, both ways along the three axes.
_BESIDE_M = 0.004


class CalibratedInverse:
    """Postures of a body close to a nominal arm, one for each of its branches."""

    none_found = "with its link errors no posture that was tried converges to it"

    def __init__(self, nominal: InverseKinematics, body: Body) -> None:
        """Take the nominal arm's inverse kinematics and the arm as it is."""
        self.nominal, self.body = nominal, body

    @property
    def branches(self) -> int:
        """As many as the nominal arm has."""
        return self.nominal.branches

    def postures(self, T_base_flange: Rows, near: Array, centre: Array) -> Array:
        """See `InverseKinematics.postures`."""
        q = self.postures_batch(np.reshape(T_base_flange, (1, 4, 4)), near, centre)[0][0]
        return q[np.isfinite(q[:, 0])]

    def postures_batch(
        self, T_base_flange: Array, near: Array, centre: Array
    ) -> tuple[Array, Array]:
        """See `InverseKinematics.postures_batch`; the branch is that of the nominal arm."""
        start, _ = self.nominal.postures_batch(T_base_flange, near, centre)
        q = self._solved(T_base_flange, start)
        lost = np.flatnonzero(np.any(np.isnan(q[..., 0]), axis=-1))
        for beside in _BESIDE_M * np.concatenate([np.eye(3), -np.eye(3)]):
            T = T_base_flange[lost].copy()
            T[:, :3, 3] += beside
            start = np.where(
                np.isnan(q[lost]), self.nominal.postures_batch(T, near, centre)[0], np.nan
            )
            more = self._solved(T_base_flange[lost], start)
            q[lost] = np.where(np.isnan(q[lost]), more, q[lost])
        q[lost] = distinct(q[lost])
        return turned_to(q, centre), np.min(np.abs(self.singularity_factors(q)), axis=-1)

    def singularity_factors(self, q: ArrayLike) -> Array:
        """Those of the nominal arm, see `InverseKinematics.singularity_factors`."""
        return self.nominal.singularity_factors(q)

    def _solved(self, T_base_flange: Array, start: Array) -> Array:
        """Where Newton ends from start (n, branches, 6) at poses (n, 4, 4); NaN if nowhere."""
        shape = start.shape
        begun: NDArray[np.intp] = np.flatnonzero(np.isfinite(start[..., 0]))
        result = np.full((shape[0] * shape[1], 6), np.nan)
        T = T_base_flange[begun // shape[1]]
        q, reached = newton(self.body, T, start.reshape(-1, 6)[begun], TOLERANCE)
        result[begun[reached]] = q[reached]
        return result.reshape(shape)
