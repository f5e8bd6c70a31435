"""The simulated operating room: the truth, and what the host is told about it.

Everything is drawn from the seed, each subject from a stream of its own, so that planting a fault
or changing the tracker's noise leaves the rest of the world as it was. Host code never sees this
module; only the rig, the virtual tracker and the judge do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike

from guidearm.calibration import GuideCalibration, HandEye, MountRepeatability, Quality
from guidearm.geometry import Array, inverse, perturbation, transform
from guidearm.kinematics import Arm
from guidearm.mapping import Registration
from guidearm.planning import Plan
from guidearm.tracking import DataSheet
from guidearm_hil.patient import Patient

LINK_M, LINK_RAD = 0.3e-3, 0.7e-3
"""Errors of each link, one sigma per axis."""
CALIBRATION_M, CALIBRATION_RAD = 0.1e-3, 0.67e-3
"""Errors of hand-eye and guide calibration, 3-D RMS, declared to the host as such."""
WORKSHOP_M, WORKSHOP_RAD = 0.5e-3, 5e-3
"""How far the bracket as built is from its drawing, 3-D RMS; calibration finds this."""
CAMERA_DISTANCE_M = 1.4
_CAMERA_SIDE = np.array([0.62, -0.45, 0.64])
_CALIBRATION_DATE = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)
_CALIBRATION_POSES = 40


@dataclass(frozen=True)
class Faults:
    """Errors planted on purpose, all of a kind the tracker can see.

    Fields:
        joint_2_rad: added to the true angle of joint 2; 2 mm at the tip is 0.002 / its distance.
        flange_marker_m: the hand-eye calibration told to the host is off by this.
        camera_m: from `camera_at_s` on the camera stands this far from where it was.
        located_m: until `located_until_s` the arm marker is seen this far from where it is, as
            with a smeared sphere, so that the camera is located this far from where it is.
    """

    joint_2_rad: float = 0.0
    flange_marker_m: float = 0.0
    camera_m: float = 0.0
    camera_at_s: float = 0.0
    located_m: float = 0.0
    located_until_s: float = 0.0


class World:
    """Truth of one seed.

    What the host is told: `hand_eye`, `guide`, `mount`, `data_sheet`. All else is truth:
    `T_flange_arm_marker`, `T_arm_marker_guide` (with the sleeve as it sits now), `patient`, and
    the poses below. The bracket carries marker and sleeve, so a wrong hand-eye moves both.
    """

    def __init__(
        self,
        arm: Arm,
        seed: int,
        registration: Registration,
        plan: Plan,
        *,
        tracker_noise_m: float | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Draw the world of `seed`.

        `tracker_noise_m` is the total FLE of a sphere, white and static as 0.08 to 0.09; left out,
        it is just these, in mm.
        """
        self.arm, self.seed, self.plan, self.registration = arm, seed, plan, registration
        self.faults = Faults() if faults is None else faults
        self.data_sheet = (
            DataSheet() if tracker_noise_m is None else DataSheet.with_total_fle(tracker_noise_m)
        )
        links = self.stream(1).normal(0.0, 1.0, (7, 6)) * ([LINK_M] * 3 + [LINK_RAD] * 3)
        self._true_arm = arm.with_errors(links)
        self._draw_tool()
        self.patient = Patient(self.stream(3), registration)
        self._T_base_camera = self._place_camera(self.stream(4))

    def stream(self, subject: int, *more: int) -> np.random.Generator:
        """Random numbers of one subject of this seed."""
        return np.random.default_rng([self.seed, subject, *more])

    def _draw_tool(self) -> None:
        rng = self.stream(2)
        marker = self.arm.T_flange_arm_marker
        guide = inverse(marker) @ self.arm.T_flange_guide
        self.T_flange_arm_marker = marker @ small(rng, WORKSHOP_M, WORKSHOP_RAD)
        calibrated = guide @ small(rng, WORKSHOP_M, WORKSHOP_RAD)
        quality = Quality(
            CALIBRATION_M, CALIBRATION_RAD, CALIBRATION_M, _CALIBRATION_POSES, _CALIBRATION_DATE
        )
        told = self.T_flange_arm_marker @ small(rng, CALIBRATION_M, CALIBRATION_RAD)
        direction = rng.normal(size=3)
        told[:3, 3] += self.faults.flange_marker_m * direction / np.linalg.norm(direction)
        self.hand_eye = HandEye(told, quality)
        self.guide = GuideCalibration(
            calibrated @ small(rng, CALIBRATION_M, CALIBRATION_RAD), quality
        )
        self.mount = MountRepeatability()
        self.T_arm_marker_guide = calibrated @ small(
            rng, self.mount.translation_m, self.mount.rotation_rad
        )

    def _place_camera(self, rng: np.random.Generator) -> Array:
        """T_base_camera (4, 4): 1.4 m from the field, +z looking at it, image upright."""
        fiducials = self.registration.fiducials_image
        centre = self.patient.T_base_vertebra(0.0) @ np.append(fiducials.mean(axis=0), 1.0)
        side = _CAMERA_SIDE + rng.normal(0.0, 0.03, 3)
        forward = -side / np.linalg.norm(side)
        aside = np.cross(forward, [0.0, 0.0, 1.0])
        aside /= np.linalg.norm(aside)
        rotation = np.stack([aside, np.cross(forward, aside), forward], axis=1)
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        self._camera_bump = self.faults.camera_m * direction
        self._smear = self.faults.located_m * direction
        return transform(rotation, centre[:3] - CAMERA_DISTANCE_M * forward)

    def T_base_flange(self, q: ArrayLike) -> Array:
        """Give true poses (..., 4, 4) of the flange at true joint angles q (..., 6) rad."""
        angles = np.array(q, dtype=np.float64)
        angles[..., 1] += self.faults.joint_2_rad
        return self._true_arm.forward(angles)

    def T_base_arm_marker(self, q: ArrayLike) -> Array:
        """Give true poses (..., 4, 4) of the arm marker."""
        return self.T_base_flange(q) @ self.T_flange_arm_marker

    def T_base_guide(self, q: ArrayLike) -> Array:
        """Give true poses (..., 4, 4) of the guide."""
        return self.T_base_arm_marker(q) @ self.T_arm_marker_guide

    def T_base_camera(self, t: ArrayLike) -> Array:
        """Give true poses (..., 4, 4) of the camera at times (...) s."""
        bumped = np.asarray(t, dtype=np.float64) >= self.faults.camera_at_s
        T = self._T_base_camera
        return transform(T[:3, :3], T[:3, 3] + bumped[..., None] * self._camera_bump)

    def arm_marker_smear(self, t: ArrayLike) -> Array:
        """Give the shift (..., 3) of the arm marker as the camera sees it at times (...) s."""
        smeared = np.asarray(t, dtype=np.float64) < self.faults.located_until_s
        return smeared[..., None] * self._smear


def small(rng: np.random.Generator, translation_m: float, rotation_rad: float) -> Array:
    """Draw a transform (4, 4) near identity; both arguments are 3-D RMS lengths."""
    axis = 1.0 / math.sqrt(3.0)
    return perturbation(
        rng.normal(0.0, translation_m * axis, 3), rng.normal(0.0, rotation_rad * axis, 3)
    )
