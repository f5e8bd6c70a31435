"""The closed form of `guidearm.kinematics.ur` for many poses at once, in numpy.

Poses are taken in blocks that stay in the processor's caches. In memory the same component of all
poses lies side by side, also in what is returned, so that working on one component is quick.
"""

from __future__ import annotations

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics.ur import EXACT, Tolerances, UrGeometry

# Not a power of two: columns of a component would share a few lines of the cache.
_BLOCK = 1000
_TURN = 2.0 * np.pi
# First axes of the work arrays: shoulder, wrist, elbow; the pose is the last.
_SIDES = np.array([1.0, -1.0])


def wrap_array(angle: Array) -> Array:
    """Angles plus multiples of 2 pi, in [-pi, pi] rad; any shape."""
    return angle - _TURN * np.rint(angle / _TURN)


def branches_batch(
    g: UrGeometry, T: Array, q6_free: float = 0.0, tolerances: Tolerances = EXACT
) -> tuple[Array, Array]:
    """All postures for each pose: T_base_flange (n, 4, 4) -> q (n, 8, 6) rad, factors (n, 8, 3).

    Axis 1 is the number of the branch. Angles lie in [-pi, pi]; a branch that does not reach, or
    that repeats another at a singularity, is NaN. q6_free as in `ur.branches`. The factors are
    those of `UrInverse.singularity_factors`.
    """
    q, factors = np.empty((6, 8, len(T))), np.empty((3, 8, len(T)))
    for begin in range(0, len(T), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        rows = np.ascontiguousarray(T[block].reshape(-1, 16).T)
        _block(g, rows, q6_free, tolerances, q[..., block], factors[..., block])
    return q.transpose(2, 1, 0), factors.transpose(2, 1, 0)


def _block(
    g: UrGeometry,
    rows: Array,
    q6_free: float,
    tolerances: Tolerances,
    angles: Array,
    factors: Array,
) -> None:
    """Fill in angles (6, 8, n) and factors (3, 8, n) for T row by row (16, n)."""
    side, d1, a2, a3, d4, d5, d6, per_square, common = g.constants
    r11, r12, r13, px, r21, r22, r23, py, r31, r32, r33, pz = rows[:12]
    count = rows.shape[1]

    wx, wy, height = px - d6 * r13, py - d6 * r23, side * (pz - d6 * r33 - d1)
    from_axis = wx * wx + wy * wy
    rho2 = from_axis - d4 * d4
    beside = rho2 >= -2.0 * d4 * tolerances.reach
    meet = rho2 < tolerances.snap
    if np.any(meet):
        rho2[meet] = 0.0
        # the same direction; what lies on the base axis itself is out of reach
        from_axis[meet] = d4 * np.sqrt(np.maximum(from_axis[meet], 1e-300))
    rho = _SIDES[:, None] * np.sqrt(rho2)
    wx /= from_axis
    wy /= from_axis

    # shoulder, pose
    s1, c1 = wx * d4 + wy * rho, wx * rho - wy * d4
    s6, c6, c5 = c1 * r22 - s1 * r12, s1 * r11 - c1 * r21, s1 * r13 - c1 * r23
    s5 = np.sqrt(s6 * s6 + c6 * c6)
    scale = s5
    free = s5 < tolerances.wrist
    some_free = bool(np.any(free))
    q6 = _angle(s6, c6, s5)
    rho *= side
    if some_free:
        chosen = _free_q6(g, side * rho, side * height, c5, np.arctan2(c5 * r31, r32), q6_free)
        q6 = np.where(free, chosen, q6)
        s6, c6 = np.where(free, np.sin(q6), s6), np.where(free, np.cos(q6), c6)
        s5, scale = np.where(free, 0.0, s5), np.where(free, 1.0, s5)
    s234 = c5 * (c6 * r31 - s6 * r32) - scale * s5 * r33
    c234 = s6 * r31 + c6 * r32
    q234 = _angle(s234, c234, np.sqrt(s234 * s234 + c234 * c234))
    factor = d5 / scale
    x5, y5 = factor * s234, factor * c234

    # component, shoulder, wrist, elbow, pose; a view, for the pose's axis stays as it is
    q = angles.reshape(6, 2, 2, 2, count)
    q[0] = _angle(s1, c1, np.sqrt(s1 * s1 + c1 * c1))[:, None, None]
    q[4, :, 0] = _angle(s5, c5, np.sqrt(s5 * s5 + c5 * c5))[:, None]
    q[4, :, 1] = -q[4, :, 0]
    q[5, :, 0] = q6[:, None]
    q[5, :, 1] = (q6 - np.copysign(np.pi, q6))[:, None]

    # shoulder, wrist, pose: joint 4 seen from joint 2
    x = rho[:, None] - _SIDES[:, None] * x5[:, None]
    y = height + _SIDES[:, None] * y5[:, None]
    length2 = x * x + y * y
    c3 = (common - d5 * d5 * per_square) + per_square * length2
    low, high = g.cosine_bounds(tolerances.reach)
    reached = (low <= c3) & (c3 <= high) & beside
    if some_free:
        reached[:, 1] &= ~free
    if np.any(meet):
        reached[1] &= ~meet
    c3 = np.minimum(1.0, np.maximum(-1.0, c3))
    s3 = np.sqrt((1.0 - c3) * (1.0 + c3))
    bend_y, bend_x = a3 * s3, a2 + a3 * c3
    bend = _angle(bend_y, bend_x, np.sqrt(bend_y * bend_y + bend_x * bend_x))
    q2 = _angle(y, x, np.sqrt(length2))
    q3 = np.arccos(c3)
    q4 = np.stack([q234, q234 - np.pi], axis=1) - q2
    fold = q3 - bend
    q[1, :, :, 0], q[1, :, :, 1] = wrap_array(q2 - bend), wrap_array(q2 + bend)
    q[2, :, :, 0], q[2, :, :, 1] = q3, -q3
    q[3, :, :, 0], q[3, :, :, 1] = wrap_array(q4 - fold), wrap_array(q4 + fold)
    f = factors.reshape(3, 2, 2, 2, count)
    f[0] = (side / g.reach * rho)[:, None, None]
    f[1, :, :, 0], f[1, :, :, 1] = s3, -s3
    f[2, :, 0], f[2, :, 1] = s5[:, None], -s5[:, None]
    valid = np.stack([reached, reached & (s3 > 0.0)], axis=2).reshape(8, count)
    if not np.all(valid):
        np.copyto(angles, np.nan, where=~valid)
        np.copyto(factors, np.nan, where=~valid)


def _angle(y: Array, x: Array, length: Array) -> Array:
    """Angle of vectors of known length, [-pi, pi] rad: arctan2 in half the time."""
    quarter = np.arctan(y / np.maximum(length + np.abs(x), 1e-300))
    return np.where(x < 0.0, np.copysign(np.pi, y) - 2.0 * quarter, 2.0 * quarter)


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
