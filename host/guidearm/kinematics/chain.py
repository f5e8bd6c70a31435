"""Forward kinematics, Jacobian and gravity of a serial chain of six revolute joints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array

STANDARD_GRAVITY = 9.81
"""Along -z of the base, m/s^2."""

# Postures whose components lie side by side in the processor's caches; fewer than that many are
# quicker by matrix products.
_BLOCK = 1000
_FEW = 8
# Weights of the old columns (x, y, z) in a new one, those of nought left out.
_Mix = tuple[tuple[int, float], ...]


@dataclass(frozen=True, eq=False)
class Chain:
    """Six revolute joints: T_base_flange = L0 Rz(q1) L1 Rz(q2) L2 ... Rz(q6) L6.

    links (7, 4, 4) are L0 to L6, m: what lies before the first joint, then what each joint carries.
    Frame i, i = 1..6, is behind Li, and its z is the axis of joint i + 1.
    """

    links: Array

    @classmethod
    def dh(
        cls, d: ArrayLike, a: ArrayLike, alpha: ArrayLike, theta: ArrayLike | None = None
    ) -> Chain:
        """Return the chain of standard parameters: Li = Rz(theta) Tz(d) Tx(a) Rx(alpha).

        d, a (6,) m, alpha and theta (6,) rad; theta is added to the joint angle, zero if left out.
        Denavit and Hartenberg (1955).
        """
        links = np.tile(np.eye(4), (7, 1, 1))
        links[1:] = _turned(2, theta) @ _along(d, a) @ _turned(0, alpha)
        return cls(links)

    @classmethod
    def modified_dh(
        cls, d: ArrayLike, a: ArrayLike, alpha: ArrayLike, theta: ArrayLike | None = None
    ) -> Chain:
        """Return the chain of modified parameters: each joint is Rx(alpha) Tx(a) Rz(q) Tz(d).

        d, a (6,) m, alpha and theta (6,) rad as in `dh`; a and alpha of row i lie before joint i.
        Craig, Introduction to Robotics (2005), section 3.4. Frame i here is Craig's with the next
        row's Tx(a) Rx(alpha) behind it.
        """
        before = _along(np.zeros(6), a) @ _turned(0, alpha)
        links = np.empty((7, 4, 4))
        links[0] = before[0]
        links[1:] = _turned(2, theta) @ _along(d, np.zeros(6))
        links[1:6] = links[1:6] @ before[1:]
        return cls(links)

    def with_errors(self, errors: Array) -> Chain:
        """Return the chain with a small transform behind each link; errors (7, 4, 4)."""
        return Chain(self.links @ errors)

    def frames(self, q: ArrayLike) -> Array:
        """Frames of base and links in base coordinates: q (..., 6) rad -> (..., 7, 4, 4).

        Frame i carries the axis of joint i + 1 as its z; frame 6 is the flange.
        """
        angles = np.asarray(q, dtype=np.float64)
        s, c = np.sin(angles)[..., None], np.cos(angles)[..., None]
        upper, lower = self.links[1:, 0], self.links[1:, 1]
        turned = np.empty((*angles.shape, 4, 4))
        turned[..., 0, :] = c * upper - s * lower
        turned[..., 1, :] = s * upper + c * lower
        turned[..., 2:, :] = self.links[1:, 2:]
        frames = np.empty((*angles.shape[:-1], 7, 4, 4))
        frames[..., 0, :, :] = self.links[0]
        for i in range(6):
            np.matmul(frames[..., i, :, :], turned[..., i, :, :], out=frames[..., i + 1, :, :])
        return frames

    def pose(self, q: ArrayLike) -> Array:
        """T_base_flange (..., 4, 4) of q (..., 6) rad."""
        angles = np.asarray(q, dtype=np.float64)
        if angles.size <= 6 * _FEW:
            return self.frames(angles)[..., 6, :, :]
        return self.pose_and_jacobian(angles)[0]

    def jacobian(self, q: ArrayLike) -> Array:
        """Geometric Jacobian at the flange origin in base axes: q (..., 6) rad -> (..., 6, 6).

        Rows: linear velocity (m/s), then angular velocity (rad/s), per joint velocity (rad/s).
        """
        return self.pose_and_jacobian(q)[1]

    def pose_and_jacobian(self, q: ArrayLike) -> tuple[Array, Array]:
        """T_base_flange (..., 4, 4) and `jacobian` (..., 6, 6) of q (..., 6) rad, in one go."""
        angles = np.asarray(q, dtype=np.float64)
        flat = angles.reshape(-1, 6)
        T, J = np.empty((len(flat), 4, 4)), np.empty((len(flat), 6, 6))
        for begin in range(0, len(flat), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            pose, columns = self._columns(np.ascontiguousarray(flat[block].T))
            T[block], J[block] = pose.transpose(2, 0, 1), columns.transpose(2, 0, 1)
        return T.reshape(*angles.shape[:-1], 4, 4), J.reshape(*angles.shape[:-1], 6, 6)

    @cached_property
    def _mixes(self) -> list[tuple[tuple[_Mix, ...], _Mix]]:
        """How each link makes new axes of the old ones, and where it puts the origin."""
        mixes: list[tuple[tuple[_Mix, ...], _Mix]] = []
        for link in self.links:
            columns: list[list[float]] = link[:3].T.tolist()
            mix = tuple(
                tuple((i, weight) for i, weight in enumerate(column) if weight != 0.0)
                for column in columns
            )
            mixes.append((mix[:3], mix[3]))
        return mixes

    def _columns(self, q: Array) -> tuple[Array, Array]:
        """Component first: q (6, n) -> T_base_flange (4, 4, n) and Jacobian (6, 6, n)."""
        count = q.shape[1]
        s, c = np.sin(q), np.cos(q)
        pose = np.zeros((4, 4, count))
        pose[:] = self.links[0][:, :, None]
        x, y, z, p = (np.ascontiguousarray(pose[:3, i]) for i in range(4))
        axes, origins = np.empty((6, 3, count)), np.empty((6, 3, count))
        for i in range(6):
            axes[i], origins[i] = z, p
            x, y = c[i] * x + s[i] * y, c[i] * y - s[i] * x
            columns, offset = self._mixes[i + 1]
            old = (x, y, z)
            if offset:
                p = p + _mixed(old, offset)
            x, y, z = (_mixed(old, column) for column in columns)
        for i, column in enumerate((x, y, z, p)):
            pose[:3, i] = column
        J = np.empty((6, 6, count))
        lever = p - origins
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            J[i] = axes[:, j] * lever[:, k] - axes[:, k] * lever[:, j]
            J[3 + i] = axes[:, i]
        return pose, J

    def gravity_torque(self, q: ArrayLike, mass: Array, com: Array) -> Array:
        """Torque that gravity exerts about each joint axis: q (..., 6) rad -> (..., 6) Nm.

        mass (6,) kg and com (6, 3) m of each link in its own frame. It is minus the gradient of the
        potential energy; a drive holds the arm with the opposite torque.
        """
        axes, moment = self._first_moments(q, mass, com)
        moment_x, moment_y, _ = np.moveaxis(moment, -1, 0)
        return STANDARD_GRAVITY * (axes[..., 1] * moment_x - axes[..., 0] * moment_y)

    def gravity_stiffness(self, q: ArrayLike, mass: Array, com: Array) -> Array:
        """Change of `gravity_torque` with the joint angles: q (..., 6) -> (..., 6, 6) Nm/rad.

        Minus the Hessian of the potential energy, hence symmetric. A joint turns only what it
        carries, so that with i <= j it is z_i . ((z_j x m_j) x g), m_j the first moment about
        joint j of the masses from there on.
        """
        axes, moment = self._first_moments(q, mass, com)
        x, y, z = np.moveaxis(axes, -1, 0)
        moment_x, moment_y, moment_z = np.moveaxis(moment, -1, 0)
        turned_x, turned_y = y * moment_z - z * moment_y, z * moment_x - x * moment_z
        stiffness = (
            y[..., :, None] * turned_x[..., None, :] - x[..., :, None] * turned_y[..., None, :]
        )
        upper = np.triu(STANDARD_GRAVITY * stiffness)
        return upper + np.swapaxes(np.triu(upper, 1), -1, -2)

    def _first_moments(self, q: ArrayLike, mass: Array, com: Array) -> tuple[Array, Array]:
        """Joint axes (..., 6, 3), and first moments (kg m) about each of what it carries."""
        frames = self.frames(q)
        link = frames[..., 1:, :, :]
        centre = (link[..., :3, :3] @ com[..., None])[..., 0] + link[..., :3, 3]
        # Joint i carries links i to 6: sum mass and moment about the base origin from the tip.
        carried = np.flip(np.cumsum(np.flip(mass)))
        moment = np.flip(np.cumsum(np.flip(mass[:, None] * centre, -2), axis=-2), -2)
        axes, origin = frames[..., :6, :3, 2], frames[..., :6, :3, 3]
        return axes, moment - carried[:, None] * origin


def _mixed(columns: tuple[Array, ...], mix: _Mix) -> Array:
    """Sum of columns by their weights; a single one of weight one is given as it is."""
    total: Array | None = None
    for i, weight in mix:
        if total is None:
            total = columns[i] if weight == 1.0 else weight * columns[i]
        else:
            total = total + (columns[i] if weight == 1.0 else weight * columns[i])
    return np.zeros_like(columns[0]) if total is None else total


def _turned(axis: int, angle: ArrayLike | None) -> Array:
    """Return rotations about x or z by angles (6,) rad: (6, 4, 4); right angles are exact."""
    angles = np.zeros(6) if angle is None else np.asarray(angle, dtype=np.float64)
    s, c = np.sin(angles), np.cos(angles)
    # cos(pi/2) is 6e-17, which would tilt every right-angled link by that much.
    s, c = np.where(np.abs(s) < 1e-15, 0.0, s), np.where(np.abs(c) < 1e-15, 0.0, c)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    T = np.tile(np.eye(4), (6, 1, 1))
    T[:, i, i] = T[:, j, j] = c
    T[:, j, i] = s
    T[:, i, j] = -s
    return T


def _along(d: ArrayLike, a: ArrayLike) -> Array:
    """Return translations by d along z and a along x: (6, 4, 4)."""
    T = np.tile(np.eye(4), (6, 1, 1))
    T[:, 0, 3], T[:, 2, 3] = a, d
    return T
