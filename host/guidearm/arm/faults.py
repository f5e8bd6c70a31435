"""Latched faults: which joint was first, what it saw, and how to say it in one line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from guidearm.arm.state import RAD_PER_UNIT, fault_meaning, fault_name
from guidearm.link import JointBus
from guidearm_protocol import messages


@dataclass(frozen=True, slots=True)
class FaultReport:
    """A joint's first cause and the snapshot it took: angle rad, speed rad/s, current A."""

    joint: int
    fault: int
    state_before: int
    position: float
    velocity: float
    following_error: int
    current_a: float
    segment: int
    late_s: float  # since the last valid frame from the host

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


def read_fault(bus: JointBus, joint: int) -> FaultReport:
    """Read the first cause of a joint's latched fault; raises SilentJointError."""
    values = bus.request(joint, messages.FAULT)
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
    )


def first_causes(reports: list[FaultReport]) -> list[FaultReport]:
    """Return the reports of the joints that did not merely follow the stop line."""
    causes = [report for report in reports if report.fault != messages.STOP_LINE]
    return causes or reports[:1]


def fault_text(reports: list[FaultReport]) -> str:
    """Return the line that names the first causes and what to do."""
    causes = first_causes(reports)
    if all(report.fault == messages.STOP_LINE for report in causes):
        return (
            "the stop line was pulled, by the emergency button or a joint without power: "
            "release it, then guidearm reset-fault"
        )
    told = "; ".join(str(report) for report in causes)
    return f"{told}. Find the cause, then guidearm reset-fault"
