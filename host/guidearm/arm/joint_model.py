"""What the host knows of a set of joints beforehand, whether or not they make an arm."""

from __future__ import annotations

from typing import Protocol

from guidearm.geometry import Array


class JointModel(Protocol):
    """Joints on one bus, those of a `kinematics.Arm` or others; limits are (n,) arrays."""

    @property
    def name(self) -> str:
        """What messages and files call them."""
        ...

    @property
    def arm_id(self) -> int | None:
        """The arm that the joints have to be marked with; None if any will do."""
        ...

    @property
    def numbers(self) -> tuple[int, ...]:
        """Their bus addresses, ascending; arrays of joint quantities are in this order."""
        ...

    @property
    def lower(self) -> Array:
        """Lowest positions (n,), rad."""
        ...

    @property
    def upper(self) -> Array:
        """Highest positions (n,), rad."""
        ...

    @property
    def velocity(self) -> Array:
        """Highest speeds (n,), rad/s."""
        ...

    @property
    def acceleration(self) -> Array:
        """Highest accelerations (n,), rad/s^2."""
        ...

    @property
    def jerk(self) -> Array:
        """Highest jerks (n,), rad/s^3."""
        ...
