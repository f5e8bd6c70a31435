"""Homogeneous transforms: 4x4 arrays with leading batch axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import InputError
from guidearm.geometry.rotations import Array, exp_so3, log_so3, skew

_RIGID_TOLERANCE = 1e-6
_BOTTOM_ROW = np.array([0.0, 0.0, 0.0, 1.0])


def transform(R: ArrayLike, p: ArrayLike) -> Array:
    """Put a rotation (..., 3, 3) and a translation (..., 3) m together: T (..., 4, 4)."""
    rotation = np.asarray(R, dtype=np.float64)
    translation = np.asarray(p, dtype=np.float64)
    batch = np.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
    T = np.zeros((*batch, 4, 4))
    T[..., :3, :3] = rotation
    T[..., :3, 3] = translation
    T[..., 3, 3] = 1.0
    return T


def inverse(T: ArrayLike) -> Array:
    """Inverse of a rigid transform: T_a_b (..., 4, 4) -> T_b_a, by transposing the rotation."""
    M = np.asarray(T, dtype=np.float64)
    R = np.swapaxes(M[..., :3, :3], -1, -2)
    return transform(R, -(R @ M[..., :3, 3:])[..., 0])


def apply(T: ArrayLike, points: ArrayLike) -> Array:
    """Take points to another frame: T_a_b (..., 4, 4), points in b (..., 3) m -> points in a.

    Batch axes of transforms and points broadcast: one transform with (n, 3) points, or T[:, None]
    (m, 1, 4, 4) with (n, 3) points for (m, n, 3).
    """
    M = np.asarray(T, dtype=np.float64)
    columns = np.asarray(points, dtype=np.float64)[..., None]
    return (M[..., :3, :3] @ columns)[..., 0] + M[..., :3, 3]


def exp_se3(twist: ArrayLike) -> Array:
    """Exponential of a twist: T (..., 4, 4) of twist (..., 6), linear (m) before angular (rad).

    A screw motion; to first order the translation and rotation vector of the twist. Lynch and Park,
    Modern Robotics (2017), proposition 3.25.
    """
    xi = np.asarray(twist, dtype=np.float64)
    v, w = xi[..., :3], xi[..., 3:]
    angle = np.linalg.norm(w, axis=-1)[..., None, None]
    K = skew(w)
    small = angle < 0.05
    safe = np.where(small, 1.0, angle)
    # (x - sin x)/x^3 cancels for small x; the series is exact to 1e-13 under 0.05 rad.
    series = 1.0 / 6.0 - angle**2 / 120.0 + angle**4 / 5040.0
    cubic = np.where(small, series, (safe - np.sin(safe)) / safe**3)
    square = 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2
    V = np.eye(3) + square * K + cubic * (K @ K)
    return transform(exp_so3(w), (V @ v[..., None])[..., 0])


def perturbation(translation: ArrayLike, rotation_vector: ArrayLike) -> Array:
    """Transform of a translation (..., 3) m and a rotation vector (..., 3) rad: T (..., 4, 4)."""
    return transform(exp_so3(rotation_vector), translation)


def pose_difference(T_a_target: ArrayLike, T_a_now: ArrayLike) -> Array:
    """Motion in frame a that takes the pose T_a_now to T_a_target.

    Both (..., 4, 4) -> (..., 6): translation (m), then rotation vector (rad), both in a's axes,
    which is the ordering of the arm's Jacobian.
    """
    target = np.asarray(T_a_target, dtype=np.float64)
    now = np.asarray(T_a_now, dtype=np.float64)
    rotation = target[..., :3, :3] @ np.swapaxes(now[..., :3, :3], -1, -2)
    return np.concatenate([target[..., :3, 3] - now[..., :3, 3], log_so3(rotation)], axis=-1)


def frame_along(origin: ArrayLike, direction: ArrayLike) -> Array:
    """Build a frame at origin (..., 3) m whose +z is direction (..., 3): T (..., 4, 4).

    The roll about z is arbitrary but repeatable: x is the base axis least aligned with z, made
    orthogonal to it. Raises InputError for a direction of no length.
    """
    along = np.asarray(direction, dtype=np.float64)
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    if not np.all(length > 1e-12):
        raise InputError("the direction of a line has no length; give two distinct points")
    z = along / length
    x = np.eye(3)[np.argmin(np.abs(z), axis=-1)]
    x = x - np.sum(x * z, axis=-1, keepdims=True) * z
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return transform(np.stack([x, np.cross(z, x), z], axis=-1), origin)


def is_transform(T: ArrayLike, tolerance: float = _RIGID_TOLERANCE) -> bool:
    """Whether T (..., 4, 4) is finite and rigid: orthonormal, right-handed, last row 0 0 0 1."""
    return _defect(np.asarray(T, dtype=np.float64), tolerance) is None


def check_transform(T: ArrayLike, name: str, tolerance: float = _RIGID_TOLERANCE) -> Array:
    """Return T as an array (..., 4, 4), or raise InputError that says why `name` is not rigid."""
    M = np.asarray(T, dtype=np.float64)
    defect = _defect(M, tolerance)
    if defect is not None:
        raise InputError(f"{name} is not a rigid transform: {defect}")
    return M


def _defect(T: Array, tolerance: float) -> str | None:
    if T.shape[-2:] != (4, 4):
        return f"its shape is {T.shape}, expected (..., 4, 4)"
    if not np.all(np.isfinite(T)):
        return "it holds a value that is not finite"
    if np.any(np.abs(T[..., 3, :] - _BOTTOM_ROW) > tolerance):
        return "its last row is not 0 0 0 1"
    # The same component of all transforms side by side: matmul and det are slow on 3x3 batches.
    rows = np.ascontiguousarray(np.moveaxis(T[..., :3, :3].reshape(-1, 3, 3), 0, -1))
    for i, row in enumerate(rows):
        for j, other in enumerate(rows[: i + 1]):
            product = np.sum(row * other, axis=0)
            if np.any(np.abs(product - (i == j)) > tolerance):
                return "its rotation part is not orthonormal"
    (a, b, c), (d, e, f), (g, h, i) = rows
    if np.any(a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g) < 0.0):
        return "its rotation part is a reflection (left-handed axes)"
    return None
