"""Motions of the arm: planned whole, checked whole, and cut into segments for the joints."""

from guidearm.motion.changed import ChangedMotion
from guidearm.motion.course import Course, course
from guidearm.motion.joint_move import JointMove, joint_move
from guidearm.motion.limits import check_limits
from guidearm.motion.line_move import LineMove, line_move
from guidearm.motion.on_path import PathMotion
from guidearm.motion.profile import Limits, Profile, State
from guidearm.motion.retarget import JointCourses, retarget
from guidearm.motion.scurve import SCurve, plan_scurve
from guidearm.motion.segments import Segments, hermite_segments
from guidearm.motion.sine_move import SineMove, sine_move
from guidearm.motion.to_rest import lasting, quickest, quickest_stop
from guidearm.motion.trajectory import (
    Changeable,
    JoinedMotion,
    MotionState,
    Smooth,
    Trajectory,
    concatenate,
    state_at,
)
from guidearm.motion.way import check_way

__all__ = [
    "Changeable",
    "ChangedMotion",
    "Course",
    "JoinedMotion",
    "JointCourses",
    "JointMove",
    "Limits",
    "LineMove",
    "MotionState",
    "PathMotion",
    "Profile",
    "SCurve",
    "Segments",
    "SineMove",
    "Smooth",
    "State",
    "Trajectory",
    "check_limits",
    "check_way",
    "concatenate",
    "course",
    "hermite_segments",
    "joint_move",
    "lasting",
    "line_move",
    "plan_scurve",
    "quickest",
    "quickest_stop",
    "retarget",
    "sine_move",
    "state_at",
]
