"""The order of steps: map, plan, position, correct, judge, release.

Each step ends before the next begins and is in the journal, and nothing moves before the whole way
has been planned and checked. Any failure stops the arm under control and says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from guidearm.arm import MoveRecord, Robot
from guidearm.errors import GuideArmError
from guidearm.geometry import Array
from guidearm.kinematics.clearance import Room
from guidearm.kinematics.site import Site
from guidearm.motion import Changeable, check_way, course, joint_move
from guidearm.positioning import (
    Correction,
    GateLimits,
    GateVerdict,
    GuideMeasurement,
    contributions,
    correct,
    judge,
    locate_camera,
    measure_guide,
    registration_error,
)
from guidearm.procedure.journal import Journal
from guidearm.procedure.path import (
    APPROACH_M_S,
    CORRECTION_M_S,
    STANDOFF_M,
    Path,
    plan_path,
    straight,
)
from guidearm.procedure.summary import summarize_failure
from guidearm.procedure.tools import Task, ToolCalibration
from guidearm.procedure.watch import HoldRequest, Trace, Watch
from guidearm.tracking import Tracker

SETTLE_S = 0.5
"""From the end of a move to the first frame used: the links' vibration has died away."""
MEASURE_S = 8.5
"""Length of a measurement: two breaths of four seconds, or one of the slowest."""


