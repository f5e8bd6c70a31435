"""Where an arm stands: what is about it, where the patient's marker is, and the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array
from guidearm.kinematics.arm import Arm
from guidearm.kinematics.clearance import BASE, FLANGE, Room, Sight

SIGHT_RADIUS_M = 0.020
"""Kept free about a line of sight, beside the bodies, which are drawn generous."""
ARM_MARKER_VIEW = "the camera's view of the arm marker"
PATIENT_MARKER_VIEW = "the camera's view of the patient marker"


@dataclass(frozen=True, eq=False)
class Site:
    """What is known of the place: room, and poses (4, 4) in base coordinates, None if unknown."""

    room: Room
    T_base_patient: Array | None = None
    T_base_camera: Array | None = None

    def seen_by(self, T_base_camera: Array, T_base_patient: Array) -> Site:
        """Return the site with both poses as measured."""
        return Site(self.room, T_base_patient, T_base_camera)

    def about(self, arm: Arm, T_flange_arm_marker: ArrayLike | None = None) -> Room:
        """Return the room with the lines of sight that a camera whose place is known needs.

        What the flange carries does not hide its own marker; it may hide the patient's.
        """
        if self.T_base_camera is None:
            return self.room
        mount = arm.T_flange_arm_marker if T_flange_arm_marker is None else T_flange_arm_marker
        eye = self.T_base_camera[:3, 3]
        marker = np.asarray(mount, dtype=np.float64)[:3, 3]
        carried = frozenset(body.name for body in arm.bodies.bodies if body.link == FLANGE)
        sights = [Sight(ARM_MARKER_VIEW, eye, FLANGE, marker, SIGHT_RADIUS_M, carried)]
        if self.T_base_patient is not None:
            at = self.T_base_patient[:3, 3]
            sights.append(Sight(PATIENT_MARKER_VIEW, eye, BASE, at, SIGHT_RADIUS_M))
        return self.room.with_sights(*sights)
