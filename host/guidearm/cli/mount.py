"""Where the guide sits on the flange, for commands that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guidearm.cli.options import Settings
from guidearm.cli.output import remark

if TYPE_CHECKING:
    from guidearm.geometry import Array
    from guidearm.kinematics import Arm


def guide_mount(settings: Settings, arm: Arm) -> Array:
    """T_flange_guide (4, 4): as calibrated, or by the arm's drawing if it never was."""
    from guidearm.calibration import GUIDE_FILE, HAND_EYE_FILE, read_guide, read_hand_eye

    folder = settings.data_dir
    if not any((folder / name).exists() for name in (HAND_EYE_FILE, GUIDE_FILE)):
        remark(f"no calibration in {folder}: the guide's place on the flange is the drawing's")
        return arm.T_flange_guide
    return read_hand_eye(folder).T_flange_arm_marker @ read_guide(folder).T_arm_marker_guide
