"""The bench's locked heap: what runs on it allocates nothing, and it would say so.

`play` runs every tick and receives every frame under `micropython.heap_lock()`, so all tests of
servo and session are tests of allocation too. Here: that they reach every mode and message, and
that the lock bites.
"""

from __future__ import annotations

import pytest
from joint_bench import Step, interpreter, move_segments, play

from guidearm_protocol import body
from guidearm_protocol import messages as wire
from guidearm_protocol.frame import encode_frame, request_frame

OFF, HOLD, ARMED, RUN, RAMP, SEEK, TEST = range(7)


def receive(sequence: int, message: int, content: bytes, address: int = 1) -> Step:
    return ["receive", encode_frame(request_frame(address, sequence, message, content)).hex()]


def test_words_have_the_targets_size() -> None:
    """On 64 bits, integers of 2^30 and more are not allocated: the lock would hide them."""
    assert interpreter().word_bits == 32 or pytest.skip("no 32-bit MicroPython on this machine")


def test_every_mode_runs_on_a_locked_heap() -> None:
    move: list[Step] = [["queue", move_segments(0, 0.0, 1.0)], ["run", 40], ["start_in", 30_000]]
    unfinished = move_segments(0, 1.0, 2.0)[:30]
    steps: list[Step] = [
        *(["enable", 0], ["run", 100], *move, ["run", 1300]),
        *(["run", 700, 0], ["enable", 1], ["run", 100]),
        *(["queue", unfinished], ["run", 40], ["start_in", 30_000]),
        *(["run", 1500], ["reset_fault"], ["run", 2], ["home"], ["run", 2]),
        *(["enable", 0], ["run", 100], ["stop"], ["run", 100], ["cancel"], ["run", 2]),
    ]
    trace = play(steps)
    assert set(trace["MODE"]) == {OFF, HOLD, ARMED, RUN, RAMP, TEST}
    assert set(trace["STATE"]) == {
        wire.SWITCH_ON_DISABLED,
        wire.SWITCHED_ON,
        wire.OPERATION_ENABLED,
        wire.QUICK_STOP_ACTIVE,
        wire.FAULT_REACTION_ACTIVE,
        wire.FAULT_STATE,
    }


def test_every_message_is_answered_on_a_locked_heap() -> None:
    """Each with its fields at their largest and smallest, at a clock just before it wraps."""
    steps: list[Step] = [["load", "CLOCK", 0x3FFFFFFF - 100_000], ["run", 2]]
    sequence = 100
    for low in (True, False):
        for message, _, fields, reply in wire.MESSAGES:
            values: dict[str, body.Value] = {
                f[0]: bytes(wire.field_size(f[1])) if f[1].endswith("s") else f[3] if low else f[4]
                for f in fields
            }
            content = body.pack(fields, values)
            if message == wire.CYCLE:
                us = 0 if low else wire.MAX_SEGMENT_US
                points = () if low else ((-(1 << 26), 1 << 25),) * 12
                content = body.pack_cycle(body.Cycle(0xFFF, 60_000, 0xFFFF, us, points))
            to_all = reply is None or message in (wire.CYCLE, wire.DISCOVER, wire.ASSIGN_ADDRESS)
            address = wire.BROADCAST if to_all else 1
            sequence += 1
            if message == wire.IDENTIFY:
                content = (sequence).to_bytes(4, "little")
            steps += [receive(sequence, message, content, address), ["run", 2]]
            steps += [receive(sequence, message, content, address), ["run", 2]]
    silent = 0
    for answer in play(steps).answers:
        if isinstance(answer, list):
            silent += not answer[0]
    # START, CANCEL, an address for another joint, and the repeated cycle
    assert silent == 2 * (2 + 2 + 2 + 1)


def test_a_move_fed_by_cycles_allocates_nothing() -> None:
    def cycle(sequence: int, segment: int = 0, point: tuple[int, int] | None = None) -> Step:
        points = (point,) if point else ()
        request = body.Cycle(1, 500, segment, 10_000 if point else 0, points)
        return receive(sequence, wire.CYCLE, body.pack_cycle(request), wire.BROADCAST)

    segments = move_segments(0, 0.0, 0.5)
    steps: list[Step] = [
        receive(1, wire.IDENTIFY, bytes(4)),
        *(receive(2, wire.ENABLE, b"\x00"), ["run", 100]),
        *(receive(3, wire.SET_CLOCK, (100_000).to_bytes(4, "little") * 2 + bytes(4)), ["run", 2]),
    ]
    for number, (position, velocity, _) in enumerate(segments, start=1):
        steps += [cycle(2 * number, number, (position, velocity))]
        if number == 30:
            steps += [receive(61, wire.START, (200_000).to_bytes(4, "little"), wire.BROADCAST)]
        if number >= 30:
            steps += [["run", 10]]
    trace = play([*steps, ["run", 600], cycle(1000)])
    goal = segments[-1][0] * 409_600 / (1 << 24)
    assert (trace.last("MODE"), trace.last("FAULT")) == (HOLD, 0)
    assert abs(trace.last("SET_POINT") / 256 - goal) < 0.6
    assert {RUN, ARMED} <= set(trace["MODE"])


@pytest.mark.parametrize("expression", ["1.5 * s[0]", "(1 << 29) * 2 + s[0]", "bytearray(64)"])
def test_the_lock_bites(expression: str) -> None:
    if interpreter().word_bits == 64 and "<<" in expression:
        pytest.skip("not allocated on 64 bits")
    with pytest.raises(AssertionError, match="heap is locked"):
        play([["allocate", expression]])