@dataclass(frozen=True)
class Motion:
    """One motion that was carried out: its name, and what the robot recorded of it."""

    name: str
    record: MoveRecord


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a procedure came to.

    Fields:
        released: the gate passed and the guide pin was released.
        verdict: of the gate, with measurement, the one it judged.
        path: as planned; correction: with the measurements before and after each step.
        motions: every motion in order.
        trace: what the joints said in every cycle.
        approached_s, judged_s: instants on the robot's clock at rest on the line, uncorrected and
            when the gate was judged.
    """

    released: bool
    verdict: GateVerdict
    measurement: GuideMeasurement
    path: Path
    correction: Correction
    motions: tuple[Motion, ...]
    trace: Trace
    approached_s: float
    judged_s: float


class Procedure:
    """Brings the guide of a robot onto a plan and judges it."""

    def __init__(
        self,
        robot: Robot,
        tracker: Tracker,
        tools: ToolCalibration,
        task: Task,
        journal: Journal,
        *,
        speed: float = 0.5,
        room: Room | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; `room` is what stands about the arm, `say` is told each step in one line."""
        self._robot = robot
        self._tracker = tracker
        self._tools = tools
        self._task = task
        self._journal = journal
        self._speed = speed
        self._site = Site(Room() if room is None else room)
        self._say = say or _silent
        self._watch = Watch(robot.arm, tracker, robot.clock.now())
        self._motions: list[Motion] = []

    def run(self) -> Outcome:
        """Do all steps.

        Raises GuideArmError, after the arm has stopped, when a step fails; the journal is then
        finished with the reason. A gate that does not pass is an outcome, not an error.
        """
        line = self._task.line  # refuses a plan that is not this patient's before anything moves
        robot = self._robot
        try:
            robot.enable()
            self._note("enabled", "joints enabled")
            T_base_camera, seen = self._map()
            T_base_patient = T_base_camera @ seen.T_camera_patient
            self._site = self._site.seen_by(T_base_camera, T_base_patient)
            path = self._plan(T_base_patient @ line.pose(STANDOFF_M))
            model = robot.arm
            self._follow("transfer", lambda q: joint_move(q, path.candidate.q, model, self._speed))
            self._follow("approach", lambda q: self._straight(path.T_base_guide, q, APPROACH_M_S))
            approached_s = robot.clock.now()
            correction = correct(
                line,
                path.T_base_guide,
                T_base_camera,
                measure=self._measure_and_tell,
                move=lambda pose: self._follow(
                    "correction", lambda q: self._straight(pose, q, CORRECTION_M_S)
                ),
            )
            # The measurement that ended the correction was chosen for being small: take another.
            measurement = self._measure()
            verdict = self._judge(measurement)
            judged_s = robot.clock.now()
            self._journal.write(judged_s, "judged", **_deviation(measurement))
            if verdict.passed:
                # From here on the arm is a fixture: brakes closed, every motion refused.
                robot.disable()
                self._note("released", "guide pin released; brakes closed", **_bounds(verdict))
            else:
                robot.stop()
                self._note(
                    "not released",
                    "NOT released: " + "; ".join(verdict.reasons),
                    reasons=list(verdict.reasons),
                    **_bounds(verdict),
                )
        except BaseException as error:
            failure = error
            try:
                robot.stop_after(error)
            except GuideArmError as both:
                failure = both
                raise
            finally:
                self._record(failure)
            raise
        return Outcome(
            released=verdict.passed,
            verdict=verdict,
            measurement=measurement,
            path=path,
            correction=correction,
            motions=tuple(self._motions),
            trace=self._watch.trace,
            approached_s=approached_s,
            judged_s=judged_s,
        )

    # ---- steps

    def _map(self) -> tuple[Array, GuideMeasurement]:
        """Locate the camera by the arm's marker, and the patient by its own."""
        robot, hand_eye = self._robot, self._tools.hand_eye
        seen = self._measure()
        T_base_camera = locate_camera(
            robot.arm.forward(robot.state.q_demand),
            hand_eye,
            self._watch.frames_since(seen.first_s),
        )
        self._watch.T_base_camera = T_base_camera
        self._watch.T_flange_arm_marker = hand_eye.T_flange_arm_marker
        distance_m = float(np.linalg.norm(seen.T_camera_patient[:3, 3]))
        self._note(
            "mapped",
            f"camera located; patient {distance_m:.2f} m before it, breathing "
            f"{seen.motion_m * 1e3:.2f} mm",
            camera_to_patient_m=distance_m,
            breathing_mm=seen.motion_m * 1e3,
        )
        return T_base_camera, seen

    def _plan(self, T_base_line: Array) -> Path:
        """Plan the whole way and say what will move."""
        robot = self._robot
        q = robot.state.q_demand
        path = plan_path(
            robot.arm,
            self._tools.T_flange_guide,
            T_base_line,
            q,
            speed=self._speed,
            room=self._room(),
        )
        travel = np.degrees(path.candidate.q - q)
        self._note(
            "planned",
            f"dry run passed; will move: joints by {' '.join(f'{a:+.1f}' for a in travel)} deg, "
            f"then the guide {path.approach.length_m * 1e3:.0f} mm along its axis; "
            f"{path.duration_s:.1f} s",
            travel_deg=travel.tolist(),
            singularity=path.candidate.singularity,
            duration_s=path.duration_s,
            postures_refused=path.refused,
            checks=[finding.as_dict() for finding in path.findings],
        )
        return path

    def _room(self) -> Room:
        """Return what the arm keeps out of, lines of sight as the camera now stands among it."""
        return self._site.about(self._robot.arm, self._tools.hand_eye.T_flange_arm_marker)

    def _straight(self, T_base_guide: Array, q: Array, speed_m_s: float) -> Changeable:
        guide = self._tools.T_flange_guide
        return straight(self._robot.arm, guide, T_base_guide, q, speed_m_s, "guide")

    def _follow(self, name: str, plan: Callable[[Array], Changeable]) -> None:
        """Carry out what `plan` makes of the present posture; after a hold, plan the rest anew."""
        robot, watch = self._robot, self._watch
        while True:
            room = self._room()
            motion = plan(robot.state.q_demand)
            check_way(motion, robot.arm, room)
            try:
                record = robot.execute(
                    course(motion, robot.model, self._speed, room), on_state=watch
                )
            except HoldRequest as hold:
                self._wait_for_markers(hold)
                robot.enable()
                continue
            self._motions.append(Motion(name, record))
            self._journal.write(
                robot.clock.now(),
                name,
                duration_s=record.end - record.start,
                segments=record.segments,
            )
            return

    def _measure(self) -> GuideMeasurement:
        """Measure the guide at rest, over whole breaths; begin again after a marker was away."""
        robot, watch = self._robot, self._watch
        latency_s = self._tracker.data_sheet.latency_s
        while True:
            since = robot.clock.now() + SETTLE_S
            try:
                robot.hold(since + MEASURE_S + latency_s, on_state=watch)
            except HoldRequest as hold:
                self._wait_for_markers(hold)
                continue
            return measure_guide(
                watch.frames_since(since),
                self._task.line,
                self._tools.guide,
                since_s=since,
                standoff_m=STANDOFF_M,
            )

    def _measure_and_tell(self) -> GuideMeasurement:
        measurement = self._measure()
        error = measurement.error
        self._note(
            "measured",
            f"tracker sees the guide {np.linalg.norm(error.entry) * 1e3:.2f} mm off at the entry, "
            f"{np.linalg.norm(error.target) * 1e3:.2f} mm at the target, "
            f"{math.degrees(float(error.angle_rad)):.2f} deg",
            **_deviation(measurement),
        )
        return measurement

    def _wait_for_markers(self, hold: HoldRequest) -> None:
        """Hold until every marker agrees with where it was; MarkerLostError when it does not."""
        robot, watch = self._robot, self._watch
        self._note("hold", str(hold), lost=list(watch.lost))
        period_s = 1.0 / self._tracker.data_sheet.rate_hz
        watch.waiting = True
        while not watch.markers_visible:
            robot.hold(robot.clock.now() + period_s, on_state=watch)
        watch.waiting = False
        self._note("resumed", "markers in view again")

    def _judge(self, measurement: GuideMeasurement) -> GateVerdict:
        robot, tools = self._robot, self._tools
        limits = GateLimits()
        sheet = self._tracker.data_sheet
        table = contributions(
            self._task.line,
            measurement,
            sheet,
            tools.guide,
            tools.mount,
            registration_error(self._task.registration, limits.confidence),
        )
        return judge(
            measurement,
            table,
            now_s=robot.clock.now(),
            latency_s=sheet.latency_s,
            markers_visible=self._watch.markers_visible,
            arm_at_rest=not robot.state.moving,
            limits=limits,
        )

    def _record(self, failure: BaseException) -> None:
        """Finish the journal of a procedure that came to no verdict."""
        interrupted = isinstance(failure, KeyboardInterrupt)
        reason = str(failure) or ("stopped by Ctrl-C" if interrupted else type(failure).__name__)
        self._journal.write(self._robot.clock.now(), "aborted", reason=reason)
        self._journal.finish(summarize_failure(reason, self._robot, self._task, self._motions))

    def _note(self, event: str, line: str, **details: object) -> None:
        self._journal.write(self._robot.clock.now(), event, **details)
        self._say(line)


def _deviation(measurement: GuideMeasurement) -> dict[str, float]:
    error = measurement.error
    return {
        "entry_mm": float(np.linalg.norm(error.entry)) * 1e3,
        "target_mm": float(np.linalg.norm(error.target)) * 1e3,
        "angle_deg": math.degrees(float(error.angle_rad)),
        "frames": measurement.frames_used,
    }


def _bounds(verdict: GateVerdict) -> dict[str, float]:
    return {"bound_mm": verdict.bound_mm, "confidence": verdict.confidence}


def _silent(_: str) -> None:
    return
