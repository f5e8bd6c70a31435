"""Small corrections of the commanded guide until the tracker sees it on the plan."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from guidearm.errors import MotionError
from guidearm.geometry import Array, exp_so3, log_so3, transform
from guidearm.positioning.line import Line, LineError
from guidearm.positioning.measurement import GuideMeasurement

# A correction may not make things worse by more than this factor, twice in a row.
_WORSE = 1.2


@dataclass(frozen=True)
class CorrectionLimits:
    """When a correction is done, and what it may never do.

    Fields:
        tolerance_m, tolerance_rad: done when lateral error at both ends, depth and tilt are under.
        step_m, step_rad: most that one correction moves and turns; a larger one is shortened.
        excursion_m, excursion_rad: most that all corrections together may move and turn away from
            the first command; beyond, the correction is refused.
        iterations: most corrections.
    """

    tolerance_m: float = 0.08e-3
    tolerance_rad: float = math.radians(0.05)
    step_m: float = 5e-3
    step_rad: float = math.radians(2.0)
    excursion_m: float = 15e-3
    excursion_rad: float = math.radians(5.0)
    iterations: int = 6


@dataclass(frozen=True, eq=False)
class Correction:
    """Outcome of a correction.

    Fields:
        T_base_guide: (4, 4) last commanded pose.
        measurements: one before each correction and the last one; the first is uncorrected.
        converged: the last one is within tolerance.
    """

    T_base_guide: Array
    measurements: tuple[GuideMeasurement, ...]
    converged: bool

    @property
    def final(self) -> GuideMeasurement:
        """The measurement after the last correction."""
        return self.measurements[-1]


def corrected_command(
    line: Line,
    measurement: GuideMeasurement,
    T_base_guide: Array,
    T_base_camera: Array,
    limits: CorrectionLimits,
) -> Array:
    """Return the next T_base_guide (4, 4): the last one, moved by what the tracker says is missing.

    The measured guide is to be turned onto the line by the smallest rotation (so its roll stays)
    and its end to be shifted to its place. Both are vectors in the patient's frame; only the
    direction of base axes in that frame is taken from T_base_camera, so an error of its position
    does not matter and one of its rotation by an angle a leaves 2 sin(a / 2) of the error for the
    next iteration.
    """
    rotation, shift = missing_motion(line, measurement.T_patient_guide, measurement.standoff_m)
    share = min(
        1.0,
        limits.step_m / max(float(np.linalg.norm(shift)), 1e-12),
        limits.step_rad / max(float(np.linalg.norm(rotation)), 1e-12),
    )
    R_base_patient = T_base_camera[:3, :3] @ measurement.T_camera_patient[:3, :3]
    turn = exp_so3(R_base_patient @ (share * rotation))
    moved = T_base_guide[:3, 3] + R_base_patient @ (share * shift)
    return transform(turn @ T_base_guide[:3, :3], moved)


def missing_motion(line: Line, T_patient_guide: Array, standoff_m: float) -> tuple[Array, Array]:
    """Rotation vector (3,) and shift of the guide's end (3,) that bring a guide onto `line`."""
    axis = T_patient_guide[:3, 2]
    cross = np.cross(axis, line.direction)
    sine, cosine = float(np.linalg.norm(cross)), float(axis @ line.direction)
    # For parallel axes the cross product is zero and so is the rotation.
    rotation = cross * (math.atan2(sine, cosine) / sine) if sine > 0.0 else np.zeros(3)
    place = line.entry - standoff_m * line.direction
    return rotation, place - T_patient_guide[:3, 3]


def correct(
    line: Line,
    T_base_guide: Array,
    T_base_camera: Array,
    *,
    measure: Callable[[], GuideMeasurement],
    move: Callable[[Array], None],
    limits: CorrectionLimits | None = None,
) -> Correction:
    """Measure and correct until the guide is on the line within tolerance.

    Takes:
        line: planned line in the patient's frame.
        T_base_guide: (4, 4) pose last commanded; the arm rests there.
        T_base_camera: (4, 4) from `locate_camera`.
        measure: a fresh measurement of the guide at rest, with the standoff wanted.
        move: brings the guide to a new T_base_guide and returns when the arm is at rest.
        limits: see `CorrectionLimits`.

    Returns after `limits.iterations` corrections even if not within tolerance; the gate judges.
    Raises MotionError, before moving, if what is missing lies beyond the excursion, even if a
    single step would not, or if the error grew twice instead of shrinking. What `measure` and
    `move` raise passes through.
    """
    limits = CorrectionLimits() if limits is None else limits
    unlimited = replace(limits, step_m=math.inf, step_rad=math.inf)
    start = T_base_guide
    measurements = [measure()]
    worse = 0
    for _ in range(limits.iterations):
        if within(measurements[-1].error, limits):
            return Correction(T_base_guide, tuple(measurements), converged=True)
        last = measurements[-1]
        whole = corrected_command(line, last, T_base_guide, T_base_camera, unlimited)
        _check_excursion(start, whole, limits)
        command = corrected_command(line, last, T_base_guide, T_base_camera, limits)
        move(command)
        T_base_guide = command
        measurements.append(measure())
        worse = worse + 1 if _grew(measurements, limits) else 0
        if worse == 2:
            before, after = (m.error.worst_m * 1e3 for m in measurements[-2:])
            raise MotionError(
                f"the correction makes the error grow ({before:.2f} to {after:.2f} mm): was the "
                "camera or the patient's marker moved? locate the camera again"
            )
    done = within(measurements[-1].error, limits)
    return Correction(T_base_guide, tuple(measurements), converged=done)


def within(error: LineError, limits: CorrectionLimits) -> bool:
    """Tell whether a deviation is under the tolerances."""
    return (
        error.worst_m <= limits.tolerance_m
        and abs(float(error.depth_m)) <= limits.tolerance_m
        and float(error.angle_rad) <= limits.tolerance_rad
    )


def _grew(measurements: list[GuideMeasurement], limits: CorrectionLimits) -> bool:
    before, after = (m.error.worst_m for m in measurements[-2:])
    return after > max(_WORSE * before, 2.0 * limits.tolerance_m)


def _check_excursion(start: Array, command: Array, limits: CorrectionLimits) -> None:
    moved = float(np.linalg.norm(command[:3, 3] - start[:3, 3]))
    turned = float(np.linalg.norm(log_so3(command[:3, :3] @ start[:3, :3].T)))
    if moved > limits.excursion_m or turned > limits.excursion_rad:
        raise MotionError(
            f"the correction would take the guide {moved * 1e3:.1f} mm and "
            f"{math.degrees(turned):.1f} deg from where the arm was sent, more than "
            f"{limits.excursion_m * 1e3:.0f} mm or {math.degrees(limits.excursion_rad):.0f} deg: "
            "check registration, hand-eye calibration and joint zeros"
        )
