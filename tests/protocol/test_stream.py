"""Frames out of a stream: any chunking, any junk, bounded memory."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm_protocol import messages
from guidearm_protocol.frame import MAX_ENCODED_BYTES, Frame, encode_frame, request_frame
from guidearm_protocol.stream import StreamParser
from guidearm_protocol.vectors import VECTORS

STREAMS: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))["streams"]

frames = st.builds(
    request_frame,
    st.integers(1, 12),
    st.integers(0, 65535),
    st.integers(0, 255),
    st.binary(max_size=messages.MAX_BODY_BYTES),
)
junk = st.binary(max_size=2 * MAX_ENCODED_BYTES)


def feed_in_pieces(data: bytes, cuts: list[int]) -> tuple[list[Frame], StreamParser]:
    """Return the frames and the parser after feeding `data` cut at `cuts`."""
    parser = StreamParser()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    found: list[Frame] = []
    for start, end in itertools.pairwise(edges):
        found += parser.feed(data[start:end])
    return found, parser


@given(st.lists(st.one_of(frames.map(encode_frame), junk)), st.lists(st.integers(0, 10000)))
def test_frames_do_not_depend_on_chunking(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    whole = StreamParser()
    expected = whole.feed(data)
    found, pieces = feed_in_pieces(data, cuts)
    assert found == expected
    assert (pieces.frames, pieces.errors) == (whole.frames, whole.errors)


@given(junk, frames, frames)
def test_a_good_frame_after_a_delimiter_is_found(noise: bytes, lost: Frame, good: Frame) -> None:
    parser = StreamParser()
    found = parser.feed(noise + encode_frame(lost)[:-3] + b"\x00" + encode_frame(good))
    assert found[-1] == good
    assert parser.frames == len(found)


@given(st.lists(junk))
def test_memory_is_bounded(parts: list[bytes]) -> None:
    parser = StreamParser()
    for part in parts:
        parser.feed(part.replace(b"\x00", b"\x01"))
        assert len(vars(parser)["_pending"]) <= MAX_ENCODED_BYTES


def test_reset_forgets_an_unfinished_frame() -> None:
    data = encode_frame(request_frame(1, 2, messages.STOP))
    parser = StreamParser()
    assert parser.feed(data[:4]) == []
    parser.reset()
    assert len(parser.feed(data)) == 1
    assert parser.errors == {}


@pytest.mark.parametrize("entry", STREAMS, ids=lambda entry: entry["name"])
def test_stream_vector(entry: dict[str, Any]) -> None:
    parser = StreamParser()
    found = parser.feed(bytes.fromhex(entry["bytes"]))
    assert [encode_frame(frame).hex() for frame in found] == entry["frames"]
    assert parser.errors == entry["errors"]
