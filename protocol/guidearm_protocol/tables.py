"""The generated parts of README.md: `python -m guidearm_protocol.tables [--write]`.

Without an option README.md beside this package is compared with both tables, and the exit
code is 1 if they differ; `--write` renews the parts between the `begin` and `end` marks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from guidearm_protocol import body, drive, messages, parameters
from guidearm_protocol.frame import Frame, crc32, encode_frame, reply_frame, request_frame

README = Path(__file__).parents[1] / "README.md"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _fields(fields: body.Fields) -> str:
    rows: list[Sequence[object]] = []
    for name, code, unit, low, high in fields:
        bounds = "" if code.endswith("s") else f"{_power(low)} .. {_power(high)}"
        offset = messages.offset_of(fields, name)
        rows.append((offset, f"`{name}`", f"`{code}`", unit, bounds))
    return _table(("offset", "field", "code", "unit", "bounds"), rows)


def _power(value: int) -> str:
    """Write powers of two, and those less one, as such from 2^15 on."""
    sign, size = ("-" if value < 0 else ""), abs(value)
    for bits in range(15, 31):
        if size == 1 << bits:
            return f"{sign}2^{bits}"
        if size == (1 << bits) - 1:
            return f"{sign}(2^{bits} - 1)" if sign else f"2^{bits} - 1"
    return str(value)


def _messages() -> str:
    parts: list[str] = []
    for message, name, request, reply in messages.MESSAGES:
        frozen = ", frozen" if message < messages.FIRST_UNFROZEN else ""
        parts.append(f"#### {name} ({message}{frozen})")
        parts.append(_part("Request", request))
        if message == messages.CYCLE:
            parts.append(
                "Then, if `duration_us` is not 0, for each joint of the mask in order of address:"
            )
            parts.append(_fields(messages.SET_POINT))
        parts.append("No joint replies." if reply is None else _part("Reply", reply))
    return "\n\n".join(parts)


def _part(title: str, fields: body.Fields) -> str:
    if not fields:
        return f"{title}: no fields."
    size = messages.body_size(fields)
    return f"{title}, {size} byte{'s' if size > 1 else ''}:\n\n{_fields(fields)}"


def _numbers() -> str:
    names = (
        ("PROTOCOL_VERSION", ""),
        ("HEADER_BYTES", "byte"),
        ("CRC_BYTES", "byte"),
        ("MIN_DECODED_BYTES", "byte"),
        ("MAX_DECODED_BYTES", "byte"),
        ("MAX_BODY_BYTES", "byte"),
        ("BROADCAST", "address"),
        ("MAX_JOINTS", "addresses 1.."),
        ("TURNAROUND_US", "us"),
        ("SLOT_GUARD_US", "us"),
        ("START_LEAD_US", "us"),
        ("MAX_SEGMENT_US", "us"),
        ("COMMIT_US", "us"),
        ("TIME_MODULUS", "us"),
        ("TICK_US", "us"),
        ("CAPTURE_WORDS", "word"),
        ("CAPTURE_CHUNK_WORDS", "word"),
        ("ANGLE_UNITS_PER_TURN", "per output turn"),
    )
    rows = [(f"`{name}`", _power(getattr(messages, name)), unit) for name, unit in names]
    return _table(("name", "value", "unit"), [*rows, ("table hash", messages.table_hash(), "")])


def _numbered(names: Sequence[str], head: str) -> str:
    return _table(("value", head), enumerate(names))


def _flags() -> str:
    names = [name for name in vars(messages) if name.startswith("FLAG_")]
    return _table(("bit value", "flag"), ((getattr(messages, n), f"`{n}`") for n in names))


def _faults() -> str:
    rows = [(*fault[:3], messages.REACTIONS[fault[3]]) for fault in messages.FAULTS[1:]]
    return _table(("code", "fault", "meaning", "reaction"), rows)


def _signals() -> str:
    rows = (
        (bit, f"`{name}`", unit, f"2^-{bits}" if bits else "1")
        for bit, (name, unit, bits) in enumerate(messages.CAPTURE_SIGNALS)
    )
    return _table(("bit", "signal", "unit", "one step"), rows)


def _parameters() -> str:
    head = ("index", "id", "parameter", "unit", "lowest", "highest", "default", "access")
    rows: list[Sequence[object]] = []
    for index, (number, name, unit, *numbers, access) in enumerate(parameters.PARAMETERS):
        bounds = (_power(value) for value in numbers)
        rows.append((index, number, f"`{name}`", unit, *bounds, parameters.ACCESS[access]))
    return f"Table version {parameters.TABLE_VERSION}:\n\n{_table(head, rows)}"


def _line(title: str, frame: Frame) -> str:
    return f"{title}\n\n    {encode_frame(frame).hex(' ')}"


def _unstuffed(frame: Frame) -> str:
    """Return a frame's content and CRC before stuffing."""
    content = bytes((frame.flags, frame.address)) + frame.sequence.to_bytes(2, "little")
    content += bytes((frame.message,)) + frame.body
    return f"    {content.hex(' ')}, CRC-32 {crc32(content):08x}"


