"""How well six joints move as one, judged on their true motion.

A joint's reference time is the time shift that best lays its true motion over the motion the same
joint makes with perfect clocks. That takes out what a servo adds on its own (each joint follows
its set-points with a small lag or lead that depends on its load) and leaves what the clocks do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from guidearm.arm import MoveRecord
from guidearm.connection import robot_on
from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.motion import Segments, hermite_segments, joint_move
from guidearm_hil.noise import Noise
from guidearm_hil.rig import CLOCK_PPM, VirtualArm

_GRID_S = 0.002
_GOAL = np.radians([30.0, -70.0, -80.0, -100.0, 70.0, 30.0])
_REST_S = 0.3


@dataclass(frozen=True)
class MotionTiming:
    """Spread between the first and the last of six joints, and how they followed.

    Fields: start_us, end_us, by reference time; following_error_deg, the largest seen in a cycle
    of the move; settled_counts, the largest distance from the set-point at the end.
    """

    start_us: float
    end_us: float
    following_error_deg: float
    settled_counts: int


@dataclass(frozen=True, eq=False)
class _Run:
    segments: Segments
    record: MoveRecord
    settled_counts: int
    time_s: Array  # from the move's start
    rotor: Array

    def error(self, t: Array) -> Array:
        """Return true motion minus plan, (len(t), 6) rad, at times t (s) from the start."""
        error = -self.segments.evaluate(t * 1e6)[0]
        for joint in range(error.shape[1]):
            error[:, joint] += np.interp(t, self.time_s, self.rotor[:, joint])
        return error


def motion_timing(
    arm: Arm, seed: int, goal: ArrayLike = _GOAL, noise: Noise | None = None
) -> MotionTiming:
    """Move all joints at full speed from home to `goal` (6,) rad on a seed's rig, and judge.

    The bus may be spoilt by `noise`.
    """
    perfect = _run(arm, seed, goal, 0, None)
    real = _run(arm, seed, goal, CLOCK_PPM, noise)
    t = np.arange(0.0, real.segments.total_us * 1e-6, _GRID_S)
    _, speed = real.segments.evaluate(t * 1e6)
    late = real.error(t) - perfect.error(t)
    # error = -(shift at the start + drift over the move) * speed + constant, for each joint
    way = t / t[-1]
    shifts = np.empty((speed.shape[1], 3))
    for joint, v in enumerate(speed.T):
        terms = np.stack([-v, -v * way, np.ones_like(t)], axis=1)
        shifts[joint] = np.linalg.lstsq(terms, late[:, joint], rcond=None)[0]
    return MotionTiming(
        start_us=float(np.ptp(shifts[:, 0])) * 1e6,
        end_us=float(np.ptp(shifts[:, 0] + shifts[:, 1])) * 1e6,
        following_error_deg=math.degrees(float(np.max(real.record.following_error))),
        settled_counts=real.settled_counts,
    )


def _run(arm: Arm, seed: int, goal: ArrayLike, clock_ppm: int, noise: Noise | None) -> _Run:
    with VirtualArm(arm, seed, clock_ppm=clock_ppm, noise=noise) as virtual:
        robot = robot_on(virtual.connection(), arm)
        robot.enable()
        state = robot.hold(virtual.clock.now() + _REST_S)
        segments = hermite_segments(joint_move(state.q_demand, goal, arm))
        record = robot.execute(segments)
        state = robot.hold(record.settled + _REST_S)
        time_s, _, rotor = virtual.bus.true_motion()
    settled = max(abs(joint.following_error) for joint in state.joints)
    return _Run(segments, record, settled, time_s - record.start, rotor)
