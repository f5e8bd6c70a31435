"""Rotation matrices and rotation vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def skew(v: ArrayLike) -> Array:
    """Matrix K of the cross product: K @ x == cross(v, x).

    v (..., 3) -> (..., 3, 3).
    """
    v = np.asarray(v, dtype=np.float64)
    K = np.zeros((*v.shape[:-1], 3, 3))
    K[..., 0, 1] = -v[..., 2]
    K[..., 0, 2] = v[..., 1]
    K[..., 1, 0] = v[..., 2]
    K[..., 1, 2] = -v[..., 0]
    K[..., 2, 0] = -v[..., 1]
    K[..., 2, 1] = v[..., 0]
    return K


def exp_so3(v: ArrayLike) -> Array:
    """Rotation matrix of a rotation vector (Rodrigues), exact at zero angle.

    v (..., 3) axis times angle, rad -> R (..., 3, 3).
    """
    v = np.asarray(v, dtype=np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    K = skew(v)
    # sin(x)/x and (1 - cos x)/x^2 through sinc, which has no 0/0.
    sin_term = np.sinc(angle / np.pi)
    cos_term = 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2
    return np.eye(3) + sin_term * K + cos_term * (K @ K)


def log_so3(R: ArrayLike) -> Array:
    """Rotation vector of a rotation matrix, angle in [0, pi]; accurate near 0 and near pi.

    R (..., 3, 3) -> (..., 3) rad. Goes through the unit quaternion with its largest component
    taken from the diagonal (Shepperd 1978).
    """
    M = np.asarray(R, dtype=np.float64)
    trace = np.trace(M, axis1=-2, axis2=-1)
    diagonal = np.diagonal(M, axis1=-2, axis2=-1)
    # Ten numbers 4 q_i q_j of the quaternion (w, x, y, z), as a symmetric 4x4 matrix: each row is
    # the quaternion times one of its components.
    Q = np.empty((*M.shape[:-2], 4, 4))
    Q[..., 0, 0] = 1.0 + trace
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        Q[..., 1 + i, 1 + i] = 1.0 - trace + 2.0 * diagonal[..., i]
        Q[..., 0, 1 + i] = Q[..., 1 + i, 0] = M[..., k, j] - M[..., j, k]
        Q[..., 1 + i, 1 + j] = Q[..., 1 + j, 1 + i] = M[..., j, i] + M[..., i, j]
    largest = np.argmax(np.diagonal(Q, axis1=-2, axis2=-1), axis=-1)
    row: Array = np.take_along_axis(Q, largest[..., None, None], axis=-2)[..., 0, :]
    q: Array = row / np.linalg.norm(row, axis=-1, keepdims=True)
    q = np.where(q[..., :1] < 0.0, -q, q)
    w, v = q[..., 0], q[..., 1:]
    n = np.linalg.norm(v, axis=-1)
    tiny = n < 1e-12
    factor = np.where(tiny, 2.0, 2.0 * np.arctan2(n, w) / np.where(tiny, 1.0, n))
    return factor[..., None] * v


def rotation_z(angle: ArrayLike) -> Array:
    """Rotation about z. angle (...) rad -> R (..., 3, 3)."""
    angle = np.asarray(angle, dtype=np.float64)
    R = np.zeros((*angle.shape, 3, 3))
    R[..., 0, 0] = R[..., 1, 1] = np.cos(angle)
    R[..., 1, 0] = np.sin(angle)
    R[..., 0, 1] = -R[..., 1, 0]
    R[..., 2, 2] = 1.0
    return R


def rotation_rpy(rpy: ArrayLike) -> Array:
    """Rotation from roll, pitch, yaw about the fixed x, y, z axes: Rz(yaw) Ry(pitch) Rx(roll).

    rpy (..., 3) rad -> R (..., 3, 3).
    """
    rpy = np.asarray(rpy, dtype=np.float64)
    x, y, z = (exp_so3(rpy[..., i : i + 1] * np.eye(3)[i]) for i in range(3))
    return z @ y @ x


def angle_between(u: ArrayLike, v: ArrayLike) -> Array:
    """Angle between two vectors in [0, pi] rad; accurate for nearly parallel vectors.

    u, v (..., 3), any non-zero length -> (...). Kahan's half-angle form: arccos of the dot product
    would lose angles under 1e-8 rad.
    """
    a, b = _unit(u), _unit(v)
    half = np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    return np.asarray(2.0 * half, dtype=np.float64)


def _unit(v: ArrayLike) -> Array:
    a = np.asarray(v, dtype=np.float64)
    return a / np.linalg.norm(a, axis=-1, keepdims=True)
