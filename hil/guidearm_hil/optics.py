"""How an optical tracker sees spheres: a static error field, white noise, and a rigid fit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from guidearm.geometry import Array, apply, transform

_FEATURES = 64
CORRELATION_M = 0.020
# Depth range and half-angle of the measuring volume, as of the common two-camera trackers.
NEAREST_M = 0.95
FARTHEST_M = 2.4
HALF_ANGLE_RAD = math.radians(28.0)


class StaticField:
    """A smooth random error of position for each sphere of a marker.

    Each sphere and axis has a Gaussian random field of its own over the measuring volume (random
    Fourier features, Rahimi and Recht 2007) with a squared-exponential correlation: 0.61 at one
    correlation length of 20 mm. So the error stays while the marker stays, hardly changes with a
    correction, and is a new one for another arm pose.
    """

    def __init__(self, rng: np.random.Generator, spheres: int, rms_m: float) -> None:
        """Draw the fields of `spheres` spheres; `rms_m` is the 3-D RMS of a sphere's error."""
        shape = (spheres, 3 * _FEATURES)
        self._waves = rng.normal(0.0, 1.0 / CORRELATION_M, (*shape, 3))
        self._phases = rng.uniform(0.0, 2.0 * math.pi, shape)
        self._scale = rms_m / math.sqrt(3.0) * math.sqrt(2.0 / _FEATURES)

    def at(self, spheres_camera: Array) -> Array:
        """Error (..., n, 3) of the n spheres at (..., n, 3) in the camera's frame, metres."""
        # (n, 192, 3) times (..., n, 3, 1), then one cosine per sphere, axis and feature.
        angle = (self._waves @ spheres_camera[..., None])[..., 0] + self._phases
        shape = (*spheres_camera.shape, _FEATURES)
        return self._scale * np.cos(angle).reshape(shape).sum(axis=-1)


class MarkerOptics:
    """One marker in front of the camera."""

    def __init__(
        self, rng: np.random.Generator, spheres: Array, white_m: float, static_m: float
    ) -> None:
        """Give its spheres (n, 3) in the marker's frame and the 3-D RMS of its two errors."""
        self._spheres = spheres
        self._white_m = white_m / math.sqrt(3.0)
        self._field = StaticField(rng, len(spheres), static_m)

    def see(self, T_camera_marker: Array, noise: Array) -> Array:
        """Poses (k, 4, 4) the tracker reports for true poses (k, 4, 4).

        `noise` (k, n, 3) is standard normal. As in a real tracker, each pose is a rigid fit to the
        spheres as they are localised.
        """
        true = apply(T_camera_marker[:, None], self._spheres)
        return fit_poses(self._spheres, true + self._field.at(true) + self._white_m * noise)


def fit_poses(spheres: Array, seen: Array) -> Array:
    """Fit T (k, 4, 4) from spheres (n, 3) to where they are seen (k, n, 3), all frames at once.

    Least squares after Arun, Huang and Blostein (1987), sign after Umeyama (1991).
    """
    centre, centres = spheres.mean(axis=0), seen.mean(axis=1)
    u, _, vt = np.linalg.svd((seen - centres[:, None]).swapaxes(1, 2) @ (spheres - centre))
    u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
    rotation = np.asarray(u @ vt, dtype=np.float64)
    return transform(rotation, centres - rotation @ centre)


def in_volume(points_camera: Array) -> NDArray[np.bool_]:
    """Tell which points (..., 3) of the camera's frame lie in its measuring volume: (...)."""
    depth = points_camera[..., 2]
    aside = np.hypot(points_camera[..., 0], points_camera[..., 1])
    inside = (depth >= NEAREST_M) & (depth <= FARTHEST_M)
    return np.asarray(inside & (aside <= depth * math.tan(HALF_ANGLE_RAD)), dtype=np.bool_)
