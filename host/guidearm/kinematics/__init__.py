"""Kinematics: arms from description files, forward and inverse, singularities, guide axes."""

from guidearm.kinematics.arm import Arm, CalibratedArm
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.description import arm_names, load_arm

__all__ = ["Arm", "CalibratedArm", "Chain", "arm_names", "load_arm"]
