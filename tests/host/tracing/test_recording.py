"""What is recorded of a virtual arm, what is said of it, and what is saved."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from guidearm.arm import Robot
from guidearm.connection import robot_on
from guidearm.errors import InputError, JointFaultError, LimitError, MotionError, RefusedError
from guidearm.kinematics import load_arm
from guidearm.tracing.files import new_stem
from guidearm.tracing.recording import Recording, record_move, record_sine, record_step
from guidearm.tracing.saving import origin, save
from guidearm_hil.rig import VirtualArm
from guidearm_protocol import messages

Recordings = tuple[Robot, dict[str, Recording]]
COUNT = 2 * np.pi / 409600


def test_a_step_goes_there_and_back(recordings: Recordings) -> None:
    step = recordings[1]["step"]
    (trace,) = step.traces
    told = step.notes["response"]
    assert told["size"] == pytest.approx(np.radians(-1.0), abs=2 * COUNT)
    assert 0.2 < told["demand_s"] < 0.3  # guide6's limits make a degree last a quarter of a second
    assert abs(told["rise_s"] - told["demand_rise_s"]) < 0.01
    assert abs(told["lag_s"]) < 0.005
    assert told["overshoot"] < np.radians(0.01)
    assert told["settling_s"] < 0.05
    assert told["peak_error"] < np.radians(0.05)
    assert step.words.headline == "Step of joint 2 by \u22121\u00b0"
    assert "no jump" in step.words.note
    # it came back before the next recording
    start = recordings[1]["sine"].traces[0].values["set_point"][0]
    assert start == pytest.approx(trace.values["set_point"][0], abs=2 * COUNT)


def test_a_sine_is_followed(recordings: Recordings) -> None:
    sine = recordings[1]["sine"]
    told = sine.notes["response"]
    assert told["amplitude"] == pytest.approx(np.radians(0.5), rel=1e-3)
    assert told["gain"] == pytest.approx(1.0, abs=0.01)
    assert abs(np.degrees(told["phase"])) < 1
    assert sine.setup.divider == 3
    (begin, end, _) = sine.spans[0]
    assert end - begin == pytest.approx(2.0)


def test_a_move_records_all_joints_at_the_same_time(recordings: Recordings) -> None:
    move = recordings[1]["move"]
    assert [trace.number for trace in move.traces] == [1, 2, 3, 4, 5, 6]
    instants = [trace.trigger_s for trace in move.traces]
    assert max(instants) - min(instants) < 1.1e-3
    for trace, travel in zip(move.traces, (10, 10, -10, 10, -10, 15), strict=True):
        went = trace.values["position"][-1] - trace.values["position"][0]
        assert np.degrees(went) == pytest.approx(travel, abs=0.05)  # it stood near home


def test_a_push_is_seen_coming(recordings: Recordings) -> None:
    """Current up to its limit first, then the error grows, then the fault and the brake."""
    fault = recordings[1]["fault"]
    assert fault.words.headline == "Joint 2: following error"
    assert fault.words.bad and fault.shown == 2
    trace = fault.traces[1]
    v, at = trace.values, trace.trigger
    assert (at, len(trace.time_s)) == (400, 600)
    assert v["fault"][at] == messages.FOLLOWING_ERROR > v["fault"][at - 1]
    limit = np.max(np.abs(v["current"]))
    full = int(np.flatnonzero(np.abs(v["current"]) > 0.99 * limit)[0])
    assert 20 < full < at - 20
    assert np.abs(v["following_error"][full]) < np.radians(0.2)
    assert np.abs(v["following_error"][at]) > np.radians(0.99)
    assert v["mode"][at - 1] == messages.MODES.index("hold")
    assert "The stop line reached 5 other joints in" in fault.words.says
    assert v["brake"][-1] == 0
    assert v["mode"][-1] == messages.MODES.index("off")


def test_files_hold_the_samples_and_their_units(recordings: Recordings, tmp_path: Path) -> None:
    robot, made = recordings
    for name, pictures in (("step", 1), ("move", 1), ("fault", 2)):
        recording = made[name]
        stem = new_stem(tmp_path / "traces", name)
        notes = save(recording, origin(robot), stem)
        written = [Path(path) for path in notes["files"]]
        assert all(path.stat().st_size > 1000 for path in written if path.suffix == ".png")
        assert [path.suffix for path in written].count(".png") == pictures
        assert json.loads((tmp_path / "traces" / f"{name}.json").read_text()) == notes
        with (tmp_path / "traces" / f"{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == sum(notes["samples"])
        assert list(rows[0])[:4] == ["joint", "time_s", "position_rad", "set_point_rad"]
        assert "speed_rad_s" in rows[0] and "current_a" in rows[0]
        joint_2 = [row for row in rows if row["joint"] == "2"]
        trace = next(trace for trace in recording.traces if trace.number == 2)
        read = np.array([[float(row["time_s"]), float(row["position_rad"])] for row in joint_2])
        assert np.allclose(read[:, 0], trace.time_s, atol=1e-6)
        assert np.allclose(read[:, 1], trace.values["position"], atol=1e-8)
    assert new_stem(tmp_path / "traces", "step").name == "step-2"


def test_a_folder_that_takes_no_files_is_named(recordings: Recordings, tmp_path: Path) -> None:
    robot, made = recordings
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another folder"):
        new_stem(tmp_path / "file", "step")
    with pytest.raises(InputError, match="name another folder"):
        save(made["step"], origin(robot), tmp_path / "gone" / "step")


def test_refusals_leave_the_arm_alone() -> None:
    with (
        VirtualArm(load_arm("guide6"), 4) as arm,
        robot_on(arm.connection(), arm.arm) as robot,
    ):
        said: list[str] = []
        with pytest.raises(RefusedError, match="not enabled"):
            record_step(robot, 2, 0.01, say=said.append)
        robot.enable()
        in_the_table = arm.arm.home + np.radians([0.0, -40.0, 0.0, 0.0, 0.0, 0.0])
        for error, action in (
            (InputError, lambda: record_step(robot, 7, 0.01, say=said.append)),
            (InputError, lambda: record_step(robot, 2, 0.0, say=said.append)),
            (LimitError, lambda: record_step(robot, 2, 9.0, say=said.append)),
            (MotionError, lambda: record_step(robot, 2, -0.7, say=said.append)),
            (MotionError, lambda: record_sine(robot, 2, 0.6, 0.05, say=said.append)),
            (MotionError, lambda: record_move(robot, in_the_table, say=said.append)),
            (LimitError, lambda: record_sine(robot, 2, 0.01, 20.0, say=said.append)),
            (MotionError, lambda: record_sine(robot, 2, -0.01, 2.0, say=said.append)),
        ):
            before = robot.cycle().q_demand
            with pytest.raises(error):
                action()
            assert np.allclose(robot.cycle().q_demand, before, atol=2 * COUNT)
        assert said == []
        record_step(robot, 2, np.radians(0.1), say=said.append)
        assert said == ["will move joint 2 by 0.1 deg, and back"]


def test_a_fault_in_a_step_is_recorded_and_told() -> None:
    with (
        VirtualArm(load_arm("guide6"), 4) as arm,
        robot_on(arm.connection(), arm.arm) as robot,
    ):
        robot.enable()

        def push(_: str) -> None:
            arm.inject(3, friction_nm=70)  # it sticks

        recording = record_step(robot, 3, np.radians(8.0), say=push)
        assert isinstance(recording.failure, JointFaultError)
        assert recording.words.bad
        (trace,) = recording.traces
        assert messages.MODES.index("ramp") in trace.values["mode"]
