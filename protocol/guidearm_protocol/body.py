"""Bodies by the message table: names and values on this side, bytes on the wire.

Bounds are enforced both ways: a value outside them is neither sent nor believed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from guidearm_protocol import messages as table
from guidearm_protocol.errors import BodyLengthError, BoundsError, UnknownMessageError

Field = tuple[str, str, str, int, int]
Fields = tuple[Field, ...]
Value = int | bytes
SetPoint = tuple[int, int]  # position in turn/2^24, velocity in turn/2^24/s


@dataclass(frozen=True, slots=True)
class Reply:
    """A joint's answer: `values` by field name, empty when refused; `reason` 0 when not."""

    boot: int
    result: int
    reason: int
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Cycle:
    """A CYCLE request: its fixed part, and one set-point per joint of the mask or none."""

    joints: int
    slot_us: int
    segment: int
    duration_us: int
    set_points: tuple[SetPoint, ...] = ()


@cache
def _struct(fields: Fields) -> struct.Struct:
    return struct.Struct(table.body_format(fields))


def pack(fields: Fields, values: Mapping[str, Value]) -> bytes:
    """Return the bytes of `values`, one for each of `fields` and no others.

    Raises BoundsError where a value is missing, unknown, of the wrong kind or out of bounds.
    """
    unknown = sorted(set(values) - {field[0] for field in fields})
    if unknown:
        raise BoundsError(f"there is no field {', '.join(unknown)}")
    ordered: list[Value] = []
    for field in fields:
        if field[0] not in values:
            raise BoundsError(f"field {field[0]} is missing")
        _check(field, values[field[0]])
        ordered.append(values[field[0]])
    return _struct(fields).pack(*ordered)


def unpack(fields: Fields, body: bytes) -> dict[str, Value]:
    """Return the values in `body` by name.

    Raises BodyLengthError if it is not exactly as long as `fields`, BoundsError if a value lies
    outside its bounds.
    """
    layout = _struct(fields)
    if len(body) != layout.size:
        raise BodyLengthError(f"the body has {len(body)} bytes, not {layout.size}")
    values: dict[str, Value] = {}
    for field, value in zip(fields, layout.unpack(body), strict=True):
        _check(field, value)
        values[field[0]] = value
    return values


def _check(field: Field, value: Value) -> None:
    name, code, unit, low, high = field
    if code.endswith("s"):
        if not isinstance(value, bytes) or len(value) != table.field_size(code):
            raise BoundsError(f"{name} is {value!r}, not {table.field_size(code)} bytes")
    elif isinstance(value, bytes) or not low <= value <= high:
        raise BoundsError(f"{name} is {value!r}, outside {low}..{high} {unit}".rstrip())


def request_fields(message: int) -> Fields:
    """Return the fields of a request; raises UnknownMessageError."""
    try:
        return table.request_fields(message)
    except KeyError:
        raise UnknownMessageError(f"there is no message {message}") from None


def reply_fields(message: int) -> Fields | None:
    """Return the fields of a reply, None if joints do not reply; raises UnknownMessageError."""
    try:
        return table.reply_fields(message)
    except KeyError:
        raise UnknownMessageError(f"there is no message {message}") from None


def message_name(message: int) -> str:
    """Return the name of a message id, or `message <id>` where the table has none."""
    return next((entry[1] for entry in table.MESSAGES if entry[0] == message), f"message {message}")


def pack_request(message: int, values: Mapping[str, Value] | None = None) -> bytes:
    """Return the body of a request; of CYCLE, only the fixed part (see `pack_cycle`)."""
    return pack(request_fields(message), values or {})


def unpack_request(message: int, body: bytes) -> dict[str, Value]:
    """Return the values of a request; of CYCLE, of a body without set-points."""
    return unpack(request_fields(message), body)


def pack_reply(message: int, boot: int, values: Mapping[str, Value] | None = None) -> bytes:
    """Return the body of a reply with result OK."""
    fields = reply_fields(message)
    if fields is None:
        raise UnknownMessageError(f"no joint replies to {message_name(message)}")
    return _prefix(boot, table.OK) + pack(fields, values or {})


def pack_refusal(boot: int, result: int, reason: int = table.REASON_NONE) -> bytes:
    """Return the body of a reply with a result other than OK."""
    if result == table.OK:
        raise BoundsError("a refusal cannot have result 0 (ok)")
    return _prefix(boot, result) + pack(table.REFUSAL, {"reason": reason})


def unpack_reply(message: int, body: bytes) -> Reply:
    """Return a reply; raises BodyLengthError, BoundsError or UnknownMessageError."""
    fields = reply_fields(message)
    if fields is None:
        raise UnknownMessageError(f"no joint replies to {message_name(message)}")
    split = table.body_size(table.REPLY_PREFIX)
    prefix = integers(unpack(table.REPLY_PREFIX, body[:split]))
    if prefix["result"] == table.OK:
        return Reply(prefix["boot"], table.OK, table.REASON_NONE, unpack(fields, body[split:]))
    refusal = integers(unpack(table.REFUSAL, body[split:]))
    return Reply(prefix["boot"], prefix["result"], refusal["reason"], {})


def _prefix(boot: int, result: int) -> bytes:
    return pack(table.REPLY_PREFIX, {"boot": boot, "result": result})


def integers(values: Mapping[str, Value]) -> dict[str, int]:
    """Return the integer fields of `values`."""
    return {name: value for name, value in values.items() if isinstance(value, int)}


def pack_cycle(cycle: Cycle) -> bytes:
    """Return the body of CYCLE: set-points follow if and only if `duration_us` is positive."""
    expected = cycle.joints.bit_count() if cycle.duration_us else 0
    if len(cycle.set_points) != expected:
        raise BodyLengthError(f"CYCLE has {len(cycle.set_points)} set-points, not {expected}")
    fixed = pack_request(
        table.CYCLE,
        {
            "joints": cycle.joints,
            "slot_us": cycle.slot_us,
            "segment": cycle.segment,
            "duration_us": cycle.duration_us,
        },
    )
    points = (
        pack(table.SET_POINT, {"position": position, "velocity": velocity})
        for position, velocity in cycle.set_points
    )
    return fixed + b"".join(points)


def unpack_cycle(body: bytes) -> Cycle:
    """Return the CYCLE request in `body`, set-points included."""
    split = table.body_size(request_fields(table.CYCLE))
    values = integers(unpack_request(table.CYCLE, body[:split]))
    step = table.body_size(table.SET_POINT)
    expected = values["joints"].bit_count() if values["duration_us"] else 0
    if len(body) != split + expected * step:
        raise BodyLengthError(
            f"CYCLE has {len(body)} bytes, not {split + expected * step} for {expected} set-points"
        )
    points: Sequence[dict[str, int]] = [
        integers(unpack(table.SET_POINT, body[start : start + step]))
        for start in range(split, len(body), step)
    ]
    return Cycle(**values, set_points=tuple((p["position"], p["velocity"]) for p in points))
