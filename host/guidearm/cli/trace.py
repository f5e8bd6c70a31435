"""The command `trace`: servo signals at tick rate, as a table, as numbers and as a picture."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from guidearm.cli.access import authorise, opened
from guidearm.cli.group import Group
from guidearm.cli.options import Settings, group_options, with_settings
from guidearm.cli.output import print_json, remark
from guidearm.errors import PortError

if TYPE_CHECKING:
    from guidearm.arm import Robot
    from guidearm.tracing.recording import Recording

F = TypeVar("F", bound=Callable[..., Any])

trace = Group(
    "trace",
    params=group_options(),
    help="Record servo signals at tick rate; save and draw them.",
)

_joint = click.option("--joint", type=int, required=True, metavar="N", help="Joint, from 1.")
_speed = click.option(
    "--speed",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of full speed.",
)


def _common(function: F) -> F:
    """Give a command the options about where things go and whether torque is put on."""
    out = click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Folder for the files.  [traces in --data]",
    )
    enable = click.option(
        "--enable", is_flag=True, help="Enable the arm before, disable it afterwards."
    )
    return out(enable(function))


@trace.command("step")
@_joint
@click.option("--size", type=float, required=True, metavar="DEG", help="By so much, and back.")
@_speed
@_common
@with_settings
def step(
    settings: Settings, joint: int, size: float, speed: float, out: Path | None, enable: bool
) -> None:
    """Move a joint quickly by a small angle: rise, overshoot, settling.

    The set-point is no jump but a move within the limits of speed, acceleration and jerk.
    """
    from guidearm.tracing.recording import record_step
    from guidearm.tracing.saving import origin

    with _ready(settings, enable) as robot:
        told = record_step(robot, joint, math.radians(size), speed, remark)
        _save(settings, origin(robot), told, out)


@trace.command("sine")
@_joint
@click.option("--frequency", type=float, required=True, metavar="HZ", help="Of the sine.")
@click.option("--amplitude", type=float, required=True, metavar="DEG", help="To each side.")
@click.option(
    "--periods", type=click.IntRange(1, 1000), default=4, show_default=True, help="To be fitted."
)
@_common
@with_settings
def sine(
    settings: Settings,
    joint: int,
    frequency: float,
    amplitude: float,
    periods: int,
    out: Path | None,
    enable: bool,
) -> None:
    """Swing a joint about where it stands: gain and phase."""
    from guidearm.tracing.recording import record_sine
    from guidearm.tracing.saving import origin

    with _ready(settings, enable) as robot:
        angle = math.radians(amplitude)
        told = record_sine(robot, joint, angle, frequency, periods, remark)
        _save(settings, origin(robot), told, out)


@trace.command("move", context_settings={"ignore_unknown_options": True})
@click.argument("degrees", nargs=6, type=float, metavar="Q1 Q2 Q3 Q4 Q5 Q6")
@_speed
@_common
@with_settings
def move(
    settings: Settings,
    degrees: tuple[float, ...],
    speed: float,
    out: Path | None,
    enable: bool,
) -> None:
    """Move the joints to six angles in degrees, and record all of them."""
    import numpy as np

    from guidearm.tracing.recording import record_move
    from guidearm.tracing.saving import origin

    with _ready(settings, enable) as robot:
        told = record_move(robot, np.radians(degrees), speed, remark)
        _save(settings, origin(robot), told, out)


@trace.command("record")
@click.option(
    "--trigger",
    type=click.Choice(["fault", "move", "now"]),
    default="fault",
    show_default=True,
    help="What to wait for.",
)
@click.option("--joint", "joints", type=int, multiple=True, metavar="N", help="Joint.  [all]")
@click.option("--duration", type=float, default=0.6, show_default=True, metavar="S", help="In all.")
@click.option(
    "--before", type=float, default=0.4, show_default=True, metavar="S", help="Before the trigger."
)
@click.option(
    "--timeout", type=float, default=60.0, show_default=True, metavar="S", help="Wait so long."
)
@_common
@with_settings
def record(
    settings: Settings,
    trigger: str,
    joints: tuple[int, ...],
    duration: float,
    before: float,
    timeout: float,
    out: Path | None,
    enable: bool,
) -> None:
    """Wait for a fault or a move and record what led to it.

    If another guidearm holds the port, that one goes on with what it does, and is asked.
    """
    from guidearm.arm import HolderLink, RobotLink, attach
    from guidearm.link import SystemClock
    from guidearm.tracing.recording import check_joint, event_capture, event_recording
    from guidearm.tracing.saving import origin

    holder = None if enable else attach(settings.port)
    with ExitStack() as stack:
        if holder is not None:
            link: HolderLink | RobotLink = HolderLink(holder, SystemClock())
            numbers = [joint["joint"] for joint in holder.state()["joints"]]
            source: dict[str, Any] = {"port": settings.port, "arm": settings.arm}
        else:
            robot = stack.enter_context(_ready(settings, enable, moves=False))
            link, numbers, source = RobotLink(robot), list(robot.numbers), origin(robot)
        for joint in joints:
            check_joint(numbers, joint)
        capture = event_capture(link, joints or numbers, trigger, duration, before)
        where = "" if holder is None else ", by the program that holds the port"
        remark(f"waiting for: {trigger}, up to {timeout:g} s{where}")
        try:
            traces = capture.finish(timeout)
        except PortError:
            if holder is None or attach(settings.port) is not None:
                raise
            # the holder is done; what the joints have recorded they still have
            capture.use(RobotLink(stack.enter_context(opened(settings))))
            traces = capture.finish(timeout)
        _save(settings, source, event_recording(traces, capture.setup, trigger), out)


@contextmanager
def _ready(settings: Settings, enable: bool, *, moves: bool = True) -> Generator[Robot]:
    with opened(settings) as robot:
        if enable:
            robot.enable()
        elif moves:
            authorise(robot)
        yield robot
        if enable and not robot.state.faulted:
            robot.disable()


def _save(
    settings: Settings, source: Mapping[str, Any], recording: Recording, out: Path | None
) -> None:
    """Write table, notes and pictures, and say what came out; raises what ended the motion."""
    from guidearm.tracing.files import new_stem
    from guidearm.tracing.saving import save

    folder = settings.data_dir / "traces" if out is None else out
    stem = new_stem(folder, f"{time.strftime('%Y%m%d-%H%M%S')}-{recording.name}")
    notes = save(recording, source, stem)
    if settings.as_json:
        print_json(notes)
    else:
        click.echo(recording.words.headline)
        click.echo(recording.words.says)
        if recording.words.note:
            remark(recording.words.note)
        click.echo("\n".join(notes["files"]))
    if recording.failure is not None:
        raise recording.failure
