"""The joint's drive as a CiA 402 state machine: its transitions, and its refusals with reasons.

Plain tuples, read by documentation and tests; the firmware's tick and supervisor carry them out.
A situation is a drive state of the message table, and one more that the wire also shows as
`switched on`: torque is on while the brake opens or closes. In every situation and for every event
that has neither a transition nor a refusal here, the situation stays as it is.
"""

from guidearm_protocol.messages import (
    DRIVE_STATES,
    FAULT_REACTION_ACTIVE,
    FAULT_STATE,
    NOT_READY_TO_SWITCH_ON,
    OPERATION_ENABLED,
    QUICK_STOP_ACTIVE,
    REASON_ENABLED,
    REASON_FAULT,
    REASON_MOVING,
    REASON_NOT_AUTHORISED,
    REASON_NOT_HOMED,
    REASONS,
    SWITCH_ON_DISABLED,
    SWITCHED_ON,
)

TORQUE_ON = 8
SITUATIONS = (*DRIVE_STATES, "switched on, torque on")

# ---- events. The first are requests of a host
ENABLE = "ENABLE"
RESUME = "ENABLE with resume"
STOP = "STOP or DISABLE"
RESET_FAULT = "RESET_FAULT"
HOME = "HOME"
SET_CLOCK = "SET_CLOCK"
START = "START"
CANCEL = "CANCEL"
REQUESTS = (ENABLE, RESUME, STOP, RESET_FAULT, HOME, SET_CLOCK, START, CANCEL)
FIRST_TICK = "first tick"
BRAKE_MOVED = "at rest and brake confirmed"
SILENCE = "silence"
FAULT = "fault with controlled stop"
FAULT_AT_ONCE = "fault with torque off"
STOP_INPUT = "emergency stop or stop line"
EVENTS = (*REQUESTS, FIRST_TICK, BRAKE_MOVED, SILENCE, FAULT, FAULT_AT_ONCE, STOP_INPUT)

# (from, event, to, numbers of CiA 402). At rest only: silence in motion is a fault.
TRANSITIONS = (
    (NOT_READY_TO_SWITCH_ON, FIRST_TICK, SWITCH_ON_DISABLED, "0, 1"),
    (SWITCH_ON_DISABLED, ENABLE, TORQUE_ON, "2, 3"),
    (SWITCHED_ON, ENABLE, TORQUE_ON, "3"),
    (SWITCHED_ON, RESUME, TORQUE_ON, "3"),
    (TORQUE_ON, BRAKE_MOVED, OPERATION_ENABLED, "4"),
    (OPERATION_ENABLED, SILENCE, TORQUE_ON, "5"),
    (TORQUE_ON, BRAKE_MOVED, SWITCHED_ON, "5"),
    (SWITCHED_ON, STOP, SWITCH_ON_DISABLED, "10"),
    (TORQUE_ON, STOP, QUICK_STOP_ACTIVE, "11"),
    (OPERATION_ENABLED, STOP, QUICK_STOP_ACTIVE, "11"),
    (QUICK_STOP_ACTIVE, BRAKE_MOVED, SWITCH_ON_DISABLED, "12"),
    (TORQUE_ON, FAULT, FAULT_REACTION_ACTIVE, "13"),
    (OPERATION_ENABLED, FAULT, FAULT_REACTION_ACTIVE, "13"),
    (QUICK_STOP_ACTIVE, FAULT, FAULT_REACTION_ACTIVE, "13"),
    (TORQUE_ON, STOP_INPUT, FAULT_REACTION_ACTIVE, "13"),
    (OPERATION_ENABLED, STOP_INPUT, FAULT_REACTION_ACTIVE, "13"),
    (QUICK_STOP_ACTIVE, STOP_INPUT, FAULT_REACTION_ACTIVE, "13"),
    (SWITCHED_ON, STOP_INPUT, FAULT_STATE, "13, 14"),
    (TORQUE_ON, FAULT_AT_ONCE, FAULT_STATE, "13, 14"),
    (OPERATION_ENABLED, FAULT_AT_ONCE, FAULT_STATE, "13, 14"),
    (QUICK_STOP_ACTIVE, FAULT_AT_ONCE, FAULT_STATE, "13, 14"),
    (FAULT_REACTION_ACTIVE, FAULT_AT_ONCE, FAULT_STATE, "14"),
    (FAULT_REACTION_ACTIVE, BRAKE_MOVED, FAULT_STATE, "14"),
    (FAULT_STATE, RESET_FAULT, SWITCH_ON_DISABLED, "15"),
)

# (situation, event, reason)
REFUSALS = (
    (NOT_READY_TO_SWITCH_ON, ENABLE, REASON_NOT_HOMED),
    (NOT_READY_TO_SWITCH_ON, RESUME, REASON_NOT_HOMED),
    (SWITCH_ON_DISABLED, RESUME, REASON_NOT_AUTHORISED),
    (TORQUE_ON, ENABLE, REASON_MOVING),
    (TORQUE_ON, RESUME, REASON_MOVING),
    (QUICK_STOP_ACTIVE, ENABLE, REASON_MOVING),
    (QUICK_STOP_ACTIVE, RESUME, REASON_MOVING),
    (FAULT_REACTION_ACTIVE, ENABLE, REASON_FAULT),
    (FAULT_REACTION_ACTIVE, RESUME, REASON_FAULT),
    (FAULT_STATE, ENABLE, REASON_FAULT),
    (FAULT_STATE, RESUME, REASON_FAULT),
    (FAULT_REACTION_ACTIVE, RESET_FAULT, REASON_MOVING),
    (TORQUE_ON, HOME, REASON_ENABLED),
    (OPERATION_ENABLED, HOME, REASON_ENABLED),
    (QUICK_STOP_ACTIVE, HOME, REASON_ENABLED),
    (FAULT_REACTION_ACTIVE, HOME, REASON_ENABLED),
)


def after(situation: int, event: str) -> tuple[tuple[int, ...], int]:
    """Return the situations that may follow, and the reason if the event is refused (else 0)."""
    for where, what, reason in REFUSALS:
        if (where, what) == (situation, event):
            return (situation,), reason
    following = tuple(row[2] for row in TRANSITIONS if row[:2] == (situation, event))
    return following or (situation,), 0


def transition_rows() -> list[tuple[str, str, str, str]]:
    """Return the transitions in words: from, event, to, numbers of CiA 402."""
    return [(SITUATIONS[a], event, SITUATIONS[b], number) for a, event, b, number in TRANSITIONS]


def refusal_rows() -> list[tuple[str, str, str]]:
    """Return the refusals in words: event, situations, reason."""
    rows: dict[tuple[str, int], list[str]] = {}
    for situation, event, reason in REFUSALS:
        rows.setdefault((event, reason), []).append(SITUATIONS[situation])
    return [(event, "; ".join(where), REASONS[reason]) for (event, reason), where in rows.items()]
