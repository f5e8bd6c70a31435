"""A motion on its way to the joints: its segments, and what may still become of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.kinematics.clearance import Room
from guidearm.motion.limits import JointLimits, as_posture
from guidearm.motion.on_path import PathMotion, check_feed
from guidearm.motion.retarget import JointCourses, retarget
from guidearm.motion.segments import Segments, hermite_segments
from guidearm.motion.trajectory import Changeable, state_at
from guidearm.motion.way import check_way


@dataclass(frozen=True, eq=False)
class Course:
    """A motion and its segments, which can be replaced from any one of them on.

    What replaces them begins in the state in which the motion then is, so there is no step. Where
    it leads elsewhere, it is judged by `check_way` as a whole, with the arm's own room and `room`,
    if `arm` is one; joints that make no arm have limits only.

    `speed` is what the motion was planned for, `feed` the present share of that; `goal` (6,) rad is
    where to go once it is fed again, None if that is where it goes anyway.
    """

    motion: Changeable
    segments: Segments
    arm: JointLimits
    speed: float
    room: Room | None = None
    feed: float = 1.0
    goal: Array | None = None

    def retargeted(self, first: int, goal: ArrayLike, at_least_s: float = 0.0) -> Course:
        """Return the course to another goal (6,) rad, from the begin of segment `first` on.

        See `retarget` and `check_way`, which raise what this raises. A course at feed 0 goes on
        stopping, and goes to the goal when it is fed again.
        """
        if self.feed > 0.0:
            return self._with(
                self._judged(self._to(goal, self.motion, self._instant(first), at_least_s))
            )
        stop = self.motion.at_feed(self._instant(first), 0.0)
        # What could not be gone to from there is refused now.
        self._judged(self._to(goal, stop, stop.duration_s, 0.0))
        return replace(self._with(stop), goal=as_posture(goal, self.arm, "goal"))

    def at_feed(self, first: int, share: float) -> Course:
        """Return the course at another feed, from the begin of segment `first` on.

        `share` of its speed is 0.01 to 1; with 0 it stops, on its line if it is on one, and goes on
        when it is fed again. Joints that are on no line get to where they go by another way, which
        is judged; a stop never is. Raises MotionError for other values, or for such a way.
        """
        check_feed(share, self.motion.label)
        fed = replace(self, feed=share)
        if share > 0.0 and self.goal is not None:
            return replace(fed.retargeted(first, self.goal), goal=None)
        motion = self.motion.at_feed(self._instant(first), share)
        if share > 0.0 and isinstance(motion, JointCourses):
            self._judged(motion)
        return fed._with(motion)

    def _to(
        self, goal: ArrayLike, motion: Changeable, t: float, at_least_s: float
    ) -> PathMotion | JointCourses:
        """Return what leads from where a motion is at t (s) to a goal."""
        label, feed = self.motion.label, self.feed if self.feed > 0.0 else 1.0
        return retarget(state_at(motion, t), goal, self.arm, self.speed, feed, at_least_s, label)

    def _judged(self, motion: PathMotion | JointCourses) -> PathMotion | JointCourses:
        if isinstance(self.arm, Arm):
            check_way(motion, self.arm, self.room)
        return motion

    def _instant(self, first: int) -> float:
        """Return when a segment begins, s from the start; after the last one, the end."""
        return float(self.segments.knots_us[min(first, len(self.segments))]) * 1e-6

    def _with(self, motion: Changeable) -> Course:
        return replace(self, motion=motion, segments=hermite_segments(motion))


def course(
    motion: Changeable, arm: JointLimits, speed: float = 1.0, room: Room | None = None
) -> Course:
    """Cut a motion that was planned at a speed in (0, 1] into segments that can be replaced.

    The motion itself is taken as it is.
    """
    return Course(motion, hermite_segments(motion), arm, speed, room)
