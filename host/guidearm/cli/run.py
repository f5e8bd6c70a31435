"""The command `run`: a plan, from mapping to the gate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guidearm.cli.access import authorise, opened
from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import print_json, remark
from guidearm.errors import CalibrationError, GateError, OptionError

if TYPE_CHECKING:
    from guidearm.procedure import ToolCalibration


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--registration",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Where the image lies on the patient.",
)
@click.option(
    "--room",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What the arm keeps out of beside its own table (TOML).",
)
@click.option("--line", metavar="NAME", help="Which line of the plan, if it has several.")
@click.option("--image-uid", metavar="UID", help="The image the plan was drawn on, if it is mute.")
@click.option(
    "--speed",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of full speed of the joint move.",
)
@with_settings
def run(
    settings: Settings,
    plan: Path,
    registration: Path,
    room: Path | None,
    line: str | None,
    image_uid: str | None,
    speed: float,
) -> None:
    """Bring the guide onto a plan and judge it.

    It is positioned, corrected by the tracker and judged by the gate.

    Needs --port, --tracker and the tool calibrations in --data, where the session is recorded.
    """
    from guidearm.kinematics import load_arm
    from guidearm.kinematics.room_file import load_site
    from guidearm.mapping import read_registration
    from guidearm.planning import read_plan
    from guidearm.procedure import Journal, Procedure, Task
    from guidearm.procedure.pictures import draw_pictures
    from guidearm.procedure.summary import summarize
    from guidearm.tracking import open_tracker

    if settings.tracker is None:
        raise OptionError("no tracker given: use --tracker igtl://HOST:PORT")
    planned = read_plan(plan, line)
    if image_uid is not None:
        planned = planned.on_image(image_uid)
    task = Task(planned, read_registration(registration))
    _ = task.line  # a registration of another image ends here, before any port is opened
    folder = settings.data_dir
    tools = _tools(folder)
    about = load_site(room, load_arm(settings.arm).bodies).room if room else None
    with opened(settings) as robot:
        authorise(robot)
        tracker = open_tracker(settings.tracker, now=robot.clock.now)
        session = folder / "sessions" / time.strftime("%Y%m%d-%H%M%S")
        journal = Journal(session)
        remark(f"session {session}")
        try:
            procedure = Procedure(
                robot, tracker, tools, task, journal, speed=speed, room=about, say=remark
            )
            outcome = procedure.run()
            summary = summarize(outcome, robot, task)
            drawn = draw_pictures(outcome, tools, task, robot.arm, session)
            summary["pictures"] = [path.name for path in drawn]
            summary["folder"] = str(session)
            journal.finish(summary)
        finally:
            tracker.close()
            journal.close()
    if settings.as_json:
        print_json(summary)
    if not outcome.released:
        raise GateError("not released: " + "; ".join(outcome.verdict.reasons))


def _tools(folder: Path) -> ToolCalibration:
    """Return the tool calibrations of a data folder; raises CalibrationError with what to do."""
    from guidearm.calibration import (
        GUIDE_FILE,
        HAND_EYE_FILE,
        MountRepeatability,
        read_guide,
        read_hand_eye,
    )
    from guidearm.procedure import ToolCalibration

    for name in (HAND_EYE_FILE, GUIDE_FILE):
        if not (folder / name).exists():
            raise CalibrationError(
                f"calibration {folder / name} is missing: calibrate and name its folder with "
                "--data; the simulator writes its own: guidearm sim --calibrations DIR"
            )
    return ToolCalibration(read_hand_eye(folder), read_guide(folder), MountRepeatability())
