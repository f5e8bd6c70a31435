"""What calibration knows about the tool, and how well.

The tool is one bracket on the flange that carries the arm marker and the sleeve. Two transforms
describe it: flange to arm marker (hand-eye), which only feeds commands forward, and arm marker to
guide, on which every measured position of the guide rests.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from guidearm.geometry import Array


@dataclass(frozen=True)
class Quality:
    """How a transform was found and how far it can be trusted.

    Fields:
        translation_m: 3-D RMS error of the second frame's origin.
        rotation_rad: 3-D RMS of the rotation error (length of the rotation vector).
        residual_m: RMS that the fit left, zero if the transform did not come from a fit.
        samples: number of poses the fit used.
        date: when, with its offset from UTC.
    """

    translation_m: float
    rotation_rad: float
    residual_m: float
    samples: int
    date: datetime


@dataclass(frozen=True, eq=False)
class HandEye:
    """T_flange_arm_marker (4, 4): where the arm marker sits on the flange."""

    T_flange_arm_marker: Array
    quality: Quality


@dataclass(frozen=True, eq=False)
class GuideCalibration:
    """T_arm_marker_guide (4, 4): sleeve's distal end and axis (+z to the target) by the marker.

    The error of its translation is that of the sleeve's distal end, that of its rotation the tilt
    of the axis about this end: what touching a divot and sighting along the sleeve leave.
    """

    T_arm_marker_guide: Array
    quality: Quality


@dataclass(frozen=True)
class MountRepeatability:
    """How well the sleeve returns to its seat in the bracket after it was taken out.

    translation_m is the 3-D RMS at the sleeve's distal end, rotation_rad the 3-D RMS of its tilt.
    The tracker does not see this: the marker stays on the bracket.
    """

    translation_m: float = 0.05e-3
    rotation_rad: float = 0.3e-3


def tool(hand_eye: HandEye, guide: GuideCalibration) -> Array:
    """T_flange_guide (4, 4), through the arm marker."""
    return hand_eye.T_flange_arm_marker @ guide.T_arm_marker_guide