def _example() -> str:
    identify = request_frame(
        3, 1, messages.IDENTIFY, body.pack_request(messages.IDENTIFY, {"nonce": 0x12345678})
    )
    enable = request_frame(3, 2, messages.ENABLE, body.pack_request(messages.ENABLE, {"resume": 0}))
    enabled = reply_frame(3, 2, messages.ENABLE, body.pack_reply(messages.ENABLE, 90))
    refused = reply_frame(
        3,
        2,
        messages.ENABLE,
        body.pack_refusal(90, messages.REFUSED, messages.REASON_NOT_HOMED),
    )
    eighth = messages.ANGLE_UNITS_PER_TURN // 8
    cycle = request_frame(
        messages.BROADCAST,
        1,
        messages.CYCLE,
        body.pack_cycle(body.Cycle(0b101, 390, 1, 10000, ((eighth, 0), (-eighth, 0)))),
    )
    state: dict[str, body.Value] = {
        "received_us": 1_000_000,
        "position": eighth,
        "following_error": -2,
        "output": 2048,
        "current_ma": 1500,
        "age_us": 350,
        "state": messages.OPERATION_ENABLED,
        "flags": messages.FLAG_HOMED | messages.FLAG_AUTHORISED | messages.FLAG_BRAKE_RELEASED,
        "fault": messages.NO_FAULT,
        "segment": 1,
        "depth": 1,
    }
    answer = reply_frame(1, 1, messages.CYCLE, body.pack_reply(messages.CYCLE, 90, state))
    return "\n\n".join(
        (
            _line("Host to joint 3: IDENTIFY, sequence 1, nonce 12345678 hex:", identify),
            "Host to joint 3: ENABLE, sequence 2, resume 0. Flags, address, sequence, message, "
            "body:",
            _unstuffed(enable),
            _line("with the CRC behind, stuffed, and closed by the delimiter:", enable),
            _line("Joint 3 replies OK, boot 90:", enabled),
            _line("or refuses, because it is not homed (result 2, reason 2):", refused),
            _line(
                "Host to joints 1 and 3: CYCLE, broadcast sequence 1, slots of 390 us, segment 1 "
                "of 10000 us, ending at +1/8 and -1/8 turn with velocity 0:",
                cycle,
            ),
            _line("Joint 1 replies in slot 0, with segment 1 queued:", answer),
        )
    )


def _parts() -> dict[str, str]:
    return {
        "numbers": _numbers(),
        "messages": _messages(),
        "prefix": _fields(messages.REPLY_PREFIX),
        "refusal": _fields(messages.REFUSAL),
        "results": _numbered(messages.RESULTS, "result"),
        "reasons": _numbered(messages.REASONS, "reason"),
        "states": _numbered(messages.DRIVE_STATES, "drive state"),
        "transitions": _table(
            ("from", "event", "to", "CiA 402 transition"), drive.transition_rows()
        ),
        "refusals": _table(("event", "refused in", "reason"), drive.refusal_rows()),
        "flags": _flags(),
        "parameters": _parameters(),
        "faults": _faults(),
        "signals": _signals(),
        "triggers": _numbered(messages.CAPTURE_TRIGGERS, "trigger"),
        "phases": _numbered(messages.CAPTURE_PHASES, "phase"),
        "modes": _numbered(messages.MODES, "mode"),
        "example": _example(),
    }


def renewed(text: str) -> str:
    """Return `text` with every generated part as the message table has it now.

    Raises ValueError if a part is missing from the text or unknown.
    """
    parts = _parts()
    marks = re.findall(r"<!-- begin (\w+) -->", text)
    if sorted(marks) != sorted(parts):
        raise ValueError(f"the generated parts are {sorted(parts)}, the text has {sorted(marks)}")
    for name, content in parts.items():
        pattern = rf"(<!-- begin {name} -->\n).*?(\n<!-- end {name} -->)"
        text = re.sub(
            pattern, lambda m, c=content: m.group(1) + c + m.group(2), text, flags=re.DOTALL
        )
    return text


def main(arguments: list[str]) -> int:
    """Check README.md, or renew it with `--write`; returns the exit code."""
    if arguments not in ([], ["--write"]):
        print("usage: python -m guidearm_protocol.tables [--write]", file=sys.stderr)
        return 2
    if not README.exists():
        print(f"{README} is not there: run this in a checkout", file=sys.stderr)
        return 1
    text = README.read_text(encoding="utf-8")
    if arguments:
        README.write_text(renewed(text), encoding="utf-8")
    elif renewed(text) != text:
        print(
            f"{README} does not match the message table: renew it with "
            "python -m guidearm_protocol.tables --write",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
