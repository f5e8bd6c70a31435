"""Another goal for joints that are moving: from any state to rest there, within every limit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import MotionError
from guidearm.geometry import Array
from guidearm.motion.limits import JointLimits, as_posture, check_limits
from guidearm.motion.on_path import LEAST_FEED, JointLine, PathMotion, check_feed
from guidearm.motion.profile import Limits, Profile, State, evaluate
from guidearm.motion.to_rest import STILL, lasting, quickest, quickest_stop
from guidearm.motion.trajectory import MotionState, state_at

# A velocity or acceleration aside of the straight way to the goal by no more than this (rad/s,
# rad/s^2) is none.
_ASIDE = 1e-9


@dataclass(frozen=True, eq=False)
class JointCourses:
    """A course for each joint, all of one duration; `goal` (6,) rad is where they are to end.

    `limits` are those of each joint.
    """

    joints: tuple[Profile, ...]
    goal: Array
    limits: tuple[Limits, ...]
    label: str

    @property
    def duration_s(self) -> float:
        """Time from start to end, s."""
        return max(joint.duration_s for joint in self.joints)

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        position, velocity, _ = self._evaluate(t)
        return position, velocity

    def acceleration(self, t: ArrayLike) -> Array:
        """Accelerations (n, 6) rad/s^2 at times t (n,) s."""
        return self._evaluate(t)[2]

    @cached_property
    def _tables(self) -> tuple[Array, Array]:
        """Tables of all joints, see `Profile.table`: begins (6, m) and columns (4, 6, m)."""
        most = max(len(joint.pieces) for joint in self.joints) + 1
        begins = np.full((len(self.joints), most), np.inf)
        columns = np.zeros((4, len(self.joints), most))
        for i, joint in enumerate(self.joints):
            begin, column = joint.table
            begins[i, : len(begin)] = begin
            columns[:, i, : len(begin)] = column
        return begins, columns

    def _evaluate(self, t: ArrayLike) -> tuple[Array, Array, Array]:
        begins, columns = self._tables
        time = np.maximum(np.asarray(t, dtype=np.float64), 0.0)[..., None]
        which = np.count_nonzero(begins <= time[..., None], axis=-1) - 1
        joint = np.arange(len(self.joints))
        return evaluate(time - begins[joint, which], columns[:, joint, which])

    def at_feed(self, t: float, share: float) -> JointCourses:
        """Return the rest of the motion from time t (s) on, with a share of the speed limits.

        `share` is 0.01 to 1; with 0 every joint stops as quickly as it may, and goes on from there
        when it is given another. Raises MotionError for other values.
        """
        check_feed(share, self.label)
        state = state_at(self, t)
        if share > 0.0:
            return _courses(state, self.goal, self.limits, share, 0.0, self.label)
        stops = tuple(
            quickest_stop(start, limits)
            for start, limits in zip(_states(state), self.limits, strict=True)
        )
        return JointCourses(stops, self.goal, self.limits, self.label)


def retarget(
    state: MotionState,
    goal: ArrayLike,
    arm: JointLimits,
    speed: float = 1.0,
    feed: float = 1.0,
    at_least_s: float = 0.0,
    label: str = "retarget",
) -> PathMotion | JointCourses:
    """Move from any state to rest at posture `goal` (6,) rad, without a step of the acceleration.

    No joint exceeds its velocity, acceleration or jerk; one that starts beyond a limit is brought
    back first, without going further beyond. All joints end together, as soon as the slowest one
    can and not before `at_least_s`: what is asked for many times a second moves the more gently
    the more time it is given. If the state points along the straight joint line to the goal, as it
    does from rest, the arm stays on that line. `speed` in (0, 1] is as in `joint_move`, `feed`,
    0.01 to 1, a share of the velocity limits alone.

    Raises LimitError if the goal, or the way that a moving joint needs to stop, is outside a
    joint's range; MotionError for a bad posture, state, speed, feed or time.
    """
    end = as_posture(goal, arm, f"{label}: goal")
    start = MotionState(
        as_posture(state.position, arm, f"{label}: start"),
        as_posture(state.velocity, arm, f"{label}: velocity at the start"),
        as_posture(state.acceleration, arm, f"{label}: acceleration at the start"),
    )
    if not 0.0 < speed <= 1.0:
        raise MotionError(f"{label}: speed {speed:g} is not above 0 and at most 1")
    if not LEAST_FEED <= feed <= 1.0:
        raise MotionError(f"{label}: feed {feed:g} is not {LEAST_FEED:g} to 1")
    if not 0.0 <= at_least_s < np.inf:
        raise MotionError(f"{label}: {at_least_s:g} s is no time to take")
    check_limits(end, arm, label)
    most = _limits(start, arm, speed)
    way = end - start.position
    on_line = _on_line(start, way)
    if on_line is None:
        limits = tuple(Limits(*row) for row in most.tolist())
        courses = _courses(start, end, limits, feed, at_least_s, label)
        _check_ways(
            np.array([joint.extremes() for joint in courses.joints]).T, start, end, arm, label
        )
        return courses
    path = JointLine(start.position, end)
    along = Limits(*(1.0 / np.max(np.abs(way)[:, None] / most, axis=0)).tolist())
    curve = quickest(on_line, 1.0, _fed(along, feed))
    if curve.duration_s < at_least_s:
        curve = lasting(on_line, 1.0, _fed(along, feed), at_least_s)
    _check_ways(path.at(np.array(curve.extremes()))[0], start, end, arm, label)
    return PathMotion(path, curve, along, label)


def _limits(start: MotionState, arm: JointLimits, speed: float) -> Array:
    """Limits of velocity, acceleration and jerk of each joint, (6, 3), at a speed.

    A start that is not within those is slowed down by the full acceleration and jerk: those of a
    low speed would take very long, and carry it far.
    """
    full = np.stack([arm.velocity, arm.acceleration, arm.jerk], axis=-1)
    most = full * [speed, speed**2, speed**3]
    v, a = start.velocity, start.acceleration
    reached = np.abs(v + a * np.abs(a) / (2.0 * most[:, 2]))
    slack = 1.0 + 1e-9
    if np.all(reached <= slack * most[:, 0]) and np.all(np.abs(a) <= slack * most[:, 1]):
        return most
    return full * [speed, 1.0, 1.0]


def _on_line(start: MotionState, way: Array) -> State | None:
    """Return the state as that of a fraction of the way, if it points along it."""
    length2 = float(way @ way)
    if length2 <= STILL**2:
        return None
    pace, change = float(start.velocity @ way) / length2, float(start.acceleration @ way) / length2
    aside = np.abs([start.velocity - pace * way, start.acceleration - change * way])
    return None if np.max(aside) > _ASIDE else State(0.0, pace, change)


def _courses(
    start: MotionState,
    goal: Array,
    limits: tuple[Limits, ...],
    feed: float,
    at_least_s: float,
    label: str,
) -> JointCourses:
    problems = list(
        zip(_states(start), goal.tolist(), (_fed(one, feed) for one in limits), strict=True)
    )
    best = [quickest(*problem) for problem in problems]
    together_s = max(at_least_s, *(joint.duration_s for joint in best))
    joints = tuple(
        joint if joint.duration_s >= together_s else lasting(*problem, together_s)
        for joint, problem in zip(best, problems, strict=True)
    )
    return JointCourses(joints, goal, limits, label)


def _fed(limits: Limits, feed: float) -> Limits:
    return limits._replace(velocity=feed * limits.velocity)


def _states(state: MotionState) -> list[State]:
    rows = np.stack([state.position, state.velocity, state.acceleration], axis=-1)
    return [State(*row) for row in rows.tolist()]


def _check_ways(
    extremes: Array, start: MotionState, goal: Array, arm: JointLimits, label: str
) -> None:
    """Refuse extremes (2, 6) rad outside the ranges; who starts outside may come back."""
    lowest, highest = np.minimum(arm.lower, start.position), np.maximum(arm.upper, start.position)
    within = (extremes >= lowest) & (extremes <= highest)
    check_limits(np.where(within, goal, extremes), arm, label)
