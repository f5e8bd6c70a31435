"""The patient on the table: where the vertebra truly is, and how it breathes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array, inverse, perturbation, rigid_fit, transform
from guidearm.mapping import Registration

BREATHING_M = 0.3e-3
BREATHING_HZ = 0.25
# Half-amplitudes go with the unit vector in image axes (left, posterior, superior): mostly up and
# down for a patient who lies prone.
_BREATHING_AXIS = np.array([0.10, 0.95, 0.30])
# Prone, the table along base y, head towards +y, the arm at the patient's left side: columns are
# left, posterior and superior in base axes.
_PRONE = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]).T
_FIELD_BASE = np.array([0.42, 0.02, 0.16])
_PLACE_M = np.array([0.015, 0.015, 0.010])
_TURN_RAD = math.radians(2.5)


class Patient:
    """Truth about the patient; the vertebra's frame is the image's, truly registered.

    The patient is put on the table by the fiducials of the registration: their centroid lies about
    0.42 m in front of the base and 0.16 m above it, so a plan near them is within reach, and one
    far away is not.
    """

    def __init__(self, rng: np.random.Generator, registration: Registration) -> None:
        """Draw place, phase of breathing, and the true registration behind the declared one."""
        centroid = registration.fiducials_image.mean(axis=0)
        place = _FIELD_BASE + rng.uniform(-1.0, 1.0, 3) * _PLACE_M
        turn = perturbation(np.zeros(3), rng.normal(0.0, _TURN_RAD, 3))[:3, :3] @ _PRONE
        self._T_base_vertebra = transform(turn, place - turn @ centroid)
        self._phase = rng.uniform(0.0, 2.0 * math.pi)
        swing = _BREATHING_AXIS / np.linalg.norm(_BREATHING_AXIS) * BREATHING_M
        self._swing_base = turn @ swing
        self.T_patient_vertebra = registration.T_patient_image @ _registration_error(
            rng, registration
        )

    def T_base_vertebra(self, t: ArrayLike) -> Array:
        """Poses (..., 4, 4) of the vertebra, in image coordinates, at times (...) s."""
        angle = 2.0 * math.pi * BREATHING_HZ * np.asarray(t, dtype=np.float64) + self._phase
        shift = np.sin(angle)[..., None] * self._swing_base
        return transform(self._T_base_vertebra[:3, :3], self._T_base_vertebra[:3, 3] + shift)

    def T_base_patient(self, t: ArrayLike) -> Array:
        """Poses (..., 4, 4) of the patient's marker at times (...) s, moving with the vertebra."""
        return self.T_base_vertebra(t) @ inverse(self.T_patient_vertebra)


def _registration_error(rng: np.random.Generator, registration: Registration) -> Array:
    """T_image_vertebra: what a fit to fiducials localised with the declared FLE gets wrong."""
    fiducials = registration.fiducials_image
    noise = rng.normal(0.0, registration.fle_m / math.sqrt(3.0), fiducials.shape)
    error, _ = rigid_fit(fiducials + noise, fiducials)
    return error
