"""Damped Newton iteration to a pose, for chains that the closed form does not fit exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array, pose_difference
from guidearm.kinematics.chain import Chain

# Joints never move farther than this (rad) in one iteration.
_LARGEST_STEP = 0.3


def solve_pose(
    chain: Chain,
    T_base_flange: ArrayLike,
    seed: ArrayLike,
    tolerance: float = 1e-12,
    iterations: int = 50,
) -> Array | None:
    """Joint angles near the seed with which the chain reaches the pose, or None.

    T_base_flange (4, 4), seed (6,) rad -> (6,) rad; tolerance on the norm of position (m) and
    rotation (rad) error together. The damping falls with the squared error, so that it converges
    quadratically away from singularities and stays bounded on them: Sugihara (2011),
    "Solvability-unconcerned inverse kinematics by the Levenberg-Marquardt method".
    """
    target = np.asarray(T_base_flange, dtype=np.float64)
    q = np.array(seed, dtype=np.float64)
    best, best_error = q, np.inf
    for _ in range(iterations):
        difference = pose_difference(target, chain.frames(q)[6])
        error = float(np.linalg.norm(difference))
        if error < best_error:
            best, best_error = q, error
        if not error > tolerance:
            break
        J = chain.jacobian(q)
        damping = 0.1 * error**2 + 1e-15
        step = np.linalg.solve(J.T @ J + damping * np.eye(6), J.T @ difference)
        q = q + step * min(1.0, _LARGEST_STEP / max(float(np.max(np.abs(step))), 1e-300))
    return best if best_error <= tolerance else None
