"""One joint swings about where it stands: a sine that swells and fades over whole periods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import LimitError, MotionError
from guidearm.geometry import Array
from guidearm.motion.limits import JointLimits, as_posture, check_limits

_SAMPLES_PER_PERIOD = 400


@dataclass(frozen=True, eq=False)
class SineMove:
    """`amplitude` (rad) at `frequency` (Hz) on joint 0..5 about `centre` (n,) rad.

    The first `fade` and the last `fade` periods it is weighted by a squared sine from 0 to 1, so
    that it begins and ends at rest without a step of acceleration; for `periods` between them it
    is a pure sine.
    """

    centre: Array
    joint: int
    amplitude: float
    frequency: float
    periods: int
    fade: int
    label: str

    @property
    def duration_s(self) -> float:
        """Time from start to end, s."""
        return (self.periods + 2 * self.fade) / self.frequency

    @property
    def steady_s(self) -> tuple[float, float]:
        """Start and end of the pure sine, s from the start of the motion."""
        return self.fade / self.frequency, (self.fade + self.periods) / self.frequency

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        swing, speed, _ = self._swing(t)
        q = np.broadcast_to(self.centre, (*swing.shape, len(self.centre))).copy()
        qd = np.zeros_like(q)
        q[..., self.joint] += swing
        qd[..., self.joint] = speed
        return q, qd

    def acceleration(self, t: ArrayLike) -> Array:
        """Accelerations (n, 6) rad/s^2 at times t (n,) s."""
        _, _, change = self._swing(t)
        qdd = np.zeros((*change.shape, len(self.centre)))
        qdd[..., self.joint] = change
        return qdd

    def _swing(self, t: ArrayLike) -> tuple[Array, Array, Array]:
        """Angle, speed and acceleration of the joint that swings, from its centre."""
        time = np.clip(np.asarray(t, dtype=np.float64), 0.0, self.duration_s)
        omega = 2 * np.pi * self.frequency
        ramp_s = self.fade / self.frequency
        share = np.clip(np.minimum(time, self.duration_s - time) / ramp_s, 0.0, 1.0)
        fading = share < 1.0
        rising = np.where(time < self.duration_s / 2, 1.0, -1.0)
        pace = np.pi / 2 / ramp_s
        weight = np.sin(np.pi / 2 * share) ** 2
        slope = np.where(fading, rising * pace * np.sin(np.pi * share), 0.0)
        bend = np.where(fading, 2.0 * pace**2 * np.cos(np.pi * share), 0.0)
        wave, turn = np.sin(omega * time), omega * np.cos(omega * time)
        return (
            self.amplitude * weight * wave,
            self.amplitude * (slope * wave + weight * turn),
            self.amplitude * (bend * wave + 2.0 * slope * turn - weight * omega**2 * wave),
        )


def sine_move(
    centre: ArrayLike,
    joint: int,
    amplitude: float,
    frequency: float,
    arm: JointLimits,
    periods: int = 4,
    fade: int = 1,
) -> SineMove:
    """Swing the joint at index `joint` by `amplitude` (rad) at `frequency` (Hz) about a posture.

    `centre` (n,) rad is where all joints stand but for it.

    Raises LimitError if the sine leaves the joint's range, or needs more speed, acceleration or
    jerk than the joint has; MotionError for values that make no sine.
    """
    label = f"sine of joint {arm.numbers[joint]}"
    posture = as_posture(centre, arm, f"{label}: centre")
    sound = amplitude > 0 and frequency > 0 and periods >= 1 and fade >= 1
    if not sound or not np.isfinite([amplitude, frequency]).all():
        raise MotionError(f"{label}: amplitude, frequency and periods have to be positive")
    move = SineMove(posture, joint, amplitude, frequency, periods, fade, label)
    step_s = 1.0 / frequency / _SAMPLES_PER_PERIOD
    count = round(move.duration_s / step_s)
    q, qd = move.sample(np.arange(count + 1) * step_s)
    check_limits(q, arm, label)
    speed = qd[:, joint]
    acceleration = np.diff(speed) / step_s
    jerk = np.diff(acceleration) / step_s
    for course, limit, what, unit in (
        (speed, arm.velocity, "speed", "deg/s"),
        (acceleration, arm.acceleration, "acceleration", "deg/s^2"),
        (jerk, arm.jerk, "jerk", "deg/s^3"),
    ):
        peak, allowed = np.degrees(np.max(np.abs(course))), np.degrees(limit[joint])
        if peak > allowed:
            raise LimitError(
                f"{label}: {np.degrees(amplitude):g} deg at {frequency:g} Hz needs {peak:.0f} "
                f"{unit} of {what}, the joint has {allowed:.0f}: take less of either"
            )
    return move
