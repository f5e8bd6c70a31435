"""Least-squares fits of rigid transforms."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import InputError
from guidearm.geometry.rotations import Array
from guidearm.geometry.transforms import apply, transform

# Second singular value of the centred points relative to the first: under this the points lie on
# one line and the rotation about it is anybody's guess.
_COLLINEAR = 1e-6


def rigid_fit(source: ArrayLike, target: ArrayLike) -> tuple[Array, float]:
    """Rigid transform that best takes paired points from source to target.

    source, target (n, 3) m, n >= 3, same order -> T_target_source (4, 4) and the root mean square
    distance that remains, m (the fiducial registration error). Arun, Huang and Blostein (1987) with
    Umeyama's (1991) sign against reflections. Raises InputError for unpaired, non-finite, too few
    or collinear points.
    """
    a = np.asarray(source, dtype=np.float64)
    b = np.asarray(target, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 3:
        raise InputError(f"a rigid fit needs paired (n, 3) points, got {a.shape} and {b.shape}")
    if len(a) < 3:
        raise InputError(f"a rigid fit needs at least 3 points, got {len(a)}")
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        raise InputError("a rigid fit needs finite points; drop the missing ones first")
    a_mean, b_mean = a.mean(axis=0), b.mean(axis=0)
    for name, centred in (("source", a - a_mean), ("target", b - b_mean)):
        spread = np.linalg.svd(centred, compute_uv=False)
        if spread[1] <= _COLLINEAR * spread[0]:
            raise InputError(f"the {name} points of a rigid fit lie on one line; spread them out")
    R = _nearest_rotation((b - b_mean).T @ (a - a_mean))
    T_target_source = transform(R, b_mean - R @ a_mean)
    residual = apply(T_target_source, a) - b
    return T_target_source, float(np.linalg.norm(residual)) / sqrt(len(a))


def mean_transform(Ts: ArrayLike) -> Array:
    """Mean of poses: mean translation and chordal L2 mean rotation.

    Ts (n, 4, 4) of the same pair of frames -> (4, 4). Hartley et al., Rotation Averaging (2013),
    section 5.3. Raises InputError for none, or for rotations so scattered that no mean is defined.
    """
    poses = np.asarray(Ts, dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or len(poses) == 0:
        raise InputError(f"a mean pose needs (n, 4, 4) transforms, n >= 1, got {poses.shape}")
    M = np.asarray(poses[:, :3, :3].mean(axis=0), dtype=np.float64)
    # The mean is unique while the two smaller singular values do not cancel.
    s = np.linalg.svd(M, compute_uv=False)
    handedness = 1.0 if np.linalg.det(M) > 0.0 else -1.0
    if s[1] + handedness * s[2] <= 1e-6:
        raise InputError("the poses are turned so far apart that they have no mean rotation")
    return transform(_nearest_rotation(M), poses[:, :3, 3].mean(axis=0))


def _nearest_rotation(M: Array) -> Array:
    """Rotation R (3, 3) that maximises trace(R^T M)."""
    U, _, Vt = np.linalg.svd(M)
    U[:, 2] *= np.sign(np.linalg.det(U @ Vt))
    return U @ Vt
