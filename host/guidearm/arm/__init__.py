"""The arm: identity, state, drives, streamed moves, and the way in for a second shell."""

from guidearm.arm.faults import FaultReport
from guidearm.arm.holder import Holder, HolderClient, attach
from guidearm.arm.identify import Identity
from guidearm.arm.robot import MovePlanner, Robot
from guidearm.arm.state import ArmState, JointState
from guidearm.arm.streaming import MoveRecord, Segments

__all__ = [
    "ArmState",
    "FaultReport",
    "Holder",
    "HolderClient",
    "Identity",
    "JointState",
    "MovePlanner",
    "MoveRecord",
    "Robot",
    "Segments",
    "attach",
]
