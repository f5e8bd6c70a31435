"""Captures over the bus: the servo's values at the host's instants, whatever the bus does."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from guidearm.arm import (
    ArmState,
    Capture,
    CaptureSetup,
    HolderLink,
    JointTrace,
    Robot,
    RobotLink,
    attach,
    capture_setup,
)
from guidearm.arm.capture import AT_ONCE, FAULT, SIGNALS, START_OF_MOVE, Trigger, si_scale
from guidearm.connection import robot_on
from guidearm.errors import InputError, LinkError, MotionError, PortError
from guidearm.geometry import Array
from guidearm.kinematics import load_arm
from guidearm.link import Connection
from guidearm.motion import hermite_segments, joint_move
from guidearm_hil.noise import Noise
from guidearm_hil.rig import VirtualArm
from guidearm_protocol import messages

COUNT = 2 * np.pi / 409600
POSITIONS = ("position", "set_point", "following_error", "time")


def arm_capture(robot: Robot, joints: tuple[int, ...], setup: CaptureSetup) -> Capture:
    capture = Capture(RobotLink(robot), joints, setup)
    capture.arm()
    return capture


def is_whole(trace: JointTrace) -> bool:
    """Tell whether every sample is of one tick and the ticks follow each other."""
    v = trace.values
    off = v["set_point"] - v["position"] - v["following_error"]
    steps_us = np.rint(np.diff(v["time"]) * 1e6)
    return bool(np.all(np.abs(off) < 1e-9) and np.all(steps_us % 2**30 == 1000))


def test_set_points_are_the_plans_at_the_hosts_instants(robot: Robot, goal: Array) -> None:
    """The traces of all joints lie on the plan: their times are the host's, to 50 us."""
    state = robot.enable()
    segments = hermite_segments(joint_move(state.q_demand, goal, robot.model))
    setup = capture_setup(POSITIONS, 0.7, 0.05, START_OF_MOVE)
    capture = arm_capture(robot, robot.numbers, setup)
    record = robot.execute(segments, capture.follow)
    for trace in capture.finish(5.0):
        assert is_whole(trace)
        assert (len(trace.time_s), trace.trigger) == (700, 50)
        late_s = trace.trigger_s - record.start
        assert -50e-6 < late_s < 1e-3 + 50e-6
        moving = slice(trace.trigger, trace.trigger + 600)
        q, qd = segments.evaluate((trace.time_s[moving] - record.start) * 1e6)
        joint = trace.number - 1
        off = trace.values["set_point"][moving] - q[:, joint]
        assert np.all(np.abs(off) < COUNT + 50e-6 * np.abs(qd[:, joint]))
        assert np.ptp(q[:, joint]) > 0.1


def run_move(follow: bool) -> tuple[Array, int]:
    """Return the true motion of a move, with the capture read in it or not, and the reads."""
    with (
        VirtualArm(load_arm("guide6"), 3) as arm,
        robot_on(arm.connection(), arm.arm) as robot,
    ):
        robot.enable()
        start = robot.state.q_demand
        goal = start + np.radians([20, 15, -18, 12, -25, 30])
        capture = arm_capture(robot, robot.numbers, capture_setup(SIGNALS[:7], 0.2))
        while capture.triggered != robot.numbers:
            robot.cycle()
            capture.follow()
        before = robot.bus.counters.requests
        segments = hermite_segments(joint_move(start, goal, arm.arm))

        def read(state: ArmState) -> None:
            if follow and any(joint.flags & messages.FLAG_MOVING for joint in state.joints):
                capture.follow()

        record = robot.execute(segments, read)
        times = np.arange(record.start, record.settled, 0.004)
        asked = robot.bus.counters.requests - before
        return np.array([arm.true_joints(t) for t in times]), asked


