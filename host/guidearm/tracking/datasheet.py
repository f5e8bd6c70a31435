"""What a tracker's maker declares: noise, rate, latency and the geometry of its markers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from guidearm.errors import CalibrationError
from guidearm.geometry import Array
from guidearm.json_file import read_object, rows, write_object
from guidearm.tracking.frames import ARM_MARKER, PATIENT

# Four spheres each, a little out of plane. Of the twelve distances between spheres no two are
# closer than 5 mm, so no permutation fits and neither marker is taken for the other.
_SHAPES_MM: dict[str, tuple[tuple[float, float, float], ...]] = {
    PATIENT: ((-43.0, -25.0, 8.0), (79.0, -56.0, -12.0), (23.0, 39.0, 12.0), (-60.0, 41.0, -7.0)),
    ARM_MARKER: ((-46.0, -38.0, 2.0), (29.0, -47.0, 1.0), (68.0, 67.0, 19.0), (-51.0, 18.0, -22.0)),
}
RMS_RADIUS_M = 0.070
MIN_SPHERES = 3
_WHAT = "tracker data sheet"
WHITE_SHARE = 0.08 / math.hypot(0.08, 0.09)
STATIC_SHARE = 0.09 / math.hypot(0.08, 0.09)


class _OutOfRangeError(CalibrationError):
    """A value of a data sheet; the reader adds the name of the file."""


def default_spheres(name: str) -> Array:
    """Sphere centres (4, 3) of a standard marker, in its own frame: origin at the centroid.

    Raises KeyError: there is no standard marker of that name.
    """
    listed = np.asarray(_SHAPES_MM[name], dtype=np.float64)
    shape = np.asarray(listed - listed.mean(axis=0), dtype=np.float64)
    return shape * (RMS_RADIUS_M * math.sqrt(len(shape)) / float(np.linalg.norm(shape)))


def _default_markers() -> dict[str, Array]:
    return {name: default_spheres(name) for name in _SHAPES_MM}


@dataclass(frozen=True)
class DataSheet:
    """Declared properties of a tracker.

    Fields:
        fle_white_m: part of the fiducial localisation error that is new in each frame, 3-D RMS
            per sphere.
        fle_static_m: part that stays while a marker stays (lens and sensor), 3-D RMS per sphere.
        rate_hz: frames per second.
        latency_s: from exposure to the frame's arrival.
        markers: sphere centres (n, 3) in metres in each marker's frame.
    """

    fle_white_m: float = 0.08e-3
    fle_static_m: float = 0.09e-3
    rate_hz: float = 60.0
    latency_s: float = 0.06
    markers: Mapping[str, Array] = field(default_factory=_default_markers)

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises CalibrationError: a value is out of range or a marker cannot give a pose.
        """
        for name, value, low, high in (
            ("fle_white_mm", self.fle_white_m * 1e3, 0.0, 10.0),
            ("fle_static_mm", self.fle_static_m * 1e3, 0.0, 10.0),
            ("rate_hz", self.rate_hz, 1.0, 2000.0),
            ("latency_ms", self.latency_s * 1e3, 0.0, 1000.0),
        ):
            if not low <= value <= high:
                raise _OutOfRangeError(f"{name} is {value:g}, expected {low:g} to {high:g}")
        for name, spheres in self.markers.items():
            check_spheres(name, spheres)

    @classmethod
    def with_total_fle(cls, total_fle_m: float) -> DataSheet:
        """Make a data sheet with the given total FLE, white to static as 0.08 to 0.09."""
        return cls(fle_white_m=total_fle_m * WHITE_SHARE, fle_static_m=total_fle_m * STATIC_SHARE)

    def spheres(self, name: str) -> Array:
        """Sphere centres (n, 3) of the marker called `name`.

        Raises CalibrationError: the data sheet does not know the marker.
        """
        if name not in self.markers:
            raise CalibrationError(f"tracker data sheet: no geometry for marker '{name}'")
        return self.markers[name]


def check_spheres(name: str, spheres: Array) -> None:
    """Check that spheres (n, 3) define a pose.

    Raises CalibrationError: fewer than three spheres, not finite, or (nearly) on one line.
    """
    if spheres.ndim != 2 or spheres.shape[1:] != (3,) or len(spheres) < MIN_SPHERES:
        raise _OutOfRangeError(f"marker '{name}': at least {MIN_SPHERES} spheres (x, y, z) needed")
    if not np.all(np.isfinite(spheres)):
        raise _OutOfRangeError(f"marker '{name}': sphere positions must be finite numbers")
    spread = np.linalg.svd(spheres - spheres.mean(axis=0), compute_uv=False)
    if spread[1] < 0.05 * spread[0] or spread[0] == 0.0:
        raise _OutOfRangeError(f"marker '{name}': the spheres lie on one line, the roll is free")


def read_data_sheet(path: str | Path) -> DataSheet:
    """Read a data sheet from JSON: fle_white_mm, fle_static_mm, rate_hz, latency_ms, markers_mm.

    `markers_mm` maps a marker's name to its list of [x, y, z]; left out, the standard markers are
    meant.

    Raises CalibrationError: the file is missing, unreadable, incomplete or out of range.
    """
    node = read_object(path, _WHAT, CalibrationError)
    listed = node.optional("markers_mm")
    markers = _default_markers()
    if listed is not None:
        names = cast("dict[str, object]", listed.value) if isinstance(listed.value, dict) else {}
        if not names:
            listed.refuse("expected an object of sphere lists by marker name")
        markers = {name: listed.member(name).array(-1, 3) * 1e-3 for name in names}
    try:
        return DataSheet(
            fle_white_m=node.member("fle_white_mm").number() * 1e-3,
            fle_static_m=node.member("fle_static_mm").number() * 1e-3,
            rate_hz=node.member("rate_hz").number(),
            latency_s=node.member("latency_ms").number() * 1e-3,
            markers=markers,
        )
    except _OutOfRangeError as error:
        node.refuse(str(error))


def write_data_sheet(path: str | Path, sheet: DataSheet) -> None:
    """Write `sheet` as JSON, the counterpart of `read_data_sheet`."""
    content: dict[str, object] = {
        "fle_white_mm": sheet.fle_white_m * 1e3,
        "fle_static_mm": sheet.fle_static_m * 1e3,
        "rate_hz": sheet.rate_hz,
        "latency_ms": sheet.latency_s * 1e3,
        "markers_mm": {name: rows(spheres, 1e3) for name, spheres in sheet.markers.items()},
    }
    write_object(path, content, _WHAT, CalibrationError)
