"""The virtual bus against a wall clock, and the lines programs reach it by."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest
import serial

from guidearm.arm import ArmState, Robot
from guidearm.connection import robot_on
from guidearm.errors import PortError, SilentJointError
from guidearm.kinematics import load_arm
from guidearm.link import Connection
from guidearm_hil.bus import VirtualBus
from guidearm_hil.lines import PtyLine, TcpLine
from guidearm_hil.pacing import LAZY_US, PacedBus
from guidearm_hil.rig import VirtualArm
from guidearm_protocol import body, messages
from guidearm_protocol.frame import encode_frame, request_frame
from guidearm_protocol.stream import StreamParser

BYTE_S = 10e-6
SLOT_US = 500
STALL_S = 0.6  # longer than the joints' link timeout


class Computer:
    """Wall time that a test moves, and a host on the paced bus which polls while time passes.

    It hangs for `stall_s` when the host next reads.
    """

    name = "paced"
    slack_s = 0.03

    def __init__(self, bus: VirtualBus) -> None:
        self.t = 1000.0
        self.paced = PacedBus(bus, self)
        self.baud = bus.baud
        self.stall_s = 0.0
        self._heard = b""
        self._sent_until = 0.0

    def now(self) -> float:
        return self.t

    def sleep_until(self, instant: float) -> None:
        while self.t < instant:
            self.t = min(self.t + max(self.paced.wait_s(), 50e-6), instant)
            self._heard += self.paced.poll()

    def set_baud(self, baud: int) -> None:
        raise AssertionError("the paced bus has one rate")

    def write(self, data: bytes) -> float:
        self.paced.write(data)
        self._sent_until = max(self.t, self._sent_until) + len(data) * BYTE_S
        return self._sent_until

    def read(self, deadline: float) -> bytes:
        self.t += self.stall_s
        self.stall_s = 0.0
        self._heard += self.paced.poll()
        while not self._heard and self.t < deadline:
            self.sleep_until(min(deadline, self.t + max(self.paced.wait_s(), 50e-6)))
        heard, self._heard = self._heard, b""
        return heard

    def discard_input(self) -> None:
        self._heard = b""

    def close(self) -> None:
        return


@pytest.fixture
def virtual_arm() -> Iterator[VirtualArm]:
    with VirtualArm(load_arm("guide6"), 5) as arm:
        yield arm


@pytest.fixture
def computer(virtual_arm: VirtualArm) -> Computer:
    return Computer(virtual_arm.bus)


@pytest.fixture
def paced(computer: Computer) -> PacedBus:
    return computer.paced


@pytest.fixture
def robot(virtual_arm: VirtualArm, computer: Computer) -> Robot:
    return robot_on(Connection(computer, computer), virtual_arm.arm)


def request(joint: int, sequence: int, message: int, values: dict[str, body.Value]) -> bytes:
    packed = body.pack_request(message, values)
    return encode_frame(request_frame(joint, sequence, message, packed))


def cycle(sequence: int) -> bytes:
    packed = body.pack_cycle(body.Cycle(0b111111, SLOT_US, 0, 0, ()))
    frame = request_frame(messages.BROADCAST, sequence, messages.CYCLE, packed)
    return encode_frame(frame)


def test_a_reply_comes_when_its_last_byte_has_left_the_wire(
    paced: PacedBus, computer: Computer
) -> None:
    asked = request(2, 0, messages.IDENTIFY, {"nonce": 7})
    began = computer.t
    paced.write(asked)
    heard = b""
    while not heard and computer.t < began + 1:
        computer.t += 10e-6
        heard = paced.poll()
    on_wire = (len(asked) + len(heard)) * BYTE_S + messages.TURNAROUND_US * 1e-6
    assert on_wire <= computer.t - began < on_wire + 0.01
    (answer,) = StreamParser().feed(heard)
    assert (answer.address, answer.message) == (2, messages.IDENTIFY)


def test_frames_read_in_one_piece_do_not_collide(paced: PacedBus, computer: Computer) -> None:
    for joint in range(1, 7):
        paced.write(request(joint, 0, messages.IDENTIFY, {"nonce": 7}))
        while not paced.poll():
            computer.t += 1e-3
    paced.write(cycle(1) + cycle(2) + cycle(3)[:5])
    assert not paced.ready
    heard = b""
    for step in range(40):
        computer.t += 1e-3
        heard += paced.poll()
        if step == 20:
            paced.write(cycle(3)[5:])
    assert paced.ready
    assert paced.bus.collisions == 0
    answers = [(frame.sequence, frame.address) for frame in StreamParser().feed(heard)]
    assert answers == [(s, joint) for s in (1, 2, 3) for joint in range(1, 7)]


def test_a_stalled_computer_faults_nothing(
    robot: Robot, virtual_arm: VirtualArm, computer: Computer, paced: PacedBus
) -> None:
    robot.enable()
    goal = virtual_arm.arm.home + np.radians([20, 15, -18, 12, -25, 30])
    slipped: list[float] = []

    def stall_in_mid_move(state: ArmState) -> None:
        if not slipped and np.max(np.abs(state.q - virtual_arm.arm.home)) > 0.1:
            slipped.append(paced.slipped_s)
            computer.stall_s = STALL_S

    record = robot.move_joints(goal, on_state=stall_in_mid_move)
    assert paced.slipped_s - slipped[0] == pytest.approx(STALL_S, abs=0.2)
    assert record.settled - record.end > STALL_S
    assert robot.state.faulted == ()
    np.testing.assert_allclose(robot.state.q, goal, atol=np.radians(0.01))


def test_a_joint_that_dies_leaves_the_others_on_the_bus(
    robot: Robot, virtual_arm: VirtualArm, computer: Computer
) -> None:
    robot.enable()
    died: list[float] = []

    def kill_in_mid_move(state: ArmState) -> None:
        if not died and state.moving and np.max(np.abs(state.q - virtual_arm.arm.home)) > 0.05:
            virtual_arm.joints[2].kill()
            died.append(computer.t)

    goal = virtual_arm.arm.home + np.radians([20, 15, -18, 12, -25, 30])
    with pytest.raises(SilentJointError, match=r"^joint 3 on paced does not answer any more"):
        robot.move_joints(goal, 0.3, on_state=kill_in_mid_move)
    assert computer.t - died[0] < 0.5
    others = [joint for joint in robot.state.joints if joint.number != 3]
    assert not any(joint.moving or joint.enabled for joint in others)
    assert virtual_arm.bus.alive == [True, True, False, True, True, True]


def test_an_idle_bus_advances_by_whole_steps_and_forgets(
    virtual_arm: VirtualArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guidearm_hil.pacing.REMEMBERED_US", 500_000)
    computer = Computer(virtual_arm.bus)
    paced = computer.paced
    polls = 0
    began = computer.t
    while computer.t < began + 2:
        computer.t += max(paced.wait_s(), 1e-4)
        assert paced.poll() == b""
        polls += 1
    assert polls <= 2e6 / LAZY_US + 1
    assert paced.slips == 0
    assert paced.bus.time_us == pytest.approx(2e6, abs=LAZY_US)
    assert len(paced.bus.true_motion()[0]) < 600_000 / LAZY_US


# ---- lines


def test_tcp_takes_one_client_at_a_time() -> None:
    line = TcpLine(0)
    address = ("127.0.0.1", int(line.url.rpartition(":")[2]))
    assert line.url.startswith("socket://127.0.0.1:")
    with socket.create_connection(address) as first:
        assert line.read() == b""  # lets it in
        first.sendall(b"hello")
        assert line.read() == b"hello"
        line.write(b"there")
        assert first.recv(10) == b"there"
        with socket.create_connection(address) as second:
            second.settimeout(5)
            line.read()
            assert second.recv(1) == b""  # turned away
    with socket.create_connection(address) as third:
        line.read()  # the first has gone
        third.sendall(b"new")
        assert line.read() == b"new"
        line.close()
        assert third.recv(1) == b""
    line.write(b"nobody hears this")


def test_tcp_port_that_is_taken() -> None:
    line = TcpLine(0)
    number = int(line.url.rpartition(":")[2])
    with pytest.raises(PortError, match=f"TCP port {number} cannot be opened: .*; choose another"):
        TcpLine(number)
    line.close()


def test_a_pseudo_terminal_is_a_serial_port_again_and_again() -> None:
    line = PtyLine()
    for _ in range(2):
        with serial.serial_for_url(line.url, baudrate=1_000_000, timeout=5, exclusive=True) as port:
            port.write(b"\x00\x03\x11\x0a\x0d\xff")
            assert line.read() == b"\x00\x03\x11\x0a\x0d\xff"
            line.write(b"\x04\x0a\x0d\x00")
            assert port.read(4) == b"\x04\x0a\x0d\x00"
    for _ in range(100):
        line.write(bytes(1000))  # nobody reads: lost, without waiting
    line.close()
