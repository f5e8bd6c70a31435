"""Motion along a fixed path: how fast it is run may change, where it leads does not."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import MotionError
from guidearm.geometry import Array
from guidearm.motion.profile import Limits, State
from guidearm.motion.to_rest import quickest, quickest_stop

LEAST_FEED = 0.01
"""Anything slower is a stop."""


def check_feed(share: float, label: str) -> None:
    """Raise MotionError unless a feed is 0, or from the least one to 1."""
    if not (share == 0.0 or LEAST_FEED <= share <= 1.0):
        raise MotionError(
            f"{label}: feed {100.0 * share:g} % is neither 0 nor {100.0 * LEAST_FEED:g} to 100 %"
        )


class Path(Protocol):
    """Postures by the fraction of the way, 0 to 1."""

    def at(self, fraction: Array) -> tuple[Array, Array, Array]:
        """Postures (n, 6) rad at fractions (n,), and their first and second derivatives by it."""
        ...


class Curve(Protocol):
    """The fraction of the way over time."""

    @property
    def duration_s(self) -> float:
        """Time until it rests, s."""
        ...

    def sample(self, t: ArrayLike) -> tuple[Array, Array, Array]:
        """Fraction, its velocity and its acceleration at times t (...) s, each (...)."""
        ...


@dataclass(frozen=True)
class JointLine:
    """The straight line in joint space from `start` to `end` (6,) rad."""

    start: Array
    end: Array

    def at(self, fraction: Array) -> tuple[Array, Array, Array]:
        """Postures (n, 6) rad at fractions (n,), and their first and second derivatives by it."""
        f = np.asarray(fraction)[..., None]
        # This form is exact at both ends.
        q = (1.0 - f) * self.start + f * self.end
        return q, np.broadcast_to(self.end - self.start, q.shape), np.zeros_like(q)


@dataclass(frozen=True, eq=False)
class PathMotion:
    """A path, and how it is run.

    `limits` are those of the fraction, in 1/s, 1/s^2 and 1/s^3: within them every joint keeps its
    own, by whatever curve. A path of no length has none, and is run in no time.
    """

    path: Path
    curve: Curve
    limits: Limits
    label: str

    @property
    def duration_s(self) -> float:
        """Time from start to end, s."""
        return self.curve.duration_s

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        fraction, pace, _ = self.curve.sample(t)
        q, slope, _ = self.path.at(fraction)
        return q, slope * pace[..., None]

    def acceleration(self, t: ArrayLike) -> Array:
        """Accelerations (n, 6) rad/s^2 at times t (n,) s."""
        fraction, pace, change = self.curve.sample(t)
        _, slope, bend = self.path.at(fraction)
        return slope * change[..., None] + bend * (pace**2)[..., None]

    def at_feed(self, t: float, share: float, to: float = 1.0) -> PathMotion:
        """Return the rest of the motion from time t (s) on, at another feed.

        `share` of the velocity limit along the path, 0.01 to 1; with 0 it stops on the path as
        quickly as the limits allow, and goes on from there when it is given another. The
        acceleration along the path has no step, and its jerk stays within the limit. `to` is the
        fraction of the way to end at: 0 leads back to the start. Raises MotionError for other
        values.
        """
        check_feed(share, self.label)
        if not 0.0 <= to <= 1.0:
            raise MotionError(f"{self.label}: there is no {to:g} of the way")
        if self.limits.velocity == inf:
            return self
        now = State(*(float(value) for value in self.curve.sample(t)))
        if share == 0.0:
            curve = quickest_stop(now, self.limits)
        else:
            velocity = share * self.limits.velocity
            curve = quickest(now, to, self.limits._replace(velocity=velocity))
        return PathMotion(self.path, curve, self.limits, self.label)
