"""The guide along a straight line: the approach along its axis, and small corrections."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import MotionError, SingularityError, UnreachableError
from guidearm.geometry import Array, check_transform, exp_so3, inverse, pose_difference, transform
from guidearm.kinematics.guide_axis import LEAST_SINGULARITY
from guidearm.motion.hermite import bend, cubic_hermite
from guidearm.motion.limits import JointLimits, as_posture, check_limits
from guidearm.motion.on_path import PathMotion
from guidearm.motion.profile import Limits
from guidearm.motion.scurve import plan_scurve

# Collaborative robots near people move at most 250 mm/s (ISO 10218-1:2011, reduced speed).
FASTEST_M_S = 0.250
LARGEST_ROTATION_DEG = 30.0
# A rotation of the guide counts as the path of a point this far from its origin.
ROTATION_ARM_M = 0.100
# From rest to full speed: a third each for rise, hold and fall of the acceleration.
RAMP_S = 0.3

_KNOT_SPACING_M = 0.001
# How far the start may be from where the arm stands, and the joint path from the line between
# its knots: a tenth of the 10 um and 0.01 deg that the guide may leave the line by.
_NEAR = np.array([1e-6] * 3 + [np.radians(0.001)] * 3)
_SOLVED = 1e-10
_MOST_ITERATIONS = 12


class LineArm(JointLimits, Protocol):
    """What a line move asks of an arm, nominal or calibrated."""

    def forward(self, q: ArrayLike) -> Array:
        """T_base_flange (..., 4, 4) at q (..., 6) rad."""
        ...

    def jacobian(self, q: ArrayLike) -> Array:
        """Flange velocity by joint velocity, (..., 6, 6): linear rows first, base axes."""
        ...

    def singularity(self, q: ArrayLike) -> Array:
        """Distance from the nearest singularity (...), 0 to 1."""
        ...


@dataclass(frozen=True, eq=False)
class _Line:
    """Poses of the tool from fraction 0 to 1: origin on a straight line, one axis of rotation."""

    T_base_start: Array
    translation: Array
    rotation_vector: Array

    @property
    def length_m(self) -> float:
        turned = ROTATION_ARM_M * np.linalg.norm(self.rotation_vector)
        return float(np.linalg.norm(self.translation) + turned)

    def pose(self, fraction: Array) -> Array:
        """T_base_tool (n, 4, 4) at fractions (n,)."""
        f = fraction[..., None]
        R = exp_so3(f * self.rotation_vector) @ self.T_base_start[:3, :3]
        return transform(R, self.T_base_start[:3, 3] + f * self.translation)


@dataclass(frozen=True, eq=False)
class KnotPath:
    """Joints through knots at equal fractions of the way.

    `position` (n + 1, 6) rad and `slope` (n + 1, 6) rad, its derivative by the fraction.
    """

    position: Array
    slope: Array

    def at(self, fraction: Array) -> tuple[Array, Array, Array]:
        """Postures (n, 6) rad at fractions (n,), and their first and second derivatives by it."""
        count = len(self.position) - 1
        i = np.clip((fraction * count).astype(np.int64), 0, count - 1)
        u = (fraction * count - i)[..., None]
        width = np.asarray(1.0 / count)
        piece = (self.position[i], self.slope[i], self.position[i + 1], self.slope[i + 1])
        return *cubic_hermite(u, width, *piece), bend(u, width, *piece)


@dataclass(frozen=True, eq=False)
class LineMove(PathMotion):
    """A straight line of the tool: a motion along the joint path that follows it.

    `length_m` is the way of the tool, rotation included.
    """

    length_m: float

    @property
    def speed_m_s(self) -> float:
        """Speed limit of the tool on the line, m/s: as asked, or lower where a joint needs it."""
        return self.limits.velocity * self.length_m


def line_move(
    arm: LineArm,
    T_flange_tool: ArrayLike,
    T_base_tool_start: ArrayLike,
    T_base_tool_end: ArrayLike,
    q0: ArrayLike,
    speed_m_s: float,
    label: str = "line move",
) -> LineMove:
    """Move the tool straight from one pose to another, transforms (4, 4), from posture q0 (6,).

    The tool's origin stays on the line between the two; its orientation turns about one fixed
    axis, by at most 30 deg, and is constant for an approach. The joints follow by Newton's method
    from posture to posture, so the branch of q0 is held. `speed_m_s` is the largest speed of the
    origin and of points within 100 mm of it; where a joint's velocity, acceleration or jerk limit
    demands it the whole move is slower.

    Refused as a whole: MotionError for bad input or if q0 does not put the tool at the start;
    LimitError if a joint would leave its range; SingularityError if the line passes within 0.05
    of a singularity; UnreachableError if the arm cannot follow.
    """
    start = as_posture(q0, arm, f"{label}: start")
    if not 0.0 < speed_m_s <= FASTEST_M_S:
        raise MotionError(
            f"{label}: {speed_m_s * 1e3:g} mm/s is not above 0 and at most "
            f"{FASTEST_M_S * 1e3:.0f} mm/s"
        )
    T_tool_flange = inverse(check_transform(T_flange_tool, "T_flange_tool"))
    line = _line(
        check_transform(T_base_tool_start, "T_base_tool_start"),
        check_transform(T_base_tool_end, "T_base_tool_end"),
        label,
    )
    _check_start(arm, start, line, T_tool_flange, label)
    count = max(8, int(np.ceil(line.length_m / _KNOT_SPACING_M)))
    fraction = np.linspace(0.0, 1.0, count + 1)
    position = _follow(arm, line.pose(fraction) @ T_tool_flange, start, line.length_m, label)
    check_limits(position, arm, label)
    path = KnotPath(position, _slopes(arm, position, line, T_tool_flange))
    _check_path(arm, path, line, T_tool_flange, label)
    if line.length_m == 0.0:
        return LineMove(path, plan_scurve(0.0, 1.0, 1.0, 1.0), Limits(inf, inf, inf), label, 0.0)
    pace = speed_m_s / line.length_m
    asked = Limits(pace, 1.5 * pace / RAMP_S, 4.5 * pace / RAMP_S**2)
    limits = _within_limits(arm, path, asked)
    return LineMove(path, plan_scurve(1.0, *limits), limits, label, line.length_m)


def _line(T_base_start: Array, T_base_end: Array, label: str) -> _Line:
    difference = pose_difference(T_base_end, T_base_start)
    turn_deg = float(np.degrees(np.linalg.norm(difference[3:])))
    if turn_deg > LARGEST_ROTATION_DEG:
        raise MotionError(
            f"{label}: the tool would turn by {turn_deg:.1f} deg on a line, at most "
            f"{LARGEST_ROTATION_DEG:.0f} deg is allowed: turn it by a joint move first"
        )
    return _Line(T_base_start, difference[:3], difference[3:])


def _check_start(arm: LineArm, start: Array, line: _Line, T_tool_flange: Array, label: str) -> None:
    off = pose_difference(line.T_base_start, arm.forward(start) @ inverse(T_tool_flange))
    if np.any(np.abs(off) > _NEAR):
        raise MotionError(
            f"{label}: the tool stands {np.linalg.norm(off[:3]) * 1e3:.3f} mm and "
            f"{np.degrees(np.linalg.norm(off[3:])):.3f} deg from the start of the line: "
            "begin the line where the arm stands"
        )


def _follow(arm: LineArm, T_base_flange: Array, start: Array, length_m: float, label: str) -> Array:
    """Postures (n, 6) at the flange poses (n, 4, 4), each solved from the one before it."""
    position = np.empty((len(T_base_flange), len(start)))
    position[0] = start
    for i, target in enumerate(T_base_flange):
        where = f"{label}: {length_m * i / (len(position) - 1) * 1e3:.1f} mm along the line"
        # The posture the last two point to is a better first guess than the last one.
        guess = 2.0 * position[i - 1] - position[i - 2] if i > 1 else start
        position[i] = start if i == 0 else _solve(arm, target, guess, where)
        distance = float(arm.singularity(position[i]))
        if distance < LEAST_SINGULARITY:
            raise SingularityError(
                f"{where} the arm is {distance:.3f} from a singularity, at least "
                f"{LEAST_SINGULARITY} is needed: choose another posture"
            )
    return position


def _solve(arm: LineArm, T_base_flange: Array, guess: Array, where: str) -> Array:
    q = guess
    for _ in range(_MOST_ITERATIONS):
        off = pose_difference(T_base_flange, arm.forward(q))
        if np.max(np.abs(off)) < _SOLVED:
            return q
        try:
            q = q + np.linalg.solve(arm.jacobian(q), off)
        except np.linalg.LinAlgError:
            break
    raise UnreachableError(f"{where} the arm cannot follow: choose another posture")


def _slopes(arm: LineArm, position: Array, line: _Line, T_tool_flange: Array) -> Array:
    """Change of the joints by the fraction of the way, (n, 6) rad."""
    fraction = np.linspace(0.0, 1.0, len(position))
    T_base_tool = line.pose(fraction)
    lever = (T_base_tool @ T_tool_flange)[:, :3, 3] - T_base_tool[:, :3, 3]
    twist = np.empty((len(position), 6))
    twist[:, :3] = line.translation + np.cross(line.rotation_vector, lever)
    twist[:, 3:] = line.rotation_vector
    slope = np.linalg.solve(arm.jacobian(position), twist[..., None])[..., 0]
    return np.asarray(slope, dtype=np.float64)


def _check_path(
    arm: LineArm, path: KnotPath, line: _Line, T_tool_flange: Array, label: str
) -> None:
    """Refuse unless the tool is on the line between the knots as well.

    This is also what holds the branch: no joint path leads from one to another along a line.
    """
    count = len(path.position) - 1
    between = (np.arange(3 * count) + 0.5) / (3 * count)
    q, _, _ = path.at(between)
    off = pose_difference(line.pose(between) @ T_tool_flange, arm.forward(q))
    worst = np.max(np.abs(off), axis=0)
    if np.any(worst > _NEAR):
        raise MotionError(
            f"{label}: between its knots the joint path leaves the line by "
            f"{np.max(worst[:3]) * 1e6:.1f} um and {np.degrees(np.max(worst[3:])):.4f} deg: "
            "choose a posture farther from a singularity"
        )


def _within_limits(arm: LineArm, path: KnotPath, asked: Limits) -> Limits:
    """Slow the limits along the path until every joint keeps its own, by whatever curve.

    So they hold for velocity, acceleration and jerk along the path at their largest together. Time
    is stretched as a whole: velocity, acceleration and jerk fall by its first to third power.
    """
    v, a, j = asked
    slope = np.abs(path.slope)
    fraction = np.linspace(0.0, 1.0, len(slope))
    second = np.gradient(path.slope, fraction, axis=0)
    third = np.abs(np.gradient(second, fraction, axis=0))
    second = np.abs(second)
    factor = max(
        float(np.max(slope * v / arm.velocity)),
        float(np.max((slope * a + second * v**2) / arm.acceleration)) ** (1 / 2),
        float(np.max((slope * j + 3.0 * second * v * a + third * v**3) / arm.jerk)) ** (1 / 3),
    )
    # Between the knots a joint may be a little faster than at them.
    factor = max(1.0, factor / 0.99)
    return Limits(v / factor, a / factor**2, j / factor**3)
