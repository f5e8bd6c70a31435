"""The virtual bus before stand-ins for joints: wire time, collisions, causality, stop line."""

from __future__ import annotations

import math

import numpy as np
import pytest

from guidearm.geometry import Array
from guidearm_hil.bus import MOVING_STEP_US, RESTING_STEP_US, VirtualBus
from guidearm_hil.errors import RigError
from guidearm_hil.exchange import POWERED, PULLING, Answer
from guidearm_protocol.errors import FrameError
from guidearm_protocol.frame import decode_frame, encode_frame, reply_frame, request_frame
from guidearm_protocol.messages import FAULT, TURNAROUND_US

BAUD = 1_000_000
REQUEST = encode_frame(request_frame(1, 1, FAULT))
REPLY = encode_frame(reply_frame(1, 1, FAULT, bytes(20)))


class StandIn:
    """A joint that answers each burst it hears after a delay, and does as it is told."""

    def __init__(self, delay_us: int | None = TURNAROUND_US) -> None:
        self.delay_us = delay_us
        self.time_us = 0
        self.heard: list[tuple[int, bytes]] = []
        self.inputs: list[tuple[int, int]] = []  # from when on they held, and what
        self.loads: list[int] = []
        self.flags = 0
        self.pulls_from_us: int | None = None
        self.step_per_us = 0
        self.dead = False
        self._due: list[tuple[int, bytes]] = []

    def send(
        self, advance_us: int, load_mnm: int, inputs: int, runs: list[tuple[int, bytes]]
    ) -> None:
        if self.dead:
            raise RigError("gone")
        self.inputs.append((self.time_us, inputs))
        self.loads.append(load_mnm)
        for at, data in runs:
            self.heard.append((self.time_us + at, data))
            if self.delay_us is not None:
                self._due.append((self.time_us + at + self.delay_us, REPLY))
        self.time_us += advance_us

    def receive(self) -> Answer:
        flags = self.flags
        if self.pulls_from_us is not None and self.time_us >= self.pulls_from_us:
            flags |= PULLING
        sent = [(at - self.time_us, data) for at, data in self._due]
        self._due.clear()
        return Answer(flags, 0, self.step_per_us * self.time_us, sent)


def weightless(q: Array) -> list[float]:
    return [0.0] * len(q)


def bus_of(*joints: StandIn) -> VirtualBus:
    return VirtualBus(joints, np.zeros(len(joints)), weightless, BAUD)


def test_a_byte_takes_ten_bits_and_frames_of_the_host_queue_up() -> None:
    joint = StandIn(None)
    bus = bus_of(joint)
    first = bus.transmit(REQUEST)
    assert first == 10 * len(REQUEST)
    assert bus.transmit(REQUEST) == 2 * first
    bus.advance(2 * first + 1)
    assert joint.heard == [(first, REQUEST), (2 * first, REQUEST)]


def test_the_host_hears_a_reply_when_its_last_byte_has_come() -> None:
    joint, other = StandIn(), StandIn(None)
    bus = bus_of(joint, other)
    asked = bus.transmit(REQUEST)
    due = asked + TURNAROUND_US + 10 * len(REPLY)
    assert bus.receive(due - 1) == b""
    assert bus.host_us == due - 1
    assert bus.receive(due + 500) == REPLY
    assert bus.host_us == due
    bus.advance(due + 1)
    assert other.heard == [(asked, REQUEST), (due, REPLY)]
    assert joint.heard == [(asked, REQUEST)]


def test_two_that_speak_at_once_destroy_each_other() -> None:
    bus = bus_of(StandIn(), StandIn(TURNAROUND_US + 100))
    bus.transmit(REQUEST)
    heard = [bus.receive(5000), bus.receive(5000)]
    assert bus.collisions == 1
    for data in heard:
        assert len(data) == len(REPLY)
        with pytest.raises(FrameError):
            decode_frame(data[:-1])


def test_a_joint_that_answers_before_it_could_have_heard_is_caught() -> None:
    bus = bus_of(StandIn(), StandIn(TURNAROUND_US // 2))
    bus.transmit(REQUEST)
    with pytest.raises(RigError, match="joint 2 transmitted 124 us before"):
        bus.receive(5000)


def test_the_stop_line_reaches_the_others_within_two_ticks_in_motion() -> None:
    puller, other = StandIn(None), StandIn(None)
    puller.flags, puller.step_per_us = POWERED, 1
    puller.pulls_from_us = 50_700  # while an advance is under way
    bus = bus_of(puller, other)
    bus.advance(100_000)
    seen = next(at for at, inputs in other.inputs if inputs & 1)
    assert puller.pulls_from_us <= seen <= puller.pulls_from_us + MOVING_STEP_US
    assert all(bool(inputs & 1) == (at >= seen) for at, inputs in other.inputs)
    puller.pulls_from_us = None
    bus.advance(110_000)
    assert other.inputs[-1][1] == 0


def test_joints_at_rest_are_advanced_in_longer_steps() -> None:
    moving, resting = StandIn(None), StandIn(None)
    moving.flags, moving.step_per_us = POWERED, 1
    bus_of(moving).advance(100_000)
    bus_of(resting).advance(100_000)
    assert len(resting.inputs) == math.ceil(100_000 / RESTING_STEP_US)
    # that it moves is known after its first step
    assert len(moving.inputs) == 1 + math.ceil((100_000 - RESTING_STEP_US) / MOVING_STEP_US)


def test_the_emergency_button_reaches_every_joint() -> None:
    joints = StandIn(None), StandIn(None)
    bus = bus_of(*joints)
    bus.emergency_stop = True
    bus.advance(1000)
    assert [joint.inputs[-1][1] for joint in joints] == [2, 2]


def test_a_joint_that_is_gone_is_silent_and_lets_go_of_the_line() -> None:
    dying, living = StandIn(), StandIn(None)
    dying.pulls_from_us = 0
    bus = bus_of(dying, living)
    bus.advance(2 * RESTING_STEP_US)
    assert living.inputs[-1][1] == 1
    dying.dead = True
    bus.host_us = bus.time_us
    bus.transmit(REQUEST)
    assert bus.receive(bus.host_us + 50_000) == b""
    bus.advance(bus.host_us)
    assert bus.alive == [False, True]
    assert living.inputs[-1][1] == 0


def test_gravity_follows_the_true_posture() -> None:
    joint = StandIn(None)

    def gravity(q: Array) -> list[float]:
        assert q.shape == (1,)
        return [2.5 if joint.time_us > 9000 else 1.0]

    VirtualBus([joint], np.zeros(1), gravity, BAUD).advance(30_000)
    assert (joint.loads[0], joint.loads[-1]) == (1000, 2500)


def test_the_digest_covers_time_sender_and_bytes() -> None:
    def digest(delay_us: int, second: bool, data: bytes) -> str:
        joints = [StandIn(None), StandIn(None)]
        joints[second].delay_us = delay_us
        bus = bus_of(*joints)
        bus.transmit(data)
        bus.receive(5000)
        return bus.sha256

    same = digest(TURNAROUND_US, False, REQUEST)
    assert digest(TURNAROUND_US, False, REQUEST) == same
    assert digest(TURNAROUND_US + 1, False, REQUEST) != same
    assert digest(TURNAROUND_US, True, REQUEST) != same
    assert digest(TURNAROUND_US, False, b"\x02" + REQUEST[1:]) != same
