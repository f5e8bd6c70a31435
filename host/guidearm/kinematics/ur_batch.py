"""The closed form of `guidearm.kinematics.ur` for many poses at once, in numpy."""

from __future__ import annotations

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics.ur import EXACT, Tolerances, UrGeometry


def wrap_array(angle: Array) -> Array:
    """Angles plus multiples of 2 pi, in [-pi, pi] rad; any shape."""
    return angle - 2.0 * np.pi * np.round(angle / (2.0 * np.pi))


def branches_batch(
    g: UrGeometry, T: Array, q6_free: float = 0.0, tolerances: Tolerances = EXACT
) -> Array:
    """All postures for each pose: T_base_flange (..., 4, 4) -> q (..., 8, 6) rad.

    Axis -2 is the number of the branch. Angles lie in [-pi, pi]; a branch that does not reach, or
    that repeats another at a singularity, is NaN. q6_free as in `ur.branches`.
    """

    # Axes of the work arrays: (..., shoulder, wrist, elbow).
    def pose(row: int, column: int) -> Array:
        return np.asarray(T[..., row, column, None, None, None])

    r11, r12, r13, px = (pose(0, i) for i in range(4))
    r21, r22, r23, py = (pose(1, i) for i in range(4))
    r31, r32, pz = pose(2, 0), pose(2, 1), pose(2, 3)
    sign = np.array([1.0, -1.0])
    shoulder, wrist, elbow = sign[:, None, None], sign[None, :, None], sign[None, None, :]
    folded, stretched = g.span

    wx, wy = px - g.d6 * r13, py - g.d6 * r23
    rho2 = wx * wx + wy * wy - g.d4 * g.d4
    valid = rho2 >= -2.0 * g.d4 * tolerances.reach
    meet = rho2 < tolerances.snap
    half = np.where(meet, 0.0, np.arctan2(np.sqrt(np.maximum(rho2, 0.0)), g.d4))
    q1 = np.arctan2(wx, -wy) - shoulder * half
    valid = valid & ~(meet & (shoulder < 0.0))

    s1, c1 = np.sin(q1), np.cos(q1)
    a = s1 * r11 - c1 * r21
    b = s1 * r12 - c1 * r22
    c5 = s1 * r13 - c1 * r23
    x1 = c1 * r11 + s1 * r21
    x2 = c1 * r12 + s1 * r22
    radial, height = c1 * px + s1 * py, pz - g.d1
    s5_size = np.hypot(a, b)
    free = s5_size < tolerances.wrist
    s5 = np.where(free, 0.0, wrist * s5_size)
    q6 = np.arctan2(-wrist * b, wrist * a)
    if np.any(free):
        chosen = _free_q6(g, radial, height, c5, np.arctan2(-x2, r32), q6_free)
        q6 = np.where(free, chosen, q6)
        valid = valid & ~(free & (wrist < 0.0))
    q5 = np.arctan2(s5, c5)

    s6, c6 = np.sin(q6), np.cos(q6)
    q234 = np.arctan2(-(s6 * x1 + c6 * x2), s6 * r31 + c6 * r32)
    s234, c234 = np.sin(q234), np.cos(q234)
    kc = radial - s234 * g.d5 + c234 * s5 * g.d6
    ks = height + c234 * g.d5 + s234 * s5 * g.d6
    length = np.hypot(kc, ks)
    valid = valid & (folded - tolerances.reach <= length) & (length <= stretched + tolerances.reach)
    c3 = (length * length - g.a2 * g.a2 - g.a3 * g.a3) / (2.0 * g.a2 * g.a3)
    c3 = np.clip(c3, -1.0, 1.0)
    s3_size = np.sqrt(1.0 - c3 * c3)
    s3 = elbow * s3_size
    valid = valid & ~((s3_size == 0.0) & (elbow < 0.0))
    q3 = np.arctan2(s3, c3)
    q2 = np.arctan2(ks, kc) - np.arctan2(g.a3 * s3, g.a2 + g.a3 * c3)
    q4 = q234 - q2 - q3

    q = np.stack(
        np.broadcast_arrays(wrap_array(q1), wrap_array(q2), q3, wrap_array(q4), q5, q6), -1
    )
    q = np.where(np.broadcast_to(valid, q.shape[:-1])[..., None], q, np.nan)
    return np.asarray(q.reshape(*q.shape[:-4], 8, 6), dtype=np.float64)


def _free_q6(
    g: UrGeometry, radial: Array, height: Array, c5: Array, q234_at_zero: Array, wish: float
) -> Array:
    turn = np.where(c5 > 0.0, -1.0, 1.0)
    q234 = q234_at_zero + turn * wish
    distance = np.hypot(radial - np.sin(q234) * g.d5, height + np.cos(q234) * g.d5)
    folded, stretched = g.span
    to_point = np.hypot(radial, height)
    product = to_point * g.d5
    reaches = (folded - EXACT.reach <= distance) & (distance <= stretched + EXACT.reach)
    as_wished = reaches | (product == 0.0)
    low = np.maximum(folded, np.abs(to_point - abs(g.d5)))
    high = np.minimum(stretched, to_point + abs(g.d5))
    middle = 0.5 * (low + high)
    cosine = (middle**2 - to_point**2 - g.d5**2) / (2.0 * np.where(product == 0.0, 1.0, product))
    swing = np.arccos(np.clip(cosine, -1.0, 1.0))
    around = -np.arctan2(radial, height)
    one = wrap_array(turn * (around + swing - q234_at_zero))
    other = wrap_array(turn * (around - swing - q234_at_zero))
    nearer = np.abs(wrap_array(one - wish)) <= np.abs(wrap_array(other - wish))
    return np.where(as_wished, wrap_array(wish + 0.0 * q234), np.where(nearer, one, other))
