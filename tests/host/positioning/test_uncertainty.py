from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from guidearm.calibration import GuideCalibration, MountRepeatability, Quality
from guidearm.geometry import Array, apply, inverse, perturbation, rigid_fit
from guidearm.mapping import Registration
from guidearm.positioning import (
    Breathing,
    GuideMeasurement,
    Line,
    contributions,
    lateral_covariance,
    line_error,
    registration_error,
)
from guidearm.positioning.gate import REMEDIES
from guidearm.tracking import ARM_MARKER, PATIENT, DataSheet

QUALITY = Quality(0.1e-3, 0.67e-3, 0.0, 1, datetime(2025, 1, 1, tzinfo=UTC))
GUIDE = GuideCalibration(perturbation([0.0, 0.11, 0.06], [0.1, 0.0, 0.2]), QUALITY)
MOUNT = MountRepeatability()
SHEET = DataSheet()
LINE = Line(np.array([-0.11, 0.02, 0.0]), np.array([-0.136, 0.0, -0.027]))
T_CAMERA_PATIENT = perturbation([0.1, -0.05, 1.4], [0.3, 2.0, -0.4])


def on_the_line(
    breathing: Breathing | None = None, motion: Array | None = None
) -> GuideMeasurement:
    motion = np.zeros((2, 2)) if motion is None else motion
    return GuideMeasurement(
        T_patient_guide=LINE.pose(0.01),
        T_camera_patient=T_CAMERA_PATIENT,
        T_camera_arm_marker=T_CAMERA_PATIENT @ LINE.pose(0.01) @ inverse(GUIDE.T_arm_marker_guide),
        error=line_error(LINE, LINE.pose(0.01), 0.01),
        standoff_m=0.01,
        breathing=breathing,
        motion_entry=motion,
        motion_target=motion,
        arm_drift_m=0.0,
        frames_used=100,
        frames_dropped=0,
        first_s=0.0,
        last_s=8.0,
    )


def registration() -> Registration:
    fiducials = np.array(
        [[x, y, z] for x in (-0.04, 0.045) for y in (-0.03, 0.035) for z in (-0.035, 0.03)]
    )
    return Registration(
        T_patient_image=perturbation([-0.1, 0.02, 0.01], [0.4, 1.0, -2.0]),
        residual_m=0.1e-3,
        fiducials_image=fiducials,
        date=datetime(2025, 1, 1, tzinfo=UTC),
        image_uid="1.2.3",
    )


def none(_: Array) -> Array:
    return np.zeros((3, 3))


def test_tracker_and_sleeve_errors_are_those_of_a_simulated_chain() -> None:
    """Every error drawn, the whole chain computed, lateral scatter compared with the sum."""
    rng = np.random.default_rng(3)
    truth = on_the_line()
    axis = 1.0 / math.sqrt(3.0)

    def draw(translation_m: float, rotation_rad: float) -> Array:
        return perturbation(
            rng.normal(0.0, translation_m * axis, 3), rng.normal(0.0, rotation_rad * axis, 3)
        )

    def seen(name: str, T_camera_marker: Array) -> Array:
        spheres = SHEET.spheres(name)
        noise = rng.normal(0.0, SHEET.fle_static_m * axis, spheres.shape)
        noise += rng.normal(0.0, SHEET.fle_white_m * axis / 10.0, spheres.shape)
        return rigid_fit(spheres, apply(T_camera_marker, spheres) + noise)[0]

    entry: list[Array] = []
    target: list[Array] = []
    for _ in range(3000):
        T_patient_guide = (
            inverse(seen(PATIENT, truth.T_camera_patient))
            @ seen(ARM_MARKER, truth.T_camera_arm_marker)
            @ GUIDE.T_arm_marker_guide
            @ draw(QUALITY.translation_m, QUALITY.rotation_rad)
            @ draw(MOUNT.translation_m, MOUNT.rotation_rad)
        )
        error = line_error(LINE, T_patient_guide, 0.01)
        entry.append(error.entry)
        target.append(error.target)
    table = contributions(LINE, truth, SHEET, GUIDE, MOUNT, none)
    for found, declared in zip((entry, target), lateral_covariance(table), strict=True):
        scatter = np.cov(np.array(found).T)
        assert np.linalg.norm(scatter - declared) < 0.08 * np.linalg.norm(declared)


def test_only_the_white_part_averages_out() -> None:
    table = {c.name: c for c in contributions(LINE, on_the_line(), SHEET, GUIDE, MOUNT, none)}
    for marker in ("patient marker", "arm marker"):
        white, static = table[f"{marker}, white"], table[f"{marker}, static"]
        assert white.target_mm / static.target_mm == pytest.approx(0.08 / 0.09 / 10.0)


def test_the_gate_knows_a_remedy_for_every_source() -> None:
    table = contributions(LINE, on_the_line(), SHEET, GUIDE, MOUNT, none)
    assert {source.name for source in table} == set(REMEDIES)


def test_breathing_and_latency_are_in_the_table() -> None:
    motion = np.diag([(0.2e-3) ** 2, 0.0])
    breathing = Breathing(0.25, 0.3e-3)
    table = contributions(LINE, on_the_line(breathing, motion), SHEET, GUIDE, MOUNT, none)
    by_name = {c.name: c for c in table}
    assert by_name["residual motion"].target_mm == pytest.approx(0.2)
    # 60 ms late at 2 pi 0.25 per second.
    assert by_name["latency"].target_mm == pytest.approx(0.2 * 2 * math.pi * 0.25 * 0.06)


def test_registration_is_turned_into_the_patient_and_widened_for_its_few_fiducials() -> None:
    given = registration()
    at = registration_error(given, 0.999)
    T = given.T_patient_image
    point_image = np.array([0.02, -0.05, 0.01])
    ratio = at(apply(T, point_image)) @ np.linalg.inv(
        T[:3, :3] @ given.target_covariance(point_image) @ T[:3, :3].T
    )
    # 18 degrees of freedom: F(2, 18) at 99.9 % is 10.39, chi^2(2) / 2 is 6.908.
    np.testing.assert_allclose(ratio, np.eye(3) * 10.390 / 6.908, atol=2e-3)


def test_the_widened_registration_bound_holds_when_fle_is_estimated() -> None:
    """With FLE known only from the residual, 95 % of true errors stay under the 95 % bound."""
    rng = np.random.default_rng(8)
    given = registration()
    fiducials = given.fiducials_image
    point = np.array([0.02, -0.05, 0.01])
    line = Line(apply(given.T_patient_image, point), apply(given.T_patient_image, point * 0.5))
    inside = 0
    for _ in range(2000):
        noise = rng.normal(0.0, 0.12e-3, fiducials.shape)
        error, fre = rigid_fit(fiducials + noise, fiducials)
        found = Registration(given.T_patient_image, fre, fiducials, given.date, given.image_uid)
        plane = line.plane
        covariance = plane @ registration_error(found, 0.95)(line.entry) @ plane.T
        miss = plane @ given.T_patient_image[:3, :3] @ (apply(error, point) - point)
        inside += int(miss @ np.linalg.inv(covariance) @ miss < -2.0 * math.log(0.05))
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)
