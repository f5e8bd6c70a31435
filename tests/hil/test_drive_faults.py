"""Faults of one joint of the whole arm: all six stop, the cause is named, a person resets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import guidearm
from guidearm.arm import Robot
from guidearm.arm.faults import REMEDIES, read_faults
from guidearm.cli import main
from guidearm.connection import robot_on
from guidearm.errors import InputError, JointFaultError, LinkError
from guidearm.geometry import Array
from guidearm.kinematics import load_arm
from guidearm_hil.injections import LIMIT_UPPER, OUTPUT_ENCODER_ERROR
from guidearm_hil.joint_design import COUNTS_PER_TURN
from guidearm_hil.rig import VirtualArm
from guidearm_protocol import messages as wire
from guidearm_protocol import parameters

ARM = load_arm("guide6")
GOAL = ARM.home + np.radians([30.0, 20.0, 40.0, 30.0, -30.0, 40.0])


def in_mid_move(rig: VirtualArm, robot: Robot, act: Callable[[], None]) -> None:
    """Enable, move, and have something happen once when the move has its speed."""
    happened: list[float] = []
    robot.enable()
    due = rig.clock.now() + 0.6

    def on_state(_: object) -> None:
        if not happened and rig.clock.now() > due:
            happened.append(rig.clock.now())
            act()

    robot.move_joints(GOAL, on_state=on_state)


def rotors_rest(rig: VirtualArm) -> bool:
    def rotors() -> Array:
        rig.true_joints(rig.clock.now())
        return rig.bus.true_motion()[2][-1]

    before = rotors()
    rig.clock.sleep_until(rig.clock.now() + 0.3)
    return bool(np.abs(rotors() - before).max() < 1e-5)


@pytest.mark.parametrize(
    ("fault", "injected", "cured"),
    [
        (wire.OVER_TEMPERATURE, {"temperature_c": 95.0}, {"temperature_c": 40.0}),
        (wire.SUPPLY, {"supply_v": 16.5}, {"supply_v": 24.0}),
        (wire.HARD_LIMIT, {"inputs": LIMIT_UPPER}, {"inputs": 0}),
        (wire.OUTPUT_ENCODER, {"inputs": OUTPUT_ENCODER_ERROR}, {"inputs": 0}),
        (wire.MOTOR_ENCODER, {"motor_encoder_frozen": 1}, {"motor_encoder_frozen": 0}),
        (wire.FOLLOWING_ERROR, {"friction_nm": 190.0}, {"friction_nm": 3.0}),
    ],
    ids=lambda value: wire.FAULTS[value][1] if isinstance(value, int) else "",
)
def test_a_fault_of_one_joint_stops_all_six(
    fault: int, injected: dict[str, float], cured: dict[str, float]
) -> None:
    with VirtualArm(ARM, 11) as rig:
        robot = robot_on(rig.connection(), ARM)
        with pytest.raises(JointFaultError, match=f"joint 3: {wire.FAULTS[fault][1]}"):
            in_mid_move(rig, robot, lambda: rig.inject(3, **injected))
        reports = read_faults(robot.bus, robot.numbers)
        assert reports[0].joint == 3
        assert [report.fault for report in reports] == [fault, *[wire.STOP_LINE] * 5]
        assert all(0 <= (report.age_s or -1) < 5 for report in reports)
        assert reports[0].as_dict()["do"] == REMEDIES[fault]
        assert rotors_rest(rig)
        assert not any(joint.authorised or joint.enabled for joint in robot.poll().joints)
        rig.inject(3, **cured)
        robot.reset_fault()
        robot.home()
        state = robot.enable()
        assert state.enabled


@pytest.mark.parametrize("wired", [False, True])
def test_a_joint_that_reboots_in_mid_move_is_named_and_never_rejoins_by_itself(
    wired: bool,
) -> None:
    with VirtualArm(ARM, 12) as rig:
        robot = robot_on(rig.connection(), ARM)

        def reboot() -> None:
            rig.bus.stop_line = wired  # as a joint without power pulls it
            rig.bus.advance(rig.bus.host_us + 3000)
            rig.reboot(4)
            rig.bus.stop_line = False

        with pytest.raises(LinkError, match="joint 4 restarted"):
            in_mid_move(rig, robot, reboot)
        if wired:
            faults = [joint.fault for joint in robot.state.joints if joint.number != 4]
            assert faults == [wire.STOP_LINE] * 5
        assert rotors_rest(rig)
        with pytest.raises(LinkError, match="joint 4"):
            robot.enable()
        again = robot_on(rig.connection(), ARM)
        joint = again.state.joints[3]
        assert (joint.enabled, joint.authorised) == (False, False)
        assert joint.state == wire.SWITCH_ON_DISABLED
        again.reset_fault()
        assert again.enable().enabled


def test_a_watchdogs_reset_is_a_fault_until_a_person_resets_it() -> None:
    with VirtualArm(ARM, 13) as rig:
        robot_on(rig.connection(), ARM)
        rig.reboot(2, by_watchdog=True)
        robot = robot_on(rig.connection(), ARM)
        assert robot.poll().joints[1].fault == wire.WATCHDOG_RESET
        with pytest.raises(JointFaultError, match="joint 2: watchdog reset"):
            robot.enable()
        robot.reset_fault()
        assert robot.enable().enabled


def test_joints_without_an_absolute_encoder_are_homed_against_their_stops() -> None:
    with VirtualArm(ARM, 15) as rig:
        robot = robot_on(rig.connection(), ARM)
        here = np.degrees(ARM.home)
        for number in (1, 6):
            stop_deg = float(here[number - 1]) - 4.0
            rig.inject(number, stop_lower_deg=stop_deg, output_encoder_frozen=1)
            counts = round(stop_deg * COUNTS_PER_TURN / 360)
            for name, value in (("has_absolute_encoder", 0), ("home_position", counts)):
                request = {"index": parameters.NAMES.index(name), "value": value}
                robot.bus.request(number, wire.SET_PARAMETER, request)
        state = robot.home()
        assert all(joint.homed and not joint.enabled for joint in state.joints)
        off = np.degrees(np.abs(state.q - rig.true_joints(rig.clock.now())))
        assert off.max() < 0.35  # wound up by the homing torque, see tests/firmware/test_homing.py
        assert np.abs(np.degrees(state.q - ARM.home)[[0, 5]] + 4.0).max() < 0.1
        robot.enable()
        robot.move_joints(ARM.home)


def test_the_command_lists_first_causes_with_snapshot_and_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def told(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main.main(["faults", "--port", "virtual:seed=16", *arguments])
        assert ended.value.code == 0
        return capsys.readouterr().out

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with VirtualArm(ARM, 16) as rig:

        def connect(*_: object) -> Robot:
            return robot_on(rig.connection(), ARM)

        monkeypatch.setattr(guidearm, "connect", connect)
        assert told() == "no fault is latched\n"
        robot = robot_on(rig.connection(), ARM)
        with pytest.raises(JointFaultError):
            in_mid_move(rig, robot, lambda: rig.inject(5, temperature_c=120.0))
        rows = json.loads(told("--json"))["faults"]
        assert [row["joint"] for row in rows[:1]] == [5]
        assert rows[0]["fault"] == "over-temperature"
        assert rows[0]["do"] == REMEDIES[wire.OVER_TEMPERATURE]
        assert abs(rows[0]["velocity_deg_s"]) > 5
        lines = told().splitlines()
        assert lines[0].split()[:2] == ["joint", "fault"]
        assert lines[1].split()[:2] == ["5", "over-temperature"]
        assert len(lines) == 7


def test_status_names_the_way_out_of_a_fault_and_what_an_enabled_arm_waits_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def told(command: str) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main.main([command, "--port", "virtual:seed=17"])
        assert ended.value.code == 0
        return capsys.readouterr()

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    way_out = "guidearm faults: what happened and what to do; guidearm reset-fault: clear it\n"
    waiting = "enabled; brakes closed until the next move\n"
    with VirtualArm(ARM, 17) as rig:

        def connect(*_: object) -> Robot:
            return robot_on(rig.connection(), ARM)

        monkeypatch.setattr(guidearm, "connect", connect)
        assert not told("status")[0].endswith(waiting)
        told("enable")
        rig.clock.sleep_until(rig.clock.now() + 1.0)  # the link's timeout, and the brakes
        out, err = told("status")
        assert (out.endswith(waiting), err) == (True, "")
        robot = robot_on(rig.connection(), ARM)
        robot.resume()
        with pytest.raises(JointFaultError):
            in_mid_move(rig, robot, lambda: rig.inject(5, temperature_c=120.0))
        out, err = told("status")
        assert (waiting in out, err.endswith(way_out)) == (False, True)
        rig.inject(5, temperature_c=30.0)
        err = told("reset-fault")[1]
        assert err.startswith("cleared joint ") and "joint 5: over-temperature" in err
        assert told("reset-fault")[1] == "no fault is latched\n"
        assert told("status")[1] == ""


def test_an_injection_that_does_not_exist_is_told() -> None:
    with VirtualArm(ARM, 14) as rig, pytest.raises(InputError, match="temprature_c"):
        rig.inject(1, temprature_c=90.0)


def test_every_fault_has_a_remedy() -> None:
    assert set(REMEDIES) == {fault[0] for fault in wire.FAULTS[1:]}
