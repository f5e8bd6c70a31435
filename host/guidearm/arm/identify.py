"""Who is on the bus, and whether host and joints mean the same by the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from guidearm.arm.joint_model import JointModel
from guidearm.errors import (
    AddressError,
    LinkError,
    SilentBusError,
    SilentJointError,
    VersionMismatchError,
)
from guidearm.kinematics import arm_names, load_arm
from guidearm.link import Found, JointBus, discover
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


def identify_joints(
    bus: JointBus, model: JointModel, nonce: int, port: str
) -> tuple[Identity, ...]:
    """Identify a model's joints under one nonce and check that they fit host, arm and each other.

    Raises SilentBusError if nobody answers, AddressError where joints share an address,
    SilentJointError naming every joint that does not answer, VersionMismatchError where protocol
    version, message table, firmware, encoder or arm differ. Joints that were given to no arm yet
    (arm_id 0) fit any.
    """
    found: list[Identity] = []
    silent: list[int] = []
    for number in model.numbers:
        try:
            found.append(identify(bus, number, nonce))
        except SilentJointError:
            silent.append(number)
    if len(silent) == len(model.numbers):
        raise SilentBusError(
            f"no joint answers on {port}: check that it is the arm's port, power and cable"
        )
    if silent:
        _explain(bus, silent, model.numbers, port)
        raise SilentJointError(silent_text(silent, port) + ": check power, cable and address")
    for identity in found:
        _check(identity)
    if model.arm_id is not None:
        _check_arm(found)
        _check_model(found[0].arm_id, model.name, model.arm_id, port)
    return tuple(found)


def _explain(bus: JointBus, silent: list[int], wanted: tuple[int, ...], port: str) -> None:
    """Raise AddressError if joints that share or miss an address are why some are silent."""
    try:
        everybody = discover(bus)
    except LinkError:
        return  # too noisy to tell: then the silence is the news
    shared = sorted({f.address for f in everybody if _sharing(everybody, f.address)})
    if shared:
        both = _sharing(everybody, shared[0])
        ids = " and ".join(found.unique_id for found in both)
        raise AddressError(
            f"joints {ids} on {port} both have address {shared[0]}: give one of them another, "
            f"guidearm address set {both[-1].unique_id} {_free(everybody, silent)}"
        )
    strays = [found for found in everybody if found.address not in wanted]
    if strays and not any(found.address in silent for found in everybody):
        raise AddressError(
            f"{silent_text(silent, port)}, but joint {strays[0].unique_id} has address "
            f"{strays[0].address}: guidearm address set {strays[0].unique_id} {silent[0]}"
        )


def _sharing(everybody: tuple[Found, ...], address: int) -> list[Found]:
    """Return the joints at an address if they are several."""
    there = [found for found in everybody if found.address == address]
    return there if len(there) > 1 else []


def _free(everybody: tuple[Found, ...], silent: list[int]) -> int:
    """Return the address to propose: one that the arm misses, or else any that nobody has."""
    taken = {found.address for found in everybody}
    every = [*silent, *range(1, messages.MAX_JOINTS + 1)]
    return next(address for address in every if address not in taken)


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


def _check(identity: Identity) -> None:
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
    if identity.firmware != version("guidearm"):
        raise VersionMismatchError(
            f"joint {identity.number} has firmware {identity.firmware}, this host is "
            f"{version('guidearm')}: firmware and host must be of one version: "
            f"pip install guidearm=={identity.firmware}"
        )
    if identity.counts_per_turn < 1:
        raise VersionMismatchError(
            f"joint {identity.number} reports {identity.counts_per_turn} motor counts per turn: "
            "load its parameters"
        )


def _check_arm(joints: list[Identity]) -> None:
    """Refuse the joint of another arm: the one whose arm_id fewer joints have."""
    ids = [joint.arm_id for joint in joints]
    own = max(ids, key=lambda arm_id: (ids.count(arm_id), -ids.index(arm_id)))
    for joint in joints:
        if joint.arm_id != own:
            raise VersionMismatchError(
                f"joint {joint.number} ({joint.unique_id}) belongs to arm {joint.arm_id}, the "
                f"others to arm {own}: if it was put into this arm on purpose, "
                f"guidearm address set {joint.unique_id} {joint.number} --arm-id {own}"
            )


def _check_model(arm_id: int, name: str, wanted: int, port: str) -> None:
    """Refuse joints that were given to another arm than the one the host computes with."""
    if arm_id in (0, wanted):
        return
    theirs = next((name for name in arm_names() if load_arm(name).arm_id == arm_id), None)
    raise VersionMismatchError(
        f"the joints on {port} are those of {theirs or 'another arm'} (arm {arm_id}), not of "
        f"{name} (arm {wanted}): choose {f'--arm {theirs}' if theirs else 'its --arm'}"
    )


def silent_text(silent: list[int], port: str) -> str:
    """Return the words that name the joints without an answer."""
    if len(silent) == 1:
        return f"joint {silent[0]} on {port} does not answer"
    return f"joints {', '.join(map(str, silent))} on {port} do not answer"
