"""Kinematics: arms from description files, forward and inverse, singularities, guide axes."""

from guidearm.kinematics.arm import Arm, CalibratedArm
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.description import arm_names, load_arm
from guidearm.kinematics.guide_axis import Candidate, guide_candidates
from guidearm.kinematics.numeric import solve_pose

__all__ = [
    "Arm",
    "CalibratedArm",
    "Candidate",
    "Chain",
    "arm_names",
    "guide_candidates",
    "load_arm",
    "solve_pose",
]
