"""What commands print: JSON or a table on stdout, remarks and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from guidearm.errors import GuideArmError

if TYPE_CHECKING:
    from guidearm.arm import ArmState
    from guidearm.cli.options import Settings

REDRAW_S = 0.1


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value, indent=2))


def remark(text: str) -> None:
    """Tell people something on stderr."""
    click.echo(text, err=True)


def complain(error: GuideArmError) -> None:
    """Tell an error on stderr in one line, once."""
    if not error.told:
        error.told = True
        click.echo(f"guidearm: {error}", err=True)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """Return columns under a header; `right` has an r for each column that is set right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    sides = right.ljust(len(header))
    return "\n".join(
        "  ".join(
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(line, widths, sides, strict=True)
        ).rstrip()
        for line in lines
    )


def joint_table(joints: Iterable[Mapping[str, Any]]) -> str:
    """Return the table of joints from `JointState.as_dict` of each."""
    rows = [
        (
            str(joint["joint"]),
            joint["state"],
            "" if joint["position_deg"] is None else f"{joint['position_deg']:.4f}",
            joint["fault"] or "",
            ", ".join(joint["flags"]),
        )
        for joint in joints
    ]
    return table(("joint", "state", "position deg", "fault", "flags"), rows, "r r")


def show_state(settings: Settings, state: Mapping[str, Any], **more: object) -> None:
    """Print the arm's state, as JSON with `more` beside it, or as a table."""
    if settings.as_json:
        print_json({**state, **more})
    else:
        click.echo(joint_table(state["joints"]))
        if any(_waits(joint) for joint in state["joints"]):
            click.echo("enabled; brakes closed until the next move")


def _waits(joint: Mapping[str, Any]) -> bool:
    return joint["state"] == "switched on" and "authorised" in joint["flags"]


def show_way_out(joints: Iterable[Mapping[str, Any]]) -> None:
    """Tell what to do about faults, if any is latched."""
    if any(joint["fault"] not in (None, "none") for joint in joints):
        remark("guidearm faults: what happened and what to do; guidearm reset-fault: clear it")


@contextmanager
def progress(
    start: Sequence[float], goal: Sequence[float], label: str
) -> Generator[Callable[[ArmState], None] | None]:
    """Yield what draws a bar for a move from `start` to `goal` (rad); None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    whole = max(abs(a - b) for a, b in zip(start, goal, strict=True))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    # no thread of its own: it is drawn between two cycles, ten times a second
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task(label, total=max(whole, 1e-9))
        drawn = 0.0

        def on_state(state: ArmState) -> None:
            nonlocal drawn
            if state.time - drawn < REDRAW_S:
                return
            drawn = state.time
            left = max(abs(joint.position - b) for joint, b in zip(state.joints, goal, strict=True))
            bar.update(task, completed=whole - left)
            bar.refresh()

        yield on_state
        bar.update(task, completed=whole)
        bar.refresh()
