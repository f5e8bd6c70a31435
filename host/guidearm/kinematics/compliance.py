"""Joints that give way under gravity: the links turn a little farther than the encoders say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array
from guidearm.kinematics.chain import Chain


@dataclass(frozen=True, eq=False)
class CompliantChain:
    """A chain whose joint i is turned on by compliance_i times the torque of gravity about it.

    compliance (6,) rad/Nm; mass (6,) kg and com (6, 3) m of each link in its own frame. The torque
    is that of the posture asked for: the error is the deflection squared, under 1e-6 rad for a
    milliradian. Joint angles q are those before the deflection, as the encoders say them.
    """

    chain: Chain
    compliance: Array
    mass: Array
    com: Array

    def link_angles(self, q: ArrayLike) -> Array:
        """Angles of the links (..., 6) rad when the encoders say q (..., 6) rad."""
        angles = np.asarray(q, dtype=np.float64)
        torque = self.chain.gravity_torque(angles, self.mass, self.com)
        return angles + self.compliance * torque

    def frames(self, q: ArrayLike) -> Array:
        """Frames of base and links, see `Chain.frames`."""
        return self.chain.frames(self.link_angles(q))

    def pose(self, q: ArrayLike) -> Array:
        """T_base_flange (..., 4, 4) of q (..., 6) rad."""
        return self.chain.pose(self.link_angles(q))

    def jacobian(self, q: ArrayLike) -> Array:
        """Flange velocity by encoder velocity, see `Chain.jacobian`."""
        return self.pose_and_jacobian(q)[1]

    def pose_and_jacobian(self, q: ArrayLike) -> tuple[Array, Array]:
        """T_base_flange (..., 4, 4) and `jacobian` (..., 6, 6) of q (..., 6) rad, in one go."""
        T, J = self.chain.pose_and_jacobian(self.link_angles(q))
        stiffness = self.chain.gravity_stiffness(q, self.mass, self.com)
        return T, J @ (np.eye(6) + self.compliance[:, None] * stiffness)
