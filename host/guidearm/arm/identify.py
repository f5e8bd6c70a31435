"""Who is on the bus, and whether host and joints mean the same by the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guidearm.errors import SilentJointError, VersionMismatchError
from guidearm.link import JointBus
from guidearm.link.bus import version_text
from guidearm_protocol import messages


@dataclass(frozen=True, slots=True)
class Identity:
    """What a joint says of itself."""

    number: int
    protocol: int
    firmware: str
    table_hash: int
    unique_id: str
    arm_id: int
    boot_count: int
    boot: int
    counts_per_turn: int
    interpreter: str
    board: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "joint": self.number,
            "firmware": self.firmware,
            "interpreter": self.interpreter,
            "board": self.board,
            "unique_id": self.unique_id,
            "arm_id": self.arm_id,
            "boot_count": self.boot_count,
            "counts_per_turn": self.counts_per_turn,
        }


def identify_joints(bus: JointBus, count: int, nonce: int, port: str) -> tuple[Identity, ...]:
    """Identify the joints 1..count under one nonce and check that they fit host and each other.

    Raises SilentJointError naming every joint that does not answer, VersionMismatchError where
    protocol version, message table, encoder or arm differ.
    """
    found: list[Identity] = []
    silent: list[int] = []
    for number in range(1, count + 1):
        try:
            found.append(identify(bus, number, nonce))
        except SilentJointError:
            silent.append(number)
    if len(silent) == count:
        raise SilentJointError(
            f"no joint answers on {port}: check that it is the arm's port, power and cable"
        )
    if silent:
        raise SilentJointError(silent_text(silent, port) + ": check power, cable and address")
    for identity in found:
        _check(identity, found[0])
    return tuple(found)


def identify(bus: JointBus, number: int, nonce: int) -> Identity:
    """Identify one joint; raises SilentJointError, or VersionMismatchError for its protocol."""
    reply = bus.identify(number, nonce)
    values = reply.values
    numbers = {name: value for name, value in values.items() if isinstance(value, int)}
    texts = {name: value for name, value in values.items() if isinstance(value, bytes)}
    if reply.result != messages.OK or not values:
        raise VersionMismatchError(
            f"joint {number} refuses IDENTIFY ({messages.RESULTS[reply.result]}): "
            "its firmware is none of this project's"
        )
    return Identity(
        number=number,
        protocol=numbers["protocol"],
        firmware=_dotted(numbers, "firmware"),
        table_hash=numbers["table_hash"],
        unique_id=texts["unique_id"].hex(),
        arm_id=numbers["arm_id"],
        boot_count=numbers["boot_count"],
        boot=reply.boot,
        counts_per_turn=numbers["counts_per_turn"],
        interpreter=f"MicroPython {_dotted(numbers, 'micropython')}, {numbers['word_bits']} bit",
        board=texts["board"].rstrip(b"\x00").decode("ascii", "replace"),
    )


def _dotted(numbers: dict[str, int], prefix: str) -> str:
    return ".".join(str(numbers[f"{prefix}_{part}"]) for part in ("major", "minor", "patch"))


def _check(identity: Identity, first: Identity) -> None:
    if identity.protocol != messages.PROTOCOL_VERSION:
        raise VersionMismatchError(
            version_text(identity.number, identity.protocol, identity.firmware)
        )
    if identity.table_hash != messages.table_hash():
        raise VersionMismatchError(
            f"joint {identity.number} (firmware {identity.firmware}) has message table "
            f"{identity.table_hash:08x}, this host {messages.table_hash():08x}: firmware and host "
            f"must be of one version: pip install guidearm=={identity.firmware}"
        )
    if identity.arm_id != first.arm_id:
        raise VersionMismatchError(
            f"joint {identity.number} belongs to arm {identity.arm_id}, joint {first.number} to "
            f"arm {first.arm_id}: set one arm_id on all joints of an arm"
        )
    if identity.counts_per_turn < 1:
        raise VersionMismatchError(
            f"joint {identity.number} reports {identity.counts_per_turn} motor counts per turn: "
            "load its parameters"
        )


def silent_text(silent: list[int], port: str) -> str:
    """Return the words that name the joints without an answer."""
    if len(silent) == 1:
        return f"joint {silent[0]} on {port} does not answer"
    return f"joints {', '.join(map(str, silent))} on {port} do not answer"
