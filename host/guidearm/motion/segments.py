"""Trajectories cut into the segments that the joints follow.

A segment is a cubic Hermite piece: its end position, end velocity and duration, its start being
the end of the one before. A joint's evaluation is exact where the jerk is constant. A step of the
jerk by J inside a segment of duration h puts the piece off by at most J h^3 / 192, and a smooth
fourth derivative D by at most D h^4 / 384. At 10 ms the first stays under half a motor count,
2 pi / 409600 / 2 = 7.7e-6 rad, for steps up to 1400 rad/s^3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.errors import MotionError
from guidearm.geometry import Array
from guidearm.motion.hermite import cubic_hermite
from guidearm.motion.trajectory import Trajectory

LONGEST_PERIOD_S = 0.020


@dataclass(frozen=True, eq=False)
class Segments:
    """Segments of one motion to rest.

    `duration_us` (n,) int64, > 0; `position` (n, 6) rad and `velocity` (n, 6) rad/s at the end of
    each, the last velocity exactly zero; `start` (6,) rad and `start_velocity` (6,) rad/s, where
    and how the first one begins. n is 0 for a motion of no duration.
    """

    duration_us: NDArray[np.int64]
    position: Array
    velocity: Array
    start: Array
    start_velocity: Array

    @property
    def knots_us(self) -> NDArray[np.int64]:
        """Instants (n + 1,) at which the segments begin, and the end of the last one."""
        return np.concatenate([[0], np.cumsum(self.duration_us)])

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self.duration_us)

    @property
    def total_us(self) -> int:
        """Time from start to end, us."""
        return int(np.sum(self.duration_us))

    def evaluate(self, t_us: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (m, 6), rad and rad/s, as a joint follows them.

        `t_us` (m,) us from the start; held before it and after the end.
        """
        time = np.asarray(t_us, dtype=np.float64)
        if len(self) == 0:
            q = np.broadcast_to(self.start, (*time.shape, len(self.start))).copy()
            return q, np.zeros_like(q)
        q = np.concatenate([self.start[None], self.position])
        qd = np.concatenate([self.start_velocity[None], self.velocity])
        knots = self.knots_us
        i = np.clip(np.searchsorted(knots, time, side="right") - 1, 0, len(self) - 1)
        u = np.clip((time - knots[i]) / self.duration_us[i], 0.0, 1.0)[..., None]
        width = np.asarray(self.duration_us[i] * 1e-6, dtype=np.float64)[..., None]
        return cubic_hermite(u, width, q[i], qd[i], q[i + 1], qd[i + 1])


def hermite_segments(trajectory: Trajectory, period_s: float = 0.01) -> Segments:
    """Cut a trajectory into segments of equal durations, to the microsecond, of at most a period.

    A motion shorter than one period takes one whole period: it moves less than a motor count, and
    no joint is handed a sliver. Raises MotionError for a period outside 1 to 20 ms.
    """
    if not 0.001 <= period_s <= LONGEST_PERIOD_S:
        raise MotionError(f"{trajectory.label}: a period of {period_s:g} s is not 1 to 20 ms")
    period_us = round(period_s * 1e6)
    # A duration that is a whole number of microseconds but for rounding is that number.
    total_us = int(np.ceil(trajectory.duration_s * 1e6 - 1e-3))
    count = -(-total_us // period_us)
    total_us = max(total_us, period_us * min(count, 1))
    knots = np.arange(count + 1, dtype=np.int64) * total_us // max(count, 1)
    instants = knots * 1e-6
    if count:
        instants[-1] = trajectory.duration_s  # exactly, whatever its microsecond is
    position, velocity = trajectory.sample(instants)
    if count:
        velocity[-1] = 0.0
    return Segments(np.diff(knots), position[1:], velocity[1:], position[0], velocity[0])
