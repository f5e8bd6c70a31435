"""The joints' limits, and the refusals that name them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import LimitError, MotionError
from guidearm.geometry import Array

ROUNDING_RAD = 1e-9
"""A posture computed to lie on a limit may miss it by so much."""


class JointLimits(Protocol):
    """Limits of n joints, each (n,), rad and s; those of one arm never change."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """What the joints are called."""
        ...

    @property
    def lower(self) -> Array:
        """Lowest position, rad."""
        ...

    @property
    def upper(self) -> Array:
        """Highest position, rad."""
        ...

    @property
    def velocity(self) -> Array:
        """Largest speed, rad/s."""
        ...

    @property
    def acceleration(self) -> Array:
        """Largest acceleration, rad/s^2."""
        ...

    @property
    def jerk(self) -> Array:
        """Largest jerk, rad/s^3."""
        ...


def as_posture(q: ArrayLike, arm: JointLimits, what: str) -> Array:
    """Return q as (n,) rad; raises MotionError unless it has a finite angle for each joint."""
    posture = np.array(q, dtype=np.float64)
    if posture.shape != arm.lower.shape or not np.all(np.isfinite(posture)):
        raise MotionError(
            f"{what} is not a posture: {len(arm.lower)} finite joint angles are needed, "
            f"got {np.array2string(posture, precision=4)}"
        )
    return posture


def check_limits(q: Array, arm: JointLimits, what: str) -> None:
    """Raise LimitError if a posture of q (..., n) rad leaves the joints' ranges.

    The line names the joint, the angle furthest outside and the range, in degrees.
    """
    excess = np.maximum(q - arm.upper, arm.lower - q).reshape(-1, q.shape[-1])
    row, joint = np.unravel_index(int(np.argmax(excess)), excess.shape)
    if excess[row, joint] <= ROUNDING_RAD:
        return
    angle = np.degrees(q.reshape(excess.shape)[row, joint])
    low, high = np.degrees(arm.lower[joint]), np.degrees(arm.upper[joint])
    raise LimitError(
        f"{what}: joint {arm.numbers[joint]} would go to {angle:.2f} deg, its range is "
        f"{low:.2f} to {high:.2f} deg: choose another posture"
    )
