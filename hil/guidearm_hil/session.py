"""One whole procedure on the virtual arm, in virtual time, and what the judge says of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from guidearm.connection import robot_on
from guidearm.kinematics import Arm, load_arm
from guidearm.kinematics.room_file import load_site
from guidearm.mapping import read_registration
from guidearm.planning import read_plan
from guidearm.procedure import Journal, Procedure, Task, ToolCalibration
from guidearm.procedure.steps import MEASURE_S, SETTLE_S
from guidearm.procedure.summary import summarize
from guidearm_hil.judge import Judge
from guidearm_hil.rig import VirtualArm
from guidearm_hil.tracker import VirtualTracker
from guidearm_hil.world import Faults, World

PLANTED_M = 2e-3
"""Size of an error planted on purpose, at the guide's tip."""


class Plant(Enum):
    """What can be wrong with the simulated arm on purpose, and the tracker can see."""

    JOINT_2 = "joint-2"
    FLANGE_MARKER = "flange-marker"
    CAMERA = "camera"


@dataclass(frozen=True)
class Setting:
    """What a session is run with.

    Fields: seed; plan and registration, files of one's own instead of the shipped ones; image_uid
    for a plan that names no image; tracker_noise_m, total FLE; planted error; speed 0..1.
    """

    seed: int
    plan: Path | None = None
    registration: Path | None = None
    image_uid: str | None = None
    tracker_noise_m: float | None = None
    planted: Plant | None = None
    speed: float = 0.5


def load_inputs(setting: Setting) -> Task:
    """Read plan and registration; raises PlanError or RegistrationError before anything starts."""
    with as_file(files("guidearm_hil") / "data") as data:
        plan = read_plan(setting.plan or data / "plan.mrk.json")
        registration = read_registration(setting.registration or data / "registration.json")
    if setting.image_uid is not None:
        plan = plan.on_image(setting.image_uid)
    task = Task(plan, registration)
    _ = task.line  # refuses what cannot be the plan of this patient
    return task


def run_session(
    setting: Setting,
    folder: Path,
    *,
    pictures: bool = True,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Run the procedure on the virtual arm of `setting`; return its summary, as in summary.json.

    Journal, summary and pictures go into `folder`, which must be new or empty. Raises
    GuideArmError when a step fails; a gate that does not pass is an outcome.
    """
    began = time.perf_counter()
    task = load_inputs(setting)
    arm = load_arm("guide6")
    journal = Journal(folder)
    world = World(
        arm,
        setting.seed,
        task.registration,
        task.plan,
        tracker_noise_m=setting.tracker_noise_m,
        faults=_faults(arm, setting.planted),
    )
    tools = ToolCalibration(world.hand_eye, world.guide, world.mount)
    with closing(journal), VirtualArm(arm, setting.seed) as virtual:
        tracker = VirtualTracker(world, virtual.true_joints, virtual.clock.now)
        robot = robot_on(virtual.connection(), arm)
        with as_file(files("guidearm_hil") / "data") as data:
            room = load_site(data / "room.toml", arm.bodies).room
        procedure = Procedure(
            robot, tracker, tools, task, journal, speed=setting.speed, room=room, say=say
        )
        outcome = procedure.run()
        judge = Judge(world)
        before = judge.error(virtual.true_joints(outcome.approached_s))
        after = judge.error(virtual.true_joints(outcome.judged_s))
        counters = robot.bus.counters
        summary: dict[str, Any] = {
            **summarize(outcome, robot, task),
            "seed": setting.seed,
            "planted": setting.planted.value if setting.planted else None,
            "tracker": {
                "fle_white_mm": round(world.data_sheet.fle_white_m * 1e3, 6),
                "fle_static_mm": round(world.data_sheet.fle_static_m * 1e3, 6),
            },
            "truth": {
                "target_mm": round(after.target_mm, 6),
                "entry_mm": round(after.entry_mm, 6),
                "angle_deg": round(after.angle_deg, 6),
                "uncorrected_target_mm": round(before.target_mm, 6),
                "uncorrected_entry_mm": round(before.entry_mm, 6),
                "uncorrected_angle_deg": round(before.angle_deg, 6),
            },
            "bus": {
                "frames": virtual.bus.frames,
                "errors": virtual.bus.collisions + counters.errors,
                "sha256": virtual.bus.sha256,
            },
            "virtual_s": round(virtual.clock.now(), 6),
        }
    wall_s = time.perf_counter() - began  # of the procedure; pictures are drawn afterwards
    if pictures:
        from guidearm.procedure.pictures import Truth, draw_pictures  # matplotlib takes its time

        lateral = task.line.plane @ task.registration.T_patient_image[:3, :3]
        truth = Truth(
            entry_before=lateral @ before.entry_image,
            target_before=lateral @ before.target_image,
            entry_after=lateral @ after.entry_image,
            target_after=lateral @ after.target_image,
        )
        drawn = draw_pictures(outcome, tools, task, arm, folder, truth)
        summary["pictures"] = [path.name for path in drawn]  # in the folder
    summary["folder"] = str(folder)
    summary["wall_s"] = round(wall_s, 3)
    journal.finish(summary)
    return summary


def _faults(arm: Arm, planted: Plant | None) -> Faults:
    if planted is Plant.JOINT_2:
        axis = arm.joint_frames(arm.home)[1, :3, 3]
        tip = (arm.forward(arm.home) @ arm.T_flange_guide)[:3, 3]
        return Faults(joint_2_rad=PLANTED_M / float(np.linalg.norm(tip - axis)))
    if planted is Plant.FLANGE_MARKER:
        return Faults(flange_marker_m=PLANTED_M)
    if planted is Plant.CAMERA:
        # until the camera has been located, before the guide is first measured
        return Faults(located_m=PLANTED_M, located_until_s=SETTLE_S + MEASURE_S + 0.5)
    return Faults()
