"""What every motion is: joint positions and velocities over time, from rest to rest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import MotionError
from guidearm.geometry import Array

# Where one motion ends the next must begin, to well under a motor count (1.5e-5 rad).
_JOIN_RAD = 1e-6


class Trajectory(Protocol):
    """A motion of all joints, at rest from `duration_s` on.

    It begins at rest too, unless it was planned from a moving state.
    """

    @property
    def label(self) -> str:
        """What the motion is for, in a few words."""
        ...

    @property
    def duration_s(self) -> float:
        """Time from start to end, s."""
        ...

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        ...


class Smooth(Trajectory, Protocol):
    """A motion whose acceleration is known."""

    def acceleration(self, t: ArrayLike) -> Array:
        """Accelerations (n, 6) rad/s^2 at times t (n,) s."""
        ...


@runtime_checkable
class Changeable(Smooth, Protocol):
    """A motion that something else can follow at any instant, without a step of acceleration."""

    def at_feed(self, t: float, share: float) -> Changeable:
        """Return the rest of the motion from time t (s) on, at a share 0..1 of its speed."""
        ...


@dataclass(frozen=True, eq=False)
class MotionState:
    """Position (6,) rad, velocity rad/s and acceleration rad/s^2 of all joints at one instant."""

    position: Array
    velocity: Array
    acceleration: Array


def state_at(motion: Changeable, t: float) -> MotionState:
    """Return the state in which a motion is at time t (s)."""
    position, velocity = motion.sample(np.array([t]))
    return MotionState(position[0], velocity[0], motion.acceleration(np.array([t]))[0])


@dataclass(frozen=True, eq=False)
class JoinedMotion:
    """Motions one after the other, with a moment of rest where they meet."""

    parts: tuple[Trajectory, ...]
    label: str

    @property
    def duration_s(self) -> float:
        """Time from the first start to the last end, s."""
        return sum(part.duration_s for part in self.parts)

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        time = np.asarray(t, dtype=np.float64)
        ends = np.cumsum([part.duration_s for part in self.parts])
        which = np.minimum(np.searchsorted(ends, time), len(self.parts) - 1)
        q = np.empty((*time.shape, self.parts[0].sample(0.0)[0].shape[-1]))
        qd = np.empty_like(q)
        for i, part in enumerate(self.parts):
            mine = which == i
            q[mine], qd[mine] = part.sample(time[mine] - (ends[i] - part.duration_s))
        return q, qd


def concatenate(*parts: Trajectory, label: str | None = None) -> JoinedMotion:
    """Join motions end to start.

    Raises MotionError if there is none, or if one begins elsewhere than the last one ended.
    """
    if not parts:
        raise MotionError("no motion to join: give at least one")
    for before, after in pairwise(parts):
        gap = np.abs(after.sample(0.0)[0] - before.sample(before.duration_s)[0])
        if np.max(gap) > _JOIN_RAD:
            raise MotionError(
                f'"{after.label}" begins {np.degrees(np.max(gap)):.4f} deg (joint '
                f'{int(np.argmax(gap)) + 1}) from where "{before.label}" ends: plan it from there'
            )
    return JoinedMotion(parts, label or ", ".join(part.label for part in parts))
