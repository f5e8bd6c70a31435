"""What the joints report, in SI units and names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from guidearm.geometry import Array
from guidearm.link import State
from guidearm_protocol import messages

RAD_PER_UNIT = 2 * math.pi / messages.ANGLE_UNITS_PER_TURN
RAD_PER_OUTPUT_STEP = 2 * math.pi / (1 << 14)

_LIVE = (
    messages.OPERATION_ENABLED,
    messages.QUICK_STOP_ACTIVE,
    messages.FAULT_REACTION_ACTIVE,
)
_FLAG_NAMES = (
    (messages.FLAG_ARMED, "armed"),
    (messages.FLAG_MOVING, "moving"),
    (messages.FLAG_HOMED, "homed"),
    (messages.FLAG_AUTHORISED, "authorised"),
    (messages.FLAG_BRAKE_RELEASED, "brake released"),
    (messages.FLAG_STOP_LINE, "stop line"),
    (messages.FLAG_CLOCK_SET, "clock set"),
    (messages.FLAG_SEGMENT_REFUSED, "segment refused"),
)


@dataclass(frozen=True, slots=True)
class JointState:
    """One joint at `instant` (s, host clock) of the cycle it last answered.

    Angles are rad: `position` from the motor encoder, `demand` its set-point (the position itself
    while no torque is on), `output` from the absolute encoder, taken to the turn of `position`.
    `following_error` is demand minus position in motor counts.
    """

    number: int
    instant: float
    position: float
    demand: float
    output: float
    following_error: int
    current_a: float
    state: int
    flags: int
    fault: int
    segment: int
    depth: int
    boot: int

    @property
    def state_name(self) -> str:
        """The drive state in the words of CiA 402."""
        return messages.DRIVE_STATES[self.state]

    @property
    def fault_name(self) -> str:
        """The latched fault, "none" without one."""
        return fault_name(self.fault)

    @property
    def flag_names(self) -> list[str]:
        """The flags that are set, as words."""
        return [name for flag, name in _FLAG_NAMES if self.flags & flag]

    @property
    def enabled(self) -> bool:
        """Whether it follows set-points."""
        return self.state == messages.OPERATION_ENABLED

    @property
    def moving(self) -> bool:
        """Whether it runs segments, ramps down or closes its brake."""
        ramping = self.state in (messages.QUICK_STOP_ACTIVE, messages.FAULT_REACTION_ACTIVE)
        return bool(self.flags & messages.FLAG_MOVING) or ramping

    @property
    def armed(self) -> bool:
        """Whether it waits for the instant of START."""
        return bool(self.flags & messages.FLAG_ARMED)

    @property
    def homed(self) -> bool:
        """Whether its position refers to the absolute encoder."""
        return bool(self.flags & messages.FLAG_HOMED)

    @property
    def authorised(self) -> bool:
        """Whether `enable` was given and neither `disable`, `stop` nor a fault came since."""
        return bool(self.flags & messages.FLAG_AUTHORISED)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; angles in degrees."""
        return {
            "joint": self.number,
            "state": self.state_name,
            "position_deg": math.degrees(self.position),
            "demand_deg": math.degrees(self.demand),
            "output_deg": math.degrees(self.output),
            "following_error_counts": self.following_error,
            "current_a": self.current_a,
            "flags": self.flag_names,
            "fault": self.fault_name,
        }


@dataclass(frozen=True, eq=False)
class ArmState:
    """All joints of an arm, in order, at the cycle that ended at `time` (s, host clock).

    A joint that missed this cycle stands with what it last said; its `instant` tells.
    `q`, `q_demand`, `q_output` (n,) rad are `position`, `demand`, `output` of the joints.
    """

    time: float
    joints: tuple[JointState, ...]

    @property
    def q(self) -> Array:
        """Joint angles by the motor encoders, (n,) rad."""
        return np.array([joint.position for joint in self.joints])

    @property
    def q_demand(self) -> Array:
        """Set-points, (n,) rad."""
        return np.array([joint.demand for joint in self.joints])

    @property
    def q_output(self) -> Array:
        """Joint angles by the output encoders, (n,) rad."""
        return np.array([joint.output for joint in self.joints])

    @property
    def enabled(self) -> bool:
        """Whether every joint follows set-points."""
        return all(joint.enabled for joint in self.joints)

    @property
    def moving(self) -> bool:
        """Whether any joint moves or is about to."""
        return any(joint.moving or joint.armed for joint in self.joints)

    @property
    def faulted(self) -> tuple[int, ...]:
        """The numbers of the joints with a latched fault."""
        return tuple(joint.number for joint in self.joints if joint.fault)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"time_s": self.time, "joints": [joint.as_dict() for joint in self.joints]}


def joint_state(number: int, instant: float, state: State, counts_per_turn: int) -> JointState:
    """Return a joint's STATE reply in SI units."""
    position = state.position * RAD_PER_UNIT
    live = state.state in _LIVE
    error = state.following_error if live else 0
    output = state.output * RAD_PER_OUTPUT_STEP
    return JointState(
        number=number,
        instant=instant,
        position=position,
        demand=position + error * 2 * math.pi / counts_per_turn,
        output=position + math.remainder(output - position, 2 * math.pi),
        following_error=error,
        current_a=state.current_ma * 1e-3,
        state=state.state,
        flags=state.flags,
        fault=state.fault,
        segment=state.segment,
        depth=state.depth,
        boot=state.boot,
    )


def fault_name(code: int) -> str:
    """Return the name of a fault, or its number where the table has none."""
    return messages.FAULTS[code][1] if code < len(messages.FAULTS) else f"fault {code}"


def fault_meaning(code: int) -> str:
    """Return what a fault means, in a few words."""
    return messages.FAULTS[code][2] if code < len(messages.FAULTS) else "not in this host's table"
