"""Postures where two singularities meet within rounding: coarse closed form, then Newton.

With the wrist 1e-8 rad from singular, q6 is known to 1e-8 rad only; that shifts axis 4 by 1e-9 m,
and an arm at full stretch then seems not to reach. Away from such meetings nothing is missed.
"""

from __future__ import annotations

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.numeric import solve_pose
from guidearm.kinematics.ur import COARSE, EXACT, Angles, UrGeometry, branches
from guidearm.kinematics.ur_batch import branches_batch, wrap_array

# Solutions nearer than this (rad) are one solution found from two starting points.
_SAME = 1e-5


def polished_branches(
    g: UrGeometry, chain: Chain, T_base_flange: list[list[float]], q6_free: float
) -> list[Angles]:
    """Postures at a pose (4x4 nested list, m) that `branches` just missed; empty if none."""
    found: list[Array] = []
    for start in branches(g, T_base_flange, q6_free, COARSE):
        q = solve_pose(chain, T_base_flange, start, tolerance=EXACT.reach)
        if q is not None and not any(np.max(np.abs(wrap_array(q - p))) < _SAME for p in found):
            found.append(wrap_array(q))
    return [(q[0], q[1], q[2], q[3], q[4], q[5]) for q in (row.tolist() for row in found)]


def polish_missing(
    g: UrGeometry, chain: Chain, T_base_flange: Array, q: Array, q6_free: float
) -> None:
    """Fill in place the poses (n, 4, 4) for which `branches_batch` gave q (n, 8, 6) all NaN."""
    missing = np.flatnonzero(~np.any(np.isfinite(q[..., 0]), axis=-1))
    coarse = branches_batch(g, T_base_flange[missing], q6_free, COARSE)
    near = np.any(np.isfinite(coarse[..., 0]), axis=-1)
    for i in missing[near]:
        for branch, posture in enumerate(
            polished_branches(g, chain, T_base_flange[i].tolist(), q6_free)
        ):
            q[i, branch] = posture
