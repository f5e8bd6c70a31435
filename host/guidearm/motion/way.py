"""Whether the arm keeps clear, and within its torque, on the whole of a motion: quickly.

What `check_motion` finds in samples two milliseconds apart, this proves from few. Between two
samples no joint gets farther than the limit of its acceleration lets it, and no clearance changes
by more than the joints' levers let it. An interval that is good by that is done with; others are
halved.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.kinematics.clearance import Room
from guidearm.motion.check import LEAST_CLEARANCE_M, TORQUE_SHARE, Finding, refuse_unless_good
from guidearm.motion.trajectory import Smooth

_FIRST_S = 0.1
# What may be left unproven between two samples, as in `check_motion`: m, and a share of the torque.
_LEFT_M, _LEFT_TORQUE = 0.002, 0.01
_ROUNDING = 1e-9  # m, Nm


def check_way(motion: Smooth, arm: Arm, room: Room | None = None) -> None:
    """Raise MotionError, in one line, unless the way is clear and within the joints' torque.

    Bounds are those of `check_motion`, for the arm itself, its own room and `room`. Who begins
    nearer to something than is allowed may go away from it but no nearer; likewise with torque.
    """
    way = _Way(motion, arm, room, _margins(arm, room))
    count = 1 + max(1, int(np.ceil(motion.duration_s / _FIRST_S)))
    samples = way.samples(np.linspace(0.0, motion.duration_s, count))
    bound = np.minimum(way.margins.bound, samples.margin[0])
    way.refuse_below(bound, samples)
    first, last = samples.some(np.arange(count - 1)), samples.some(np.arange(1, count))
    while True:
        may_lose = way.margins.may_lose(first, last)
        has = first.margin + last.margin - 2.0 * bound
        unproven = np.any(may_lose > np.maximum(has, way.margins.left), axis=-1)
        rest = np.flatnonzero(unproven)
        if not len(rest):
            return
        first, last = first.some(rest), last.some(rest)
        middle = way.samples(0.5 * (first.t + last.t))
        way.refuse_below(bound, middle)
        first, last = first.then(middle), middle.then(last)


@dataclass(frozen=True, eq=False)
class _Samples:
    """Instants t (n,) s, postures q (n, 6) rad, and margins (n, k): see `_Margins`."""

    t: Array
    q: Array
    margin: Array

    def some(self, which: NDArray[np.intp]) -> _Samples:
        return _Samples(self.t[which], self.q[which], self.margin[which])

    def then(self, other: _Samples) -> _Samples:
        return _Samples(
            np.concatenate([self.t, other.t]),
            np.concatenate([self.q, other.q]),
            np.concatenate([self.margin, other.margin]),
        )


@dataclass(frozen=True, eq=False)
class _Margins:
    """What is looked at: clearances (m) of pairs of things, and torques (Nm) that are left.

    bound (k,) is the least that is good; by_angle (k, 6) how much each margin changes at most as a
    joint turns, by_time (k,) in a second besides; left (k,) what may stay unproven; acceleration
    (6,) rad/s^2 the joints' limits.
    """

    pairs: tuple[tuple[str, str], ...]
    bound: Array
    by_angle: Array
    by_time: Array
    left: Array
    acceleration: Array

    def may_lose(self, first: _Samples, last: _Samples) -> Array:
        """Return by how much margins (m, k) may fall below the mean of both ends, twice."""
        dt = (last.t - first.t)[:, None]
        turned = np.abs(last.q - first.q) + self.acceleration * dt**2 / 4.0
        return turned @ self.by_angle.T + dt * self.by_time


@lru_cache(maxsize=8)
def _margins(arm: Arm, room: Room | None) -> _Margins:
    clearance = arm.clearance_rates(room)
    count = len(clearance)
    return _Margins(
        arm.clearances(arm.home, room).pairs,
        np.concatenate([np.full(count, LEAST_CLEARANCE_M), np.zeros(6)]),
        np.concatenate([clearance, arm.gravity_torque_rates()]),
        np.concatenate([np.zeros(count), arm.inertia * arm.jerk]),
        np.concatenate([np.full(count, _LEFT_M), _LEFT_TORQUE * arm.torque]),
        arm.acceleration,
    )


@dataclass(frozen=True, eq=False)
class _Way:
    motion: Smooth
    arm: Arm
    room: Room | None
    margins: _Margins

    def samples(self, t: Array) -> _Samples:
        """Look at the motion at instants t (n,) s."""
        arm = self.arm
        q, _ = self.motion.sample(t)
        load = np.abs(arm.gravity_torque(q)) + arm.inertia * np.abs(self.motion.acceleration(t))
        clearances = arm.clearances(q, self.room).each
        return _Samples(t, q, np.hstack([clearances, TORQUE_SHARE * arm.torque - load]))

    def refuse_below(self, bound: Array, samples: _Samples) -> None:
        """Raise MotionError with what is farthest below its bound, if anything is."""
        over = samples.margin - bound
        at, which = (int(i) for i in np.unravel_index(int(np.argmin(over)), over.shape))
        if over[at, which] >= -_ROUNDING:
            return
        label, when = self.motion.label, f"{samples.t[at]:.2f} s on the way"
        joint = which - len(self.margins.pairs)
        if joint >= 0:
            torque = self.arm.torque[joint]
            share = TORQUE_SHARE - float(samples.margin[at, which]) / torque
            name = f"{label}: torque, share of what the joint has"
            detail = f"joint {self.arm.numbers[joint]}, {when}"
            refuse_unless_good([Finding(name, share, TORQUE_SHARE, "", False, detail)])
        one, other = self.margins.pairs[which]
        clearance_mm = 1e3 * float(samples.margin[at, which])
        name, detail = f"{label}: clearance", f"{one} from {other}, {when}"
        least_mm = 1e3 * LEAST_CLEARANCE_M
        refuse_unless_good([Finding(name, clearance_mm, least_mm, "mm", True, detail)])
