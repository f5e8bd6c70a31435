"""What `guidearm status --link` shows: the counts at both ends of the link."""

from __future__ import annotations

from typing import Any

import click

from guidearm.cli.access import ask_holder, opened
from guidearm.cli.options import Settings
from guidearm.cli.output import print_json, remark, table

CYCLES = 100  # that a fresh session asks of all joints before it counts


def show_link(settings: Settings) -> None:
    """Show the session of whoever holds the port, or of a fresh one with `CYCLES` cycles."""
    told = ask_holder(settings, lambda holder: holder.link())
    held = told is not None
    joints = _ask_joints(settings) if told is None else told["joints"]
    clean = all(
        joint["sent"] == joint["executed"] and not (joint["unanswered"] or joint["missed_slots"])
        for joint in joints
    )
    if settings.as_json:
        print_json({"port": settings.port, "held": held, "clean": clean, "joints": joints})
        return
    names = list(joints[0])
    header = [name.replace("_", " ") for name in names]
    rows = [[str(joint[name]) for name in names] for joint in joints]
    click.echo(table(header, rows, "r" * len(names)))
    remark(
        "clean: every frame was executed, every question answered"
        if clean
        else "sent = executed + repeated + stale + lost"
    )


def _ask_joints(settings: Settings) -> list[dict[str, Any]]:
    with opened(settings) as robot:
        for _ in range(CYCLES):
            robot.poll()
        return [balance.as_dict() for balance in robot.balances()]
