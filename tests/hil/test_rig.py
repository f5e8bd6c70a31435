"""The virtual arm: six firmwares, six plants, one bus; the same run for the same seed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import pytest

from guidearm.arm import Robot
from guidearm.connection import robot_on as connected
from guidearm.errors import InputError, JointFaultError, SilentJointError
from guidearm.geometry import Array
from guidearm.kinematics import arm_names, load_arm
from guidearm.motion import hermite_segments, joint_move
from guidearm.motion.segments import Segments
from guidearm_hil.joint_design import RAD_PER_COUNT
from guidearm_hil.rig import VirtualArm, open_virtual
from guidearm_protocol import messages as wire
from guidearm_protocol import parameters

ARM = load_arm("guide6")
GOAL = ARM.home + np.radians([12.0, -8.0, 10.0, 15.0, -9.0, 20.0])


def plan(start: Array, goal: Array, speed: float) -> Segments:
    return hermite_segments(joint_move(start, goal, ARM, speed))


def robot_on(rig: VirtualArm) -> Robot:
    return Robot(rig.connection(), ARM, plan)


def run(seed: int) -> tuple[str, int, bytes]:
    """Return digest of all traffic, frames, and the true motion of a short move."""
    with VirtualArm(ARM, seed) as rig:
        robot = robot_on(rig)
        robot.enable()
        robot.move_joints(GOAL)
        assert rig.bus.collisions == 0
        motion = b"".join(part.tobytes() for part in rig.bus.true_motion())
        return rig.bus.sha256, rig.bus.frames, motion


@contextmanager
def loaded_machine() -> Generator[None]:
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_a_seed_gives_one_run_whatever_else_the_machine_does() -> None:
    first = run(5)
    with loaded_machine():
        assert run(5) == first
    other = run(6)
    assert other[0] != first[0]
    assert other[2] != first[2]


def test_joints_are_genuine_and_each_is_another() -> None:
    with VirtualArm(ARM, 1) as rig:
        identities = robot_on(rig).identities
        genuine = str(rig.interpreter).replace("-bit", " bit")
        assert {identity.interpreter for identity in identities} == {genuine}
        assert len({identity.unique_id for identity in identities}) == 6
        # what the gears' transmission error leaves where the brakes hold the rotors
        assert np.abs(rig.true_joints(rig.clock.now()) - ARM.home).max() < 5e-4


@pytest.mark.parametrize("name", arm_names())
def test_every_arm_that_is_shipped_moves(name: str) -> None:
    model = load_arm(name)
    with VirtualArm(model, 4) as rig:
        robot = connected(rig.connection(), model)
        robot.enable()
        goal = model.home + np.radians([20.0, -15.0, 15.0, 25.0, -20.0, 30.0])
        record = robot.move_joints(goal, 1.0)
        assert np.degrees(record.following_error).max() < 0.1
        np.testing.assert_allclose(robot.state.q, goal, atol=np.radians(0.01))
        np.testing.assert_allclose(rig.true_joints(rig.clock.now()), goal, atol=1e-3)


def test_a_move_ends_where_it_should_in_truth() -> None:
    with VirtualArm(ARM, 2) as rig:
        robot = robot_on(rig)
        robot.enable()
        record = robot.move_joints(GOAL)
        assert np.degrees(record.following_error).max() < 0.05
        # beside two counts: half an output encoder step at homing, wind-up, transmission error
        off = np.abs(rig.true_joints(rig.clock.now()) - GOAL)
        assert np.degrees(off).max() < 0.15


def at_rest(rig: VirtualArm) -> bool:
    """Tell whether no rotor turns any more; links may still swing on their gears."""
    before = rotors(rig)
    rig.clock.sleep_until(rig.clock.now() + 0.2)
    return bool(np.abs(rotors(rig) - before).max() < 1e-6)


def rotors(rig: VirtualArm) -> Array:
    """Return the true rotor angles (6,) rad, now."""
    rig.true_joints(rig.clock.now())
    return rig.bus.true_motion()[2][-1]


@contextmanager
def moving(
    seed: int, over: dict[int, dict[str, int]] | None = None
) -> Generator[tuple[VirtualArm, Robot]]:
    """Enable an arm with parameters changed by address and name."""
    with VirtualArm(ARM, seed) as rig:
        robot = robot_on(rig)
        for address, values in (over or {}).items():
            for name, value in values.items():
                index = parameters.NAMES.index(name)
                robot.bus.request(address, wire.SET_PARAMETER, {"index": index, "value": value})
        robot.enable()
        yield rig, robot


def test_a_joints_fault_stops_the_others_within_two_ticks_of_the_line() -> None:
    trip = round((float(ARM.home[3]) + 0.6) / RAD_PER_COUNT)
    with moving(3, {4: {"upper_trip": trip}}) as (rig, robot):
        with pytest.raises(JointFaultError, match="joint 4"):
            robot.move_joints(GOAL + 1.0)
        clocks = robot.sync.values()
        instants: dict[int, float] = {}
        for number in robot.numbers:
            fault = robot.bus.request(number, wire.FAULT)
            expected = wire.SOFT_LIMIT if number == 4 else wire.STOP_LINE
            assert fault["fault"] == expected
            clock = clocks[number]
            local = (fault["time_us"] - clock.joint_us + (1 << 29)) % (1 << 30) - (1 << 29)
            instants[number] = clock.master_us + local * (1 + clock.drift / 2**26)
        cause = instants.pop(4)
        # two ticks until the line is seen on the bus, and up to one more to the joint's next
        assert all(0 < instant - cause <= 3000 for instant in instants.values())
        assert at_rest(rig)


def test_the_emergency_button_stops_all_of_them_under_control() -> None:
    with moving(4) as (rig, robot):

        def press(_: object) -> None:
            rig.bus.emergency_stop = rig.clock.now() > pressed

        pressed = rig.clock.now() + 0.45
        with pytest.raises(JointFaultError, match="emergency stop"):
            robot.move_joints(GOAL + 1.0, on_state=press)
        assert all(joint.fault == wire.EMERGENCY_STOP for joint in robot.poll().joints)


def test_a_joint_that_dies_in_mid_move_is_named_and_the_others_come_to_rest() -> None:
    with moving(5) as (rig, robot):

        def die(_: object) -> None:
            if rig.clock.now() > death and rig.bus.alive[2]:
                rig.joints[2].kill()

        death = rig.clock.now() + 0.45
        with pytest.raises(SilentJointError, match="joint 3"):
            robot.move_joints(GOAL + 1.0, on_state=die)
        assert at_rest(rig)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("virtual:seed=x", "seed=x is not a whole number"),
        ("virtual:sead=1", "unknown option 'sead'"),
        ("virtual:arm=nobody", "nobody"),
    ],
)
def test_options_of_the_virtual_port(url: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        open_virtual(url)
