"""The commands `plan`: what a plan comes to on an arm in its room, before anything moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guidearm.cli.group import Group
from guidearm.cli.options import Settings, group_options, with_settings
from guidearm.cli.output import print_json, remark, table
from guidearm.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guidearm.geometry import Array
    from guidearm.kinematics import Arm
    from guidearm.kinematics.clearance import Room
    from guidearm.motion.check import Finding

_APART_DEG = 20.0


@dataclass(frozen=True, eq=False)
class _Case:
    """An arm, its room, where it starts, and the line it is to go to, in base coordinates."""

    arm: Arm
    room: Room
    T_flange_guide: Array
    T_base_line: Array
    entry: Array
    target: Array
    start: Array


def _case_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.argument("plan", type=click.Path(path_type=Path)),
            click.option(
                "--registration",
                type=click.Path(path_type=Path),
                required=True,
                metavar="FILE",
                help="Where the image lies on the patient.",
            ),
            click.option(
                "--room",
                type=click.Path(path_type=Path),
                required=True,
                metavar="FILE",
                help="Where patient and camera stand, and what to keep out of (TOML).",
            ),
            click.option("--line", metavar="NAME", help="Which line of the plan, if several."),
            click.option("--image-uid", metavar="UID", help="The plan's image, if it is mute."),
            click.option(
                "--start",
                nargs=6,
                type=float,
                metavar="DEG...",
                help="Six joint angles the arm comes from.  [its home]",
            ),
            click.option(
                "--picture",
                type=click.Path(path_type=Path, dir_okay=False),
                metavar="FILE",
                help="Draw it (PNG).",
            ),
        )
    ):
        function = option(function)
    return function


@click.command("check")
@_case_options
@click.option(
    "--speed",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of full speed of the joint move.",
)
@with_settings
def check(
    settings: Settings,
    plan: Path,
    registration: Path,
    room: Path,
    line: str | None,
    image_uid: str | None,
    start: tuple[float, ...] | None,
    picture: Path | None,
    speed: float,
) -> None:
    """Plan the whole way to a PLAN and judge it; nothing moves and no port is needed.

    Ranges, speed, acceleration, torque, branch, singularities, and clearance from the arm itself,
    from the room and from the camera's lines of sight.
    """
    from guidearm.procedure.path import plan_path

    case = _case(settings, plan, registration, room, line, image_uid, start)
    path = plan_path(
        case.arm, case.T_flange_guide, case.T_base_line, case.start, speed=speed, room=case.room
    )
    if settings.as_json:
        print_json(
            {
                "rows": [finding.as_dict() for finding in path.findings],
                "posture_deg": _degrees(path.candidate.q),
                "roll_deg": _degrees(path.candidate.roll),
                "duration_s": path.duration_s,
                "postures_refused": path.refused,
            }
        )
    else:
        click.echo(_findings_table(path.findings))
        remark(f"{path.duration_s:.1f} s; posture {_words(path.candidate.q)} deg")
    if picture is not None:
        from guidearm.procedure.pictures.way import draw_way

        draw_way(picture, case.arm, case.T_flange_guide, path, case.room, case.entry, case.target)
        remark(f"drawn: {picture}")


@click.command("postures")
@_case_options
@click.option(
    "--most", type=click.IntRange(1, 12), default=6, show_default=True, help="How many to show."
)
@with_settings
def postures(
    settings: Settings,
    plan: Path,
    registration: Path,
    room: Path,
    line: str | None,
    image_uid: str | None,
    start: tuple[float, ...] | None,
    picture: Path | None,
    most: int,
) -> None:
    """Rank the postures from which the arm could approach a PLAN, the best first.

    Of those within 20 degrees of each other only the best is shown.
    """
    from guidearm.procedure.path import ranked_postures

    case = _case(settings, plan, registration, room, line, image_uid, start)
    ranked = ranked_postures(
        case.arm, case.T_flange_guide, case.T_base_line, case.start, room=case.room
    )
    shown = ranked.distinct(most, math.radians(_APART_DEG))
    if settings.as_json:
        print_json(
            {
                "postures": [
                    {
                        "q_deg": _degrees(candidate.q),
                        "roll_deg": _degrees(candidate.roll),
                        "cost": candidate.cost,
                        "travel_deg": _degrees(candidate.travel),
                        "singularity": candidate.singularity,
                        "limit_margin_deg": _degrees(candidate.limit_margin),
                        "clearance_mm": 1e3 * clearance,
                    }
                    for candidate, clearance in shown
                ],
                "rejected": ranked.rejected,
            }
        )
    else:
        rows = [
            (
                f"{candidate.cost:.2f}",
                f"{_degrees(candidate.roll):.0f}",
                f"{_degrees(candidate.travel):.0f}",
                f"{candidate.singularity:.2f}",
                f"{1e3 * clearance:.0f}",
                _words(candidate.q),
            )
            for candidate, clearance in shown
        ]
        header = ("cost", "roll deg", "travel deg", "singularity", "clearance mm", "joints deg")
        click.echo(table(header, rows, "rrrrr"))
        for reason, count in ranked.rejected.items():
            remark(f"{count} rejected: {reason}")
    if picture is not None:
        from guidearm.procedure.pictures.ranking import draw_ranking

        draw_ranking(
            picture, case.arm, case.T_flange_guide, shown, case.room, case.entry, case.target
        )
        remark(f"drawn: {picture}")


@click.command("joints", context_settings={"ignore_unknown_options": True})
@click.argument("degrees", nargs=6, type=float, metavar="Q1 Q2 Q3 Q4 Q5 Q6")
@click.option(
    "--then",
    "goals",
    nargs=7,
    type=float,
    multiple=True,
    metavar="S DEG...",
    help="After so many s, in mid-move, another goal: six angles. May be repeated.",
)
@click.option(
    "--feed",
    "feeds",
    nargs=2,
    type=float,
    multiple=True,
    metavar="S PERCENT",
    help="After so many s another feed: 1 to 100 % of the speed, 0 stops. May be repeated.",
)
@click.option(
    "--start", nargs=6, type=float, metavar="DEG...", help="Six angles to start from.  [its home]"
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of full speed.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw position, velocity, acceleration and jerk (PNG).",
)
@with_settings
def joints(
    settings: Settings,
    degrees: tuple[float, ...],
    goals: tuple[tuple[float, ...], ...],
    feeds: tuple[tuple[float, float], ...],
    start: tuple[float, ...] | None,
    speed: float,
    picture: Path | None,
) -> None:
    """Plan a move of the joints to six angles in degrees, changed on its way, and judge it.

    Nothing moves and no port is needed. A change takes effect with a segment of 10 ms, and must
    not lead through the arm itself or what it stands on.
    """
    import numpy as np

    from guidearm.kinematics import load_arm
    from guidearm.motion import ChangedMotion, check_way, course, joint_move
    from guidearm.motion.check import check_motion

    arm = load_arm(settings.arm)
    q = np.radians(np.array(start)) if start else arm.home
    if not arm.within_limits(q):
        raise InputError("--start: a joint is outside its range")
    move = joint_move(q, np.radians(degrees), arm, speed, label="move joints")
    check_way(move, arm)
    motion = ChangedMotion.of(course(move, arm, speed))
    changes = sorted([*goals, *feeds], key=lambda change: change[0])
    if any(not 0.0 <= change[0] < math.inf for change in changes):
        raise InputError("--then and --feed: a time is not 0 s or later")
    names: list[str] = []
    for t, *values in changes:
        if len(values) == 1:
            motion = motion.at_feed(t, values[0] / 100.0)
            names.append(f"feed {values[0]:g} %" if values[0] else "stop")
        else:
            motion = motion.retargeted(t, np.radians(values))
            names.append("another goal")
    findings = check_motion(motion, arm)
    instants = [begin for begin, _ in motion.parts[1:]]
    if settings.as_json:
        print_json(
            {
                "rows": [finding.as_dict() for finding in findings],
                "duration_s": motion.duration_s,
                "end_deg": _degrees(motion.sample(np.array([motion.duration_s]))[0][0]),
                "changes": [
                    {"at_s": begin, "what": name}
                    for begin, name in zip(instants, names, strict=True)
                ],
            }
        )
    else:
        click.echo(_findings_table(findings))
        remark(f"{motion.duration_s:.2f} s")
    if picture is not None:
        from guidearm.procedure.pictures.changes import draw_changes

        said = [f"{name} at {t:.2f} s" for t, name in zip(instants, names, strict=True)]
        title = "A move changed on its way" if said else "A move of the joints"
        draw_changes(picture, motion, arm, said, title)
        remark(f"drawn: {picture}")


def _findings_table(findings: list[Finding]) -> str:
    rows = [
        (
            finding.name,
            f"{finding.measured:.2f} {finding.unit}".rstrip(),
            f"{'least' if finding.least else 'most'} {finding.bound:g}",
            "ok" if finding.ok else "FAILED",
            finding.detail,
        )
        for finding in findings
    ]
    return table(("what", "found", "bound", "", "where"), rows, " r")


def _case(
    settings: Settings,
    plan: Path,
    registration: Path,
    room: Path,
    line: str | None,
    image_uid: str | None,
    start: tuple[float, ...] | None,
) -> _Case:
    import numpy as np

    from guidearm.cli.mount import guide_mount
    from guidearm.geometry import apply
    from guidearm.kinematics import load_arm
    from guidearm.kinematics.room_file import load_site
    from guidearm.mapping import read_registration
    from guidearm.planning import read_plan
    from guidearm.procedure import Task
    from guidearm.procedure.path import STANDOFF_M

    arm = load_arm(settings.arm)
    planned = read_plan(plan, line)
    if image_uid is not None:
        planned = planned.on_image(image_uid)
    task = Task(planned, read_registration(registration))
    way = task.line
    site = load_site(room, arm.bodies)
    if site.T_base_patient is None:
        raise InputError(f"{room.name}: has no [patient]: say where the patient's marker stands")
    T_base_image = site.T_base_patient @ task.registration.T_patient_image
    q = arm.home if not start else np.radians(np.array(start))
    if not arm.within_limits(q):
        raise InputError("--start: a joint is outside its range")
    return _Case(
        arm=arm,
        room=site.about(arm),
        T_flange_guide=guide_mount(settings, arm),
        T_base_line=site.T_base_patient @ way.pose(STANDOFF_M),
        entry=apply(T_base_image, planned.entry_image),
        target=apply(T_base_image, planned.target_image),
        start=np.asarray(q, dtype=np.float64),
    )


def _degrees(angle: Array | float) -> list[float] | float:
    import numpy as np

    return np.degrees(angle).tolist()


def _words(q: Array) -> str:
    import numpy as np

    return " ".join(f"{angle:.0f}" for angle in np.degrees(q))


plan = Group(
    "plan",
    params=group_options(),
    commands=[check, joints, postures],
    help="What a plan comes to on an arm in its room, before anything moves.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
