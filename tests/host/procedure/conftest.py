"""One procedure on the virtual rig, shared by all tests of what is made of its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import guidearm_hil
from guidearm.arm import Robot
from guidearm.geometry import Array
from guidearm.kinematics import Arm, load_arm
from guidearm.mapping import read_registration
from guidearm.motion import Segments, hermite_segments, joint_move
from guidearm.planning import read_plan
from guidearm.positioning import contributions, judge, registration_error
from guidearm.procedure import Journal, Outcome, Procedure, Task, ToolCalibration
from guidearm.procedure.pictures import Truth
from guidearm.tracking import DataSheet
from guidearm_hil.rig import VirtualArm
from guidearm_hil.tracker import VirtualTracker
from guidearm_hil.world import World

SEED = 7
DATA = Path(guidearm_hil.__file__).parent / "data"


@dataclass(frozen=True, eq=False)
class Finished:
    """A procedure that was carried out, with what it was carried out with."""

    outcome: Outcome
    tools: ToolCalibration
    task: Task
    arm: Arm
    robot: Robot

    @property
    def truth(self) -> Truth:
        """Invented: the pictures only have to show it."""
        before, after = np.array([-6e-4, -2e-4]), np.array([1e-4, -3e-4])
        return Truth(before, 1.1 * before, after, 1.1 * after)

    def refused(self) -> Outcome:
        """Give the outcome as a gate judges it that knows of a worse tracker, and much too late."""
        measurement, tools = self.outcome.measurement, self.tools
        registration = registration_error(self.task.registration, 0.999)
        sheet = DataSheet.with_total_fle(0.6e-3)
        table = contributions(
            self.task.line, measurement, sheet, tools.guide, tools.mount, registration
        )
        verdict = judge(
            measurement,
            table,
            now_s=measurement.last_s + 60.0,
            latency_s=sheet.latency_s,
            markers_visible=False,
            arm_at_rest=False,
        )
        return replace(self.outcome, released=verdict.passed, verdict=verdict)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    arm = load_arm("guide6")
    task = Task(read_plan(DATA / "plan.mrk.json"), read_registration(DATA / "registration.json"))

    def plan_move(start: Array, goal: Array, speed: float) -> Segments:
        return hermite_segments(joint_move(start, goal, arm, speed))

    with VirtualArm(arm, SEED) as virtual:
        world = World(arm, SEED, task.registration, task.plan)
        tracker = VirtualTracker(world, virtual.true_joints, virtual.clock.now)
        tools = ToolCalibration(world.hand_eye, world.guide, world.mount)
        robot = Robot(virtual.connection(), arm, plan_move)
        journal = Journal(tmp_path_factory.mktemp("procedure") / "session")
        outcome = Procedure(robot, tracker, tools, task, journal).run()
        journal.close()
        yield Finished(outcome, tools, task, arm, robot)
