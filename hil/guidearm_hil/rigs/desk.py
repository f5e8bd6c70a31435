"""The file that describes boards on a desk: TOML, checked key by key (`desk.toml` is one)."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from guidearm.errors import InputError
from guidearm.json_file import Node
from guidearm.link import DEFAULT_BAUD
from guidearm_hil.rigs.rig import Input
from guidearm_protocol.messages import MAX_JOINTS

BAUDS = (115_200, 3_000_000)
SUPPLY_V = (5.0, 60.0)
FASTEST_DEG_S = 180.0
FASTEST_DEG_S2 = 2000.0
FURTHEST_DEG = 360.0
PERSON = "person"
LINES = ("RTS", "DTR")
_UNIQUE_ID = re.compile("[0-9a-f]{16}")
_LINE_INPUTS = {"stop_line": Input.STOP_LINE, "emergency_button": Input.EMERGENCY_STOP}
_SWITCHES = {"lower_limit_switch": Input.LIMIT_LOWER, "upper_limit_switch": Input.LIMIT_UPPER}
_NUMBERS = (
    "lower_deg",
    "upper_deg",
    "excursion_deg",
    "speed_deg_s",
    "acceleration_deg_s2",
)


class DeskError(InputError):
    """The description of a desk is unreadable, or says what cannot be."""


@dataclass(frozen=True)
class ModemLine:
    """A line of a serial adapter that switches something; `active_set`: set means active."""

    adapter: str
    line: str
    active_set: bool


@dataclass(frozen=True)
class Person:
    """Somebody who is asked to do it."""


Wiring = ModemLine | Person


@dataclass(frozen=True)
class DeskJoint:
    """One board: who it is, what it may do (rad, rad/s, rad/s^2), what is wired to it."""

    address: int
    unique_id: str
    lower: float
    upper: float
    excursion: float
    velocity: float
    acceleration: float
    switches: dict[Input, Wiring]
    power: ModemLine | None


@dataclass(frozen=True)
class Desk:
    """Boards on one port, in order of address, and the lines that all of them share."""

    name: str
    port: str
    baud: int
    supply_v: float
    joints: tuple[DeskJoint, ...]
    lines: dict[Input, Wiring]


def read_desk(path: Path) -> Desk:
    """Read a file. Raises DeskError that names it, the key, and what the key has to be."""
    try:
        with path.open("rb") as file:
            table: dict[str, object] = tomllib.load(file)
    except OSError as error:
        raise DeskError(
            f"{path}: cannot be read: {error.strerror}; guidearm hil template writes one to begin "
            "with"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeskError(f"{path}: is not TOML: {error}") from None
    top = Node(table, str(path), DeskError)
    top.only("port", "baud", "supply_v", "inputs", "joint")
    baud = top.optional("baud")
    inputs = top.optional("inputs")
    if inputs is not None:
        inputs.only(*_LINE_INPUTS)
    nodes = top.member("joint").items()
    if not nodes:
        top.member("joint").refuse("expected at least one table [[joint]]")
    joints = [_joint(node) for node in nodes]
    for key in ("address", "unique_id"):
        seen: set[object] = set()
        for node, joint in zip(nodes, joints, strict=True):
            value = getattr(joint, key)
            if value in seen:
                node.member(key).refuse(f"{value} stands twice: each board has its own")
            seen.add(value)
    return Desk(
        name=path.name,
        port=_text(top.member("port")),
        baud=DEFAULT_BAUD if baud is None else _whole(baud, *BAUDS),
        supply_v=_between(top.member("supply_v"), *SUPPLY_V),
        joints=tuple(sorted(joints, key=lambda joint: joint.address)),
        lines=_wirings(inputs, _LINE_INPUTS),
    )


def _joint(node: Node) -> DeskJoint:
    node.only("address", "unique_id", *_NUMBERS, *_SWITCHES, "power")
    unique_id = node.member("unique_id")
    if not _UNIQUE_ID.fullmatch(_text(unique_id)):
        unique_id.refuse("expected the 16 hexadecimal digits that guidearm list shows")
    lower = _between(node.member("lower_deg"), -FURTHEST_DEG, FURTHEST_DEG)
    upper = _between(node.member("upper_deg"), -FURTHEST_DEG, FURTHEST_DEG)
    if lower >= upper:
        node.member("upper_deg").refuse(f"{upper:g} is not above lower_deg {lower:g}")
    excursion = node.member("excursion_deg")
    if not 0 < excursion.number() <= upper - lower:
        excursion.refuse(f"has to be above 0 and at most {upper - lower:g}, the width of the range")
    power = node.optional("power")
    return DeskJoint(
        address=_whole(node.member("address"), 1, MAX_JOINTS),
        unique_id=_text(unique_id),
        lower=math.radians(lower),
        upper=math.radians(upper),
        excursion=math.radians(excursion.number()),
        velocity=math.radians(_positive(node.member("speed_deg_s"), FASTEST_DEG_S)),
        acceleration=math.radians(_positive(node.member("acceleration_deg_s2"), FASTEST_DEG_S2)),
        switches=_wirings(node, _SWITCHES),
        power=None if power is None else _modem_line(power),
    )


def _wirings(node: Node | None, names: dict[str, Input]) -> dict[Input, Wiring]:
    found: dict[Input, Wiring] = {}
    for name, which in names.items():
        wired = None if node is None else node.optional(name)
        if wired is not None:
            found[which] = Person() if wired.value == PERSON else _modem_line(wired)
    return found


def _modem_line(node: Node) -> ModemLine:
    if not isinstance(node.value, dict):
        node.refuse('expected "person" or a table { adapter = "...", line = "RTS" }')
    node.only("adapter", "line", "active")
    line, active = node.member("line"), node.optional("active")
    if line.value not in LINES:
        line.refuse(f"expected {' or '.join(LINES)}")
    if active is not None and active.value not in ("set", "cleared"):
        active.refuse('expected "set" or "cleared"')
    return ModemLine(
        _text(node.member("adapter")), _text(line), active is None or active.value == "set"
    )


def _text(node: Node) -> str:
    text = node.text()
    if not text:
        node.refuse("is empty")
    return text


def _whole(node: Node, lowest: int, highest: int) -> int:
    value = node.integer()
    if not lowest <= value <= highest:
        node.refuse(f"{value} is not {lowest} to {highest}")
    return value


def _between(node: Node, lowest: float, highest: float) -> float:
    value = node.number()
    if not lowest <= value <= highest:
        node.refuse(f"{value:g} is not {lowest:g} to {highest:g}")
    return value


def _positive(node: Node, highest: float) -> float:
    value = node.number()
    if not 0 < value <= highest:
        node.refuse(f"{value:g} is not above 0 and at most {highest:g}")
    return value
