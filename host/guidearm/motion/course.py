"""A motion on its way to the joints: its segments, and what may still become of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from guidearm.geometry import Array
from guidearm.motion.limits import JointLimits, as_posture, check_limits
from guidearm.motion.on_path import check_feed
from guidearm.motion.retarget import retarget
from guidearm.motion.segments import Segments, hermite_segments
from guidearm.motion.trajectory import Changeable, state_at


@dataclass(frozen=True, eq=False)
class Course:
    """A motion and its segments, which can be replaced from any one of them on.

    What replaces them begins in the state in which the motion then is, so there is no step. `speed`
    is what it was planned for, `feed` the present share of that; `goal` (6,) rad is where to go
    once it is fed again, None if that is where it goes anyway.
    """

    motion: Changeable
    segments: Segments
    arm: JointLimits
    speed: float
    feed: float = 1.0
    goal: Array | None = None

    def retargeted(self, first: int, goal: ArrayLike, at_least_s: float = 0.0) -> Course:
        """Return the course to another goal (6,) rad, from the begin of segment `first` on.

        See `retarget`, which raises what this raises. A course at feed 0 goes on stopping, and goes
        to the goal when it is fed again.
        """
        label = self.motion.label
        if self.feed > 0.0:
            state = state_at(self.motion, self._instant(first))
            return self._with(
                retarget(state, goal, self.arm, self.speed, self.feed, at_least_s, label)
            )
        posture = as_posture(goal, self.arm, f"{label}: goal")
        check_limits(posture, self.arm, label)
        return replace(self._with(self.motion.at_feed(self._instant(first), 0.0)), goal=posture)

    def at_feed(self, first: int, share: float) -> Course:
        """Return the course at another feed, from the begin of segment `first` on.

        `share` of its speed is 0.01 to 1; with 0 it stops, on its line if it is on one, and goes on
        when it is fed again. Raises MotionError for other values.
        """
        check_feed(share, self.motion.label)
        fed = replace(self, feed=share)
        if share > 0.0 and self.goal is not None:
            return replace(fed.retargeted(first, self.goal), goal=None)
        return fed._with(self.motion.at_feed(self._instant(first), share))

    def _instant(self, first: int) -> float:
        """Return when a segment begins, s from the start; after the last one, the end."""
        return float(self.segments.knots_us[min(first, len(self.segments))]) * 1e-6

    def _with(self, motion: Changeable) -> Course:
        return replace(self, motion=motion, segments=hermite_segments(motion))


def course(motion: Changeable, arm: JointLimits, speed: float = 1.0) -> Course:
    """Cut a motion that was planned at a speed in (0, 1] into segments that can be replaced."""
    return Course(motion, hermite_segments(motion), arm, speed)
