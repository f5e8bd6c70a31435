"""The closed form of `guidearm.kinematics.ur` for many poses at once, in numpy.

Poses are taken in blocks that stay in the processor's caches. In memory the same component of all
poses lies side by side, also in what is returned, so that working on one component is quick.
"""

from __future__ import annotations

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics.inverse import AT_ZERO
from guidearm.kinematics.limits import turned_to
from guidearm.kinematics.ur import EXACT, Tolerances, UrGeometry

# Not a power of two: columns of a component would share a few lines of the cache.
_BLOCK = 1000
_TURN = 2.0 * np.pi
# The sign of rho, of s5.
_SIDES = np.array([1.0, -1.0])
_OTHER_SIDE = np.array([0.0, -np.pi])  # q234 beyond that of the first side of the wrist


def branches_batch(
    g: UrGeometry,
    T: Array,
    q6_free: float = 0.0,
    centre: Array = AT_ZERO,
    tolerances: Tolerances = EXACT,
) -> tuple[Array, Array]:
    """All postures for each pose: T_base_flange (n, 4, 4) -> q (n, 8, 6) rad, singularity (n, 8).

    Axis 1 is the number of the branch. Angles lie within half a turn of the centre (6,); q6_free as
    in `ur.branches`. A branch that does not reach, or that repeats another at a singularity, is
    NaN. The singularity is the least of |rho| / reach, |s3| and |s5|.
    """
    q, singularity = np.empty((6, 8, len(T))), np.empty((8, len(T)))
    for begin in range(0, len(T), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        rows = np.ascontiguousarray(T[block].reshape(-1, 16).T)
        _block(
            g, rows, q6_free, centre.tolist(), tolerances, q[..., block], singularity[..., block]
        )
    return q.transpose(2, 1, 0), singularity.T


def _block(
    g: UrGeometry,
    rows: Array,
    q6_free: float,
    centre: list[float],
    tolerances: Tolerances,
    angles: Array,
    singularity: Array,
) -> None:
    """Fill in angles (6, 8, n) and singularity (8, n) for T row by row (16, n)."""
    side, d1, a2, a3, d4, d5, d6, per_square, common = g.constants
    r11, r12, r13, px, r21, r22, r23, py, r31, r32, r33, pz = rows[:12]
    count = rows.shape[1]

    wx, wy, height = px - d6 * r13, py - d6 * r23, side * (pz - d6 * r33 - d1)
    from_axis = wx * wx + wy * wy
    rho2 = from_axis - d4 * d4
    beside = rho2 >= -2.0 * d4 * tolerances.reach
    meet = rho2 < tolerances.snap
    some_meet = bool(meet.any())
    if some_meet:
        rho2[meet] = 0.0
        # the same direction; what lies on the base axis itself is out of reach
        from_axis[meet] = d4 * np.sqrt(np.maximum(from_axis[meet], 1e-300))
    rho = _SIDES[:, None] * np.sqrt(rho2)
    wx /= from_axis
    wy /= from_axis

    # Angles with one shoulder, pose: joint 1, joint 6, joint 5, q234; as sine and cosine of any
    # length, so that one call finds them all.
    sines, cosines = np.empty((4, 2, count)), np.empty((4, 2, count))
    s1, s6, s5, s234 = sines
    c1, c6, c5, c234 = cosines
    np.add(wx * d4, wy * rho, out=s1)
    np.subtract(wx * rho, wy * d4, out=c1)
    np.subtract(c1 * r22, s1 * r12, out=s6)
    np.subtract(s1 * r11, c1 * r21, out=c6)
    np.subtract(s1 * r13, c1 * r23, out=c5)
    np.sqrt(s6 * s6 + c6 * c6, out=s5)
    scale = s5
    rho *= side
    free = s5 < tolerances.wrist
    some_free = bool(free.any())
    if some_free:
        at_zero = np.arctan2(c5 * r31, r32)
        chosen = _free_q6(g, side * rho, side * height, c5, at_zero, q6_free)
        scale = np.where(free, 1.0, s5)
        s6[free], c6[free], s5[free] = np.sin(chosen[free]), np.cos(chosen[free]), 0.0
    np.subtract(c5 * (c6 * r31 - s6 * r32), scale * s5 * r33, out=s234)
    np.add(s6 * r31, c6 * r32, out=c234)
    q1, q6, q5, q234 = _angles(sines, cosines)
    factor = d5 / scale
    x5, y5 = factor * s234, factor * c234

    # Joint 4 seen from joint 2, with shoulder, wrist, pose; and how far the elbow bends that.
    sines, cosines = np.empty((2, 2, 2, count)), np.empty((2, 2, 2, count))
    np.subtract(rho[:, None], _SIDES[:, None] * x5[:, None], out=cosines[0])
    np.add(height, _SIDES[:, None] * y5[:, None], out=sines[0])
    length2 = cosines[0] * cosines[0] + sines[0] * sines[0]
    c3 = (common - d5 * d5 * per_square) + per_square * length2
    low, high = g.cosine_bounds(tolerances.reach)
    reached = (low <= c3) & (c3 <= high) & beside
    if some_free:
        reached[:, 1] &= ~free
    if some_meet:
        reached[1] &= ~meet
    np.minimum(1.0, np.maximum(-1.0, c3), out=c3)
    s3 = np.sqrt((1.0 - c3) * (1.0 + c3))
    np.multiply(a3, s3, out=sines[1])
    np.add(a2, a3 * c3, out=cosines[1])
    q2, bend = _angles(sines, cosines)
    q3 = np.arccos(c3)
    q4 = q234[:, None] + _OTHER_SIDE[:, None] - q2
    fold = q3 - bend

    # component, shoulder, wrist, elbow, pose; a view, for the pose's axis stays as it is
    q = angles.reshape(6, 2, 2, 2, count)
    q[0] = _turned(q1, centre[0])[:, None, None]
    np.subtract(q2, bend, out=q[1, :, :, 0])
    np.add(q2, bend, out=q[1, :, :, 1])
    q[2, :, :, 0] = _turned(q3, centre[2])
    q[2, :, :, 1] = _turned(-q3, centre[2])
    np.subtract(q4, fold, out=q[3, :, :, 0])
    np.add(q4, fold, out=q[3, :, :, 1])
    q[4, :, 0] = _turned(q5, centre[4])[:, None]
    q[4, :, 1] = _turned(-q5, centre[4])[:, None]
    q[5, :, 0] = _turned(q6, centre[5])[:, None]
    q[5, :, 1] = _turned(q6 - np.copysign(np.pi, q6), centre[5])[:, None]
    for joint in (1, 3):
        turns = q[joint] - centre[joint]
        turns *= 1.0 / _TURN
        np.rint(turns, out=turns)
        turns *= _TURN
        q[joint] -= turns

    two_elbows = s3 > 0.0
    least = np.minimum(np.abs(rho) * (1.0 / g.reach), s5)[:, None]
    np.minimum(least, s3, out=s3)
    some = singularity.reshape(2, 2, 2, count)
    some[:, :, 0] = np.where(reached, s3, np.nan)
    some[:, :, 1] = np.where(two_elbows, some[:, :, 0], np.nan)
    none = np.isnan(singularity)
    if none.any():
        # to add is quicker than to choose
        angles += np.where(none, np.nan, 0.0)


def _turned(angle: Array, centre: float) -> Array:
    """Angles of [-pi, pi] within half a turn of the centre, rad."""
    return angle if centre == 0.0 else turned_to(angle, centre)


def _angles(sines: Array, cosines: Array) -> Array:
    """Angles of vectors of any length, [-pi, pi] rad: arctan2 in half the time."""
    negative = cosines < 0.0
    half_turn = np.copysign(np.pi, sines)
    twice = cosines * cosines
    twice += sines * sines
    np.sqrt(twice, out=twice)
    # half the angle, of which the tangent is at most 1
    twice += np.abs(cosines)
    np.maximum(twice, 1e-300, out=twice)
    np.divide(sines, twice, out=twice)
    np.arctan(twice, out=twice)
    twice *= 2.0
    return np.where(negative, half_turn - twice, twice)


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
    one = turned_to(turn * (around + swing - q234_at_zero), 0.0)
    other = turned_to(turn * (around - swing - q234_at_zero), 0.0)
    nearer = np.abs(turned_to(one - wish, 0.0)) <= np.abs(turned_to(other - wish, 0.0))
    return np.where(as_wished, turned_to(wish + 0.0 * q234, 0.0), np.where(nearer, one, other))
