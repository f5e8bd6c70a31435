"""The guide along a straight line: the approach along its axis, and small corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import MotionError, SingularityError, UnreachableError
from guidearm.geometry import Array, check_transform, exp_so3, inverse, pose_difference, transform
from guidearm.kinematics.guide_axis import LEAST_SINGULARITY
from guidearm.motion.hermite import cubic_hermite
from guidearm.motion.limits import JointLimits, as_posture, check_limits
from guidearm.motion.scurve import SCurve, plan_scurve

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
class LineMove:
    """A straight line of the tool in joint space.

    `position` (n + 1, 6) rad and `slope` (n + 1, 6) rad at equal fractions of the way; `curve`
    runs from 0 to 1 over them. `length_m` is the way of the tool, rotation included.
    """

    position: Array
    slope: Array
    curve: SCurve
    length_m: float
    label: str

    @property
    def duration_s(self) -> float:
        """Time from start to end, s."""
        return self.curve.duration_s

    @property
    def speed_m_s(self) -> float:
        """Speed of the tool reached on the way, m/s."""
        return self.curve.peak_velocity * self.length_m

    def sample(self, t: ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 6), rad and rad/s, at times t (n,) s."""
        fraction, pace, _ = self.curve.sample(t)
        q, by_fraction = _interpolate(self.position, self.slope, fraction)
        return q, by_fraction * pace[..., None]


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
    slope = _slopes(arm, position, line, T_tool_flange)
    _check_path(arm, position, slope, line, T_tool_flange, label)
    if line.length_m == 0.0:
        return LineMove(position, slope, plan_scurve(0.0, 1.0, 1.0, 1.0), 0.0, label)
    pace = speed_m_s / line.length_m
    curve = plan_scurve(1.0, pace, 1.5 * pace / RAMP_S, 4.5 * pace / RAMP_S**2)
    return LineMove(position, slope, _within_limits(arm, slope, curve), line.length_m, label)


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


def _interpolate(position: Array, slope: Array, fraction: Array) -> tuple[Array, Array]:
    """Joints (n, 6) and their change by the fraction (n, 6) at fractions (n,)."""
    count = len(position) - 1
    i = np.clip((fraction * count).astype(np.int64), 0, count - 1)
    u = (fraction * count - i)[..., None]
    width = np.asarray(1.0 / count)
    return cubic_hermite(u, width, position[i], slope[i], position[i + 1], slope[i + 1])


def _check_path(
    arm: LineArm, position: Array, slope: Array, line: _Line, T_tool_flange: Array, label: str
) -> None:
    """Refuse unless the tool is on the line between the knots as well.

    This is also what holds the branch: no joint path leads from one to another along a line.
    """
    count = len(position) - 1
    between = (np.arange(3 * count) + 0.5) / (3 * count)
    q, _ = _interpolate(position, slope, between)
    off = pose_difference(line.pose(between) @ T_tool_flange, arm.forward(q))
    worst = np.max(np.abs(off), axis=0)
    if np.any(worst > _NEAR):
        raise MotionError(
            f"{label}: between its knots the joint path leaves the line by "
            f"{np.max(worst[:3]) * 1e6:.1f} um and {np.degrees(np.max(worst[3:])):.4f} deg: "
            "choose a posture farther from a singularity"
        )


def _within_limits(arm: LineArm, slope: Array, curve: SCurve) -> SCurve:
    """Slow the curve down until every joint keeps its velocity, acceleration and jerk limits."""
    fraction = np.linspace(0.0, 1.0, len(slope))
    second = np.gradient(slope, fraction, axis=0)
    third = np.gradient(second, fraction, axis=0)
    s, v, a = (x[:, None] for x in curve.sample(np.linspace(0.0, curve.duration_s, 501)))
    i = np.rint(s[:, 0] * (len(slope) - 1)).astype(np.int64)
    speed = np.abs(slope[i] * v)
    acceleration = np.abs(slope[i] * a + second[i] * v**2)
    jerk = np.abs(slope[i]) * curve.jerk + np.abs(3.0 * second[i] * v * a + third[i] * v**3)
    factor = max(
        float(np.max(speed / arm.velocity)),
        float(np.max(acceleration / arm.acceleration)) ** (1 / 2),
        float(np.max(jerk / arm.jerk)) ** (1 / 3),
    )
    # Between the samples a joint may be a little faster than at them.
    return curve if factor <= 0.99 else curve.slowed(factor / 0.99)
