"""Damped Newton iteration to poses, for what has no closed form or is not quite it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.geometry import Array, pose_difference
from guidearm.kinematics.limits import turned_to

# Joints never move farther than this (rad) in one iteration.
_LARGEST_STEP = 0.3
# Solutions nearer than this (rad) are one solution found from two starting points.
_SAME = 1e-5


class Body(Protocol):
    """Whatever has a flange that moves with six joints."""

    def pose_and_jacobian(self, q: ArrayLike) -> tuple[Array, Array]:
        """T_base_flange (..., 4, 4) and its Jacobian (..., 6, 6), linear rows first, base axes."""
        ...


def newton(
    body: Body,
    T_base_flange: Array,
    start: Array,
    tolerance: float = 1e-12,
    iterations: int = 50,
) -> tuple[Array, NDArray[np.bool_]]:
    """Go from starting points to postures that reach their poses, all at once.

    T_base_flange (n, 4, 4), start (n, 6) rad -> q (n, 6) rad and whether it reaches (n,): position
    (m) and rotation (rad) error together are within the tolerance. A start of NaN reaches nothing.
    The damping falls with the squared error, so that it converges quadratically away from
    singularities and stays bounded on them: Sugihara (2011), "Solvability-unconcerned inverse
    kinematics by the Levenberg-Marquardt method".
    """
    q = np.array(start, dtype=np.float64)
    reached = np.zeros(len(q), dtype=np.bool_)
    active = np.flatnonzero(np.all(np.isfinite(q), axis=-1))
    for _ in range(iterations):
        T, jacobian = body.pose_and_jacobian(q[active])
        difference = pose_difference(T_base_flange[active], T)
        error = np.linalg.norm(difference, axis=-1)
        reached[active] = error <= tolerance
        going = error > tolerance
        active = active[going]
        if len(active) == 0:
            break
        step = _step(jacobian[going], difference[going], error[going])
        largest = np.max(np.abs(step), axis=-1, keepdims=True)
        q[active] += step * np.minimum(1.0, _LARGEST_STEP / np.maximum(largest, 1e-300))
    return q, reached


def _step(J: Array, difference: Array, error: Array) -> Array:
    """Damped Newton steps (n, 6) rad."""
    Jt = np.swapaxes(J, -1, -2)
    damping = (0.1 * error**2 + 1e-15)[:, None, None] * np.eye(6)
    step = np.linalg.solve(Jt @ J + damping, Jt @ difference[..., None])
    return np.asarray(step, dtype=np.float64)[..., 0]


def distinct(q: Array) -> Array:
    """Postures (n, k, 6) rad, with those that repeat an earlier one up to turns as NaN."""
    q = q.copy()
    for later in range(1, q.shape[1]):
        for earlier in range(later):
            apart = np.max(np.abs(turned_to(q[:, later] - q[:, earlier], 0.0)), axis=-1)
            q[apart < _SAME, later] = np.nan
    return q
