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
        self._first: list[list[float]] = arm.chain.links[0, :2].tolist()
        self._links = [
            (link[:3].T.tolist(), float(mass), *map(float, com))
            for link, mass, com in zip(arm.chain.links[1:], arm.mass, arm.com, strict=True)
        ]

    def __call__(self, q: Array) -> list[float]:
        """Return the torques (6,) Nm at link angles q (6,) rad."""
        # base x and y of the axes and of the origin of the frame before each joint
        (xx, yx, zx, px), (xy, yy, zy, py) = self._first
        axes: list[tuple[float, float, float, float, float, float, float]] = []
        for angle, (link, mass, cx, cy, cz) in zip(q.tolist(), self._links, strict=True):
            axis = (zx, zy, px, py)
            c, s = math.cos(angle), math.sin(angle)
            ux, uy = c * xx + s * yx, c * xy + s * yy
            vx, vy = c * yx - s * xx, c * yy - s * xy
            # columns of the link: its axes and its origin by those of the joint as turned
            (a, b, e), (f, g, h), (i, j, k), (m, n, o) = link
            px += m * ux + n * vx + o * zx
            py += m * uy + n * vy + o * zy
            xx, yx, zx = (
                a * ux + b * vx + e * zx,
                f * ux + g * vx + h * zx,
                i * ux + j * vx + k * zx,
            )
            xy, yy, zy = (
                a * uy + b * vy + e * zy,
                f * uy + g * vy + h * zy,
                i * uy + j * vy + k * zy,
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
