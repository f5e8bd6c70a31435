"""The bus against a port that misbehaves on purpose; what a rig can do is tested on the rig."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from guidearm.errors import LinkError, RefusedError, SilentJointError, VersionMismatchError
from guidearm.link import Connection, JointBus, SegmentPoint, Tally, deferred_interrupt
from guidearm_protocol import body, messages
from guidearm_protocol.frame import Frame, encode_frame, reply_frame
from guidearm_protocol.stream import StreamParser

BAUD = 1_000_000
Answer = Callable[[Frame], list[bytes]]


class StepClock:
    """A clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.instant = 10.0

    def now(self) -> float:
        return self.instant

    def sleep_until(self, instant: float) -> None:
        self.instant = max(self.instant, instant)


class ScriptedPort:
    """A port whose replies a function makes from each request; None of time passes otherwise."""

    name = "scripted"
    baud = BAUD
    slack_s = 0.0

    def __init__(self, clock: StepClock, answer: Answer) -> None:
        self.clock = clock
        self.answer = answer
        self.heard: list[Frame] = []
        self.sent_at: list[float] = []
        self._parser = StreamParser()
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> float:
        self.sent_at.append(self.clock.now())
        for frame in self._parser.feed(data):
            self.heard.append(frame)
            self._waiting += self.answer(frame)
        self.clock.instant += len(data) * 10 / BAUD
        return self.clock.instant

    def read(self, deadline: float) -> bytes:
        if self._waiting:
            return self._waiting.pop(0)
        self.clock.sleep_until(deadline)
        return b""

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def discard_input(self) -> None:
        self._waiting.clear()

    def close(self) -> None:
        self._waiting.clear()


def bus_with(answer: Answer) -> tuple[JointBus, ScriptedPort]:
    clock = StepClock()
    port = ScriptedPort(clock, answer)
    return JointBus(Connection(port, clock)), port


def ok(frame: Frame, **values: body.Value) -> bytes:
    packed = body.pack_reply(frame.message, 3, values)
    return encode_frame(reply_frame(frame.address, frame.sequence, frame.message, packed))


def refusal(frame: Frame, result: int, reason: int = 0) -> bytes:
    packed = body.pack_refusal(3, result, reason)
    return encode_frame(reply_frame(frame.address, frame.sequence, frame.message, packed))


STATE: dict[str, body.Value] = {
    "received_us": 5,
    "position": -7,
    "following_error": 1,
    "output": 9,
    "current_ma": -20,
    "age_us": 400,
    "state": messages.OPERATION_ENABLED,
    "flags": messages.FLAG_HOMED,
    "fault": 0,
    "segment": 65535,
    "depth": 3,
}


def states_from(frame: Frame, *joints: int) -> list[bytes]:
    packed = body.pack_reply(messages.CYCLE, 3, STATE)
    return [
        encode_frame(reply_frame(joint, frame.sequence, messages.CYCLE, packed)) for joint in joints
    ]


def test_a_lost_reply_is_asked_again_under_the_same_sequence() -> None:
    lost = [True, True]
    bus, port = bus_with(lambda frame: [] if lost and lost.pop() else [ok(frame)])
    bus.request(2, messages.HOME)
    assert [(f.address, f.sequence, f.body) for f in port.heard] == [(2, 1, b"")] * 3
    counters = bus.counters
    assert (counters.requests, counters.repeated, counters.timeouts) == (3, 2, 2)
    assert counters.replies == 1
    first, second, third = port.sent_at
    assert second - first > 0.010 and third - second > second - first  # patience, then backoff


def test_sequences_are_per_joint_and_broadcasts_have_their_own() -> None:
    bus, port = bus_with(lambda frame: [] if frame.address == 255 else [ok(frame)])
    bus.request(1, messages.HOME)
    bus.request(1, messages.HOME)
    bus.request(2, messages.HOME)
    bus.broadcast(messages.STOP, times=3)
    assert [(f.address, f.sequence) for f in port.heard] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (255, 1),
        (255, 2),
        (255, 3),
    ]
    gaps = [b - a for a, b in zip(port.sent_at[3:], port.sent_at[4:], strict=False)]
    frame_s = 11 * 10 / BAUD
    assert all(gap - frame_s >= 99e-6 for gap in gaps)


def test_sequence_wraps() -> None:
    bus, port = bus_with(lambda frame: [ok(frame)])
    vars(bus)["_sequences"][1] = 65533
    for _ in range(4):
        bus.request(1, messages.STOP)
    assert [f.sequence for f in port.heard] == [65534, 65535, 0, 1]


