"""A motion as it is once it has been changed on its way, from its first start to its last end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array
from guidearm.motion.course import Course
from guidearm.motion.trajectory import Changeable


@dataclass(frozen=True, eq=False)
class ChangedMotion:
    """A course, and what it was before each of its changes.

    parts: each motion with the instant (s) at which it takes over from the one before; course: what
    it has become.
    """

    parts: tuple[tuple[float, Changeable], ...]
    course: Course

    @classmethod
    def of(cls, course: Course) -> ChangedMotion:
        """Return a course that has not been changed yet."""
        return cls(((0.0, course.motion),), course)

    def retargeted(self, t: float, goal: ArrayLike) -> ChangedMotion:
        """Return it with another goal (6,) rad from the first segment on that begins at t (s)."""
        first, begin = self._segment(t)
        return self._with(begin, self.course.retargeted(first, goal))

    def at_feed(self, t: float, share: float) -> ChangedMotion:
        """Return it at another feed from the first segment on that begins at t (s)."""
        first, begin = self._segment(t)
        return self._with(begin, self.course.at_feed(first, share))

    @property
    def label(self) -> str:
        """What the motion is for."""
        return self.course.motion.label

    @property
    def duration_s(self) -> float:
        """Time from the first start to the last end, s."""
        begin, motion = self.parts[-1]
        return begin + motion.duration_s

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        time = np.asarray(t, dtype=np.float64)
        q, qd = self.parts[0][1].sample(time)
        for begin, motion in self.parts[1:]:
            here = time >= begin
            q[here], qd[here] = motion.sample(time[here] - begin)
        return q, qd

    def acceleration(self, t: ArrayLike) -> Array:
        """Accelerations (n, 6) rad/s^2 at times t (n,) s."""
        time = np.asarray(t, dtype=np.float64)
        qdd = self.parts[0][1].acceleration(time)
        for begin, motion in self.parts[1:]:
            here = time >= begin
            qdd[here] = motion.acceleration(time[here] - begin)
        return qdd

    def _segment(self, t: float) -> tuple[int, float]:
        """Return the course's first segment that begins at t (s) or later, and when that is."""
        begin = self.parts[-1][0]
        knots = begin + self.course.segments.knots_us * 1e-6
        first = int(np.searchsorted(knots, t - 1e-9))
        if first >= len(self.course.segments):
            return len(self.course.segments), max(t, float(knots[-1]))
        return first, float(knots[first])

    def _with(self, begin: float, course: Course) -> ChangedMotion:
        return replace(self, parts=(*self.parts, (begin, course.motion)), course=course)
