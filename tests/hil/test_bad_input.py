"""Files that cannot be used and joints that do not fit: one clear line, exit 1, nothing moves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import guidearm_hil
from guidearm.arm import ArmState, Robot
from guidearm.cli.main import main
from guidearm.connection import robot_on
from guidearm.errors import (
    JointFaultError,
    LinkError,
    PlanError,
    RegistrationError,
    SilentJointError,
    VersionMismatchError,
)
from guidearm.geometry import Array
from guidearm.kinematics import load_arm
from guidearm_hil import rig
from guidearm_hil.gravity import Gravity
from guidearm_hil.rig import VirtualArm, build_virtual_image
from guidearm_hil.session import Setting, load_inputs

HIL = Path(guidearm_hil.__file__).parent
Program = Callable[..., tuple[int, str, str]]
Change = Callable[[dict[str, Any]], None]


def joint_processes() -> set[int]:
    """Return the MicroPython processes that this process has started."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if int(parent) == os.getpid() and b"micropython" in command:
            found.add(int(entry.name))
    return found


@pytest.fixture
def guidearm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Program]:
    """Run the program in this process, in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in signals}

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, captured.out, captured.err

    before = joint_processes()
    yield run
    assert joint_processes() == before
    for number, handler in handlers.items():
        signal.signal(number, handler)


def changed(name: str, folder: Path, change: Change) -> Path:
    """Write a shipped file into `folder` with a change."""
    content = json.loads((HIL / "data" / name).read_text(encoding="utf-8"))
    change(content)
    path = folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


# ---- plan and registration


def same_points(plan: dict[str, Any]) -> None:
    entry, target = plan["markups"][0]["controlPoints"]
    target["position"] = entry["position"]


def unknown_system(plan: dict[str, Any]) -> None:
    plan["markups"][0]["coordinateSystem"] = "XYZ"


def swapped(plan: dict[str, Any]) -> None:
    points = plan["markups"][0]["controlPoints"]
    points[0]["label"], points[1]["label"] = points[1]["label"], points[0]["label"]


def out_of_reach(plan: dict[str, Any]) -> None:
    """To the patient's right, away from the arm."""
    for point in plan["markups"][0]["controlPoints"]:
        point["position"][0] -= 900.0


def wide(registration: dict[str, Any]) -> None:
    """So that a plan may lie far away."""
    for point in registration["fiducials_image_mm"]:
        point[0] *= 20.0


def labelled_ras(plan: dict[str, Any]) -> None:
    plan["markups"][0]["coordinateSystem"] = "RAS"


def other_image(registration: dict[str, Any]) -> None:
    registration["image"]["frameOfReferenceUID"] = "2.25.1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (same_points, "entry and target are 0.0 mm apart"),
        (unknown_system, 'coordinate system "XYZ" is unknown: use LPS or RAS'),
    ],
)
def test_a_plan_that_cannot_be_used(
    guidearm: Program, tmp_path: Path, change: Change, says: str
) -> None:
    plan = changed("plan.mrk.json", tmp_path, change)
    with pytest.raises(PlanError):
        load_inputs(Setting(seed=1, plan=plan))
    code, out, err = guidearm("demo", "--plan", plan)
    assert (code, out) == (1, "")
    assert err.startswith("guidearm: plan.mrk.json: ") and says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "sessions").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (swapped, "are entry and target swapped?"),
        (labelled_ras, "are its coordinates LPS or RAS as the file says"),
    ],
)
def test_a_plan_that_cannot_be_this_patients(
    guidearm: Program, tmp_path: Path, change: Change, says: str
) -> None:
    plan = changed("plan.mrk.json", tmp_path, change)
    with pytest.raises(PlanError):
        load_inputs(Setting(seed=1, plan=plan))
    code, out, err = guidearm("demo", "--plan", plan)
    assert (code, out) == (1, "")
    assert err.startswith('guidearm: the plan "L3 left pedicle" ') and says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "sessions").exists()


