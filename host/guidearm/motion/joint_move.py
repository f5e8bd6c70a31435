"""Straight in joint space, all joints together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import MotionError
from guidearm.geometry import Array
from guidearm.motion.limits import JointLimits, as_posture, check_limits
from guidearm.motion.scurve import SCurve, plan_scurve

# A joint that travels less, a ten-millionth of a motor count, sets no pace.
_STILL_RAD = 1e-12


@dataclass(frozen=True, eq=False)
class JointMove:
    """The straight joint line from `start` to `end` (6,) rad; `curve` runs from 0 to 1 on it."""

    start: Array
    end: Array
    curve: SCurve
    label: str

    @property
    def duration_s(self) -> float:
        """Time from start to end, s."""
        return self.curve.duration_s

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        if self.curve.distance == 0.0:
            q = np.broadcast_to(self.end, (*np.shape(t), *self.end.shape)).copy()
            return q, np.zeros_like(q)
        s, v, _ = (value[..., None] for value in self.curve.sample(t))
        # This form is exact at both ends.
        return (1.0 - s) * self.start + s * self.end, v * (self.end - self.start)


def joint_move(
    q0: ArrayLike, q1: ArrayLike, arm: JointLimits, speed: float = 1.0, label: str = "joint move"
) -> JointMove:
    """Move from posture q0 to q1, (n,) rad, straight in joint space and from rest to rest.

    The joints' velocity, acceleration and jerk limits, projected on the line, give the fastest
    S-curve; `speed` in (0, 1] runs that same curve at a fraction of its pace. Equal postures give
    a motion of duration 0. Raises LimitError if q1 is outside a joint's range; q0 may be outside,
    so that an arm can come back. Raises MotionError for a bad posture or speed.
    """
    start, end = as_posture(q0, arm, f"{label}: start"), as_posture(q1, arm, f"{label}: goal")
    check_limits(end, arm, label)
    if not 0.0 < speed <= 1.0:
        raise MotionError(f"{label}: speed {speed:g} is not above 0 and at most 1")
    travel = np.abs(end - start)
    moving = travel > _STILL_RAD
    if not np.any(moving):
        return JointMove(start, end, plan_scurve(0.0, 1.0, 1.0, 1.0), label)
    on_line = [
        float(np.min(limit[moving] / travel[moving]))
        for limit in (arm.velocity, arm.acceleration, arm.jerk)
    ]
    return JointMove(start, end, plan_scurve(1.0, *on_line).slowed(1.0 / speed), label)
