"""Kinematics: arms from description files, forward and inverse, singularities, guide axes."""

from guidearm.kinematics.arm import Arm
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.description import arm_names, load_arm
from guidearm.kinematics.guide_axis import (
    Candidate,
    GuideSearch,
    Rejection,
    Verdict,
    guide_candidates,
    guide_line,
    guide_search,
)
from guidearm.kinematics.inverse import InverseKinematics
from guidearm.kinematics.numeric import newton

__all__ = [
    "Arm",
    "Candidate",
    "Chain",
    "GuideSearch",
    "InverseKinematics",
    "Rejection",
    "Verdict",
    "arm_names",
    "guide_candidates",
    "guide_line",
    "guide_search",
    "load_arm",
    "newton",
]
