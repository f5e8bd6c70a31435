"""`guidearm faults`: what is latched, which joint was first, what it saw, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from guidearm.cli.access import ask_holder, patiently
from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import print_json, remark, table

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@with_settings
def faults(settings: Settings) -> None:
    """Show latched faults, first causes first.

    Each with what the joint saw when it happened and what to do. If another guidearm holds the
    port, only names can be told. Times are modulo 17.9 minutes, the joints' clock.
    """
    patiently(lambda: _show(settings))


def _show(settings: Settings) -> None:
    told = ask_holder(settings)
    held = told is not None
    rows = _read(settings) if told is None else _names(told["joints"])
    if settings.as_json:
        print_json({"port": settings.port, "held": held, "faults": rows})
    elif not rows:
        click.echo("no fault is latched")
    else:
        click.echo(_table(rows))
        for row in rows:
            if row["do"]:
                remark(f"joint {row['joint']}, {row['fault']}: {row['do']}")
        remark("then guidearm reset-fault")


def _read(settings: Settings) -> list[dict[str, Any]]:
    import guidearm
    from guidearm.arm.faults import read_faults

    with guidearm.connect(settings.port, settings.arm) as robot:
        return [report.as_dict() for report in read_faults(robot.bus, robot.numbers)]


def _names(joints: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"joint": joint["joint"], "fault": joint["fault"], "do": ""}
        for joint in joints
        if joint["fault"] not in (None, "none")
    ]


def _table(rows: Sequence[dict[str, Any]]) -> str:
    header = ("joint", "fault", "s ago", "state before", "position deg", "deg/s", "off", "A")
    lines = [
        (
            str(row["joint"]),
            row["fault"],
            *(
                (
                    f"{row['age_s']:.3f}",
                    row["state_before"],
                    f"{row['position_deg']:.3f}",
                    f"{row['velocity_deg_s']:.2f}",
                    str(row["following_error_counts"]),
                    f"{row['current_a']:.2f}",
                )
                if "age_s" in row
                else [""] * 6
            ),
        )
        for row in rows
    ]
    return table(header, lines, "r r rrrr")
