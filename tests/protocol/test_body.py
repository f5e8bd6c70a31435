"""Bodies by the message table: every message, both ways, bounds included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm_protocol import body, messages
from guidearm_protocol.errors import BodyLengthError, BoundsError, UnknownMessageError

REQUESTS = [(entry[0], entry[2]) for entry in messages.MESSAGES]
REPLIES = [(entry[0], entry[3]) for entry in messages.MESSAGES if entry[3] is not None]
ALL_FIELDS = [fields for _, fields in REQUESTS + REPLIES if fields] + [messages.SET_POINT]


def values_of(fields: body.Fields) -> st.SearchStrategy[dict[str, body.Value]]:
    """Return a strategy for values within bounds."""
    return st.fixed_dictionaries(
        {
            name: st.binary(min_size=messages.field_size(code), max_size=messages.field_size(code))
            if code.endswith("s")
            else st.integers(low, high)
            for name, code, _, low, high in fields
        }
    )


@pytest.mark.parametrize("fields", ALL_FIELDS)
@given(data=st.data())
def test_round_trip(fields: body.Fields, data: st.DataObject) -> None:
    values = data.draw(values_of(fields))
    packed = body.pack(fields, values)
    assert len(packed) == messages.body_size(fields)
    assert body.unpack(fields, packed) == values


@pytest.mark.parametrize("fields", ALL_FIELDS)
def test_every_bound_holds_both_ways(fields: body.Fields) -> None:
    lowest: dict[str, body.Value] = {
        field[0]: bytes(messages.field_size(field[1])) if field[1].endswith("s") else field[3]
        for field in fields
    }
    for name, code, _, low, high in fields:
        if code.endswith("s"):
            with pytest.raises(BoundsError, match=name):
                body.pack(fields, {**lowest, name: b"?"})
            continue
        size = 8 * messages.field_size(code)
        least = -(1 << size - 1) if code.islower() else 0
        most = least + (1 << size) - 1
        offset = messages.offset_of(fields, name)
        for wrong in (low - 1, high + 1):
            with pytest.raises(BoundsError, match=name):
                body.pack(fields, {**lowest, name: wrong})
            if least <= wrong <= most:
                raw = bytearray(body.pack(fields, lowest))
                raw[offset : offset + size // 8] = wrong.to_bytes(
                    size // 8, "little", signed=code.islower()
                )
                with pytest.raises(BoundsError, match=name):
                    body.unpack(fields, bytes(raw))


def test_lengths_and_names() -> None:
    with pytest.raises(BodyLengthError, match="3 bytes, not 4"):
        body.unpack_request(messages.START, bytes(3))
    with pytest.raises(BoundsError, match="master_us is missing"):
        body.pack_request(messages.START)
    with pytest.raises(BoundsError, match="no field later"):
        body.pack_request(messages.START, {"master_us": 1, "later": 2})
    with pytest.raises(UnknownMessageError):
        body.unpack_request(99, b"")
    with pytest.raises(UnknownMessageError, match="no joint replies to START"):
        body.unpack_reply(messages.START, b"\x00\x00")


def test_a_field_never_exceeds_31_signed_bits() -> None:
    for fields in [*ALL_FIELDS, messages.REPLY_PREFIX, messages.REFUSAL]:
        for name, _, _, low, high in fields:
            assert -(1 << 30) <= low <= high < 1 << 30, name


def test_replies() -> None:
    packed = body.pack_reply(messages.GET_PARAMETER, 9, {"value": -5})
    assert body.unpack_reply(messages.GET_PARAMETER, packed) == body.Reply(9, 0, 0, {"value": -5})
    refusal = body.pack_refusal(9, messages.REFUSED, messages.REASON_FAULT)
    assert body.unpack_reply(messages.ENABLE, refusal) == body.Reply(9, 2, 1, {})
    with pytest.raises(BoundsError, match="cannot have result 0"):
        body.pack_refusal(9, messages.OK)
    for wrong in (b"", b"\x09", b"\x09\x02", b"\x09\x00\x00"):
        with pytest.raises(BodyLengthError):
            body.unpack_reply(messages.ENABLE, wrong)


angles = st.integers(messages.SET_POINT[0][3], messages.SET_POINT[0][4])
speeds = st.integers(messages.SET_POINT[1][3], messages.SET_POINT[1][4])


@given(st.integers(0, 4095), st.integers(0, messages.MAX_SEGMENT_US), st.data())
def test_cycle_round_trip(joints: int, duration: int, data: st.DataObject) -> None:
    count = joints.bit_count() if duration else 0
    points = data.draw(st.lists(st.tuples(angles, speeds), min_size=count, max_size=count))
    cycle = body.Cycle(joints, 400, 12, duration, tuple(points))
    packed = body.pack_cycle(cycle)
    assert body.unpack_cycle(packed) == cycle
    with pytest.raises(BodyLengthError):
        body.unpack_cycle(packed + b"\x00")
    with pytest.raises(BodyLengthError):
        body.pack_cycle(body.Cycle(joints, 400, 12, duration, (*points, (0, 0))))


def test_the_longest_cycle_fits_a_frame() -> None:
    cycle = body.Cycle(4095, 400, 0, 1, ((0, 0),) * messages.MAX_JOINTS)
    assert len(body.pack_cycle(cycle)) <= messages.MAX_BODY_BYTES
