"""A host's session with one joint: what executes, what is repeated, what is refused; and when.

Every frame is received with the heap locked: nothing here allocates on the joint.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from joint_bench import Step, Trace, play

from guidearm_protocol import body, parameters
from guidearm_protocol import messages as wire
from guidearm_protocol.frame import Frame, decode_frame, encode_frame, reply_frame, request_frame
from guidearm_protocol.vectors import VECTORS

BOOT = 0x07  # low byte of the bench board's boot count
Request = tuple[int, int, dict[str, body.Value]]  # sequence, message, values


def request(sequence: int, message: int, address: int = 1, **values: body.Value) -> Step:
    packed = body.pack_request(message, values)
    return ["receive", encode_frame(request_frame(address, sequence, message, packed)).hex()]


def broadcast(sequence: int, message: int, **values: body.Value) -> Step:
    return request(sequence, message, wire.BROADCAST, **values)


def identify(nonce: int = 77, sequence: int = 1000) -> Step:
    return request(sequence, wire.IDENTIFY, nonce=nonce)


def cycle(
    sequence: int,
    joints: int = 1,
    segment: int = 0,
    points: Sequence[body.SetPoint] = (),
    us: int = 0,
) -> Step:
    packed = body.pack_cycle(body.Cycle(joints, 500, segment, us, tuple(points)))
    frame = request_frame(wire.BROADCAST, sequence, wire.CYCLE, packed)
    return ["receive", encode_frame(frame).hex()]


def answers(trace: Trace) -> list[tuple[Frame, body.Reply, int] | None]:
    """Return for each `receive` the frame sent, its body and its start in us after the request."""
    told: list[tuple[Frame, body.Reply, int] | None] = []
    for answer in trace.answers:
        if not isinstance(answer, list):
            continue
        sent, after = answer  # pyright: ignore[reportUnknownVariableType]
        if not sent:
            told.append(None)
            continue
        frame = decode_frame(bytes.fromhex(str(sent))[:-1])  # pyright: ignore
        told.append((frame, body.unpack_reply(frame.message, frame.body), int(after)))  # pyright: ignore
    return told


def results(*steps: Step) -> list[int | None]:
    """Return the result of each reply, None where there was none."""
    return [a[1].result if a else None for a in answers(play(steps))]


COUNTERS = ("accepted", "damaged", "executed", "repeated", "stale", "missed_slots")


def counters(*steps: Step) -> dict[str, Any]:
    """Return what the joint counts after the steps."""
    last = answers(play([*steps, request(30_000, wire.COUNTERS)]))[-1]
    assert last is not None
    return {name: last[1].values[name] for name in COUNTERS}


# ---- who is there


def test_identify_says_what_the_joint_is() -> None:
    (told,) = answers(play([identify()]))
    assert told is not None
    frame, reply, after = told
    assert frame == reply_frame(1, 1000, wire.IDENTIFY, frame.body)
    assert (reply.boot, reply.result) == (BOOT, wire.OK)
    assert after == wire.TURNAROUND_US
    assert reply.values["protocol"] == wire.PROTOCOL_VERSION
    assert reply.values["table_hash"] == wire.table_hash()
    assert [reply.values[f"firmware_{part}"] for part in ("major", "minor", "patch")] == [1, 2, 3]
    assert (reply.values["unique_id"], reply.values["boot_count"]) == (b"12345678", 0x0107)
    assert reply.values["board"] == b"bench" + bytes(7)
    assert reply.values["counts_per_turn"] == 409600


def test_an_older_joint_can_be_identified_and_stopped_but_nothing_else() -> None:
    def of_version(version: int, message: int, content: bytes, sequence: int) -> Step:
        return ["receive", encode_frame(Frame(version << 4, 1, sequence, message, content)).hex()]

    nonce = body.pack_request(wire.IDENTIFY, {"nonce": 5})
    steps = [
        of_version(2, wire.IDENTIFY, nonce, 5),
        of_version(2, wire.STOP, b"", 6),
        of_version(2, wire.ENABLE, b"\x00", 7),
    ]
    assert results(*steps) == [wire.OK, wire.OK, None]


# ---- sequence


def test_nothing_but_identify_and_stop_executes_before_a_session() -> None:
    steps = [request(5, wire.ENABLE, resume=0), broadcast(6, wire.STOP), request(7, wire.STOP)]
    assert results(*steps, cycle(8), identify()) == [wire.STALE, None, wire.OK, None, wire.OK]


def test_an_equal_request_gets_the_same_reply_and_does_not_execute_again() -> None:
    enable = request(1001, wire.ENABLE, resume=0)
    trace = play([identify(), enable, ["run", 100], request(1002, wire.STOP), ["run", 200], enable])
    assert trace.last("STATE") == wire.SWITCH_ON_DISABLED
    repeated = play([identify(), enable, ["run", 100], enable, enable])
    first, *again = [answer for answer in repeated.answers if isinstance(answer, list)][1:]  # pyright: ignore
    assert again == [first, first]
    counts = counters(identify(), enable, enable, enable)
    assert (counts["executed"], counts["repeated"], counts["stale"]) == (3, 2, 0)


@pytest.mark.parametrize("sequence", [1000, 999, 1000 - 32767, 1001 - 1 - 32768])
def test_an_older_sequence_is_stale(sequence: int) -> None:
    steps = [identify(), request(sequence % 65536, wire.ENABLE, resume=0)]
    trace = play([*steps, ["run", 3]])
    told = answers(trace)[1]
    assert told is not None
    assert told[1].result == wire.STALE
    assert trace.last("STATE") == wire.SWITCH_ON_DISABLED


def test_a_stale_answer_does_not_replace_the_cached_reply() -> None:
    get = request(1001, wire.GET_PARAMETER, index=parameters.ADDRESS)
    stale = request(900, wire.ENABLE, resume=0)
    told = answers(play([identify(), get, stale, get, cycle(5), get]))
    assert told[1] == told[3] == told[5]
    assert told[1] is not None
    assert told[1][1].values == {"value": 1}


def test_sequences_run_on_over_their_end() -> None:
    steps = [identify(sequence=65_534), request(65_535, wire.FAULT), request(3, wire.FAULT)]
    assert results(*steps) == [wire.OK] * 3


def test_a_new_nonce_restarts_both_windows_and_an_old_one_does_not() -> None:
    again = [identify(nonce=78, sequence=5), request(6, wire.FAULT), cycle(3)]
    assert results(identify(), cycle(50), *again) == [wire.OK] * 5
    same = [identify(nonce=77, sequence=5), cycle(3)]
    assert results(identify(), cycle(50), *same) == [wire.OK, wire.OK, wire.OK, None]


def test_broadcasts_count_for_themselves() -> None:
    steps = [identify(), cycle(7), cycle(7), cycle(6), cycle(8), request(1001, wire.FAULT)]
    assert results(*steps) == [wire.OK, wire.OK, None, None, wire.OK, wire.OK]
    counts = counters(*steps)
    assert (counts["repeated"], counts["stale"]) == (1, 1)


def test_a_session_counts_from_its_first_frame() -> None:
    before = [cycle(7), identify(), cycle(7), cycle(7), ["receive", "1122330a00"]]
    assert counters(*before) == dict(zip(COUNTERS, (4, 1, 3, 1, 0, 0), strict=True))
    assert counters(*before, identify(nonce=78, sequence=5)) == dict(
        zip(COUNTERS, (2, 0, 2, 0, 0, 0), strict=True)
    )


def test_a_stop_executes_whatever_its_sequence_and_leaves_the_session_alone() -> None:
    enabled = [identify(), request(1001, wire.ENABLE, resume=0), cycle(40), ["run", 100]]
    for stop in (broadcast(3, wire.STOP), request(200, wire.STOP), request(1001, wire.STOP)):
        trace = play([*enabled, stop, ["run", 200], cycle(41), request(1002, wire.FAULT)])
        assert trace.last("STATE") == wire.SWITCH_ON_DISABLED
        assert [answer[1].result for answer in answers(trace)[-2:] if answer] == [wire.OK] * 2


# ---- bodies


def test_requests_that_break_the_table_change_nothing() -> None:
    vectors: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    enabled = [request(1001, wire.ENABLE, resume=0), ["run", 100]]
    entries: list[dict[str, Any]] = vectors["invalid_bodies"]
    for entry, before in itertools.product(entries, ([], enabled)):
        frame = decode_frame(bytes.fromhex(entry["encoded"])[:-1])
        broadcast = frame.message in (wire.CYCLE, wire.START)
        address = wire.BROADCAST if broadcast else 1
        encoded = encode_frame(request_frame(address, 1002, frame.message, frame.body))
        trace = play([identify(), *before, ["receive", encoded.hex()], ["run", 3], ["depth"]])
        sent = str(trace.answers[-3][0])
        if sent and broadcast:
            assert entry["name"] == "CYCLE segment too long"
            reply = body.unpack_reply(wire.CYCLE, decode_frame(bytes.fromhex(sent)[:-1]).body)
            refused = int(reply.values["flags"]) & wire.FLAG_SEGMENT_REFUSED
            assert bool(refused) == bool(before)
        elif not broadcast:
            result = decode_frame(bytes.fromhex(sent)[:-1]).body[1]
            assert result in (wire.UNKNOWN_MESSAGE, wire.BAD_LENGTH, wire.OUT_OF_BOUNDS)
        state = wire.OPERATION_ENABLED if before else wire.SWITCH_ON_DISABLED
        assert trace.last("STATE") == state, entry["name"]
        assert trace.answers[-1] == 0, entry["name"]


@pytest.mark.parametrize(
    ("message", "content", "result"),
    [
        (wire.SET_CLOCK, bytes(8) + (16_385).to_bytes(4, "little"), wire.OUT_OF_BOUNDS),
        (wire.SET_CLOCK, bytes(3) + b"\x40" + bytes(8), wire.OUT_OF_BOUNDS),
        (wire.SET_CLOCK, bytes(3) + b"\x80" + bytes(8), wire.OUT_OF_BOUNDS),
        (wire.SET_CLOCK, bytes(12), wire.OK),
        (wire.GET_PARAMETER, b"\xff", wire.OUT_OF_BOUNDS),
        (wire.SET_PARAMETER, b"\x01" + bytes(4), wire.OUT_OF_BOUNDS),
        (wire.SET_PARAMETER, b"\x01\x05" + bytes(3), wire.OK),
        (wire.SET_PARAMETER, bytes((parameters.ADDRESS, 5)) + bytes(3), wire.REFUSED),
    ],
)
def test_bounds(message: int, content: bytes, result: int) -> None:
    step = ["receive", encode_frame(request_frame(1, 1001, message, content)).hex()]
    assert results(identify(), step) == [wire.OK, result]


def test_a_parameter_is_set_and_read_back() -> None:
    index = parameters.NAMES.index("kp")
    steps = [request(1001, wire.SET_PARAMETER, index=index, value=321)]
    told = answers(play([identify(), *steps, request(1002, wire.GET_PARAMETER, index=index)]))[-1]
    assert told is not None
    assert told[1].values == {"value": 321}


def test_a_second_command_in_one_tick_is_told_to_wait() -> None:
    home = [request(sequence, wire.HOME) for sequence in (1001, 1002, 1003)]
    steps = [identify(), home[0], home[1], ["run", 1], home[2]]
    assert results(*steps) == [wire.OK, wire.OK, wire.BUSY, wire.OK]


# ---- cycles


def test_replies_stand_in_slots_by_rank_in_the_mask() -> None:
    for joint, mask, rank in ((0, 0b1, 0), (2, 0b111111, 2), (5, 0b111111, 5), (5, 0b100100, 1)):
        address = joint + 1
        started = request(1000, wire.IDENTIFY, address, nonce=5)
        told = answers(play([started, cycle(5, mask)], joint=joint))[-1]
        assert told is not None
        assert told[2] == wire.TURNAROUND_US + rank * 500
    assert results(identify(), cycle(5, 0b110)) == [wire.OK, None]


def test_each_joint_takes_its_own_set_point_and_acknowledges_it_by_number() -> None:
    points = [(index * 1000, 0) for index in range(6)]
    for joint in (0, 5):
        address = joint + 1
        steps: list[Step] = [
            request(1000, wire.IDENTIFY, address, nonce=5),
            request(1001, wire.ENABLE, address, resume=0),
            ["run", 100],
            cycle(5, 0b111111, 1, points, 10_000),
            cycle(6, 0b111111, 1, points, 10_000),  # repeated: ignored
            cycle(7, 0b111111, 3, points, 10_000),  # one missing: ignored
            cycle(8, 0b111111, 2, points, 10_000),
        ]
        trace = play(steps, joint=joint)
        states = [a[1].values for a in answers(trace)[2:] if a]
        assert [(state["segment"], state["depth"]) for state in states] == [
            (1, 1), (1, 1), (1, 1), (2, 2),
        ]  # fmt: skip
        ring = play([*steps, ["slot", 0]], joint=joint).answers[-1]
        end = ring[0] * 16 + ring[1] + ring[2] + ring[3]
        assert abs(end - joint * 1000 * 409_600 * 4096 / (1 << 24)) <= 16


def test_a_segment_outside_the_limits_is_flagged_until_a_good_one_comes() -> None:
    """Soft limits that the host has set, over-speed, and what no joint reaches."""
    limits = [["parameter", "lower_limit", -3000], ["parameter", "upper_limit", 2000]]
    enabled = [identify(), *limits, request(1001, wire.ENABLE, resume=0), ["run", 100]]
    for point in [(2001, 0)], [(-3001, 0)], [(1 << 26, 0)], [(0, 1 << 25)]:
        steps = [cycle(5, 1, 1, point, 10_000), cycle(6, 1, 1, [(0, 0)], 10_000)]
        states = [a[1].values for a in answers(play([*enabled, *steps]))[-2:] if a]
        flags = [int(state["flags"]) & wire.FLAG_SEGMENT_REFUSED for state in states]
        assert [bool(flag) for flag in flags] == [True, False]
        assert [state["segment"] for state in states] == [0, 1]


def test_a_joint_at_rest_reports_where_it_is() -> None:
    trace = play([identify(), ["run", 5], cycle(5)], at_rad=1.0)
    told = answers(trace)[-1]
    assert told is not None
    state = told[1].values
    assert state["position"] == trace.last("POSITION") * (1 << 24) // 409_600
    assert state["state"] == wire.SWITCH_ON_DISABLED
    assert state["flags"] == wire.FLAG_HOMED
    assert state["age_us"] == -100
    assert state["output"] == int(1.0 / 6.283185307 * 16384)


def test_a_reply_that_would_run_into_the_next_slot_is_not_sent() -> None:
    steps = [identify(), ["late", 100 + wire.TURNAROUND_US + wire.SLOT_GUARD_US], cycle(5)]
    assert results(*steps) == [wire.OK, None]
    assert counters(*steps)["missed_slots"] == 1


# ---- the stream


@pytest.mark.parametrize("size", [1, 2, 7, 63, 64, 65])
def test_frames_do_not_depend_on_how_bytes_arrive(size: int) -> None:
    noise = bytes(range(1, 256)) * 2 + b"\x00"
    frames = [
        encode_frame(request_frame(1, 1000, wire.IDENTIFY, bytes(4))),
        noise,
        encode_frame(request_frame(2, 1, wire.HOME)),
        encode_frame(request_frame(1, 1001, wire.ENABLE, b"\x00"))[:-2] + b"\x11\x00",
        encode_frame(reply_frame(1, 3, wire.HOME, b"\x00\x00")),
        encode_frame(request_frame(1, 1002, wire.COUNTERS)),
    ]
    trace = play([["receive", b"".join(frames).hex(), size]])
    sent = bytes.fromhex(trace.answers[0][0]).split(b"\x00")
    replies = [decode_frame(encoded) for encoded in sent if encoded]
    assert [frame.message for frame in replies] == [wire.IDENTIFY, wire.COUNTERS]
    values = body.unpack_reply(wire.COUNTERS, replies[1].body).values
    assert (values["accepted"], values["damaged"]) == (2, 2)


def test_the_link_is_alive_by_frames_that_count_only() -> None:
    """A frame for another joint or a damaged one is no sign of this joint's host."""
    name = "LAST_FRAME"
    good = play([["run", 50], identify(), ["run", 1, 0]], record=[name, "NOW"])
    assert good.last(name) == int(good["NOW"][-2]) - 100
    other = request(5, wire.IDENTIFY, 2, nonce=5)
    bad: Step = ["receive", str(identify()[1])[:-4] + "1100"]
    for step in (other, bad):
        trace = play([["run", 50], step, ["run", 1, 0]], record=[name, "NOW"])
        assert trace.last(name) == int(trace["NOW"][-2])
