"""Gravity's load on the joints, in plain floats: the bus asks 200 times a virtual second."""

from __future__ import annotations

import math

from guidearm.geometry import Array
from guidearm.kinematics import Arm

STANDARD_GRAVITY = 9.81


class Gravity:
    """Torques that hold an arm's nominal links: the opposite of `Arm.gravity_torque`.

    The torque about axis z_i through p_i is g (z_i x sum over k >= i of m_k (c_k - p_i)) along
    base z, so only the horizontal first moments of the masses are summed, from the tip down.
    """

    def __init__(self, arm: Arm) -> None:
        """Take geometry and masses of `arm`."""
        chain = arm.chain
        self._links = [
            (float(d), float(a), math.cos(alpha), math.sin(alpha), float(mass), *map(float, com))
            for d, a, alpha, mass, com in zip(
                chain.d, chain.a, chain.alpha, arm.mass, arm.com, strict=True
            )
        ]

    def __call__(self, q: Array) -> list[float]:
        """Return the torques (6,) Nm at link angles q (6,) rad."""
        # columns of the rotation and the origin of the frame before each joint
        xx, xy, xz = 1.0, 0.0, 0.0
        yx, yy, yz = 0.0, 1.0, 0.0
        zx, zy, zz = 0.0, 0.0, 1.0
        px = py = 0.0
        axes: list[tuple[float, float, float, float, float, float, float]] = []
        for angle, (d, a, ca, sa, mass, cx, cy, cz) in zip(q.tolist(), self._links, strict=True):
            axis = (zx, zy, px, py)
            c, s = math.cos(angle), math.sin(angle)
            ux, uy, uz = c * xx + s * yx, c * xy + s * yy, c * xz + s * yz
            vx, vy, vz = c * yx - s * xx, c * yy - s * xy, c * yz - s * xz
            px += d * zx + a * ux
            py += d * zy + a * uy
            xx, xy, xz = ux, uy, uz
            yx, yy, yz, zx, zy, zz = (
                ca * vx + sa * zx,
                ca * vy + sa * zy,
                ca * vz + sa * zz,
                ca * zx - sa * vx,
                ca * zy - sa * vy,
                ca * zz - sa * vz,
            )
            moment_x = mass * (px + cx * xx + cy * yx + cz * zx)
            moment_y = mass * (py + cx * xy + cy * yy + cz * zy)
            axes.append((*axis, mass, moment_x, moment_y))
        torques: list[float] = []
        mass = moment_x = moment_y = 0.0
        for zx, zy, px, py, own, own_x, own_y in reversed(axes):
            mass += own
            moment_x += own_x
            moment_y += own_y
            torques.append(
                STANDARD_GRAVITY * (zx * (moment_y - mass * py) - zy * (moment_x - mass * px))
            )
        return torques[::-1]
