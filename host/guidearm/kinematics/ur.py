"""Closed-form inverse kinematics of UR-type arms, one pose, in plain Python floats.

Joints 2, 3 and 4 are parallel, the wrist is three offset right angles. Hawkins (2013), "Analytic
inverse kinematics for the Universal Robots UR-5/UR-10 arms", with three changes: the angle q2+q3+q4
is taken from a form that always has unit norm; the singular cases are solved instead of divided
through; and joint 4 is found from the wrist's centre w = p - d6 z, whose distance rho from the base
axis in the arm's plane and whose height are the same for all branches but for the sign of rho.

Det J = a2 a3 s3 s5 rho exactly, rho = a2 c2 + a3 c23 + d5 s234. A branch is (sign of rho, sign of
s5, sign of s3); its number is 4 (rho < 0) + 2 (s5 < 0) + (s3 < 0).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from math import acos, atan2, copysign, cos, hypot, pi, sin, sqrt

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.inverse import Rows


@dataclass(frozen=True)
class Tolerances:
    """What counts as singular or as just within reach.

    snap: rho^2 (m^2) under which the two shoulder branches are one; dropping it costs rho^2 / 2 d4
    in position, keeping it would turn rounding of 1e-16 into angles of 1e-8 rad. wrist: |s5| under
    which axes 4 and 6 coincide and only the sum or difference of q4 and q6 is determined. reach:
    length (m) by which a pose may lie outside the workspace and still be taken for its boundary.
    """

    snap: float
    wrist: float
    reach: float


# Solutions are exact within 1e-10 m and 1e-9 rad.
EXACT = Tolerances(snap=1e-13, wrist=1e-9, reach=1e-10)
# For starting points where two singularities meet within rounding of each other: to be polished.
COARSE = Tolerances(snap=1e-13, wrist=1e-9, reach=1e-6)

_TURN, _MINUS_PI = 2.0 * pi, -pi
_FULL = 8 * 48
# Sine of q3 squared, of which not even rounding is a reason to look at the boundary.
_FAR = -1e-3
_ALMOST_ONE, _HARDLY_ONE = 1.0 - 5e-13, 1.0 + 5e-13
_ALMOST_SQRT_3, _HARDLY_SQRT_3 = sqrt(3.0) - 5e-13, sqrt(3.0) + 5e-13
# A posture is put into its row in a fraction of the time that numpy takes for it.
_PUT_ONE: Callable[..., None] = struct.Struct("6d").pack_into
_PUT_TWO: Callable[..., None] = struct.Struct("12d").pack_into


@dataclass(frozen=True)
class UrGeometry:
    """Standard DH lengths (m) of a UR-type arm; twists are pi/2, 0, 0, pi/2, -pi/2, 0."""

    d1: float
    a2: float
    a3: float
    d4: float
    d5: float
    d6: float
    constants: tuple[float, ...] = field(init=False, repr=False, compare=False)
    """What the closed form uses: side, d1, a2, a3, d4, d5, d6, per_square, common."""

    @property
    def reach(self) -> float:
        """Largest distance rho of the wrist from the base axis, in the arm's plane (m)."""
        return abs(self.a2) + abs(self.a3) + abs(self.d5)

    @property
    def span(self) -> tuple[float, float]:
        """Distance (m) from axis 2 to axis 4: folded, stretched."""
        return abs(abs(self.a2) - abs(self.a3)), abs(self.a2) + abs(self.a3)

    @property
    def chain(self) -> Chain:
        """The chain of joints."""
        right = 0.5 * pi
        return Chain.dh(
            d=[self.d1, 0.0, 0.0, self.d4, self.d5, self.d6],
            a=[0.0, self.a2, self.a3, 0.0, 0.0, 0.0],
            alpha=[right, 0.0, 0.0, right, -right, 0.0],
        )

    def __post_init__(self) -> None:
        """Reckon the constants.

        The plane of joints 2 to 4 is seen so that links 2 and 3 have positive lengths: `side` is
        their sign, by which what lies in that plane is multiplied. With that, cos q3 = common +
        per_square (rho^2 + height^2 + 2 d5 (height cos q234 - rho sin q234)).
        """
        side = copysign(1.0, self.a2)
        product = 2.0 * self.a2 * self.a3
        common = (self.d5**2 - self.a2**2 - self.a3**2) / product
        links = (self.d1, abs(self.a2), abs(self.a3), self.d4, side * self.d5, self.d6)
        object.__setattr__(self, "constants", (side, *links, 1.0 / product, common))

    def cosine_bounds(self, reach: float) -> tuple[float, float]:
        """Cosines of q3 at `reach` (m) inside of folded and outside of stretched."""
        folded, stretched = self.span
        squares, product = self.a2**2 + self.a3**2, 2.0 * self.a2 * self.a3
        inner = max(0.0, folded - reach)
        return (inner**2 - squares) / product, ((stretched + reach) ** 2 - squares) / product


