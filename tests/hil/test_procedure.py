"""The procedure on the virtual arm while things go wrong: markers, joints, people."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest

import guidearm_hil
from guidearm.arm import Holder, Robot
from guidearm.arm.holder import socket_path
from guidearm.errors import (
    GuideArmError,
    JointFaultError,
    MarkerLostError,
    MotionError,
    SilentJointError,
    StoppedError,
    TrackingError,
)
from guidearm.geometry import Array, perturbation
from guidearm.kinematics import load_arm
from guidearm.mapping import read_registration
from guidearm.motion import Segments, hermite_segments, joint_move
from guidearm.planning import read_plan
from guidearm.procedure import Journal, Outcome, Procedure, Task, ToolCalibration
from guidearm.procedure.steps import MEASURE_S, SETTLE_S
from guidearm.tracking import ARM_MARKER, PATIENT, TrackerFrame
from guidearm_hil.judge import Judge
from guidearm_hil.rig import VirtualArm
from guidearm_hil.tracker import VirtualTracker
from guidearm_hil.world import World
from guidearm_protocol import messages

DATA = Path(guidearm_hil.__file__).parent / "data"
COUNT_RAD = 2 * np.pi / 409600
# Brakes hold the rotors. The links behind them ring in their gears for a while.
BRAKED_RAD = 3 * COUNT_RAD


class Stage(VirtualTracker):
    """The virtual tracker; things happen at instants, before the next look at it."""

    def __init__(self, world: World, virtual: VirtualArm) -> None:
        super().__init__(world, virtual.true_joints, virtual.clock.now)
        self.script: list[tuple[float, Callable[[], None]]] = []

    def poll(self) -> list[TrackerFrame]:
        while self.script and self.script[0][0] <= self._now():
            self.script.pop(0)[1]()
        return super().poll()


class Theatre:
    """The room of a seed, with a robot and a procedure that has not begun."""

    def __init__(self, folder: Path, seed: int = 3, *, speed: float = 0.5, url: str = "") -> None:
        arm = load_arm("guide6")
        task = Task(
            read_plan(DATA / "plan.mrk.json"), read_registration(DATA / "registration.json")
        )
        self.world = World(arm, seed, task.registration, task.plan)
        self.folder = folder / "session"
        self.said: list[tuple[float, str]] = []
        self._cues: list[tuple[str, Callable[[], None]]] = []
        with ExitStack() as stack:
            self.journal = Journal(self.folder)
            stack.callback(self.journal.close)
            self.virtual = stack.enter_context(VirtualArm(arm, seed))
            self.stage = Stage(self.world, self.virtual)
            served = Holder(url) if url else None
            self.robot = Robot(self.virtual.connection(), arm, self._plan, served)
            stack.callback(self.robot.close)
            self.procedure = Procedure(
                self.robot,
                self.stage,
                ToolCalibration(self.world.hand_eye, self.world.guide, self.world.mount),
                task,
                self.journal,
                speed=speed,
                say=self._say,
            )
            self._open = stack.pop_all()

    def _plan(self, start: Array, goal: Array, speed: float) -> Segments:
        return hermite_segments(joint_move(start, goal, self.virtual.arm, speed))

    def _say(self, line: str) -> None:
        self.said.append((self.now, line))
        if self._cues and self._cues[0][0] in line:
            self._cues.pop(0)[1]()

    @property
    def now(self) -> float:
        return self.virtual.clock.now()

    def on(self, words: str, action: Callable[[], None]) -> None:
        """Act when the procedure says `words`, after the earlier cues."""
        self._cues.append((words, action))

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Act at the first cycle after a delay."""
        self.stage.script.append((self.now + delay_s, action))
        self.stage.script.sort(key=lambda entry: entry[0])

    def in_mid_transfer(self, action: Callable[[], None]) -> None:
        """Act about half-way through the first motion, which takes over a second."""
        self.on("dry run", lambda: self.later(0.8, action))

    def run(self) -> Outcome:
        return self.procedure.run()

    def events(self) -> list[dict[str, Any]]:
        """Return what is on disk."""
        text = (self.folder / "journal.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def speed(self, since: float, until: float) -> float:
        """Largest true speed of a rotor (rad/s, at the output) between two instants."""
        self.virtual.true_joints(until)
        time_s, _, rotor = self.virtual.bus.true_motion()
        seen = (time_s >= since) & (time_s <= until)
        pace = np.diff(rotor[seen], axis=0) / np.diff(time_s[seen])[:, None]
        return float(np.max(np.abs(pace)))

    def travel(self, since: float, until: float) -> float:
        """Farthest that a rotor (rad, at the output) got from where it was at `since`."""
        self.virtual.true_joints(until)
        time_s, _, rotor = self.virtual.bus.true_motion()
        seen = (time_s >= since) & (time_s <= until)
        return float(np.max(np.abs(rotor[seen] - rotor[seen][0])))

    def __enter__(self) -> Self:
        """Return the theatre itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End robot and joints."""
        self._open.close()


def assert_stopped(
    theatre: Theatre, reason: str, joints: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
) -> None:
    """Check that `joints` are off with brakes on, truly at rest, and the session says why."""
    for joint in theatre.robot.state.joints:
        if joint.number in joints:
            assert not joint.enabled and not joint.moving and not joint.authorised
            assert not joint.flags & messages.FLAG_BRAKE_RELEASED
    assert theatre.travel(theatre.now, theatre.now + 0.3) < BRAKED_RAD
    events = theatre.events()
    assert [event["event"] for event in events].count("released") == 0
    assert events[-1]["event"] == "aborted"
    assert reason in events[-1]["reason"]
    assert {path.name for path in theatre.folder.iterdir()} == {"journal.jsonl", "summary.json"}
    summary = json.loads((theatre.folder / "summary.json").read_text(encoding="utf-8"))
    assert (summary["passed"], summary["reason"]) == (False, events[-1]["reason"])
    assert [joint["joint"] for joint in summary["joints"]] == [1, 2, 3, 4, 5, 6]
    names = [event["event"] for event in events]
    motions = [name for name in names if name in ("transfer", "approach", "correction")]
    assert [motion["name"] for motion in summary["motions"]] == motions


# ---- markers


def test_markers_that_come_back_in_time_are_waited_for(tmp_path: Path) -> None:
    gone: list[tuple[float, float]] = []

    def hide(marker: str, after_s: float, for_s: float) -> Callable[[], None]:
        def action() -> None:
            since = theatre.now + after_s
            gone.append((since, since + for_s))
            theatre.stage.hide(marker, *gone[-1])

        return action

    with Theatre(tmp_path) as theatre:
        theatre.on("enabled", hide(PATIENT, 2.0, 0.5))  # while the camera is located
        theatre.on("dry run", hide(PATIENT, 0.6, 1.5))  # in the joint move
        theatre.on("in view again", hide(ARM_MARKER, 3.0, 1.0))  # in the approach
        theatre.on("in view again", hide(ARM_MARKER, 1.8, 0.2))  # in the rest of the approach
        theatre.on("tracker sees", hide(PATIENT, 0.2, 0.03))  # too short for a hold
        outcome = theatre.run()
        assert outcome.released
        truth = Judge(theatre.world).error(theatre.virtual.true_joints(outcome.judged_s))
        assert truth.worst_mm < outcome.verdict.bound_mm < 1.0

        held = [e for e in theatre.events() if e["event"] == "hold"]
        assert [e["lost"] for e in held] == [[PATIENT], [PATIENT], [ARM_MARKER], [ARM_MARKER]]
        again = [e["time_s"] for e in theatre.events() if e["event"] == "resumed"]
        for (since, until), resumed in zip(gone, again, strict=False):
            assert until < resumed < until + 0.3
            # held after 100 ms, and then it takes the joints so long to ramp down
            assert theatre.speed(since + 0.25, resumed) < np.radians(0.1)
            assert theatre.travel(since + 0.25, resumed) < BRAKED_RAD
        for since, _ in gone[1:4]:
            assert theatre.speed(since, since + 0.1) > np.radians(1)


def test_the_gate_is_off_while_a_marker_is_out_of_view(tmp_path: Path) -> None:
    def cover() -> None:
        # of the measurement to come, the last two frames
        theatre.stage.hide(ARM_MARKER, theatre.now + SETTLE_S + MEASURE_S - 0.025)

    with Theatre(tmp_path, seed=2, speed=1.0) as theatre:
        theatre.on("tracker sees", lambda: None)
        theatre.on("tracker sees", cover)  # the correction has converged
        outcome = theatre.run()
        assert not outcome.released
        assert outcome.verdict.reasons == ("a marker is not in view",)
        assert outcome.verdict.bound_mm < 1.0
        state = theatre.robot.state
        assert not state.moving and not any(joint.authorised for joint in state.joints)
        assert theatre.said[-1][1] == "NOT released: a marker is not in view"


@pytest.mark.parametrize("marker", [PATIENT, ARM_MARKER])
def test_a_marker_that_stays_away_in_a_move_ends_it(tmp_path: Path, marker: str) -> None:
    hidden: list[float] = []

    def cover() -> None:
        hidden.append(theatre.now)
        theatre.stage.hide(marker, theatre.now)

    with Theatre(tmp_path) as theatre:
        theatre.in_mid_transfer(cover)
        with pytest.raises(MarkerLostError, match=f"marker '{marker}' was lost for 2.0 s"):
            theatre.run()
        assert theatre.now - hidden[0] < 2.3
        assert theatre.speed(hidden[0] + 0.3, theatre.now) < np.radians(0.1)
        assert_stopped(theatre, f"marker '{marker}'")


def test_a_marker_knocked_in_a_move_does_not_move_the_arm(tmp_path: Path) -> None:
    hidden: list[float] = []

    def knock() -> None:
        hidden.append(theatre.now)
        theatre.stage.hide(ARM_MARKER, theatre.now, theatre.now + 0.5)
        theatre.later(0.4, displace)

    def displace() -> None:
        theatre.world.T_flange_arm_marker = theatre.world.T_flange_arm_marker @ perturbation(
            [0.0, 5e-3, 0.0], np.zeros(3)
        )

    with Theatre(tmp_path) as theatre:
        theatre.in_mid_transfer(knock)
        with pytest.raises(MarkerLostError, match=r"'arm_marker'.* came back [45]\.\d mm from whe"):
            theatre.run()
        assert theatre.travel(hidden[0] + 0.4, theatre.now) < BRAKED_RAD
        assert_stopped(theatre, "came back")


def test_a_patient_marker_knocked_while_mapping_is_not_believed(tmp_path: Path) -> None:
    def knock() -> None:
        theatre.stage.hide(PATIENT, theatre.now, theatre.now + 0.5)
        theatre.later(0.4, displace)

    def displace() -> None:
        patient = theatre.world.patient
        patient.T_patient_vertebra = patient.T_patient_vertebra @ perturbation(
            [4e-3, 0.0, 0.0], np.zeros(3)
        )

    with Theatre(tmp_path) as theatre:
        theatre.on("enabled", lambda: theatre.later(3.0, knock))
        with pytest.raises(MarkerLostError, match=r"'patient'.* came back \d\.\d mm from where"):
            theatre.run()
        assert theatre.travel(0.5, theatre.now) < np.radians(0.05)  # the brakes, nothing else
        assert_stopped(theatre, "came back")


def test_a_tracker_that_breaks_off_in_a_move_ends_it(tmp_path: Path) -> None:
    with Theatre(tmp_path) as theatre:
        theatre.in_mid_transfer(theatre.stage.close)
        with pytest.raises(TrackingError, match="closed"):
            theatre.run()
        assert_stopped(theatre, "closed")


def test_a_hold_that_the_arm_does_not_obey_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cover() -> None:
        theatre.stage.hide(PATIENT, theatre.now, theatre.now + 0.5)
        stop = theatre.robot.stop
        refusals = [MotionError("joint 4 is not at rest 3 s after stop: use the emergency stop")]

        def stubborn() -> object:
            if refusals:
                raise refusals.pop()
            return stop()

        monkeypatch.setattr(theatre.robot, "stop", stubborn)

    with Theatre(tmp_path) as theatre:
        theatre.in_mid_transfer(cover)
        with pytest.raises(MotionError, match="use the emergency stop"):
            theatre.run()
        assert "hold" not in [event["event"] for event in theatre.events()]
        assert_stopped(theatre, "use the emergency stop")


# ---- joints and people


def test_a_joint_that_dies_in_a_move_is_named_and_the_others_stop(tmp_path: Path) -> None:
    with Theatre(tmp_path) as theatre:
        theatre.in_mid_transfer(theatre.virtual.joints[3].kill)
        with pytest.raises(SilentJointError, match="joint 4 on virtual:seed=3 does not answer any"):
            theatre.run()
        assert_stopped(theatre, "joint 4", joints=(1, 2, 3, 5, 6))


def test_the_emergency_stop_ends_the_procedure_and_stays_latched(tmp_path: Path) -> None:
    def press() -> None:
        theatre.virtual.bus.emergency_stop = True

    with Theatre(tmp_path) as theatre:
        theatre.in_mid_transfer(press)
        with pytest.raises(JointFaultError, match=r"joint 1: emergency stop .*reset-fault") as told:
            theatre.run()
        assert all(f"joint {n}: emergency stop" in str(told.value) for n in range(1, 7))
        assert theatre.robot.poll().faulted == (1, 2, 3, 4, 5, 6)
        assert_stopped(theatre, "emergency stop")
        theatre.virtual.bus.emergency_stop = False
        assert theatre.robot.poll().faulted == (1, 2, 3, 4, 5, 6)
        assert theatre.robot.reset_fault().faulted == ()
        assert theatre.robot.enable().enabled
        theatre.robot.move_joints(theatre.virtual.arm.home)


def test_ctrl_c_in_a_move_stops_the_arm_first(tmp_path: Path) -> None:
    with Theatre(tmp_path) as theatre:
        theatre.in_mid_transfer(lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            theatre.run()
        assert_stopped(theatre, "stopped by Ctrl-C")


def test_another_shell_stops_the_procedure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    url = "/dev/ttyPROCEDURE"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as shell:

        def ask() -> None:
            shell.connect(str(socket_path(url)))
            shell.sendall(b'{"request": "stop"}\n')

        with Theatre(tmp_path, url=url) as theatre:
            theatre.in_mid_transfer(ask)
            with pytest.raises(StoppedError, match="stopped from another shell"):
                theatre.run()
            assert_stopped(theatre, "another shell")
        answer = json.loads(shell.makefile("rb").readline())
    assert {joint["state"] for joint in answer["joints"]} == {"switch on disabled"}


def test_every_error_of_a_step_is_told_in_one_line(tmp_path: Path) -> None:
    """The message of a failed stop is added to the reason, once."""
    with Theatre(tmp_path) as theatre:
        theatre.robot.enable()
        for joint in theatre.virtual.joints:
            joint.kill()
        with pytest.raises(GuideArmError) as told:
            theatre.run()
        text = str(told.value)
        assert "\n" not in text
        assert text.count("no joint on virtual:seed=3 answers") == 1
        assert theatre.events()[-1]["reason"] == text
