"""A joint that is found by its unique id and given an address by it, with the heap locked."""

from __future__ import annotations

import itertools

import pytest
from joint_bench import Step, play
from test_session import BOOT, answers, broadcast, counters, cycle, identify, request, results

from guidearm_protocol import body
from guidearm_protocol import messages as wire
from guidearm_protocol.frame import encode_frame, request_frame

MINE = b"12345678"  # the bench board's
OTHER = b"12345679"


def discover(sequence: int = 5, slots: int = 32, slot_us: int = 270, salt: int = 0) -> Step:
    return broadcast(sequence, wire.DISCOVER, slots=slots, slot_us=slot_us, salt=salt)


def assign(address: int, unique_id: bytes = MINE, arm_id: int = 0, sequence: int = 6) -> Step:
    values = {"unique_id": unique_id, "address": address, "arm_id": arm_id}
    return raw(wire.ASSIGN_ADDRESS, body.pack_request(wire.ASSIGN_ADDRESS, values), sequence)


def raw(message: int, content: bytes, sequence: int = 5) -> Step:
    frame = request_frame(wire.BROADCAST, sequence, message, content)
    return ["receive", encode_frame(frame).hex()]


def test_it_answers_without_a_session_and_again() -> None:
    steps = [discover(), discover(), identify(), discover(3), cycle(4), discover(3)]
    told = answers(play(steps))
    found = [reply for reply in (told[0], told[1], told[3], told[5]) if reply]
    assert len(found) == 4
    for frame, reply, _ in found:
        assert (frame.address, frame.message, reply.boot) == (1, wire.DISCOVER, BOOT)
        assert reply.values == {"unique_id": MINE, "arm_id": 0}
    assert counters(*steps)["executed"] == 5


def test_it_draws_a_slot_for_each_salt() -> None:
    told = answers(play([discover(salt=salt) for salt in range(64)]))
    slots = [(reply[2] - wire.TURNAROUND_US) / 270 for reply in told if reply]
    assert len(slots) == 64
    assert all(slot == int(slot) and 0 <= slot < 32 for slot in slots)
    assert len(set(slots)) > 16
    one = answers(play([discover(slots=1, salt=salt) for salt in range(8)]))
    assert {reply[2] for reply in one if reply} == {wire.TURNAROUND_US}


def test_a_request_that_breaks_the_table_is_not_answered_or_refused() -> None:
    steps = [
        raw(wire.DISCOVER, bytes(5)),  # no slots
        raw(wire.DISCOVER, b"\x20\x0e\x01"),
        raw(wire.ASSIGN_ADDRESS, MINE),
        raw(wire.ASSIGN_ADDRESS, MINE + b"\x00\x00\x00"),
        raw(wire.ASSIGN_ADDRESS, MINE + b"\x0d\x00\x00"),
        identify(),
    ]
    refused = wire.OUT_OF_BOUNDS
    assert results(*steps) == [None, None, None, refused, refused, wire.OK]


def test_an_address_is_taken_at_once_and_ends_the_session() -> None:
    steps = [identify(), cycle(4), assign(7, arm_id=12)]
    at_new = request(1001, wire.FAULT, 7)
    again = [at_new, request(1, wire.IDENTIFY, 7, nonce=3), request(2, wire.FAULT, 7)]
    told = answers(play([*steps, request(1001, wire.FAULT), *again]))
    taken = told[2]
    assert taken is not None
    assert (taken[0].address, taken[1].result, taken[2]) == (7, wire.OK, wire.TURNAROUND_US)
    assert told[3] is None  # nobody is at the old address any more
    assert [reply[1].result for reply in told[4:] if reply] == [wire.STALE, wire.OK, wire.OK]
    identity = told[5]
    assert identity is not None
    assert identity[1].values["arm_id"] == 12


def test_an_assignment_for_another_joint_is_not_mine() -> None:
    assert results(identify(), assign(7, OTHER), request(1001, wire.FAULT)) == [
        wire.OK,
        None,
        wire.OK,
    ]


def test_the_same_address_again_leaves_the_session_alone() -> None:
    steps = [identify(), assign(1), assign(1), request(1001, wire.FAULT)]
    assert results(*steps) == [wire.OK] * 4


@pytest.mark.parametrize("moving", [False, True])
def test_an_enabled_joint_keeps_its_address(moving: bool) -> None:
    enabled: list[Step] = [identify(), request(1001, wire.ENABLE, resume=0), ["run", 700]]
    points: list[Step] = [cycle(4 + n, 1, n + 1, [(900 * n, 0)], 20_000) for n in range(20)]
    run: list[Step] = [*points, ["start_in", 30_000], ["run", 60]] if moving else []
    told = answers(play([*enabled, *run, assign(7), request(1002, wire.FAULT)]))
    refused, still_there = told[-2], told[-1]
    assert refused is not None and still_there is not None
    assert (refused[0].address, refused[1].result) == (1, wire.REFUSED)
    assert refused[1].reason == wire.REASON_ENABLED
    assert still_there[1].result == wire.OK


def test_two_ids_do_not_meet_under_every_salt() -> None:
    """Ids of one batch differ in a digit or two; the bench has one id, so the law is computed."""
    ids = [bytes((1, 2, 3, 4, 5, 6, a, b)) for a, b in itertools.product(range(4), range(16))]
    for first, second in itertools.combinations(ids, 2):
        apart = [drawn(first, salt) != drawn(second, salt) for salt in range(8)]
        assert any(apart)
    # and the law is the joint's
    told = answers(play([discover(salt=salt) for salt in range(16)]))
    slots = [(reply[2] - wire.TURNAROUND_US) // 270 for reply in told if reply]
    assert slots == [drawn(MINE, salt) for salt in range(16)]


def drawn(unique_id: bytes, salt: int, slots: int = 32) -> int:
    h = salt
    for byte in unique_id:
        h = ((h ^ byte) * 403 + 1) & 0x1FFFFF
        h ^= h >> 7
    return (h >> 3) % slots
