"""The jerk-limited S-curve: one number from 0 to a distance, at rest at both ends, in least time.

Seven segments of constant jerk: rise, hold and fall of the acceleration, cruise, and the same
mirrored. Where the distance is short, cruise, hold or both vanish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import cbrt, sqrt

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array

Durations = tuple[float, float, float]
"""Of one jerk segment, of constant acceleration and of the cruise, s."""


@dataclass(frozen=True)
class SCurve:
    """A rest-to-rest S-curve over `distance`, in any unit of length.

    `jerk_s`, `hold_s` and `cruise_s` are the durations of one jerk segment, of constant
    acceleration, and of constant velocity. The whole is symmetric in time.
    """

    distance: float
    jerk_s: float
    hold_s: float
    cruise_s: float

    @property
    def ramp_s(self) -> float:
        """Time from rest to cruise, s."""
        return 2.0 * self.jerk_s + self.hold_s

    @property
    def duration_s(self) -> float:
        """Time from start to end, s."""
        return 2.0 * self.ramp_s + self.cruise_s

    @property
    def jerk(self) -> float:
        """The jerk reached: with it these durations add up to the distance."""
        if self.distance == 0.0:
            return 0.0
        lags = self.jerk_s * (self.jerk_s + self.hold_s)
        return self.distance / (lags * (self.ramp_s + self.cruise_s))

    @property
    def peak_acceleration(self) -> float:
        """Largest acceleration reached."""
        return self.jerk * self.jerk_s

    @property
    def peak_velocity(self) -> float:
        """Velocity of the cruise, or at the middle if there is none."""
        return self.peak_acceleration * (self.jerk_s + self.hold_s)

    def slowed(self, factor: float) -> SCurve:
        """Return the same curve in `factor` times the time: velocity 1/factor, jerk 1/factor^3."""
        return SCurve(
            self.distance, self.jerk_s * factor, self.hold_s * factor, self.cruise_s * factor
        )

    def sample(self, t: ArrayLike) -> tuple[Array, Array, Array]:
        """Position, velocity and acceleration at times t (...) s, each (...).

        At rest before 0 and after the end, exactly 0 and exactly the distance there.
        """
        time = np.asarray(t, dtype=np.float64)
        # The second half is the first one mirrored, which makes the end as exact as the start.
        late = time > 0.5 * self.duration_s
        x, v, a = self._first_half(np.where(late, self.duration_s - time, time))
        return np.where(late, self.distance - x, x), v, np.where(late, -a, a)

    def _first_half(self, t: Array) -> tuple[Array, Array, Array]:
        starts = np.cumsum([0.0, self.jerk_s, self.hold_s, self.jerk_s])
        jerks = np.array([1.0, 0.0, -1.0, 0.0]) * self.jerk
        x, v, a = (np.zeros(t.shape) for _ in range(3))
        for start, end, jerk in zip(starts, [*starts[1:], math.inf], jerks, strict=True):
            dt = np.clip(t, start, end) - start
            x += dt * (v + dt * (a / 2.0 + dt * jerk / 6.0))
            v += dt * (a + dt * jerk / 2.0)
            a += dt * jerk
        # What the sums leave behind once the ramp is over is rounding.
        return x, v, np.where(t >= starts[3], 0.0, a)


def plan_scurve(distance: float, velocity: float, acceleration: float, jerk: float) -> SCurve:
    """Fastest S-curve over `distance` >= 0 within the limits (> 0, finite), rest to rest.

    Raises ValueError for a negative or non-finite distance or limit.
    """
    limits = (velocity, acceleration, jerk)
    if not (0.0 <= distance < math.inf and all(0.0 < limit < math.inf for limit in limits)):
        raise ValueError(f"no S-curve over {distance} within velocity, acceleration, jerk {limits}")
    if distance == 0.0:
        return SCurve(0.0, 0.0, 0.0, 0.0)
    return SCurve(
        distance, *fastest_durations(distance / velocity, distance / acceleration, distance / jerk)
    )


def fastest_durations(by_velocity: float, by_acceleration: float, by_jerk: float) -> Durations:
    """Return the durations of the fastest S-curve over a distance > 0.

    Takes the distance divided by each limit: s, s^2 and s^3.
    """
    lag = by_jerk / by_acceleration
    ramp = by_acceleration / by_velocity
    if ramp >= lag:
        jerk_s, hold_s = lag, ramp - lag
    else:
        jerk_s, hold_s = sqrt(by_jerk / by_velocity), 0.0
    cruise_s = by_velocity - jerk_s - jerk_s - hold_s
    if cruise_s >= 0.0:
        return jerk_s, hold_s, cruise_s
    jerk_s = cbrt(0.5 * by_jerk)
    if jerk_s <= lag:
        return jerk_s, 0.0, 0.0
    return lag, 0.5 * (sqrt(lag * lag + 4.0 * by_acceleration) - 3.0 * lag), 0.0
