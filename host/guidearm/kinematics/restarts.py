"""Inverse kinematics of any arm with six joints: damped Newton from many starting points.

It knows nothing of the arm's structure, so that it may miss postures, and even all of them; then it
says only that none was found.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.inverse import Rows
from guidearm.kinematics.limits import turned_to
from guidearm.kinematics.numeric import distinct, newton

# Postures kept with their poses: starts are those nearest to the pose asked for.
_BANK = 4096
# How many a pose is tried from at first; those without a posture are tried again from more.
_STARTS = (32, 96)
# No arm with six revolute joints has more postures for a pose: Lee and Liang (1988).
_MOST = 16
_SEED = 1
TOLERANCE = 1e-11


class NumericInverse:
    """Postures of a chain by restarts; the same pose gives the same postures every time."""

    branches = _MOST

    def __init__(self, chain: Chain, lower: Array, upper: Array) -> None:
        """Take a chain and the limits (6,) rad between which to start."""
        self.chain = chain
        self._lower, self._upper = lower, upper

    @property
    def none_found(self) -> str:
        """What it means, in words, when a pose has no posture."""
        return f"none of {sum(_STARTS)} starting points leads to it, which is no proof"

    def postures(self, T_base_flange: Rows, near: Array, centre: Array) -> Array:
        """See `InverseKinematics.postures`."""
        q = self.postures_batch(np.reshape(T_base_flange, (1, 4, 4)), near, centre)[0][0]
        return q[np.isfinite(q[:, 0])]

    def postures_batch(
        self, T_base_flange: Array, near: Array, centre: Array
    ) -> tuple[Array, Array]:
        """See `InverseKinematics.postures_batch`; those nearest to `near` come first."""
        result = np.full((len(T_base_flange), _MOST, 6), np.nan)
        missing = np.arange(len(result))
        tried = 0
        for count in _STARTS:
            start = self._starts(T_base_flange[missing], near, tried, count)
            T = np.repeat(T_base_flange[missing], start.shape[1], axis=0)
            q, reached = newton(self.chain, T, start.reshape(-1, 6), TOLERANCE)
            q[~reached] = np.nan
            q = turned_to(q, centre).reshape(start.shape)
            result[missing] = _nearest_first(distinct(q), near)
            missing = missing[np.isnan(result[missing, 0, 0])]
            tried += count
            if len(missing) == 0:
                break
        return result, np.min(np.abs(self.singularity_factors(result)), axis=-1)

    def singularity_factors(self, q: ArrayLike) -> Array:
        """How evenly the flange can be moved in all directions: q (..., 6) rad -> (..., 1).

        The least over the largest singular value of the Jacobian, lengths as shares of the arm's,
        over the best that the arm has; with the sign of the determinant, which no path without a
        singularity changes.
        """
        angles = np.asarray(q, dtype=np.float64)
        there = np.all(np.isfinite(angles), axis=-1)
        factors = np.full((*there.shape, 1), np.nan)
        evenness, sign = self._evenness(angles[there])
        factors[there, 0] = sign * np.minimum(1.0, evenness / self._best)
        return factors

    def _evenness(self, q: Array) -> tuple[Array, Array]:
        J = self.chain.jacobian(q)
        J[..., :3, :] /= self._length
        values = np.linalg.svd(J, compute_uv=False)
        return values[..., -1] / values[..., 0], np.sign(np.linalg.det(J))

    @cached_property
    def _length(self) -> float:
        """Half the sum of the links' lengths, m."""
        lengths = np.linalg.norm(self.chain.links[:, :3, 3], axis=-1)
        return max(0.5 * float(np.sum(lengths)), 1e-3)

    @cached_property
    def _bank(self) -> tuple[Array, Array]:
        """Postures (_BANK, 6) within the limits, and what their poses are compared by."""
        lower = np.maximum(self._lower, -np.pi)
        upper = np.minimum(self._upper, np.pi)
        upper = np.where(upper > lower, upper, lower + 2.0 * np.pi)
        q = np.random.default_rng(_SEED).uniform(lower, upper, (_BANK, 6))
        return q, self._features(self.chain.pose(q))

    @cached_property
    def _best(self) -> float:
        return float(np.max(self._evenness(self._bank[0])[0]))

    def _features(self, T: Array) -> Array:
        """Poses (n, 4, 4) as (n, 12): turning by a radian is as far as half the arm's length."""
        R = self._length / np.sqrt(2.0) * T[:, :3, :3].reshape(-1, 9)
        return np.concatenate([T[:, :3, 3], R], axis=-1)

    def _starts(self, T_base_flange: Array, near: Array, tried: int, count: int) -> Array:
        """Return starting points (n, count + 1, 6): `near`, and the next best after `tried`."""
        q, features = self._bank
        wanted = self._features(T_base_flange)
        # the square of the distance, without what is the same for all
        distance = np.sum(features**2, axis=-1) - 2.0 * wanted @ features.T
        order = np.argpartition(distance, tried + count, axis=-1)[:, : tried + count]
        ranked = np.argsort(np.take_along_axis(distance, order, axis=-1), axis=-1)
        chosen = np.take_along_axis(order, ranked, axis=-1)[:, tried:]
        own = np.broadcast_to(near, (len(chosen), 1, 6))
        return np.concatenate([own, q[chosen]], axis=1)


def _nearest_first(q: Array, near: Array) -> Array:
    """Of postures (n, k, 6) the nearest to `near`, at most `_MOST`, in order."""
    travel = np.linalg.norm(q - near, axis=-1)
    order = np.argsort(np.where(np.isnan(travel), np.inf, travel), axis=-1)[:, :_MOST]
    found = np.take_along_axis(q, order[..., None], axis=1)
    result = np.full((len(q), _MOST, 6), np.nan)
    result[:, : found.shape[1]] = found
    return result
