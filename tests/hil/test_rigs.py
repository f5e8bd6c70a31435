"""Rigs behind one interface: found by name, and what the virtual one offers is what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from guidearm.connection import robot_on
from guidearm.errors import ArmDescriptionError, JointFaultError, LimitError, OptionError
from guidearm_hil.errors import RigError
from guidearm_hil.rigs import HOST, Input, Offer, open_rig
from guidearm_hil.rigs.virtual import VirtualRig
from guidearm_protocol import messages as wire


@pytest.fixture
def rig() -> Iterator[VirtualRig]:
    with VirtualRig(3) as rig:
        yield rig


@pytest.mark.parametrize("name", ["", "vertual", "virtual:seed=x", "virtual:sead=1"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(OptionError, match=r"virtual\[?:seed=N|use virtual"):
        open_rig(name)


def test_what_is_not_offered_is_refused_by_name(rig: VirtualRig) -> None:
    assert not rig.offers & (Offer.SCRIPT | Offer.DIRECTION)
    with pytest.raises(RigError, match="has no SCRIPT"):
        rig.run("print(1)")


def test_the_truth_of_motor_brake_and_power_stage(rig: VirtualRig) -> None:
    with rig.robot() as robot:
        before = rig.truth(2)
        assert (before.brake_open, before.powered) == (False, False)
        robot.enable()
        robot.hold(robot.clock.now() + 0.5)
        during = rig.truth(2)
        assert (during.brake_open, during.powered) == (True, True)
        goal = robot.state.q_demand
        goal[1] += 0.1
        robot.move_joints(goal)
        counts = rig.truth(2).motor_counts - during.motor_counts
        assert counts == pytest.approx(0.1 / (2 * np.pi) * 409600, abs=4)
        assert rig.truth(2).link_rad - during.link_rad == pytest.approx(0.1, abs=1e-3)
        assert rig.truth(3).motor_counts == pytest.approx(rig.truth(3).motor_counts, abs=3)


@pytest.mark.parametrize(
    ("which", "fault"),
    [(Input.STOP_LINE, wire.STOP_LINE), (Input.EMERGENCY_STOP, wire.EMERGENCY_STOP)],
)
def test_lines_of_all_joints(rig: VirtualRig, which: Input, fault: int) -> None:
    with rig.robot() as robot:
        robot.enable()
        rig.set_input(which, True)
        with pytest.raises(JointFaultError):
            robot.hold(robot.clock.now() + 0.5)
        assert all(joint.fault == fault for joint in robot.poll().joints)
        rig.set_input(which, False)
        robot.reset_fault()
        robot.enable()


def test_a_limit_switch_of_one_joint(rig: VirtualRig) -> None:
    with rig.robot() as robot:
        robot.enable()
        rig.set_input(Input.LIMIT_LOWER, True, 4)
        rig.set_input(Input.LIMIT_UPPER, True, 4)
        rig.set_input(Input.LIMIT_LOWER, False, 4)
        start = robot.state.q_demand
        away = np.array([0.0, 0.0, 0.0, 0.1, 0.0, 0.0])
        robot.move_joints(start - away)  # the way back is free
        with pytest.raises(JointFaultError, match="joint 4: hard limit"):
            robot.move_joints(start)
    with pytest.raises(RigError, match="say of which"):
        rig.set_input(Input.LIMIT_LOWER, True)


def test_the_wire_is_heard_byte_by_byte_and_forgotten(rig: VirtualRig) -> None:
    with rig.robot() as robot:
        rig.take_wire()
        robot.poll()
        sent = rig.take_wire().sent
        assert rig.take_wire().sent == ()
    assert [byte.end_ns - byte.start_ns for byte in sent] == [10_000] * len(sent)
    assert sent[0].sender == HOST
    senders = [byte.sender for byte in sent]
    assert senders == sorted(senders)  # slots are in order of address


def test_another_baud_rate(rig: VirtualRig) -> None:
    rig.set_baud(3_000_000)
    with rig.robot() as robot:
        assert robot.bus.baud == 3_000_000
        byte = rig.take_wire().sent[0]
        assert byte.end_ns - byte.start_ns == 3333
    rig.make_safe()
    with rig.robot() as robot:
        assert robot.bus.baud == 1_000_000


def test_safe_is_as_at_the_start(rig: VirtualRig) -> None:
    def run() -> int:
        with rig.robot() as robot:
            robot.enable()
            robot.move_joints(robot.state.q_demand + rig.excursion)
            return rig.truth(1).motor_counts

    first = run()
    rig.inject(1, brake_jammed=1)
    rig.make_safe()
    assert run() == first


def test_joints_that_are_no_arm(rig: VirtualRig) -> None:
    two = [1, 4]
    joints = replace(
        rig.joints,
        name="bench",
        numbers=(2, 5),
        arm_id=None,
        **{
            limit: getattr(rig.joints, limit)[two]
            for limit in ("lower", "upper", "velocity", "acceleration", "jerk")
        },
    )
    with robot_on(rig.connection(), joints) as robot:
        assert [joint.number for joint in robot.enable().joints] == [2, 5]
        before = rig.truth(5)
        robot.move_joints(robot.state.q_demand + np.array([0.0, -0.1]))
        moved = rig.truth(5).link_rad - before.link_rad
        assert moved == pytest.approx(-0.1, abs=1e-3)
        with pytest.raises(LimitError, match="joint 5 would go"):
            robot.move_joints(robot.state.q_demand + np.array([0.0, 10.0]))
        with pytest.raises(ArmDescriptionError, match="bench is no arm"):
            _ = robot.arm
        assert robot.disable().joints[0].number == 2
