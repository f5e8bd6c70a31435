"""What the measured position of the guide does not tell: its uncertainty, by named contribution.

In a closed loop the measured error is near zero whatever the truth is, so honesty lies here. All
covariances are lateral, 2x2 in `Line.plane`, m^2; contributions are independent and add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from guidearm.calibration import GuideCalibration, MountRepeatability
from guidearm.geometry import Array, apply, inverse
from guidearm.mapping import Registration
from guidearm.positioning.line import Line
from guidearm.positioning.measurement import GuideMeasurement
from guidearm.tracking import ARM_MARKER, PATIENT, DataSheet, marker_covariance

PointCovariance = Callable[[Array], Array]
"""Covariance (3, 3) in the patient's axes of a point (3,) in the patient's frame."""


@dataclass(frozen=True, eq=False)
class Contribution:
    """One source of error: lateral covariances (2, 2) at entry and target, m^2."""

    name: str
    entry: Array
    target: Array

    @property
    def entry_mm(self) -> float:
        """2-D RMS at the entry, mm."""
        return 1e3 * math.sqrt(float(np.trace(self.entry)))

    @property
    def target_mm(self) -> float:
        """2-D RMS at the target, mm."""
        return 1e3 * math.sqrt(float(np.trace(self.target)))


def contributions(
    line: Line,
    measurement: GuideMeasurement,
    data_sheet: DataSheet,
    guide: GuideCalibration,
    mount: MountRepeatability,
    registration: PointCovariance,
) -> list[Contribution]:
    """Every contribution to the lateral error of `measurement` against `line`.

    `registration` gives the registration's covariance at a point, see `registration_error`.
    """
    white_m = data_sheet.fle_white_m / math.sqrt(measurement.frames_used)
    static_m = data_sheet.fle_static_m
    T_patient_arm_marker = measurement.T_patient_guide @ inverse(guide.T_arm_marker_guide)

    def patient(fle_m: float) -> PointCovariance:
        return lambda point: marker_covariance(data_sheet.spheres(PATIENT), fle_m, point)

    def arm(fle_m: float) -> PointCovariance:
        spheres = data_sheet.spheres(ARM_MARKER)
        rotation = T_patient_arm_marker[:3, :3]
        to_marker = inverse(T_patient_arm_marker)
        return lambda point: (
            rotation @ marker_covariance(spheres, fle_m, apply(to_marker, point)) @ rotation.T
        )

    def at_sleeve(translation_m: float, rotation_rad: float) -> PointCovariance:
        return lambda point: _tilted(
            measurement.T_patient_guide, point, translation_m, rotation_rad
        )

    sources: list[tuple[str, PointCovariance]] = [
        ("patient marker, white", patient(white_m)),
        ("patient marker, static", patient(static_m)),
        ("arm marker, white", arm(white_m)),
        ("arm marker, static", arm(static_m)),
        (
            "guide calibration",
            at_sleeve(guide.quality.translation_m, guide.quality.rotation_rad),
        ),
        ("sleeve mount", at_sleeve(mount.translation_m, mount.rotation_rad)),
        ("registration", registration),
    ]
    plane = line.plane
    table = [
        Contribution(name, plane @ at(line.entry) @ plane.T, plane @ at(line.target) @ plane.T)
        for name, at in sources
    ]
    return table + _motion(measurement, data_sheet.latency_s)


def registration_error(registration: Registration, confidence: float) -> PointCovariance:
    """Covariance of the registration at points of the patient's frame, fit for a bound.

    The FLE behind it is estimated from the residual, with f degrees of freedom. For one to hold at
    `confidence`, the bound of a 2-D error must come from F(2, f) instead of chi^2(2) / 2; in
    closed form f/2 (a^(-2/f) - 1) instead of -ln a, with a = 1 - confidence.
    """
    half = registration.degrees_of_freedom / 2.0
    doubt = 1.0 - confidence
    factor = half * (doubt ** (-1.0 / half) - 1.0) / -math.log(doubt)
    T_image_patient = inverse(registration.T_patient_image)
    rotation = registration.T_patient_image[:3, :3]

    def at(point: Array) -> Array:
        covariance = registration.target_covariance(apply(T_image_patient, point))
        return factor * (rotation @ covariance @ rotation.T)

    return at


def lateral_covariance(table: list[Contribution]) -> tuple[Array, Array]:
    """Sum of all contributions: (2, 2) at the entry and (2, 2) at the target, m^2."""
    zero = np.zeros((2, 2))
    return sum((c.entry for c in table), zero), sum((c.target for c in table), zero)


def _tilted(T_patient_guide: Array, point: Array, translation_m: float, tilt_rad: float) -> Array:
    """Covariance at a point of the axis, of an isotropic error of the sleeve's end and of tilt."""
    lever = float((point - T_patient_guide[:3, 3]) @ T_patient_guide[:3, 2])
    variance = (translation_m**2 + (tilt_rad * lever) ** 2) / 3.0
    return variance * np.eye(3)


def _motion(measurement: GuideMeasurement, latency_s: float) -> list[Contribution]:
    """Motion that stays while the pin goes in, and what it does in the time a frame is late."""
    breathing = measurement.breathing
    rate = 0.0 if breathing is None else 2.0 * math.pi * breathing.frequency_hz
    late = (rate * latency_s) ** 2
    entry, target = measurement.motion_entry, measurement.motion_target
    return [
        Contribution("residual motion", entry, target),
        Contribution("latency", late * entry, late * target),
    ]