def test_reading_does_not_disturb_a_move() -> None:
    """The true motion is the same, 100 chunks read in it or none.

    Same means to two motor counts: the rig passes gravity on at the bus's events, which come at
    other instants, and so do the samples of the clocks (1.7 counts were seen). That the servo
    itself does the same to the bit is tested in tests/firmware.
    """
    (read, asked), (alone, quiet) = run_move(True), run_move(False)
    n = min(len(read), len(alone))
    assert abs(len(read) - len(alone)) < 3 and n > 100
    assert asked > quiet + 100
    assert np.max(np.abs(read[:n] - alone[:n])) < 2 * COUNT
    assert np.array_equal(read[0], alone[0])
    assert np.ptp(read, axis=0).min() > 0.1


def test_chunks_come_whole_over_a_bus_that_loses_and_spoils_frames() -> None:
    noise = Noise(corrupt=0.03, drop=0.03, double=0.02)
    with VirtualArm(load_arm("guide6"), 5, noise=noise) as arm:
        robot = robot_on(arm.connection(), arm.arm)
        setup = capture_setup(POSITIONS, 0.5)
        for trace in arm_capture(robot, (2, 5), setup).finish(5.0):
            assert is_whole(trace)
            assert len(trace.time_s) == 500
        counters = robot.bus.counters
        assert counters.repeated > 3
        assert counters.errors > 3


def test_a_fault_is_kept_with_what_led_to_it(virtual_arm: VirtualArm, robot: Robot) -> None:
    robot.enable()
    setup = capture_setup(("following_error", "current", "fault"), 0.3, 0.2, FAULT)
    capture = arm_capture(robot, robot.numbers, setup)
    robot.hold(robot.clock.now() + 0.3)
    virtual_arm.inject(2, extra_load_nm=150)
    traces = {trace.number: trace for trace in capture.finish(2.0)}
    fault = traces[2].values["fault"]
    assert fault[200] == messages.FOLLOWING_ERROR
    assert np.all(fault[:200] == 0)
    assert abs(traces[2].values["following_error"][200]) > 1138 * COUNT
    assert np.max(np.abs(traces[2].values["following_error"][:100])) < 100 * COUNT
    others = [trace for number, trace in traces.items() if number != 2]
    assert all(trace.values["fault"][200] == messages.STOP_LINE for trace in others)
    # the stop line reaches them within two of their ticks, and the bus's step
    late_s = [trace.trigger_s - traces[2].trigger_s for trace in others]
    assert min(late_s) > 0 and max(late_s) < 0.005
    robot.reset_fault()


def test_a_level_is_told_in_si_units(robot: Robot) -> None:
    robot.enable()
    start = robot.state.q_demand
    level = float(start[2]) - np.radians(2)
    setup = capture_setup(
        ("position",), 0.1, 0.05, Trigger(messages.CAPTURE_FALLING, "set_point", level)
    )
    capture = arm_capture(robot, (3,), setup)
    goal = start.copy()
    goal[2] -= np.radians(4)
    robot.move_joints(goal)
    (trace,) = capture.finish(1.0)
    at = trace.values["position"][trace.trigger - 1 : trace.trigger + 1]
    assert at[1] < at[0]
    assert abs(at[1] - level) < np.radians(0.1)


def test_what_is_not_triggered_is_named_and_may_still_come(robot: Robot, goal: Array) -> None:
    capture = arm_capture(robot, (1, 4), capture_setup(("position",), 0.1, 0, START_OF_MOVE))
    with pytest.raises(MotionError, match=r"joint 1, 4 in 0\.1 s"):
        capture.finish(0.1)
    assert not capture.done
    robot.enable()
    robot.move_joints(goal)
    assert [trace.number for trace in capture.finish(1.0)] == [1, 4]
    assert capture.done


def test_a_lost_capture_is_told(virtual_arm: VirtualArm, robot: Robot) -> None:
    capture = arm_capture(robot, (1,), capture_setup(("position",), 0.1))
    arm_capture(robot, (1,), capture_setup(("current",), 0.1))
    with pytest.raises(LinkError, match="joint 1 has lost its capture"):
        capture.finish(1.0)
    del virtual_arm


