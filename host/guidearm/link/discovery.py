"""Joints by unique id: who is on the bus at any address, new addresses, and an unknown baud rate.

A DISCOVER is answered by every joint in a slot drawn from its unique id and the round's salt. Two
that meet in a slot spoil each other's answer and are apart in another round; who has been heard
once is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from guidearm.errors import LinkError, PortError, RefusedError, SilentJointError
from guidearm.link.bus import JointBus, refusal_text
from guidearm.link.port import BITS_PER_BYTE, Connection
from guidearm_protocol import messages
from guidearm_protocol.frame import DELIMITER, MIN_ENCODED_BYTES

SLOTS = 32
CALM_ROUNDS = 3  # in a row with nobody new and nothing damaged
MAX_ROUNDS = 64
ASSIGN_WAIT_S = 1.0  # a joint may store its new address before it answers
ASSIGN_TRIES = 3
BAUDS = (1_000_000, 2_000_000, 3_000_000, 1_500_000, 500_000, 115_200)

_REPLY_BYTES = (
    MIN_ENCODED_BYTES
    + len(DELIMITER)
    + messages.body_size(messages.REPLY_PREFIX)
    + messages.body_size(messages.reply_fields(messages.DISCOVER) or ())
)


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A joint that answered a DISCOVER; `unique_id` in hex."""

    address: int
    unique_id: str
    arm_id: int


def discover(bus: JointBus) -> tuple[Found, ...]:
    """Return every joint on the bus in order of address, those that share one included.

    Needs no session and disturbs none. Raises LinkError if `MAX_ROUNDS` were never calm.
    """
    found: set[Found] = set()
    calm = 0
    for salt in range(MAX_ROUNDS):
        damaged = bus.counters.errors
        told = _ask(bus, salt)
        damaged = bus.counters.errors - damaged
        calm = calm + 1 if told <= found and not damaged else 0
        found |= told
        if calm == CALM_ROUNDS:
            return tuple(sorted(found))
    raise LinkError(
        f"{bus.port_name} is too noisy to tell who is on it: check cable, ground and termination"
    )


def _ask(bus: JointBus, salt: int) -> set[Found]:
    reply_us = _REPLY_BYTES * BITS_PER_BYTE * 1e6 / bus.baud
    slot_us = round(reply_us) + messages.SLOT_GUARD_US
    request = {"slots": SLOTS, "slot_us": slot_us, "salt": salt}
    wait_s = (messages.TURNAROUND_US + (SLOTS + 1) * slot_us) * 1e-6
    found: set[Found] = set()
    for address, reply in bus.call(messages.DISCOVER, request, wait_s, enough=SLOTS):
        unique_id, arm_id = reply.values.get("unique_id"), reply.values.get("arm_id")
        if isinstance(unique_id, bytes) and isinstance(arm_id, int):
            found.add(Found(address, unique_id.hex(), arm_id))
    return found


def assign(bus: JointBus, unique_id: str, address: int, arm_id: int) -> None:
    """Give the joint with a unique id (hex) an address and an arm; its session ends.

    Raises RefusedError while the joint is enabled, SilentJointError if it does not answer.
    """
    request = {"unique_id": bytes.fromhex(unique_id), "address": address, "arm_id": arm_id}
    for _ in range(ASSIGN_TRIES):
        for number, reply in bus.call(messages.ASSIGN_ADDRESS, request, ASSIGN_WAIT_S, enough=1):
            if reply.result != messages.OK:
                raise RefusedError(refusal_text(number, messages.ASSIGN_ADDRESS, reply))
            return
    raise SilentJointError(
        f"no joint with unique id {unique_id} answers on {bus.port_name}: guidearm address list"
    )


def find_baud(connection: Connection) -> int | None:
    """Set the port to the first rate of `BAUDS` at which a joint answers; return it.

    None if there is none; the port then has the rate it had.
    """
    port = connection.port
    before = port.baud
    for baud in (before, *BAUDS):
        try:
            port.set_baud(baud)
        except PortError:
            continue  # this adapter cannot
        bus = JointBus(connection)
        if any(_ask(bus, salt) for salt in range(CALM_ROUNDS)):
            return baud
    port.set_baud(before)
    return None
