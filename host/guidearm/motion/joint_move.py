"""Straight in joint space, all joints together."""

from __future__ import annotations

from functools import cached_property
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import MotionError
from guidearm.geometry import Array
from guidearm.motion.limits import JointLimits, as_posture, check_limits
from guidearm.motion.on_path import JointLine, PathMotion
from guidearm.motion.profile import Limits
from guidearm.motion.scurve import Durations, SCurve, fastest_durations
from guidearm.motion.spans import Spans, joint_spans
from guidearm.motion.to_rest import STILL


class JointMove:
    """The straight joint line between two postures, run by an S-curve from rest to rest.

    Only its timing is worked out when it is planned; arrays are made when they are asked for.
    """

    def __init__(
        self,
        start: list[float],
        end: list[float],
        durations: Durations,
        spans: Spans,
        label: str,
    ) -> None:
        """Take both ends, the durations of the S-curve, and what they were made of."""
        self.label = label
        self._start = start
        self._end = end
        self._durations = durations
        self._spans = spans

    @property
    def start(self) -> Array:
        """Where it begins, (6,) rad."""
        return np.array(self._start)

    @property
    def end(self) -> Array:
        """Where it ends, (6,) rad."""
        return np.array(self._end)

    @property
    def duration_s(self) -> float:
        """Time from start to end, s."""
        jerk_s, hold_s, cruise_s = self._durations
        return 4.0 * jerk_s + 2.0 * hold_s + cruise_s

    @cached_property
    def curve(self) -> SCurve:
        """How it runs from 0 to 1 on the line."""
        return SCurve(1.0 if self.duration_s > 0.0 else 0.0, *self._durations)

    @cached_property
    def along(self) -> PathMotion:
        """The motion as one along its line."""
        limits = Limits(*(1.0 / span if span > 0.0 else inf for span in self._spans))
        return PathMotion(JointLine(self.start, self.end), self.curve, limits, self.label)

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        return self.along.sample(t)

    def acceleration(self, t: ArrayLike) -> Array:
        """Accelerations (n, 6) rad/s^2 at times t (n,) s."""
        return self.along.acceleration(t)

    def at_feed(self, t: float, share: float) -> PathMotion:
        """Return the rest of the motion from time t (s) on, see `PathMotion.at_feed`."""
        return self.along.at_feed(t, share)


def joint_move(
    q0: ArrayLike, q1: ArrayLike, arm: JointLimits, speed: float = 1.0, label: str = "joint move"
) -> JointMove:
    """Move from posture q0 to q1, (n,) rad, straight in joint space and from rest to rest.

    The joints' velocity, acceleration and jerk limits, projected on the line, give the fastest
    S-curve; `speed` in (0, 1] runs that same curve at a fraction of its pace. Equal postures give
    a motion of duration 0. Raises LimitError if q1 is outside a joint's range; q0 may be outside,
    so that an arm can come back. Raises MotionError for a bad posture or speed.
    """
    measure = joint_spans(arm)
    given: tuple[Any, Any] = (q0, q1)
    start: list[float] = []
    end: list[float] = []
    try:
        start, end = given[0].tolist(), given[1].tolist()
        spans = measure(start, end)
    except (AttributeError, TypeError, ValueError):  # not two arrays of as many numbers as joints
        spans = None
    if spans is None:
        first, last = as_posture(q0, arm, f"{label}: start"), as_posture(q1, arm, f"{label}: goal")
        check_limits(last, arm, label)
        start, end = first.tolist(), last.tolist()
        spans = measure(start, end)
        assert spans is not None, "what the limits allow can be measured"
    if speed != 1.0:
        if not 0.0 < speed <= 1.0:
            raise MotionError(f"{label}: speed {speed:g} is not above 0 and at most 1")
        spans = (spans[0] / speed, spans[1] / speed**2, spans[2] / speed**3)
    if spans[0] <= STILL:
        return JointMove(end, end, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), label)
    return JointMove(start, end, fastest_durations(*spans), spans, label)