class Watched:
    """The time of a robot in another thread, seen by one that never has to wait."""

    def __init__(self, robot: Robot) -> None:
        self.now = robot.clock.now

    def sleep_until(self, instant: float) -> None:
        del instant


def test_another_shell_captures_through_the_holder(
    virtual_arm: VirtualArm, goal: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move goes on while another process sets a capture up, waits for it and reads it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    url = "/dev/ttyTEST1"
    connection = virtual_arm.connection()
    served = Connection(connection.port, connection.clock, physical=True)
    found: list[JointTrace] = []
    refused: list[str] = []

    def other_shell(robot: Robot) -> None:
        client = attach(url)
        assert client is not None
        for joint, message in ((9, messages.CAPTURE_STATE), (1, messages.DISABLE)):
            with pytest.raises(PortError) as error:
                client.capture(joint, message, b"")
            refused.append(str(error.value))
        with pytest.raises(PortError) as error:
            client.capture(1, messages.CAPTURE_READ, b"\x00")
        refused.append(str(error.value))
        setup = capture_setup(POSITIONS, 0.3, 0.05, START_OF_MOVE)
        capture = Capture(HolderLink(client, Watched(robot)), (1, 6), setup)
        capture.arm()
        found.extend(capture.finish(1e6))

    with robot_on(served, virtual_arm.arm, url) as robot:
        home = robot.enable().q_demand
        shell = Thread(target=other_shell, args=(robot,))
        shell.start()
        starts: list[float] = []
        while shell.is_alive() and len(starts) < 40:
            record = robot.move_joints(home if len(starts) % 2 else goal)
            assert record.sent_again == 0
            starts.append(record.start)
        while shell.is_alive():
            robot.poll()
        shell.join()
    assert [trace.number for trace in found] == [1, 6]
    for trace in found:
        assert is_whole(trace)
        assert len(trace.time_s) == 300
        late_s = [trace.trigger_s - start for start in starts]
        assert any(-100e-6 < late < 1.1e-3 for late in late_s)
    assert "no such joint" in refused[0] and "no message of a capture" in refused[1]
    assert "no request of a capture" in refused[2]


def test_long_captures_take_fewer_samples() -> None:
    six = SIGNALS[:6]
    short, long = capture_setup(six, 1.365), capture_setup(six, 10.0, 4.0)
    assert (short.samples, short.divider) == (1365, 1)
    assert (long.divider, long.samples, long.before) == (8, 1250, 500)
    assert long.period_s == pytest.approx(0.008)
    assert capture_setup((*six, *six), 0.1, trigger=AT_ONCE).signals == six
    for signals, duration_s, before_s in (
        ((), 1.0, 0.0),
        (("torque",), 1.0, 0.0),
        (six, 1.0, 1.0),
        (six, float("inf"), 0.0),
        (six, 3000.0, 0.0),
        (six, 0.0, 0.0),
    ):
        with pytest.raises(InputError):
            capture_setup(signals, duration_s, before_s)


def test_scales() -> None:
    turn = 409600
    assert si_scale("position", turn) == (pytest.approx(COUNT), "rad")
    assert si_scale("set_point", turn) == (pytest.approx(COUNT / 256), "rad")
    assert si_scale("speed", turn) == (pytest.approx(COUNT / 256 * 1000), "rad/s")
    assert si_scale("set_acceleration", turn) == (pytest.approx(COUNT / 65536 * 1e6), "rad/s^2")
    assert si_scale("current", turn) == (pytest.approx(1e-3), "A")
    assert si_scale("mode", turn) == (1.0, "")
    known = {unit for _, unit, _ in messages.CAPTURE_SIGNALS}
    codes = {"MODES", "DRIVE_STATES", "FAULTS", "INPUT_*", "1: released", "slot of the queue"}
    for name, unit, _ in messages.CAPTURE_SIGNALS:
        assert (si_scale(name, turn)[1] == "") == (unit in codes)
    assert codes < known
