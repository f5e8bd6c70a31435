"""Calibrations of the tool: hand-eye, guide and mount, with their uncertainty."""

from guidearm.calibration.records import (
    GuideCalibration,
    HandEye,
    MountRepeatability,
    Quality,
    tool,
)
from guidearm.calibration.store import (
    GUIDE_FILE,
    HAND_EYE_FILE,
    read_guide,
    read_hand_eye,
    write_guide,
    write_hand_eye,
)

__all__ = [
    "GUIDE_FILE",
    "HAND_EYE_FILE",
    "GuideCalibration",
    "HandEye",
    "MountRepeatability",
    "Quality",
    "read_guide",
    "read_hand_eye",
    "tool",
    "write_guide",
    "write_hand_eye",
]
