"""Vectors that every codec must satisfy: `python -m guidearm_protocol.vectors [--write]`.

Without an option the committed `vectors.json` is compared with what this codec makes of the
message table, and the exit code is 1 if they differ; `--write` renews the file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cobs import cobs  # pyright: ignore[reportMissingTypeStubs]

from guidearm_protocol import body, messages
from guidearm_protocol.errors import ProtocolError
from guidearm_protocol.frame import (
    DELIMITER,
    MAX_ENCODED_BYTES,
    Frame,
    crc32,
    decode_frame,
    encode_frame,
    reply_frame,
    request_frame,
)
from guidearm_protocol.stream import StreamParser

VECTORS = Path(__file__).with_name("vectors.json")
Json = dict[str, Any]


def _value(field: body.Field, kind: str, index: int) -> body.Value:
    _, code, _, low, high = field
    if code.endswith("s"):
        size = messages.field_size(code)
        fill = {"low": b"\x00", "high": b"\xff"}.get(kind)
        return fill * size if fill else bytes((17 * index + i) % 256 for i in range(size))
    span = high - low
    return {"low": low, "high": high}.get(kind, low + (span * (2 * index + 3) // 31) % (span + 1))


def _values(fields: body.Fields, kind: str) -> dict[str, body.Value]:
    return {field[0]: _value(field, kind, index) for index, field in enumerate(fields)}


def _plain(values: Mapping[str, body.Value]) -> Json:
    return {
        name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()
    }


def _entry(name: str, frame: Frame, values: Json) -> Json:
    return {
        "name": name,
        "flags": frame.flags,
        "address": frame.address,
        "sequence": frame.sequence,
        "message": frame.message,
        "body": frame.body.hex(),
        "values": values,
        "encoded": encode_frame(frame).hex(),
    }


def _requests() -> Iterator[Json]:
    for message, name, fields, reply in messages.MESSAGES:
        for kind, sequence in (("low", 0), ("middle", 0x1234), ("high", 0xFFFF)):
            to_all = reply is None or message in (messages.DISCOVER, messages.ASSIGN_ADDRESS)
            address = messages.BROADCAST if to_all else 1 + sequence % 6
            values = _values(fields, kind)
            if message == messages.CYCLE:
                continue
            frame = request_frame(address, sequence, message, body.pack_request(message, values))
            yield _entry(f"{name} request, {kind}", frame, _plain(values))


def _cycles() -> Iterator[Json]:
    low, high = messages.SET_POINT[0][3], messages.SET_POINT[0][4]
    slowest, fastest = messages.SET_POINT[1][3], messages.SET_POINT[1][4]
    six = tuple((1 << k) - (k << 20) for k in range(6))
    cases = (
        ("without set-points", body.Cycle(0b111111, 375, 0, 0)),
        (
            "six joints",
            body.Cycle(0b111111, 375, 513, 10000, tuple((p, -p // 3) for p in six)),
        ),
        ("one joint of three", body.Cycle(0b100, 375, 65535, 1, ((low, fastest),))),
        (
            "twelve joints",
            body.Cycle(0xFFF, 65535, 65535, messages.MAX_SEGMENT_US, ((high, slowest),) * 12),
        ),
    )
    for sequence, (name, cycle) in enumerate(cases, start=254):
        frame = request_frame(messages.BROADCAST, sequence, messages.CYCLE, body.pack_cycle(cycle))
        values: Json = {
            "joints": cycle.joints,
            "slot_us": cycle.slot_us,
            "segment": cycle.segment,
            "duration_us": cycle.duration_us,
            "set_points": [list(point) for point in cycle.set_points],
        }
        yield _entry(f"CYCLE request, {name}", frame, values)


def _replies() -> Iterator[Json]:
    for message, name, _, fields in messages.MESSAGES:
        if fields is None:
            continue
        for kind, boot in (("low", 0), ("middle", 7), ("high", 255)):
            values = _values(fields, kind)
            frame = reply_frame(
                1 + message % 6, 0x0100 + message, message, body.pack_reply(message, boot, values)
            )
            plain = {"boot": boot, "result": messages.OK, **_plain(values)}
            yield _entry(f"{name} reply, {kind}", frame, plain)
    for result in range(1, len(messages.RESULTS)):
        reason = messages.REASON_NOT_HOMED if result == messages.REFUSED else 0
        packed = body.pack_refusal(3, result, reason)
        frame = reply_frame(2, 40 + result, messages.ENABLE, packed)
        plain = {"boot": 3, "result": result, "reason": reason}
        yield _entry(f"ENABLE reply, {messages.RESULTS[result]}", frame, plain)


def _frames() -> Iterator[Json]:
    """Shapes that no message has, and that a codec must still carry."""
    longest = bytes(1 + i % 255 for i in range(messages.MAX_BODY_BYTES))
    shapes = (
        ("longest body without a zero", longest),
        ("longest body of zeros", bytes(messages.MAX_BODY_BYTES)),
        ("unknown message", b"\x00\x01\x00"),
    )
    for name, content in shapes:
        yield _entry(name, request_frame(1, 0x0101, 200, content), {})
    old = Frame(0x20, 3, 9, messages.IDENTIFY, body.pack_request(messages.IDENTIFY, {"nonce": 5}))
    yield _entry("IDENTIFY of protocol version 2", old, {"nonce": 5})


def _seal(content: bytes) -> bytes:
    sealed: bytes = cobs.encode(content + crc32(content).to_bytes(4, "little"))  # pyright: ignore
    return sealed


def _invalid() -> Iterator[Json]:
    good = encode_frame(request_frame(3, 77, messages.ENABLE, b"\x00"))[:-1]
    flipped = good[:-2] + bytes((good[-2] ^ 1,)) + good[-1:]
    moved = bytes((good[0] + 1,)) + good[1:]
    cases = (
        ("nothing but a code byte", b"\x01"),
        ("all zero content, no checksum: CRC-32 of nothing is 0", b"\x01" * 5),
        ("shortest content less one byte", _seal(b"\x10\x01\x02\x03")),
        ("one byte too many", _seal(b"\x10\x01" + bytes(248))),
        ("code byte FF", b"\xff" + b"\x11" * 254),
        ("a code that points past the end", good[:-1]),
        ("a code byte one too large", moved),
        ("one bit of the checksum flipped", flipped),
        ("one bit of the sequence flipped", good[:3] + bytes((good[3] ^ 4,)) + good[4:]),
        ("version 0", _seal(b"\x01\x01\x01\x00\x15")),
        ("reserved flag bit", _seal(b"\x12\x01\x01\x00\x15")),
        ("address 0", _seal(b"\x10\x00\x01\x00\x15")),
        ("address 13", _seal(b"\x10\x0d\x01\x00\x15")),
        ("broadcast from a joint", _seal(b"\x11\xff\x01\x00\x15")),
    )
    for name, encoded in cases:
        try:
            decode_frame(encoded)
        except ProtocolError as error:
            yield {"name": name, "encoded": (encoded + DELIMITER).hex(), "reason": error.reason}
        else:
            raise AssertionError(f"this codec accepts the invalid vector: {name}")


def _bad_bodies() -> Iterator[Json]:
    ready = body.pack_request(messages.ENABLE, {"resume": 1})
    cases = (
        ("ENABLE without its field", messages.ENABLE, b""),
        ("ENABLE with a byte too many", messages.ENABLE, ready + b"\x00"),
        ("ENABLE resume 2", messages.ENABLE, b"\x02"),
        ("START beyond the time modulus", messages.START, b"\x00\x00\x00\x40"),
        (
            "CYCLE with a set-point missing",
            messages.CYCLE,
            b"\x03\x00\x77\x01\x01\x00\x10\x27" + bytes(8),
        ),
        ("CYCLE of joint 13", messages.CYCLE, b"\x00\x10\x77\x01\x01\x00\x00\x00"),
        ("CYCLE segment too long", messages.CYCLE, b"\x01\x00\x77\x01\x01\x00\x21\x4e" + bytes(8)),
        ("message 99", 99, b""),
    )
    for name, message, content in cases:
        unpack = body.unpack_cycle if message == messages.CYCLE else None
        try:
            unpack(content) if unpack else body.unpack_request(message, content)
        except ProtocolError as error:
            yield {
                "name": name,
                "message": message,
                "body": content.hex(),
                "encoded": encode_frame(request_frame(1, 5, message, content)).hex(),
                "reason": error.reason,
            }
        else:
            raise AssertionError(f"this codec accepts the invalid body: {name}")


def _streams() -> Iterator[Json]:
    first = encode_frame(request_frame(1, 1, messages.STOP))
    second = encode_frame(request_frame(2, 2, messages.HOME))
    cases = (
        ("two frames back to back", first + second),
        ("delimiters in a row are silence", DELIMITER * 3 + first + DELIMITER * 2 + second),
        ("junk before a delimiter", b"\x55\xaa\x10" + DELIMITER + first),
        ("junk runs into a frame, which is lost", b"\x55\xaa\x10" + first + second),
        ("a truncated frame", first[:-4] + DELIMITER + second),
        ("a frame cut off, the next runs into it", first[:-4] + second + first),
        ("more bytes than a frame has", b"\x7e" * (3 * MAX_ENCODED_BYTES) + DELIMITER + second),
        ("one byte more than a frame has", b"\x01" * (MAX_ENCODED_BYTES + 1) + DELIMITER + first),
        ("an unfinished frame at the end", second + first[:-1]),
    )
    for name, data in cases:
        parser = StreamParser()
        frames = [encode_frame(frame).hex() for frame in parser.feed(data)]
        yield {"name": name, "bytes": data.hex(), "frames": frames, "errors": parser.errors}


def make_vectors() -> Json:
    """Return the content of `vectors.json`."""
    return {
        "protocol_version": messages.PROTOCOL_VERSION,
        "table_hash": messages.table_hash(),
        "frames": [*_requests(), *_cycles(), *_replies(), *_frames()],
        "invalid_frames": list(_invalid()),
        "invalid_bodies": list(_bad_bodies()),
        "streams": list(_streams()),
    }


def as_text(vectors: Json) -> str:
    """Return `vectors` as JSON with one vector on each line."""
    parts: list[str] = []
    for key, value in vectors.items():
        if isinstance(value, list):
            rows = ",\n    ".join(json.dumps(row) for row in value)  # pyright: ignore
            parts.append(f'  "{key}": [\n    {rows}\n  ]')
        else:
            parts.append(f'  "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Check the committed vectors, or write them with `--write`; returns the exit code."""
    text = as_text(make_vectors())
    if arguments == ["--write"]:
        VECTORS.write_text(text, encoding="utf-8")
        return 0
    if arguments:
        print("usage: python -m guidearm_protocol.vectors [--write]", file=sys.stderr)
        return 2
    if not VECTORS.exists() or VECTORS.read_text(encoding="utf-8") != text:
        print(
            f"{VECTORS} does not match the message table: renew it with "
            "python -m guidearm_protocol.vectors --write",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