def test_silence_is_bounded_and_named() -> None:
    bus, port = bus_with(lambda frame: [])
    with pytest.raises(SilentJointError, match="joint 4 on scripted does not answer ENABLE"):
        bus.request(4, messages.ENABLE, {"resume": 0})
    assert len(port.heard) == 5
    assert port.clock.now() - port.sent_at[0] < 0.1


def test_refusals_say_why() -> None:
    bus, _ = bus_with(lambda f: [refusal(f, messages.REFUSED, messages.REASON_NOT_HOMED)])
    with pytest.raises(RefusedError, match="joint 3 refuses ENABLE: not homed"):
        bus.request(3, messages.ENABLE, {"resume": 0})
    bus, _ = bus_with(lambda f: [refusal(f, messages.REFUSED, 200)])
    with pytest.raises(RefusedError, match="reason 200"):
        bus.request(3, messages.ENABLE, {"resume": 0})
    bus, _ = bus_with(lambda f: [refusal(f, messages.OUT_OF_BOUNDS)])
    with pytest.raises(RefusedError, match="joint 3 refuses GET_PARAMETER: out of bounds"):
        bus.request(3, messages.GET_PARAMETER, {"index": 250})


def test_a_stale_reply_means_another_host() -> None:
    bus, _ = bus_with(lambda f: [refusal(f, messages.STALE)])
    with pytest.raises(LinkError, match="joint 3 on scripted follows another host's sequence"):
        bus.request(3, messages.HOME)


def test_a_busy_joint_is_asked_again_under_a_new_sequence() -> None:
    busy = [True]
    bus, port = bus_with(lambda f: [refusal(f, messages.BUSY)] if busy and busy.pop() else [ok(f)])
    bus.request(3, messages.HOME)
    assert [f.sequence for f in port.heard] == [1, 2]
    always, _ = bus_with(lambda f: [refusal(f, messages.BUSY)])
    with pytest.raises(RefusedError, match="busy"):
        always.request(3, messages.HOME)


def test_echo_late_and_damaged_frames_are_counted_and_dropped() -> None:
    def answer(frame: Frame) -> list[bytes]:
        late = reply_frame(frame.address, (frame.sequence - 1) % 65536, frame.message, b"\x03\x00")
        damaged = bytearray(ok(frame))
        damaged[3] ^= 0x10
        wrong_body = reply_frame(frame.address, frame.sequence, frame.message, b"\x03\x00\x00")
        return [
            encode_frame(frame),
            encode_frame(late),
            bytes(damaged),
            encode_frame(wrong_body),
            ok(frame),
        ]

    bus, _ = bus_with(answer)
    assert bus.request(1, messages.HOME) == {}
    counters = bus.counters
    assert (counters.echoes, counters.unexpected, counters.bad_bodies) == (1, 1, 1)
    assert counters.damaged == {"crc": 1}
    assert (counters.replies, counters.repeated) == (1, 0)


def test_another_protocol_version_is_recognised() -> None:
    def answer(frame: Frame) -> list[bytes]:
        return [
            encode_frame(Frame(0x21, frame.address, frame.sequence, frame.message, b"\x00\x00"))
        ]

    bus, _ = bus_with(answer)
    with pytest.raises(VersionMismatchError, match="joint 5 speaks protocol version 2"):
        bus.request(5, messages.HOME)
    # frozen messages pass between versions
    assert bus.request(5, messages.STOP) == {}


def test_cycle_returns_who_answered_and_does_not_wait_past_the_last_slot() -> None:
    bus, port = bus_with(lambda frame: states_from(frame, 1, 3))
    result = bus.cycle(0b111)
    assert sorted(result.states) == [1, 3]
    assert result.states[3].position == -7 and result.states[3].boot == 3
    assert result.instant == port.clock.now()  # the port's clock moves only when somebody waits
    assert bus.counters.missed_slots == 1
    assert bus.slot_us == 390


def test_cycle_waits_for_the_last_slot_only() -> None:
    bus, port = bus_with(lambda frame: states_from(frame, 1, 2))
    result = bus.cycle(0b111)
    assert sorted(result.states) == [1, 2]
    assert 250e-6 + 3 * 390e-6 < port.clock.now() - result.instant < 0.003


def test_cycle_ignores_states_of_other_cycles_and_joints() -> None:
    def answer(frame: Frame) -> list[bytes]:
        old = Frame(frame.flags, 255, frame.sequence - 1, frame.message)
        return states_from(old, 1) + states_from(frame, 9) + states_from(frame, 1)

    bus, _ = bus_with(answer)
    assert sorted(bus.cycle(0b1).states) == [1]
    assert bus.counters.unexpected == 2


