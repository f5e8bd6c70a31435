"""Motions of the arm: planned whole, checked whole, and cut into segments for the joints."""

from guidearm.motion.joint_move import JointMove, joint_move
from guidearm.motion.limits import check_limits
from guidearm.motion.line_move import LineMove, line_move
from guidearm.motion.scurve import SCurve, plan_scurve
from guidearm.motion.segments import Segments, hermite_segments
from guidearm.motion.sine_move import SineMove, sine_move
from guidearm.motion.trajectory import JoinedMotion, Trajectory, concatenate

__all__ = [
    "JoinedMotion",
    "JointMove",
    "LineMove",
    "SCurve",
    "Segments",
    "SineMove",
    "Trajectory",
    "check_limits",
    "concatenate",
    "hermite_segments",
    "joint_move",
    "line_move",
    "plan_scurve",
    "sine_move",
]
