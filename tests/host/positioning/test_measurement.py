from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from guidearm.calibration import GuideCalibration, HandEye, Quality
from guidearm.errors import MarkerLostError, TrackingError
from guidearm.geometry import Array, inverse, perturbation, transform
from guidearm.positioning import Line, line_error, locate_camera, measure_guide
from guidearm.tracking import ARM_MARKER, PATIENT, MarkerPose, MarkerStatus, TrackerFrame

QUALITY = Quality(0.1e-3, 0.67e-3, 0.0, 1, datetime(2025, 1, 1, tzinfo=UTC))
GUIDE = GuideCalibration(perturbation([0.0, 0.11, 0.06], [0.1, 0.0, 0.2]), QUALITY)
LINE = Line(np.array([-0.11, 0.02, 0.0]), np.array([-0.136, 0.0, -0.027]))
T_CAMERA_PATIENT = perturbation([0.1, -0.05, 1.4], [0.3, 2.0, -0.4])
OFFSET = perturbation([0.2e-3, -0.1e-3, 0.3e-3], [1e-3, 0.0, 2e-3])


def frames(
    duration_s: float, *, hz: float = 0.25, amplitude_m: float = 0.5e-3, phase: float = 0.0
) -> list[TrackerFrame]:
    """Watch a guide at rest, OFFSET from the line, over a patient that breathes; no noise."""
    T_patient_guide = LINE.pose(0.01) @ OFFSET
    T_camera_arm_marker = T_CAMERA_PATIENT @ T_patient_guide @ inverse(GUIDE.T_arm_marker_guide)
    made: list[TrackerFrame] = []
    for number in range(round(duration_s * 60)):
        time_s = number / 60
        swing = amplitude_m * math.sin(2 * math.pi * hz * time_s + phase)
        patient = transform(np.eye(3), swing * np.array([0.6, 0.0, 0.8])) @ T_CAMERA_PATIENT
        made.append(frame(number, time_s, patient, T_camera_arm_marker))
    return made


def frame(number: int, time_s: float, patient: Array | None, arm: Array | None) -> TrackerFrame:
    poses = {PATIENT: patient, ARM_MARKER: arm}
    markers = {
        name: MarkerPose(MarkerStatus.MISSING if T is None else MarkerStatus.VALID, T)
        for name, T in poses.items()
    }
    return TrackerFrame(number, time_s, markers)


def without(frames: list[TrackerFrame], name: str, numbers: range) -> list[TrackerFrame]:
    gone = MarkerPose(MarkerStatus.MISSING)
    return [
        TrackerFrame(f.number, f.time_s, {**f.markers, name: gone}) if f.number in numbers else f
        for f in frames
    ]


@pytest.mark.parametrize("phase", [0.0, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("hz", [0.2, 0.25, 0.33])
def test_the_mean_over_whole_breaths_does_not_depend_on_the_phase(hz: float, phase: float) -> None:
    measured = measure_guide(frames(9.0, hz=hz, phase=phase), LINE, GUIDE, standoff_m=0.01)
    expected = LINE.pose(0.01) @ OFFSET
    # A sample of the breath sticks out by up to 0.5 mm; so do means over broken breaths in part.
    np.testing.assert_allclose(measured.T_patient_guide[:3, 3], expected[:3, 3], atol=0.01e-3)
    exact = line_error(LINE, expected, 0.01)
    np.testing.assert_allclose(measured.error.entry, exact.entry, atol=0.01e-3)
    np.testing.assert_allclose(measured.error.target, exact.target, atol=0.01e-3)
    assert measured.breathing is not None
    assert measured.breathing.frequency_hz == pytest.approx(hz, rel=0.01)
    breaths = measured.frames_used / 60 * hz
    assert breaths == pytest.approx(round(breaths), abs=0.02)
    assert measured.motion_m == pytest.approx(0.5e-3, rel=0.02)


def test_motion_is_the_lateral_part_of_breathing() -> None:
    measured = measure_guide(frames(8.0), LINE, GUIDE)
    swing = T_CAMERA_PATIENT[:3, :3].T @ (0.5e-3 * np.array([0.6, 0.0, 0.8]))
    lateral = LINE.plane @ swing
    np.testing.assert_allclose(measured.motion_target, np.outer(lateral, lateral) / 2.0, atol=2e-9)


def test_a_still_patient_has_no_breathing() -> None:
    measured = measure_guide(frames(2.0, amplitude_m=0.0), LINE, GUIDE)
    assert measured.breathing is None
    assert measured.motion_m == 0.0
    assert measured.frames_used == 120
    np.testing.assert_array_equal(measured.motion_entry, 0.0)


def test_frames_without_both_markers_are_dropped_and_counted() -> None:
    some = without(frames(8.0), ARM_MARKER, range(100, 130))
    measured = measure_guide(some, LINE, GUIDE)
    assert measured.frames_dropped == 30


def test_frames_before_the_arm_came_to_rest_are_not_used() -> None:
    moving = [frame(n, n / 60, T_CAMERA_PATIENT, np.eye(4)) for n in range(60)]
    rest = [TrackerFrame(f.number + 60, f.time_s + 1.0, f.markers) for f in frames(8.0)]
    with_all = measure_guide(moving + rest, LINE, GUIDE, since_s=1.0)
    np.testing.assert_array_equal(
        with_all.T_patient_guide, measure_guide(rest, LINE, GUIDE).T_patient_guide
    )
    assert with_all.first_s >= 1.0


def test_one_sample_repeated_is_one_sample() -> None:
    stale = frames(8.0)[:10] * 20
    with pytest.raises(TrackingError, match="10 frames with both markers"):
        measure_guide(stale, LINE, GUIDE)


def test_less_than_a_breath_is_refused() -> None:
    with pytest.raises(TrackingError, match="less than one breath"):
        measure_guide(frames(3.5), LINE, GUIDE)


def test_a_marker_that_is_never_seen_is_named() -> None:
    with pytest.raises(MarkerLostError, match="'patient' was missing in all 480 frames"):
        measure_guide(without(frames(8.0), PATIENT, range(480)), LINE, GUIDE)


def test_an_arm_that_drifts_is_seen() -> None:
    made = [
        frame(
            f.number,
            f.time_s,
            f.transform(PATIENT),
            transform(np.eye(3), [0.1e-3 * f.time_s, 0, 0]) @ f.transform(ARM_MARKER),
        )
        for f in frames(8.0)
    ]
    measured = measure_guide(made, LINE, GUIDE)
    assert measured.arm_drift_m == pytest.approx(0.4e-3, rel=0.01)


def test_the_camera_is_where_the_arm_says() -> None:
    hand_eye = HandEye(perturbation([0.0, -0.06, 0.05], [0.0, 0.1, 0.0]), QUALITY)
    T_base_flange = perturbation([0.4, 0.0, 0.3], [3.0, 0.1, 0.0])
    seen = frames(1.0)
    T_base_camera = locate_camera(T_base_flange, hand_eye, seen)
    np.testing.assert_allclose(
        T_base_camera @ seen[0].transform(ARM_MARKER),
        T_base_flange @ hand_eye.T_flange_arm_marker,
        atol=1e-12,
    )
    with pytest.raises(TrackingError, match="camera cannot be located: marker 'arm_marker'"):
        locate_camera(T_base_flange, hand_eye, without(seen, ARM_MARKER, range(60)))
