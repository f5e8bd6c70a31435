"""Commands that move the arm. Each says what will move before anything does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from guidearm.cli.access import authorise, opened
from guidearm.cli.group import Group
from guidearm.cli.mount import guide_mount
from guidearm.cli.options import Settings, group_options, with_settings
from guidearm.cli.output import print_json, progress, remark, table

if TYPE_CHECKING:
    from guidearm.arm import ArmState, MoveRecord, Robot
    from guidearm.geometry import Array
    from guidearm.motion import Changeable

    Planner = Callable[[Array], list[Changeable]]

move = Group("move", params=group_options(), help="Move the arm; Ctrl-C stops it.")

_speed = click.option(
    "--speed",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of full speed.",
)


@move.command("joints", context_settings={"ignore_unknown_options": True})
@click.argument("degrees", nargs=6, type=float, metavar="Q1 Q2 Q3 Q4 Q5 Q6")
@_speed
@with_settings
def joints(settings: Settings, degrees: tuple[float, ...], speed: float) -> None:
    """Move the joints to six angles in degrees, all together.

    Refused as a whole if one is out of range, or if the arm would meet itself or what it stands on.
    """
    import numpy as np

    from guidearm.motion import check_way, joint_move

    goal = np.radians(degrees)
    with opened(settings) as robot:
        arm = robot.arm

        def plan(q: Array) -> list[Changeable]:
            motion = joint_move(q, goal, arm, speed, label="move joints")
            check_way(motion, arm)
            return [motion]

        _carry_out(settings, robot, plan)


@move.command("guide")
@click.option("--entry", type=float, nargs=3, metavar="X Y Z", help="In the base frame, mm.")
@click.option("--target", type=float, nargs=3, metavar="X Y Z", help="In the base frame, mm.")
@click.option("--along", type=float, metavar="MM", help="From here along the axis; < 0 is back.")
@_speed
@with_settings
def guide(
    settings: Settings,
    entry: tuple[float, float, float] | None,
    target: tuple[float, float, float] | None,
    along: float | None,
    speed: float,
) -> None:
    """Move the guide onto the line from entry to target, or along its own axis.

    Onto a line: a joint move, then straight along the axis until the sleeve ends 10 mm before the
    entry. The tracker is not used: the guide is where the arm believes it to be.
    """
    if along is not None and entry is None and target is None:
        distance_m = along * 1e-3
        with opened(settings) as robot:
            _carry_out(settings, robot, _along(settings, robot, distance_m, speed))
    elif along is None and entry is not None and target is not None:
        with opened(settings) as robot:
            _carry_out(settings, robot, _onto(settings, robot, entry, target, speed))
    else:
        raise click.UsageError("give --entry and --target, or --along alone")


def _along(settings: Settings, robot: Robot, distance_m: float, speed: float) -> Planner:
    import numpy as np

    from guidearm.geometry import transform
    from guidearm.motion import check_way
    from guidearm.procedure.path import APPROACH_M_S, straight

    T_flange_guide = guide_mount(settings, robot.arm)
    step = transform(np.eye(3), np.array([0.0, 0.0, distance_m]))

    def plan(q: Array) -> list[Changeable]:
        end = robot.arm.forward(q) @ T_flange_guide @ step
        pace = speed * APPROACH_M_S
        motion = straight(robot.arm, T_flange_guide, end, q, pace, "move guide")
        check_way(motion, robot.arm)
        return [motion]

    return plan


def _onto(
    settings: Settings,
    robot: Robot,
    entry: tuple[float, float, float],
    target: tuple[float, float, float],
    speed: float,
) -> Planner:
    import numpy as np

    from guidearm.errors import InputError
    from guidearm.geometry import frame_along
    from guidearm.procedure.path import STANDOFF_M, plan_path

    T_flange_guide = guide_mount(settings, robot.arm)
    start = np.array(entry) * 1e-3
    depth = np.array(target) * 1e-3 - start
    length = float(np.linalg.norm(depth))
    if not 1e-3 <= length < math.inf:
        raise InputError("move guide: entry and target are less than 1 mm apart: they give no axis")
    T_base_line = frame_along(start - STANDOFF_M / length * depth, depth / length)

    def plan(q: Array) -> list[Changeable]:
        way = plan_path(robot.arm, T_flange_guide, T_base_line, q, speed=speed)
        return [way.transfer, way.approach]

    return plan


def _carry_out(settings: Settings, robot: Robot, plan: Planner) -> None:
    """Plan dry, put torque on, plan from where the arm then stands, say it, and do it."""
    from guidearm.motion import course

    plan(robot.state.q_demand)  # a refusal changes nothing
    authorise(robot)
    start = robot.resume()
    motions = plan(start.q_demand)
    _announce(start, motions)
    records: list[MoveRecord] = []
    for motion in motions:
        with progress(robot.state.q_demand.tolist(), _goal(motion).tolist(), motion.label) as told:
            records.append(robot.execute(course(motion, robot.model), told))
    _report(settings, start, motions, records, robot.state)


def _goal(motion: Changeable) -> Array:
    return motion.sample([motion.duration_s])[0][-1]


def _announce(start: ArmState, motions: list[Changeable]) -> None:
    rows = [
        (str(joint.number), f"{a:.3f}", f"{b:.3f}", f"{b - a:+.3f}")
        for joint, a, b in zip(
            start.joints, _degrees(start.q_demand), _degrees(_goal(motions[-1])), strict=True
        )
    ]
    remark("will move (degrees):")
    remark(table(("joint", "from", "to", "by"), rows, "rrrr"))
    remark(", then ".join(f"{motion.label}: {motion.duration_s:.1f} s" for motion in motions))


def _report(
    settings: Settings,
    start: ArmState,
    motions: list[Changeable],
    records: list[MoveRecord],
    state: ArmState,
) -> None:
    import numpy as np

    goal, reached = _degrees(_goal(motions[-1])), _degrees(state.q)
    duration_s = sum(motion.duration_s for motion in motions)
    settle_s = records[-1].settled - records[-1].end
    worst = np.max([record.following_error for record in records], axis=0)
    if settings.as_json:
        print_json(
            {
                "port": settings.port,
                "start_deg": _degrees(start.q),
                "goal_deg": goal,
                "reached_deg": reached,
                "duration_s": duration_s,
                "settle_s": settle_s,
                "following_error_deg": _degrees(worst),
                "sent_again": sum(record.sent_again for record in records),
            }
        )
        return
    rows = [
        (str(joint.number), f"{at:.4f}", f"{at - to:+.4f}")
        for joint, at, to in zip(state.joints, reached, goal, strict=True)
    ]
    click.echo(table(("joint", "reached deg", "off"), rows, "rrr"))
    click.echo(
        f"settled {settle_s:.2f} s after a move of {duration_s:.1f} s; "
        f"following error at most {max(_degrees(worst)):.4f} deg"
    )


def _degrees(angles: Array) -> list[float]:
    return [math.degrees(angle) for angle in angles.tolist()]