def test_cycle_carries_one_set_point_for_each_joint_of_the_mask() -> None:
    bus, port = bus_with(lambda frame: states_from(frame, 2, 5))
    bus.cycle(0b10010, SegmentPoint(7, 10_000, ((1, 2), (-3, -4))))
    assert body.unpack_cycle(port.heard[0].body) == body.Cycle(
        0b10010, 390, 7, 10_000, ((1, 2), (-3, -4))
    )


def test_an_interrupt_waits_for_the_end_of_the_exchange() -> None:
    def answer(frame: Frame) -> list[bytes]:
        os.kill(os.getpid(), signal.SIGINT)
        return [ok(frame)]

    bus, _ = bus_with(answer)
    with pytest.raises(KeyboardInterrupt):
        bus.request(1, messages.HOME)
    assert bus.counters.replies == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nested_deferral_delivers_once_at_the_outer_end() -> None:
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupt():
        with deferred_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
        reached.append("after the inner block")
    assert reached == ["after the inner block"]


def test_after_a_failure_a_delimiter_closes_what_the_joints_hold() -> None:
    """A joint that heard a frame without its end would lose the next one with it."""
    silent = [True]
    sent: list[bytes] = []

    def answer(frame: Frame) -> list[bytes]:
        asked = frame.message == messages.HOME and not (silent and silent.pop())
        return [ok(frame)] if asked else []

    bus, port = bus_with(answer)
    write = port.write

    def listen(data: bytes) -> float:
        sent.append(data)
        return write(data)

    port.write = listen
    bus.request(2, messages.HOME)
    bus.request(2, messages.HOME)
    bus.cycle(0b10)
    bus.broadcast(messages.CANCEL)
    bus.broadcast(messages.CANCEL)
    assert [data[:1] == b"\0" for data in sent] == [False, True, False, False, True, True]


def test_bytes_without_an_end_do_not_spoil_the_next_reply() -> None:
    junk = [b"\x15\x16"]
    bus, _ = bus_with(lambda frame: [junk.pop()] if junk else [ok(frame)])
    bus.request(2, messages.HOME)
    counters = bus.counters
    assert (counters.requests, counters.timeouts, sum(counters.damaged.values())) == (2, 1, 1)


def test_each_joint_is_counted_from_its_first_frame_on() -> None:
    lost = [True]

    def answer(frame: Frame) -> list[bytes]:
        if frame.message == messages.CYCLE:
            return states_from(frame, 2)
        if frame.address == messages.BROADCAST or (frame.message == messages.HOME and lost):
            lost.clear()
            return []
        return [refusal(frame, messages.REFUSED)]

    bus, _ = bus_with(answer)
    bus.cycle(0b110)
    for joint in (2, 3):
        bus.identify(joint, 7)
    bus.exchange(2, messages.HOME)
    bus.cycle(0b110)
    bus.broadcast(messages.CANCEL, times=3)
    assert bus.tally(2) == Tally(sent=1 + 2 + 1 + 3, unanswered=1, missed_slots=0)
    assert bus.tally(3) == Tally(sent=1 + 1 + 3, unanswered=0, missed_slots=1)
    assert bus.tally(4) == Tally()
    bus.identify(2, 7)
    assert bus.tally(2).sent == 8
    bus.identify(2, 8)
    assert bus.tally(2).sent == 1


def test_a_call_gathers_answers_until_they_are_enough() -> None:
    found = {"unique_id": b"12345678", "arm_id": 3}

    def answer(frame: Frame) -> list[bytes]:
        packed = body.pack_reply(messages.DISCOVER, 3, found)
        made = [
            encode_frame(reply_frame(joint, frame.sequence, messages.DISCOVER, packed))
            for joint in (1, 1, 5)
        ]
        stray = encode_frame(reply_frame(1, frame.sequence + 1, messages.DISCOVER, packed))
        return [stray, *made]

    bus, _ = bus_with(answer)
    request = {"slots": 32, "slot_us": 270, "salt": 0}
    told = bus.call(messages.DISCOVER, request, 0.01)
    assert [(joint, reply.values) for joint, reply in told] == [(j, found) for j in (1, 1, 5)]
    assert len(bus.call(messages.DISCOVER, request, 0.01, enough=1)) == 1
    assert bus.counters.unexpected == 2
