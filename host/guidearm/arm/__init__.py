"""The arm: identity, state, drives, streamed moves, and the way in for a second shell."""

from guidearm.arm.capture import Capture, CaptureSetup, JointTrace, capture_setup
from guidearm.arm.capture_link import HolderLink, RobotLink
from guidearm.arm.faults import FaultReport
from guidearm.arm.holder import Holder, HolderClient, attach
from guidearm.arm.identify import Identity
from guidearm.arm.joint_model import JointModel
from guidearm.arm.robot import MovePlanner, Robot
from guidearm.arm.segments import Course, Segments
from guidearm.arm.state import ArmState, JointState
from guidearm.arm.streaming import MoveRecord

__all__ = [
    "ArmState",
    "Capture",
    "CaptureSetup",
    "Course",
    "FaultReport",
    "Holder",
    "HolderClient",
    "HolderLink",
    "Identity",
    "JointModel",
    "JointState",
    "JointTrace",
    "MovePlanner",
    "MoveRecord",
    "Robot",
    "RobotLink",
    "Segments",
    "attach",
    "capture_setup",
]