def test_a_plan_that_is_not_json_or_not_there(guidearm: Program, tmp_path: Path) -> None:
    plan = tmp_path / "plan.mrk.json"
    for prepare, says in (
        (lambda: None, "there is no file"),
        (lambda: plan.write_text("entry 27.4 -68.2"), "plan.mrk.json: not a JSON file"),
        (lambda: plan.write_bytes(b"\xff\xfe\x00"), "plan.mrk.json: not"),
    ):
        prepare()
        with pytest.raises(PlanError):
            load_inputs(Setting(seed=1, plan=plan))
        code, out, err = guidearm("demo", "--plan", plan)
        assert (code, out) == (1, "")
        assert says in err and err.count("\n") == 1
    assert not (tmp_path / "sessions").exists()


def test_a_registration_of_another_image_or_none(guidearm: Program, tmp_path: Path) -> None:
    other = changed("registration.json", tmp_path, other_image)
    for registration, says in (
        (other, "the registration belongs to image 2.25.1, the plan to image 2.25.20618"),
        (tmp_path / "missing.json", "registration is missing: there is no file"),
    ):
        with pytest.raises(RegistrationError):
            load_inputs(Setting(seed=1, registration=registration))
        code, out, err = guidearm("demo", "--registration", registration, "--out", tmp_path / "s")
        assert (code, out) == (1, "")
        assert says in err and err.count("\n") == 1
    assert not (tmp_path / "s").exists()


def test_a_session_folder_in_use_is_left_alone(guidearm: Program, tmp_path: Path) -> None:
    note = tmp_path / "s" / "note.txt"
    note.parent.mkdir()
    note.write_text("mine")
    code, _, err = guidearm("demo", "--out", note.parent)
    assert code == 1
    assert "is not empty: name a new folder for this session" in err and err.count("\n") == 1
    assert [path.name for path in note.parent.iterdir()] == ["note.txt"]


