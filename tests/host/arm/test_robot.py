"""The robot on the virtual arm: genuine firmware on MicroPython, in virtual time."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

import guidearm
from guidearm.arm import ArmState, Robot
from guidearm.connection import robot_on
from guidearm.errors import (
    JointFaultError,
    LimitError,
    MotionError,
    RefusedError,
    SilentJointError,
    VersionMismatchError,
)
from guidearm.geometry import Array
from guidearm.kinematics import load_arm
from guidearm.link import SegmentPoint
from guidearm_hil.rig import VirtualArm
from guidearm_protocol import messages
from guidearm_tools.micropython import find_interpreter

COUNT_RAD = 2 * np.pi / 409600
SPEED_GAINS = (2, 3)  # indices of the parameters kv and ki


def at_rest(state: ArmState) -> bool:
    return not state.moving and not any(joint.enabled for joint in state.joints)


def standing_still(arm: VirtualArm, robot: Robot) -> bool:
    """Whether brakes hold: the links only ring in their gears, by less than 2 mrad."""
    now = robot.clock.now()
    robot.clock.sleep_until(now + 0.2)
    drift = [arm.true_joints(now + dt) - arm.true_joints(now) for dt in (0.05, 0.1, 0.2)]
    return bool(np.max(np.abs(drift)) < 2e-3)


class InMidMove:
    """Does something once, at a third of a move, and remembers when."""

    def __init__(self, robot: Robot, start: Array, goal: Array) -> None:
        self.robot, self.start, self.goal = robot, start, goal
        self.done_at: float | None = None

    def act(self) -> None:
        raise NotImplementedError

    def __call__(self, state: ArmState) -> None:
        share = (state.q[0] - self.start[0]) / (self.goal[0] - self.start[0])
        if share > 0.3 and self.done_at is None:
            self.done_at = self.robot.clock.now()
            self.act()


def test_identities_say_who_runs(robot: Robot) -> None:
    assert [identity.number for identity in robot.identities] == [1, 2, 3, 4, 5, 6]
    bits = find_interpreter().word_bits
    for identity in robot.identities:
        assert identity.interpreter == f"MicroPython 1.25.0, {bits} bit"
        assert identity.counts_per_turn == 409600
        assert identity.board == "virtual"
    assert len({identity.unique_id for identity in robot.identities}) == 6


def test_a_move_arrives_and_settles(robot: Robot, virtual_arm: VirtualArm, goal: Array) -> None:
    state = robot.enable()
    assert state.enabled and not state.moving
    assert np.allclose(state.q, virtual_arm.arm.home, atol=1e-3)
    record = robot.move_joints(goal)
    state = robot.cycle()
    assert state.enabled and not state.moving
    assert all(abs(joint.following_error) <= 2 for joint in state.joints)
    assert np.max(np.abs(state.q - goal)) <= 3 * COUNT_RAD
    # the link lags the motor by gear error, backlash and flexibility only
    assert np.max(np.abs(virtual_arm.true_joints(record.settled) - goal)) < 2e-3
    assert np.max(np.abs(state.q_output - state.q)) < 2e-3
    assert record.lead_s > 0.02
    assert record.sent_again == 0
    assert 0.5 < record.end - record.start < 2.0
    assert record.settled - record.end < 0.3
    assert robot.bus.counters.timeouts == robot.bus.counters.missed_slots == 0


def test_moves_follow_each_other_and_may_be_short(robot: Robot, goal: Array) -> None:
    robot.enable()
    robot.move_joints(goal, speed=0.7)
    for step in (1e-2, 1e-4, 1e-5):
        robot.move_joints(goal + step)
        assert np.max(np.abs(robot.state.q - goal - step)) <= 3 * COUNT_RAD
    nothing = OneSegment(robot.cycle().q_demand, goal)
    nothing.position = nothing.velocity = np.zeros((0, 6))
    nothing.duration_us = np.zeros(0, dtype=np.int64)
    assert robot.execute(nothing).segments == 0


def test_the_same_seed_gives_the_same_traffic(goal: Array) -> None:
    digests: set[str] = set()
    for _ in range(2):
        with VirtualArm(load_arm("guide6"), 11) as arm:
            with robot_on(arm.connection(), arm.arm) as robot:
                robot.enable()
                robot.move_joints(goal)
                robot.hold(robot.clock.now() + 0.2)
            digests.add(arm.bus.sha256)
    assert len(digests) == 1


def test_connect_opens_a_virtual_arm_by_its_url() -> None:
    with guidearm.connect("virtual:seed=5") as robot:
        assert len(robot.state.joints) == 6
        assert robot.port_name == "virtual:seed=5"


# ---- what is refused before anything moves


def test_a_goal_out_of_range_is_refused(robot: Robot, virtual_arm: VirtualArm) -> None:
    robot.enable()
    goal = virtual_arm.arm.home.copy()
    goal[2] = np.radians(178)
    with pytest.raises(LimitError, match="joint 3"):
        robot.move_joints(goal)
    assert robot.cycle().enabled
    with pytest.raises(MotionError, match="6 finite angles"):
        robot.move_joints([0.0, float("nan"), 0.0, 0.0, 0.0, 0.0])
    with pytest.raises(MotionError, match="6 finite angles"):
        robot.move_joints([0.0])


class OneSegment:
    """Segments made by hand."""

    def __init__(self, start: Array, end: Array, duration_us: int = 10_000) -> None:
        self.start = start
        self.start_velocity = np.zeros_like(start)
        self.position = end[None]
        self.velocity = np.zeros_like(self.position)
        self.duration_us = np.array([duration_us])


def test_segments_that_cannot_be_run_are_refused(robot: Robot, virtual_arm: VirtualArm) -> None:
    q = robot.enable().q_demand
    beyond = q.copy()
    beyond[2] = virtual_arm.arm.upper[2] + 0.01
    with pytest.raises(LimitError, match=r"joint 3 would go to 175\.57 deg, outside -175..175"):
        robot.execute(OneSegment(q, beyond))
    with pytest.raises(MotionError, match=r"starts 0\.573 deg from where joint 1 stands"):
        robot.execute(OneSegment(q + np.array([0.01, 0, 0, 0, 0, 0]), q))
    with pytest.raises(MotionError, match=r"segments last 500\.\.500 us"):
        robot.execute(OneSegment(q, q, duration_us=500))
    # the joint's own check: 2 turns in 10 ms is beyond its range
    too_far = q.copy()
    too_far[3] += 3.0
    with pytest.raises(LimitError, match=r"joint 4 refuses segment 1 to .*beyond its own limits"):
        robot.execute(OneSegment(q, too_far))
    state = robot.cycle()
    assert state.enabled and not state.moving
    assert all(joint.depth == 0 for joint in state.joints)
    robot.move_joints(q + 0.01)


def test_motion_needs_enable(robot: Robot, goal: Array) -> None:
    with pytest.raises(RefusedError, match="joints 1, 2, 3, 4, 5, 6 are not enabled: guidearm ena"):
        robot.move_joints(goal)
    robot.enable()
    assert at_rest(robot.disable())
    with pytest.raises(RefusedError, match="not enabled"):
        robot.move_joints(goal)
    robot.enable()
    assert at_rest(robot.stop())
    with pytest.raises(RefusedError, match="not enabled"):
        robot.resume()


def test_home_is_refused_while_enabled(robot: Robot) -> None:
    robot.enable()
    with pytest.raises(RefusedError, match="joint 1 refuses HOME: it is enabled"):
        robot.home()
    robot.disable()
    assert all(joint.homed for joint in robot.home().joints)


# ---- silence


def test_silence_at_rest_closes_the_brakes_and_the_next_move_resumes(
    robot: Robot, goal: Array
) -> None:
    robot.enable()
    robot.clock.sleep_until(robot.clock.now() + 2.0)
    state = robot.cycle()
    assert {joint.state for joint in state.joints} == {messages.SWITCHED_ON}
    assert all(joint.authorised and not joint.fault for joint in state.joints)
    robot.move_joints(goal)
    assert np.max(np.abs(robot.state.q - goal)) <= 3 * COUNT_RAD


def test_hold_keeps_the_link_alive(robot: Robot) -> None:
    robot.enable()
    seen: list[float] = []
    until = robot.clock.now() + 3.0
    state = robot.hold(until, lambda state: seen.append(state.time))
    assert state.enabled
    assert robot.clock.now() >= until
    assert np.max(np.diff(seen)) < 0.1


@pytest.mark.parametrize("number", [1, 4, 6])
def test_a_joint_that_dies_in_mid_move_is_named_and_the_others_rest(
    robot: Robot, virtual_arm: VirtualArm, goal: Array, number: int
) -> None:
    class Kill(InMidMove):
        def act(self) -> None:
            virtual_arm.joints[number - 1].kill()

    robot.enable()
    kill = Kill(robot, virtual_arm.arm.home, goal)
    with pytest.raises(SilentJointError, match=f"joint {number} on virtual:seed=3 does not answ"):
        robot.move_joints(goal, on_state=kill)
    assert kill.done_at is not None
    assert robot.clock.now() - kill.done_at < 0.5
    others = [joint for joint in robot.state.joints if joint.number != number]
    assert not any(joint.enabled or joint.moving for joint in others)
    assert standing_still(virtual_arm, robot)
    with pytest.raises(SilentJointError):
        robot.cycle()


def test_joints_that_are_dead_from_the_start_are_named(virtual_arm: VirtualArm) -> None:
    for number in (2, 5):
        virtual_arm.joints[number - 1].kill()
    with pytest.raises(SilentJointError, match="joints 2, 5 on virtual:seed=3 do not answer"):
        robot_on(virtual_arm.connection(), virtual_arm.arm)
    for number in (1, 3, 4, 6):
        virtual_arm.joints[number - 1].kill()
    with pytest.raises(SilentJointError, match="no joint answers on virtual:seed=3"):
        robot_on(virtual_arm.connection(), virtual_arm.arm)


def test_a_stall_of_the_host_within_the_queue_costs_nothing(
    robot: Robot, virtual_arm: VirtualArm, goal: Array
) -> None:
    class Stall(InMidMove):
        def act(self) -> None:
            robot.clock.sleep_until(robot.clock.now() + 0.3)

    robot.enable()
    stall = Stall(robot, virtual_arm.arm.home, goal)
    record = robot.move_joints(goal, speed=0.3, on_state=stall)
    assert stall.done_at is not None
    assert record.settled - record.end < 0.3
    assert np.max(np.abs(robot.state.q - goal)) <= 3 * COUNT_RAD


def test_a_longer_stall_is_a_controlled_stop_that_says_who_was_late(
    robot: Robot, virtual_arm: VirtualArm, goal: Array
) -> None:
    class Stall(InMidMove):
        def act(self) -> None:
            robot.clock.sleep_until(robot.clock.now() + 1.0)

    robot.enable()
    stall = Stall(robot, virtual_arm.arm.home, goal)
    with pytest.raises(JointFaultError, match=r"underrun .*the host was late.*\d ms before"):
        robot.move_joints(goal, speed=0.3, on_state=stall)
    assert at_rest(robot.state)
    assert standing_still(virtual_arm, robot)


# ---- faults


def test_a_fault_names_its_first_cause_and_is_reset(
    robot: Robot, virtual_arm: VirtualArm, goal: Array
) -> None:
    good = [
        robot.bus.request(3, messages.GET_PARAMETER, {"index": index})["value"]
        for index in SPEED_GAINS
    ]
    for index, weakest in zip(SPEED_GAINS, (1, 0), strict=True):
        robot.bus.request(3, messages.SET_PARAMETER, {"index": index, "value": weakest})
    with pytest.raises(JointFaultError) as caught:  # it sags under gravity as the brake opens
        robot.enable()
        robot.hold(robot.clock.now() + 1.0)
    text = str(caught.value)
    assert text.startswith("joint 3: following error (the motor did not follow its set-point)")
    assert "guidearm reset-fault" in text
    assert "joint 4" not in text
    state = robot.poll()
    assert state.faulted == (1, 2, 3, 4, 5, 6)
    assert state.joints[0].fault_name == "stop line"
    assert standing_still(virtual_arm, robot)
    with pytest.raises(JointFaultError, match="joint 3: following error"):
        robot.enable()
    assert robot.reset_fault().faulted == ()
    for index, value in zip(SPEED_GAINS, good, strict=True):
        robot.bus.request(3, messages.SET_PARAMETER, {"index": index, "value": value})
    robot.enable()
    robot.move_joints(goal)


def test_the_emergency_button_stops_the_arm(
    robot: Robot, virtual_arm: VirtualArm, goal: Array
) -> None:
    class Press(InMidMove):
        def act(self) -> None:
            virtual_arm.bus.emergency_stop = True

    robot.enable()
    press = Press(robot, virtual_arm.arm.home, goal)
    with pytest.raises(JointFaultError, match="emergency stop"):
        robot.move_joints(goal, on_state=press)
    robot.reset_fault()
    with pytest.raises(RefusedError, match="joint 1 refuses ENABLE: the stop line is pulled"):
        robot.enable()
    assert at_rest(robot.cycle())
    virtual_arm.bus.emergency_stop = False
    robot.enable()
    robot.move_joints(goal)


# ---- interruption


def test_ctrl_c_stops_the_arm_before_it_goes_on(
    robot: Robot, virtual_arm: VirtualArm, goal: Array
) -> None:
    class Interrupt(InMidMove):
        def act(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    robot.enable()
    interrupt = Interrupt(robot, virtual_arm.arm.home, goal)
    with pytest.raises(KeyboardInterrupt):
        robot.move_joints(goal, on_state=interrupt)
    assert interrupt.done_at is not None
    assert robot.clock.now() - interrupt.done_at < 0.5
    assert at_rest(robot.state)
    assert standing_still(virtual_arm, robot)
    assert np.max(np.abs(robot.state.q - goal)) > np.radians(5)


def test_any_exception_in_mid_move_stops_the_arm(
    robot: Robot, virtual_arm: VirtualArm, goal: Array
) -> None:
    class Fail(InMidMove):
        def act(self) -> None:
            raise ZeroDivisionError

    robot.enable()
    with pytest.raises(ZeroDivisionError):
        robot.move_joints(goal, on_state=Fail(robot, virtual_arm.arm.home, goal))
    assert at_rest(robot.state)
    assert standing_still(virtual_arm, robot)


def test_leaving_the_block_by_an_exception_stops_the_arm(virtual_arm: VirtualArm) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        robot_on(virtual_arm.connection(), virtual_arm.arm) as robot,
    ):
        robot.enable()
        raise ZeroDivisionError
    assert at_rest(robot.state)


def test_a_move_that_was_cut_leaves_the_joints_in_step(
    robot: Robot, virtual_arm: VirtualArm, goal: Array
) -> None:
    """After lost frames the joints' newest segments differ; the next move brings them together."""
    robot.enable()
    state = robot.cycle()
    for number, count in ((2, 3), (5, 40)):
        joint = state.joints[number - 1]
        at = round(joint.demand / (2 * np.pi) * messages.ANGLE_UNITS_PER_TURN)
        for step in range(1, count + 1):
            point = SegmentPoint(joint.segment + step, 10_000, ((at, 0),))
            robot.bus.cycle(1 << number - 1, point)
    state = robot.cycle()
    assert [joint.segment for joint in state.joints] == [0, 3, 0, 0, 40, 0]
    robot.move_joints(goal)
    assert len({joint.segment for joint in robot.state.joints}) == 1
    assert np.max(np.abs(robot.state.q - goal)) <= 3 * COUNT_RAD


# ---- who fits whom


def test_another_message_table_is_named(
    virtual_arm: VirtualArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "table_hash", lambda: 0x1234)
    with pytest.raises(VersionMismatchError, match=r"joint 1 \(firmware 0.1.0\) has message table"):
        robot_on(virtual_arm.connection(), virtual_arm.arm)


def test_another_protocol_version_is_named(
    virtual_arm: VirtualArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "PROTOCOL_VERSION", 2)
    with pytest.raises(VersionMismatchError, match=r"speaks protocol version 1, this host 2.*pip"):
        robot_on(virtual_arm.connection(), virtual_arm.arm)
