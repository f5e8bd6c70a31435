"""Latched faults: which joint was first, what it saw, and how to say it in one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guidearm.arm.state import RAD_PER_UNIT, fault_meaning, fault_name
from guidearm.link import JointBus
from guidearm_protocol import messages

REMEDIES = {
    messages.FOLLOWING_ERROR: "look for what blocks or overloads the joint",
    messages.LINK_TIMEOUT: "look why the host fell silent: cable, adapter, a busy computer",
    messages.UNDERRUN: "the host was late: close what keeps the computer busy",
    messages.STOP_LINE: "see the joint that pulled it, or release the emergency button",
    messages.SOFT_LIMIT: "move back inside the limits; plan inside them",
    messages.OVER_SPEED: "check load, motor encoder and parameters before it moves again",
    messages.ENCODERS_DISAGREE: "check coupling and both encoders, then guidearm home",
    messages.EMERGENCY_STOP: "release the button when the arm is clear",
    messages.PARAMETER_CRC: "write its parameters again: guidearm config restore",
    messages.OVER_CURRENT: "check motor and cable for a short",
    messages.MOTOR_ENCODER: "check the motor encoder and its cable",
    messages.OUTPUT_ENCODER: "check the output encoder and its cable",
    messages.STALL: "look for what blocks the joint",
    messages.OVER_TEMPERATURE: "let it cool down; move less or slower",
    messages.SUPPLY: "check the power supply and its cable",
    messages.WATCHDOG_RESET: "note what it was doing and report it; check its firmware version",
    messages.HARD_LIMIT: "move away from the limit switch",
    messages.BRAKE: "support the arm; have the brake checked before it carries a load again",
    messages.HOMING: "check that the joint reaches its stop, and parameters home_speed, home_duty",
}


@dataclass(frozen=True, slots=True)
class FaultReport:
    """A joint's first cause and the snapshot it took: angle rad, speed rad/s, current A.

    `age_s` is how long ago it was, modulo the 17.9 minutes of the joint's clock; None if not asked.
    """

    joint: int
    fault: int
    state_before: int
    position: float
    velocity: float
    following_error: int
    current_a: float
    segment: int
    late_s: float  # since the last valid frame from the host
    age_s: float | None = None

    @property
    def remedy(self) -> str:
        """What to do before the fault is reset."""
        return REMEDIES.get(self.fault, "see protocol/README.md of the joint's firmware")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; angles in degrees."""
        return {
            "joint": self.joint,
            "fault": fault_name(self.fault),
            "meaning": fault_meaning(self.fault),
            "age_s": self.age_s,
            "state_before": messages.DRIVE_STATES[self.state_before],
            "position_deg": math.degrees(self.position),
            "velocity_deg_s": math.degrees(self.velocity),
            "following_error_counts": self.following_error,
            "current_a": self.current_a,
            "segment": self.segment,
            "late_s": self.late_s,
            "do": self.remedy,
        }

    def __str__(self) -> str:
        """Return one clause with cause, meaning and snapshot."""
        text = (
            f"joint {self.joint}: {fault_name(self.fault)} ({fault_meaning(self.fault)}), "
            f"{messages.DRIVE_STATES[self.state_before]} at "
            f"{math.degrees(self.position):.2f} deg and {math.degrees(self.velocity):.1f} deg/s"
        )
        if self.fault in (messages.LINK_TIMEOUT, messages.UNDERRUN):
            return f"{text}, last heard of the host {self.late_s * 1e3:.0f} ms before"
        return f"{text}, {self.following_error} counts off its set-point, {self.current_a:.1f} A"


def read_fault(bus: JointBus, joint: int, joint_us: int | None = None) -> FaultReport:
    """Read the first cause of a joint's latched fault; raises SilentJointError.

    `joint_us` is the joint's clock now, if the fault's age is wanted.
    """
    values = bus.request(joint, messages.FAULT)
    since = None if joint_us is None else (joint_us - values["time_us"]) % messages.TIME_MODULUS
    return FaultReport(
        joint=joint,
        fault=values["fault"],
        state_before=values["state_before"],
        position=values["position"] * RAD_PER_UNIT,
        velocity=values["velocity"] * RAD_PER_UNIT,
        following_error=values["following_error"],
        current_a=values["current_ma"] * 1e-3,
        segment=values["segment"],
        late_s=values["late_us"] * 1e-6,
        age_s=None if since is None else since * 1e-6,
    )


def read_faults(bus: JointBus, joints: Sequence[int]) -> list[FaultReport]:
    """Read the faults latched in joints, the first causes first, then the oldest.

    Raises SilentJointError for a joint that answers its cycle and then no more.
    """
    told = bus.cycle(sum(1 << joint - 1 for joint in joints)).states
    reports = [
        read_fault(bus, joint, state.received_us) for joint, state in told.items() if state.fault
    ]
    return sorted(
        reports, key=lambda report: (report.fault == messages.STOP_LINE, -(report.age_s or 0.0))
    )


def first_causes(reports: list[FaultReport]) -> list[FaultReport]:
    """Return the reports of the joints that did not merely follow the stop line."""
    causes = [report for report in reports if report.fault != messages.STOP_LINE]
    return causes or reports[:1]


def all_followed(reports: list[FaultReport]) -> bool:
    """Tell whether all of them are of joints that merely followed the stop line."""
    return all(report.fault == messages.STOP_LINE for report in reports)


def fault_text(reports: list[FaultReport]) -> str:
    """Return the line that names the first causes and what to do."""
    causes = first_causes(reports)
    if all_followed(causes):
        return (
            "the stop line was pulled, by the emergency button or a joint without power: "
            "release it, then guidearm reset-fault"
        )
    told = "; ".join(str(report) for report in causes)
    return f"{told}. Find the cause, then guidearm reset-fault"
