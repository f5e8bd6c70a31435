"""Forward kinematics, Jacobian and gravity of a serial chain in standard DH parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array

STANDARD_GRAVITY = np.array([0.0, 0.0, -9.81])


@dataclass(frozen=True, eq=False)
class Chain:
    """Six revolute joints: T_(i-1)_i = Rz(q_i) Tz(d_i) Tx(a_i) Rx(alpha_i) errors_i.

    d, a (6,) m, alpha (6,) rad. errors (7, 4, 4), if any, are small transforms: the first before
    joint 1, the others after links 1 to 6. Denavit and Hartenberg (1955).
    """

    d: Array
    a: Array
    alpha: Array
    errors: Array | None = None

    def frames(self, q: ArrayLike) -> Array:
        """Frames of base and links in base coordinates: q (..., 6) rad -> (..., 7, 4, 4).

        Frame i carries the axis of joint i + 1 as its z; frame 6 is the flange.
        """
        angles = np.asarray(q, dtype=np.float64)
        s, c = np.sin(angles), np.cos(angles)
        sa, ca = np.sin(self.alpha), np.cos(self.alpha)
        # cos(pi/2) is 6e-17, which would tilt every right-angled link by that much.
        sa, ca = np.where(np.abs(sa) < 1e-15, 0.0, sa), np.where(np.abs(ca) < 1e-15, 0.0, ca)
        links = np.zeros((*angles.shape, 4, 4))
        links[..., 0, 0] = c
        links[..., 0, 1] = -s * ca
        links[..., 0, 2] = s * sa
        links[..., 0, 3] = self.a * c
        links[..., 1, 0] = s
        links[..., 1, 1] = c * ca
        links[..., 1, 2] = -c * sa
        links[..., 1, 3] = self.a * s
        links[..., 2, 1] = sa
        links[..., 2, 2] = ca
        links[..., 2, 3] = self.d
        links[..., 3, 3] = 1.0
        frames = np.empty((*angles.shape[:-1], 7, 4, 4))
        frames[..., 0, :, :] = np.eye(4) if self.errors is None else self.errors[0]
        if self.errors is not None:
            links = links @ self.errors[1:]
        for i in range(6):
            frames[..., i + 1, :, :] = frames[..., i, :, :] @ links[..., i, :, :]
        return frames

    def jacobian(self, q: ArrayLike) -> Array:
        """Geometric Jacobian at the flange origin in base axes: q (..., 6) rad -> (..., 6, 6).

        Rows: linear velocity (m/s), then angular velocity (rad/s), per joint velocity (rad/s).
        """
        frames = self.frames(q)
        axes = frames[..., :6, :3, 2]
        lever = frames[..., 6:, :3, 3] - frames[..., :6, :3, 3]
        columns = np.concatenate([np.cross(axes, lever), axes], axis=-1)
        return np.ascontiguousarray(np.swapaxes(columns, -1, -2))

    def gravity_torque(self, q: ArrayLike, mass: Array, com: Array) -> Array:
        """Torque that gravity exerts about each joint axis: q (..., 6) rad -> (..., 6) Nm.

        mass (6,) kg and com (6, 3) m of each link in its own DH frame. It is minus the gradient of
        the potential energy; a drive holds the arm with the opposite torque.
        """
        frames = self.frames(q)
        link = frames[..., 1:, :, :]
        centre = (link[..., :3, :3] @ com[..., None])[..., 0] + link[..., :3, 3]
        weight = mass[:, None] * STANDARD_GRAVITY
        # Joint i carries links i to 6: sum weight and moment about the base origin from the tip.
        carried = np.flip(np.cumsum(np.flip(weight, axis=0), axis=0), axis=0)
        moment = np.flip(np.cumsum(np.flip(np.cross(centre, weight), -2), axis=-2), -2)
        axes, origin = frames[..., :6, :3, 2], frames[..., :6, :3, 3]
        return np.asarray(np.sum(axes * (moment - np.cross(origin, carried)), axis=-1))