def wrap(angle: float) -> float:
    """Angle plus a multiple of 2 pi, in [-pi, pi] rad."""
    return angle - _TURN * round(angle / _TURN)


def is_rigid(T: Rows) -> bool:
    """Whether 16 floats are a finite rigid transform for sure; quick, for one pose.

    A matrix of norm sqrt 3 and determinant 1 is a rotation; how far from one it is shows only in
    the square, so that the two must hold within rounding: False leaves it open.
    """
    a, b, c, px, d, e, f, py, g, h, i, pz, x, y, z, w = T
    volume = a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)
    # False for what is not finite, too. Jumps are quicker than a value.
    if (  # noqa: SIM103
        _ALMOST_ONE < volume < _HARDLY_ONE
        and _ALMOST_SQRT_3 < hypot(a, b, c, d, e, f, g, h, i) < _HARDLY_SQRT_3
        and x == y == z == 0.0 * (px + py + pz)
        and w == 1.0
    ):
        return True
    return False


def branches(
    g: UrGeometry,
    T: Rows,
    q6_free: float = 0.0,
    tolerances: Tolerances = EXACT,
) -> Array:
    """All postures (n, 6) rad that put the flange at T_base_flange, n <= 8, in order of branch.

    T are 16 floats, row by row (m). Angles are in [-pi, pi], joint limits are not looked at.
    Branches that coincide at a singularity are given once. Where axes 4 and 6 coincide, q6 is
    q6_free if the arm then reaches, else a value with which it does.
    """
    side, d1, a2, a3, d4, d5, d6, per_square, common = g.constants
    r11, r12, r13, px, r21, r22, r23, py, r31, r32, r33, pz, _, _, _, _ = T
    q = np.empty((8, 6))
    place = 0
    wx, wy, height = px - d6 * r13, py - d6 * r23, side * (pz - d6 * r33 - d1)
    from_axis = wx * wx + wy * wy
    rho2 = from_axis - d4 * d4
    if rho2 >= tolerances.snap:
        rho = sqrt(rho2)
        rhos = (rho, -rho)
        wx /= from_axis
        wy /= from_axis
    elif rho2 >= -2.0 * d4 * tolerances.reach:
        rho2, rhos = 0.0, (0.0,)
        wx /= d4 * sqrt(from_axis)
        wy /= d4 * sqrt(from_axis)
    else:
        return q[:0]
    swing = 2.0 * per_square
    c3_common = common + per_square * (rho2 + height * height)
    s1_common, c1_common = wx * d4, wy * d4
    for rho in rhos:
        s1, c1 = s1_common + wy * rho, wx * rho - c1_common
        q1 = atan2(s1, c1)
        # Axis 5 in the flange frame is (s5 c6, -s5 s6, c5); what follows is scaled by s5.
        s6, c6, c5 = c1 * r22 - s1 * r12, s1 * r11 - c1 * r21, s1 * r13 - c1 * r23
        square = s6 * s6 + c6 * c6
        s5 = scale = sqrt(square)
        rho *= side
        if s5 < tolerances.wrist:
            at_zero = atan2(c5 * r31, r32)
            q6 = _free_q6(g, side * rho, side * height, c5, at_zero, q6_free)
            s5, square, s6, c6, scale = 0.0, 0.0, sin(q6), cos(q6), 1.0
        else:
            q6 = atan2(s6, c6)
        q5 = atan2(s5, c5)
        s234 = c5 * (c6 * r31 - s6 * r32) - square * r33
        c234 = s6 * r31 + c6 * r32
        q234 = atan2(s234, c234)
        scale = d5 / scale
        x5, y5 = scale * s234, scale * c234
        c3_wrist = swing * (height * y5 - rho * x5)
        while True:
            # Joint 4 seen from joint 2 is (rho - x5, height + y5): q2 +- bend, and q3 between.
            c3 = c3_common + c3_wrist
            s3_squared = (1.0 - c3) * (1.0 + c3)
            if s3_squared > 0.0:
                q3 = acos(c3)
                bend = atan2(a3 * sqrt(s3_squared), a2 + a3 * c3)
                q2_mean = atan2(height + y5, rho - x5)
                q4_mean = q234 - q2_mean
                fold = q3 - bend
                q2 = q2_mean - bend
                if q2 < _MINUS_PI:
                    q2 += _TURN
                q4 = q4_mean - fold
                if q4 > pi:
                    q4 -= _TURN
                elif q4 < _MINUS_PI:
                    q4 += _TURN
                q2_other = q2_mean + bend
                if q2_other > pi:
                    q2_other -= _TURN
                q4_other = q4_mean + fold
                if q4_other > pi:
                    q4_other -= _TURN
                elif q4_other < _MINUS_PI:
                    q4_other += _TURN
                _PUT_TWO(q, place, q1, q2, q3, q4, q5, q6, q1, q2_other, -q3, q4_other, q5, q6)
                place += 96
            elif s3_squared > _FAR:
                low, high = g.cosine_bounds(tolerances.reach)
                if low <= c3 <= high:
                    q3 = 0.0 if c3 > 0.0 else pi
                    q2 = atan2(height + y5, rho - x5)
                    if q3 and a3 > a2:
                        q2 = wrap(q2 + pi)
                    _PUT_ONE(q, place, q1, q2, q3, wrap(q234 - q2 - q3), q5, q6)
                    place += 48
            if q5 <= 0.0 or s5 == 0.0:
                break
            # The other side of the wrist: q5 changes its sign, q6 and q234 turn half round.
            q5 = -q5
            q6 = q6 - pi if q6 > 0.0 else q6 + pi
            q234 = q234 - pi if q234 > 0.0 else q234 + pi
            c3_wrist, x5, y5 = -c3_wrist, -x5, -y5
    return q if place == _FULL else q[: place // 48]


def _free_q6(
    g: UrGeometry, radial: float, height: float, c5: float, q234_at_zero: float, wish: float
) -> float:
    """q6 where axes 4 and 6 coincide: the wish if joints 2 and 3 then reach, else one that works.

    q234 = q234_at_zero - sign(c5) q6 swings the wrist, at d5 from axis 4, round the point (radial,
    height) of the arm's plane. Its distance from axis 2 can be chosen within what the swing and the
    two long links have in common; the middle is farthest from stretched and folded.
    """
    turn = -1.0 if c5 > 0.0 else 1.0
    q234 = q234_at_zero + turn * wish
    distance = hypot(radial - sin(q234) * g.d5, height + cos(q234) * g.d5)
    folded, stretched = g.span
    to_point = hypot(radial, height)
    # EXACT also for coarse starting points: a wish that reaches should do so without slack.
    if folded - EXACT.reach <= distance <= stretched + EXACT.reach or to_point * g.d5 == 0.0:
        return wrap(wish)
    low = max(folded, abs(to_point - abs(g.d5)))
    high = min(stretched, to_point + abs(g.d5))
    middle = 0.5 * (low + high)
    cosine = (middle**2 - to_point**2 - g.d5**2) / (2.0 * g.d5 * to_point)
    swing = acos(min(1.0, max(-1.0, cosine)))
    around = -atan2(radial, height)
    options = [wrap(turn * (around + side * swing - q234_at_zero)) for side in (1.0, -1.0)]
    return min(options, key=lambda q6: abs(wrap(q6 - wish)))