def test_a_plan_out_of_reach_moves_nothing(tmp_path: Path) -> None:
    """In a process of its own, as a user runs it."""
    plan = changed("plan.mrk.json", tmp_path, out_of_reach)
    registration = changed("registration.json", tmp_path, wide)
    command = [sys.executable, "-m", "guidearm", "demo", "--seed", "1", "--plan", str(plan)]
    command += ["--registration", str(registration)]
    ended = subprocess.run(
        [*command, "--out", str(tmp_path / "s"), "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    *told, last = ended.stderr.splitlines()
    assert last.startswith("guidearm: no posture of guide6 puts the guide on the line at [")
    assert "2880 out of reach" in last
    assert not [line for line in told if line.startswith("guidearm:")]
    assert "Traceback" not in ended.stderr
    files = {path.name for path in (tmp_path / "s").iterdir()}
    assert files == {"journal.jsonl", "summary.json"}
    journal = (tmp_path / "s" / "journal.jsonl").read_text(encoding="utf-8")
    events = [json.loads(line) for line in journal.splitlines()]
    assert [event["event"] for event in events] == ["enabled", "mapped", "aborted"]
    assert "out of reach" in events[-1]["reason"]
    summary = json.loads((tmp_path / "s" / "summary.json").read_text(encoding="utf-8"))
    assert summary["passed"] is False and summary["motions"] == []
    assert f"guidearm: {summary['reason']}" == last


# ---- joints with another firmware


def firmware(folder: Path, file: str, old: str, new: str) -> Path:
    """Build an image in which one place of a file is changed."""
    image = folder / "image"
    build_virtual_image(image)
    text = (image / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (image / file).write_text(text.replace(old, new), encoding="utf-8")
    return image


MESSAGES = "guidearm_protocol/messages.py"
# a watchdog's reset: drive and session begin anew, the outside world stays as it is
RESET = """        session.poll()
        if drive.state[servo.TICKS] > 700 and not board.boot_count & 0x100:
            board.boot_count |= 0x100
            drive = Drive(Storage(board))
            session = Session(board, drive, VERSION)
            board.start(drive.state, servo.tick, supervise)
"""


@pytest.mark.parametrize(
    ("file", "old", "new", "error", "says"),
    [
        (
            "joint/session.py",
            "n = read(burst, words)",
            "n = 0 * read(burst, words)",
            SilentJointError,
            "joint 5 on virtual:seed=3 does not answer: check power, cable and address",
        ),
        (
            MESSAGES,
            "PROTOCOL_VERSION = 1",
            "PROTOCOL_VERSION = 2",
            VersionMismatchError,
            "joint 5 (firmware 0.1.0) speaks protocol version 2, this host 1: firmware and host "
            "must be of one version: pip install guidearm==0.1.0",
        ),
        (
            MESSAGES,
            '("segment", "H", "", 0, 65535),  # last one queued',
            '("segment", "H", "", 0, 32767),',
            VersionMismatchError,
            "joint 5 (firmware 0.1.0) has message table ",
        ),
    ],
)
def test_a_joint_that_does_not_fit_is_named(
    guidearm: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    old: str,
    new: str,
    error: type[LinkError],
    says: str,
) -> None:
    image = firmware(tmp_path, file, old, new)
    with (
        VirtualArm(load_arm("guide6"), 3, images={5: image}) as virtual,
        pytest.raises(error) as told,
    ):
        robot_on(virtual.connection(), virtual.arm)
    assert str(told.value).startswith(says)
    monkeypatch.setattr(rig, "VirtualArm", partial(VirtualArm, images={5: image}))
    code, out, err = guidearm("--port", "virtual:seed=3", "enable")
    assert (code, out) == (1, "")
    assert err.startswith(f"guidearm: {says}") and err.count("\n") == 1


def test_a_joint_that_restarts_in_mid_move_is_named(tmp_path: Path) -> None:
    image = firmware(tmp_path, "main.py", "        session.poll()\n", RESET)
    with VirtualArm(load_arm("guide6"), 3, images={2: image}) as virtual:
        robot = robot_on(virtual.connection(), virtual.arm)
        robot.enable()
        with pytest.raises(LinkError, match="joint 2 restarted and takes no further part"):
            robot.move_joints(virtual.arm.home + np.radians([20, 15, -18, 12, -25, 30]), 0.3)
        others = [joint for joint in robot.state.joints if joint.number != 2]
        assert not any(joint.enabled or joint.moving for joint in others)
        robot.close()


# ---- a joint that cannot do what it is told


class Push(Gravity):
    """Gravity, and a push against joint 1: more than its motor can take, less than its brake."""

    torque_nm = 0.0

    def __call__(self, q: Array) -> list[float]:
        load = super().__call__(q)
        return [load[0] + Push.torque_nm, *load[1:]]


def test_a_push_against_a_joint_is_a_following_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def push(state: ArmState) -> None:
        if state.q[0] > virtual.arm.home[0] + np.radians(8):
            monkeypatch.setattr(Push, "torque_nm", 100.0)

    monkeypatch.setattr(rig, "Gravity", Push)
    with VirtualArm(load_arm("guide6"), 3) as virtual:
        robot = robot_on(virtual.connection(), virtual.arm)
        robot.enable()
        goal = virtual.arm.home + np.radians([20, 15, -18, 12, -25, 30])
        with pytest.raises(JointFaultError) as told:
            robot.move_joints(goal, 0.3, push)
        assert str(told.value).startswith("joint 1: following error (the motor did not follow")
        assert "joint 2" not in str(told.value)
        assert robot.state.faulted == (1, 2, 3, 4, 5, 6)
        virtual.clock.sleep_until(virtual.clock.now() + 0.2)  # the brake slips against the push
        assert_at_rest(robot, virtual)
        monkeypatch.setattr(Push, "torque_nm", 0.0)
        virtual.clock.sleep_until(virtual.clock.now() + 0.5)  # the link springs back
        assert robot.reset_fault().faulted == ()
        robot.enable()
        robot.move_joints(virtual.arm.home, 0.3)
        robot.close()


def assert_at_rest(robot: Robot, virtual: VirtualArm) -> None:
    now = virtual.clock.now()
    assert not any(joint.enabled or joint.moving for joint in robot.poll().joints)
    virtual.true_joints(now + 0.3)
    time_s, _, rotor = virtual.bus.true_motion()
    after = rotor[time_s >= now]
    assert np.max(np.abs(after - after[0])) < 1e-4
