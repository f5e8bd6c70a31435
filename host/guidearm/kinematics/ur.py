"""Closed-form inverse kinematics of UR-type arms, one pose, in plain Python floats.

Joints 2, 3 and 4 are parallel, the wrist is three offset right angles. Hawkins (2013), "Analytic
inverse kinematics for the Universal Robots UR-5/UR-10 arms", with two changes: the angle q2+q3+q4
is taken from a form that always has unit norm, and the three singular cases are solved instead of
divided through.

Det J = a2 a3 s3 s5 rho exactly, rho = a2 c2 + a3 c23 + d5 s234. A branch is (sign of rho, sign of
s5, sign of s3); its number is 4 (rho < 0) + 2 (s5 < 0) + (s3 < 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, atan2, cos, hypot, pi, sin, sqrt


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

Angles = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class UrGeometry:
    """Standard DH lengths (m) of a UR-type arm; twists are pi/2, 0, 0, pi/2, -pi/2, 0."""

    d1: float
    a2: float
    a3: float
    d4: float
    d5: float
    d6: float

    @property
    def reach(self) -> float:
        """Largest distance rho of the wrist from the base axis, in the arm's plane (m)."""
        return abs(self.a2) + abs(self.a3) + abs(self.d5)

    @property
    def span(self) -> tuple[float, float]:
        """Distance (m) from axis 2 to axis 4: folded, stretched."""
        return abs(abs(self.a2) - abs(self.a3)), abs(self.a2) + abs(self.a3)


def wrap(angle: float) -> float:
    """Angle plus a multiple of 2 pi, in [-pi, pi] rad."""
    return angle - 2.0 * pi * round(angle / (2.0 * pi))


def is_rigid(T: list[list[float]]) -> bool:
    """Whether a 4x4 nested list is a rigid transform within 1e-7; quick, for one pose."""
    (a, b, c, x), (d, e, f, y), (g, h, i, z), last = T
    # A sum, not a maximum: a NaN anywhere must come through.
    defect = (
        abs(a * a + b * b + c * c - 1.0)
        + abs(d * d + e * e + f * f - 1.0)
        + abs(a * d + b * e + c * f)
        # The third row is the cross product of the other two: orthogonal and right-handed.
        + abs(b * f - c * e - g)
        + abs(c * d - a * f - h)
        + abs(a * e - b * d - i)
        + 0.0 * (x + y + z)
    )
    return defect < 1e-7 and last == [0.0, 0.0, 0.0, 1.0]


def branches(
    g: UrGeometry, T: list[list[float]], q6_free: float = 0.0, tolerances: Tolerances = EXACT
) -> list[Angles]:
    """All postures that put the flange at T_base_flange, at most eight, in order of branch.

    T is a 4x4 nested list (m); angles come in [-pi, pi] rad, joint limits are not looked at.
    Branches that coincide at a singularity are given once. Where axes 4 and 6 coincide, q6 is
    q6_free if the arm then reaches, else a value with which it does.
    """
    (r11, r12, r13, px), (r21, r22, r23, py), (r31, r32, _, pz) = T[0], T[1], T[2]
    wx, wy = px - g.d6 * r13, py - g.d6 * r23
    rho2 = wx * wx + wy * wy - g.d4 * g.d4
    if not rho2 >= -2.0 * g.d4 * tolerances.reach:
        return []
    centre = atan2(wx, -wy)
    if rho2 < tolerances.snap:
        shoulders = [centre]
    else:
        half = atan2(sqrt(rho2), g.d4)
        shoulders = [centre - half, centre + half]
    folded, stretched = g.span
    found: list[Angles] = []
    for q1 in shoulders:
        s1, c1 = sin(q1), cos(q1)
        a = s1 * r11 - c1 * r21
        b = s1 * r12 - c1 * r22
        c5 = s1 * r13 - c1 * r23
        x1 = c1 * r11 + s1 * r21
        x2 = c1 * r12 + s1 * r22
        radial, height = c1 * px + s1 * py, pz - g.d1
        s5_size = hypot(a, b)
        if s5_size < tolerances.wrist:
            wrists = [(0.0, _free_q6(g, radial, height, c5, atan2(-x2, r32), q6_free))]
        else:
            wrists = [(s5_size, atan2(-b, a)), (-s5_size, atan2(b, -a))]
        for s5, q6 in wrists:
            q5 = atan2(s5, c5)
            s6, c6 = sin(q6), cos(q6)
            q234 = atan2(-(s6 * x1 + c6 * x2), s6 * r31 + c6 * r32)
            s234, c234 = sin(q234), cos(q234)
            kc = radial - s234 * g.d5 + c234 * s5 * g.d6
            ks = height + c234 * g.d5 + s234 * s5 * g.d6
            length = hypot(kc, ks)
            if not folded - tolerances.reach <= length <= stretched + tolerances.reach:
                continue
            c3 = (length * length - g.a2 * g.a2 - g.a3 * g.a3) / (2.0 * g.a2 * g.a3)
            c3 = min(1.0, max(-1.0, c3))
            s3_size = sqrt(1.0 - c3 * c3)
            for s3 in (s3_size, -s3_size) if s3_size > 0.0 else (0.0,):
                q3 = atan2(s3, c3)
                q2 = atan2(ks, kc) - atan2(g.a3 * s3, g.a2 + g.a3 * c3)
                q4 = q234 - q2 - q3
                found.append((wrap(q1), wrap(q2), q3, wrap(q4), q5, q6))
    return found


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
