"""Both codecs on whatever bytes hypothesis thinks of: they say the same of every one."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guidearm_protocol import messages
from guidearm_protocol.errors import FrameError
from guidearm_protocol.frame import DELIMITER, Frame, decode_frame, encode_frame, request_frame
from guidearm_protocol.stream import StreamParser
from guidearm_tools.micropython import find_interpreter

ROOT = Path(__file__).parents[2]
ADDRESS = 3


class Firmware:
    """The firmware's codec in one MicroPython process that answers line by line."""

    def __init__(self) -> None:
        path = os.pathsep.join(
            str(ROOT / part) for part in ("firmware/guidearm_firmware", "protocol")
        )
        script = Path(__file__).with_name("firmware_codec.py")
        self._process = subprocess.Popen(
            [find_interpreter().path, str(script)],
            env={"MICROPYPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, line: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer.endswith(b"\n"), "the firmware's codec has crashed"
        return answer.decode().strip()

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def firmware() -> Iterator[Firmware]:
    running = Firmware()
    yield running
    running.close()


def content(frame: Frame) -> str:
    header = bytes((frame.flags, frame.address, frame.sequence & 255, frame.sequence >> 8))
    return (header + bytes((frame.message,)) + frame.body).hex()


def concerns(frame: Frame) -> bool:
    return not frame.from_joint and frame.address in (ADDRESS, messages.BROADCAST)


bodies = st.one_of(
    st.binary(max_size=80),
    st.integers(0, messages.MAX_BODY_BYTES).map(bytes),
    st.binary(min_size=messages.MAX_BODY_BYTES - 2, max_size=messages.MAX_BODY_BYTES),
)
frames = st.builds(
    Frame,
    st.sampled_from((16, 17, 32, 0xF0)),
    st.sampled_from((1, ADDRESS, 12)),
    st.integers(0, 0xFFFF),
    st.integers(0, 255),
    bodies,
)
without_zero = st.binary(max_size=300).map(lambda data: data.replace(b"\0", b"\1"))


@st.composite
def hurt(draw: st.DrawFn) -> bytes:
    """Draw an encoded frame with a few bytes changed, lost or added, none of them zero."""
    data = bytearray(encode_frame(draw(frames))[:-1])
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data) - 1))
        byte = draw(st.integers(1, 255))
        match draw(st.sampled_from(("change", "lose", "add"))):
            case "change":
                data[at] = byte
            case "lose" if len(data) > 1:
                del data[at]
            case _:
                data.insert(at, byte)
    return bytes(data)


@given(encoded=st.one_of(without_zero, hurt()))
@example(encoded=b"\xff" + b"\x11" * 254)
@example(encoded=b"\x01" * 5)
@example(encoded=b"")
def test_they_accept_the_same_frames(firmware: Firmware, encoded: bytes) -> None:
    told = firmware.ask(f"open {ADDRESS} {encoded.hex()}")
    try:
        frame = decode_frame(encoded)
    except FrameError:
        assert told in ("0", "-1")
        return
    assert told == (content(frame) if concerns(frame) else "0")


@given(
    sequence=st.integers(0, 0xFFFF),
    address=st.integers(1, messages.MAX_JOINTS),
    message=st.integers(0, 255),
    body=bodies,
)
def test_they_make_the_same_bytes(
    firmware: Firmware, sequence: int, address: int, message: int, body: bytes
) -> None:
    frame = request_frame(address, sequence, message, body)
    assert firmware.ask(f"seal {content(frame)}") == encode_frame(frame).hex()


@given(parts=st.lists(st.one_of(hurt(), without_zero, frames.map(encode_frame)), max_size=6))
def test_they_find_the_same_frames_in_a_stream(firmware: Firmware, parts: list[bytes]) -> None:
    data = DELIMITER.join(parts) + DELIMITER
    found = StreamParser().feed(data)
    told = firmware.ask(f"stream {ADDRESS} {data.hex()}").split()[1:]
    assert told == [content(frame) for frame in found if concerns(frame)]


@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_the_host_does_not_care_how_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole, pieces = StreamParser(), StreamParser()
    expected = whole.feed(data)
    found = [f for a, b in itertools.pairwise(edges) for f in pieces.feed(data[a:b])]
    assert found == expected
    assert (pieces.frames, pieces.errors) == (whole.frames, whole.errors)
