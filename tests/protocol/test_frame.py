"""One frame: round trip, corruption, vectors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm_protocol import body, messages
from guidearm_protocol.errors import FrameError, FrameLengthError, HeaderError, ProtocolError
from guidearm_protocol.frame import (
    MAX_ENCODED_BYTES,
    Frame,
    decode_frame,
    encode_frame,
    reply_frame,
    request_frame,
)
from guidearm_protocol.vectors import VECTORS, as_text, make_vectors

STORED: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))

bodies = st.binary(max_size=messages.MAX_BODY_BYTES)
addresses = st.integers(1, messages.MAX_JOINTS)
words = st.integers(0, 65535)
bytes_ = st.integers(0, 255)
frames = st.one_of(
    st.builds(request_frame, st.one_of(addresses, st.just(255)), words, bytes_, bodies),
    st.builds(reply_frame, addresses, words, bytes_, bodies),
)


@given(frames)
def test_round_trip(frame: Frame) -> None:
    encoded = encode_frame(frame)
    assert encoded.index(0) == len(encoded) - 1
    assert len(encoded) <= MAX_ENCODED_BYTES + 1
    assert 0xFF not in _codes(encoded)
    assert (encoded[1], encoded[2]) == (frame.flags, frame.address)
    assert decode_frame(encoded[:-1]) == frame


def _codes(encoded: bytes) -> list[int]:
    found: list[int] = []
    at = 0
    while at < len(encoded) - 1:
        found.append(encoded[at])
        at += encoded[at]
    return found


@given(frames, st.data())
def test_one_wrong_byte_is_never_accepted(frame: Frame, data: st.DataObject) -> None:
    encoded = bytearray(encode_frame(frame)[:-1])
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] = data.draw(bytes_.filter(lambda byte: byte != encoded[at]))
    with pytest.raises(FrameError):
        decode_frame(bytes(encoded))


def test_no_single_bit_flip_is_accepted() -> None:
    for entry in STORED["frames"][::7]:
        good = bytes.fromhex(entry["encoded"])[:-1]
        for bit in range(8 * len(good)):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            with pytest.raises(FrameError):
                decode_frame(bytes(bad))


@given(st.binary(max_size=300))
def test_junk_raises_nothing_but_frame_errors(junk: bytes) -> None:
    with pytest.raises(FrameError):
        decode_frame(junk)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (request_frame(0, 1, 1), HeaderError),
        (request_frame(13, 1, 1), HeaderError),
        (reply_frame(255, 1, 1), HeaderError),
        (Frame(0x02, 1, 1, 1), HeaderError),
        (request_frame(1, 1, 1, bytes(245)), FrameLengthError),
    ],
)
def test_what_cannot_be_received_is_not_sent(frame: Frame, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_frame(frame)


def test_stored_vectors_are_those_of_the_table() -> None:
    assert VECTORS.read_text(encoding="utf-8") == as_text(make_vectors())
    assert STORED["table_hash"] == messages.table_hash()


@pytest.mark.parametrize("entry", STORED["frames"], ids=lambda entry: entry["name"])
def test_valid_vector(entry: dict[str, Any]) -> None:
    frame = decode_frame(bytes.fromhex(entry["encoded"])[:-1])
    assert frame == Frame(
        entry["flags"],
        entry["address"],
        entry["sequence"],
        entry["message"],
        bytes.fromhex(entry["body"]),
    )
    assert encode_frame(frame).hex() == entry["encoded"]


@pytest.mark.parametrize("entry", STORED["invalid_frames"], ids=lambda entry: entry["name"])
def test_invalid_vector(entry: dict[str, Any]) -> None:
    with pytest.raises(FrameError) as caught:
        decode_frame(bytes.fromhex(entry["encoded"])[:-1])
    assert caught.value.reason == entry["reason"]


@pytest.mark.parametrize("entry", STORED["invalid_bodies"], ids=lambda entry: entry["name"])
def test_invalid_body(entry: dict[str, Any]) -> None:
    frame = decode_frame(bytes.fromhex(entry["encoded"])[:-1])
    with pytest.raises(ProtocolError) as caught:
        if frame.message == messages.CYCLE:
            body.unpack_cycle(frame.body)
        else:
            body.unpack_request(frame.message, frame.body)
    assert caught.value.reason == entry["reason"]
