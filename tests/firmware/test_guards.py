"""Hostile bytes at the firmware's codec: nothing outside its buffers, nothing wrong accepted."""

from __future__ import annotations

import random
import struct
import tempfile
from typing import Any

import pytest
from cobs import cobs  # pyright: ignore[reportMissingTypeStubs]
from joint_bench import run

from guidearm_protocol import messages as wire
from guidearm_protocol.errors import FrameError
from guidearm_protocol.frame import crc32, decode_frame, encode_frame, request_frame
from guidearm_tools.micropython import Interpreter

CASES = 30_000


def stuffed(content: bytes) -> bytes:
    data: bytes = cobs.encode(content)  # pyright: ignore
    return data


def hostile(rng: random.Random) -> bytes:
    """Return bytes that arrive: noise, chains of codes, damaged frames, good checksums of junk."""
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 300))
    if kind == 1:
        return bytes(rng.choices((1, 2, 3, 254, 255, 16, 17), k=rng.randrange(1, 300)))
    if kind == 2:  # a chain of codes that ends, or nearly ends, at the end
        data = bytearray(rng.randbytes(rng.randrange(10, 256)).replace(b"\x00", b"\x01"))
        at = 0
        while at < len(data):
            rest = len(data) - at + rng.choice((0, 0, 1, -1))
            data[at] = max(1, min(rng.choice((1, 2, 5, 60, 254)), rest))
            at += data[at]
        return bytes(data) + b"\x00"
    if kind == 3:  # a good checksum over any header
        length = rng.choice((4, 5, 6, 60, 248, 249, 250, 251, rng.randrange(264)))
        header = bytes((rng.choice((16, 16, 0, 17, 18, 32)), rng.choice((3, 3, 255, 0, 1, 13))))
        content = (header + rng.randbytes(264))[:length]
        return stuffed(content + crc32(content).to_bytes(4, "little")) + b"\x00"
    body = rng.randbytes(rng.choice((0, 1, 8, 60, wire.MAX_BODY_BYTES)))
    if rng.random() < 0.3:
        body = bytes(len(body))
    frame = bytearray(encode_frame(request_frame(rng.choice((3, 255, 4)), 9, 16, body)))
    if kind == 4:
        frame[rng.randrange(len(frame))] = rng.randrange(256)
    elif kind == 5:
        del frame[rng.randrange(len(frame))]
    elif kind == 6:
        frame.insert(rng.randrange(len(frame)), rng.randrange(256))
    return bytes(frame)


Cases = list[tuple[int, int, bytes]]


def make_cases(number: int) -> Cases:
    """Return own addresses, how many bytes come at once, and what is between two delimiters."""
    rng = random.Random(8)
    cases: Cases = []
    for _ in range(number):
        data = hostile(rng).partition(b"\x00")[0]
        cases.append((rng.choice((3, 3, 3, 1, 12)), rng.choice((256, 256, 64, 7, 1)), data))
    return cases


def tell(cases: Cases, contents: list[bytes], on: Interpreter | None = None) -> dict[str, Any]:
    """Return what the firmware makes of cases and contents."""
    with tempfile.NamedTemporaryFile() as file:
        for address, most, data in cases:
            file.write(struct.pack("<BHH", address, most, len(data) + 1) + data + b"\x00")
        file.flush()
        seal = [content.hex() for content in contents]
        told = run("guards.py", {"path": file.name, "seal": seal}, on=on)
    return told | {"accepted": told["accepted"][1:], "seals": told["seals"][1:]}


@pytest.fixture(scope="module")
def cases() -> Cases:
    return make_cases(CASES)


@pytest.fixture(scope="module")
def contents() -> list[bytes]:
    rng = random.Random(9)
    lengths = [*range(5, wire.MAX_DECODED_BYTES - wire.CRC_BYTES + 1)] * 4
    return [bytes(rng.choices((0, rng.randrange(256), 255), k=n)) for n in lengths]


@pytest.fixture(scope="module")
def told(cases: Cases, contents: list[bytes]) -> dict[str, Any]:
    return tell(cases, contents)


def test_no_byte_outside_a_buffer_is_touched(told: dict[str, Any]) -> None:
    assert told["broken"] == -1
    assert len(told["accepted"]) + sum(told["refused"]) == CASES


def test_exactly_the_hosts_good_frames_are_accepted(told: dict[str, Any], cases: Cases) -> None:
    expected: list[list[Any]] = []
    for index, (address, _, encoded) in enumerate(cases):
        try:
            frame = decode_frame(encoded)
        except FrameError:
            continue
        if not frame.from_joint and frame.address in (address, wire.BROADCAST):
            decoded: bytes = cobs.decode(encoded)  # pyright: ignore
            expected.append([index, decoded[: -wire.CRC_BYTES].hex()])
    assert told["accepted"] == expected
    assert len(expected) > len(cases) // 20
    assert min(told["refused"]) > len(cases) // 20


def test_what_it_seals_is_what_the_host_would_send(
    told: dict[str, Any], contents: list[bytes]
) -> None:
    for content, seal in zip(contents, told["seals"], strict=True):
        assert seal == (stuffed(content + crc32(content).to_bytes(4, "little")) + b"\x00").hex()
