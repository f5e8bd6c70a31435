from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from guidearm.errors import MotionError
from guidearm.geometry import Array, exp_so3, inverse, perturbation, transform
from guidearm.positioning import CorrectionLimits, GuideMeasurement, Line, correct, line_error

LINE = Line(np.array([-0.11, 0.02, 0.0]), np.array([-0.136, 0.0, -0.027]))
STANDOFF = 0.01
T_BASE_CAMERA = perturbation([1.0, -0.6, 1.0], [2.0, 0.4, -0.3])
T_CAMERA_PATIENT = perturbation([0.1, -0.05, 1.4], [0.3, 2.0, -0.4])


class Arm:
    """An arm that is off by a constant error of its own, watched by a perfect tracker."""

    def __init__(self, error: Array) -> None:
        self.error = error
        self.moves: list[Array] = []
        self.first = T_BASE_CAMERA @ T_CAMERA_PATIENT @ LINE.pose(STANDOFF)
        self.commanded = self.first

    def move(self, T_base_guide: Array) -> None:
        self.moves.append(T_base_guide)
        self.commanded = T_base_guide

    def measure(self) -> GuideMeasurement:
        T_base_guide = self.commanded @ self.error
        T_patient_guide = inverse(T_BASE_CAMERA @ T_CAMERA_PATIENT) @ T_base_guide
        return GuideMeasurement(
            T_patient_guide=T_patient_guide,
            T_camera_patient=T_CAMERA_PATIENT,
            T_camera_arm_marker=np.eye(4),
            error=line_error(LINE, T_patient_guide, STANDOFF),
            standoff_m=STANDOFF,
            breathing=None,
            motion_entry=np.zeros((2, 2)),
            motion_target=np.zeros((2, 2)),
            arm_drift_m=0.0,
            frames_used=480,
            frames_dropped=0,
            first_s=0.0,
            last_s=8.0,
        )


LIMITS = CorrectionLimits(tolerance_m=0.01e-3, tolerance_rad=1e-4)


def test_lateral_error_tilt_and_depth_are_corrected() -> None:
    arm = Arm(perturbation([1.5e-3, -1e-3, 2e-3], [8e-3, -5e-3, 0.1]))
    done = correct(
        LINE, arm.first, T_BASE_CAMERA, measure=arm.measure, move=arm.move, limits=LIMITS
    )
    assert done.converged
    assert len(arm.moves) == 2
    assert done.measurements[0].error.worst_m > 1e-3
    final = done.final.error
    assert final.worst_m < 0.01e-3
    assert abs(float(final.depth_m)) < 0.01e-3
    assert float(final.angle_rad) < 1e-4
    np.testing.assert_array_equal(done.T_base_guide, arm.moves[-1])


def test_an_error_within_tolerance_is_left_alone() -> None:
    arm = Arm(perturbation([5e-6, 0.0, 0.0], np.zeros(3)))
    assert correct(
        LINE, arm.first, T_BASE_CAMERA, measure=arm.measure, move=arm.move, limits=LIMITS
    ).converged
    assert arm.moves == []


@pytest.mark.parametrize("axis", [[1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 0.7]])
def test_a_camera_assumed_elsewhere_and_turned_by_30_degrees_is_survived(
    axis: list[float],
) -> None:
    arm = Arm(perturbation([2e-3, -1e-3, 0.0], [5e-3, 0.0, 0.0]))
    turn = exp_so3(math.radians(30.0) * np.array(axis) / np.linalg.norm(axis))
    wrong = transform(turn @ T_BASE_CAMERA[:3, :3], T_BASE_CAMERA[:3, 3] + [0.2, -0.1, 0.3])
    limits = replace(LIMITS, iterations=12)
    done = correct(LINE, arm.first, wrong, measure=arm.measure, move=arm.move, limits=limits)
    assert done.converged


def test_a_step_is_capped() -> None:
    arm = Arm(perturbation([8e-3, 0.0, 0.0], np.zeros(3)))
    limits = replace(LIMITS, iterations=1)
    done = correct(
        LINE, arm.first, T_BASE_CAMERA, measure=arm.measure, move=arm.move, limits=limits
    )
    assert not done.converged
    moved = float(np.linalg.norm(arm.moves[0][:3, 3] - arm.first[:3, 3]))
    assert moved == pytest.approx(5e-3)


def test_an_excursion_beyond_its_cap_is_refused_before_it_is_made() -> None:
    arm = Arm(perturbation([20e-3, 0.0, 0.0], np.zeros(3)))
    with pytest.raises(MotionError, match=r"would take the guide 20\.0 mm") as refusal:
        correct(LINE, arm.first, T_BASE_CAMERA, measure=arm.measure, move=arm.move)
    assert "\n" not in str(refusal.value)
    assert arm.moves == []


def test_a_correction_that_makes_it_worse_is_refused() -> None:
    # The camera is assumed upside down: every step goes the wrong way.
    arm = Arm(perturbation([1e-3, 1e-3, 0.0], np.zeros(3)))
    turn = exp_so3(math.pi * (T_BASE_CAMERA @ T_CAMERA_PATIENT)[:3, :3] @ LINE.direction)
    wrong = transform(turn @ T_BASE_CAMERA[:3, :3], T_BASE_CAMERA[:3, 3])
    with pytest.raises(MotionError, match="makes the error grow"):
        correct(LINE, arm.first, wrong, measure=arm.measure, move=arm.move)
    assert len(arm.moves) == 2
