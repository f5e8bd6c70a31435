"""The commands `config`: the joints' parameters, saved, restored, set and compared."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guidearm.cli.access import opened
from guidearm.cli.group import Group
from guidearm.cli.options import Settings, group_options, with_settings
from guidearm.cli.output import print_json, remark, table
from guidearm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guidearm.arm import Robot
    from guidearm.arm.config import ArmConfig, Difference

config = Group(
    "config",
    params=group_options(),
    help="Save, restore, set and compare the joints' parameters.",
)

_CHANGE = ("before", "after")
_file = click.argument("file", type=click.Path(path_type=Path))


@config.command("dump")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@with_settings
def dump(settings: Settings, file: Path | None) -> None:
    """Write all parameters to a file, or show them.

    The file can be restored with `guidearm config restore`.
    """
    from guidearm.arm.config import read_config
    from guidearm.arm.config_file import as_object, write_config

    with opened(settings) as robot:
        present = read_config(robot)
        notes = _notes(robot)
    if file is not None:
        write_config(file, present)
    if settings.as_json:
        print_json(as_object(present))
    elif file is None:
        click.echo(_columns(present))
    else:
        remark(f"parameters of {len(present.joints)} joints written to {file}")
    _tell(notes)


@config.command("restore")
@_file
@with_settings
def restore(settings: Settings, file: Path) -> None:
    """Give the joints the parameters of a file.

    Everything is checked before anything is written: the arm, every joint's board, every value.
    What is written is stored by the joints and read back. The arm must be disabled.
    """
    wanted = _read(file)

    from guidearm.arm.config import restore as restore_config

    with opened(settings) as robot, _of_file(file):
        found = restore_config(robot, wanted)
        notes = _notes(robot)
    _show(settings, found, {"file": str(file)}, _CHANGE)
    remark(f"restored from {file}: {_count(found)} changed, all are stored")
    _tell(notes)


@config.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("joint", type=click.IntRange(1))
@click.argument("name")
@click.argument("value", type=int)
@with_settings
def set_(settings: Settings, joint: int, name: str, value: int) -> None:
    """Set one parameter of a joint and store it.

    VALUE is a whole number in the unit that `guidearm config dump` shows. The arm must be disabled.
    """
    from guidearm.arm.config import changed, read_config
    from guidearm.arm.config import restore as restore_config

    with opened(settings) as robot:
        found = restore_config(robot, changed(read_config(robot), joint, name, value))
        notes = _notes(robot)
    _show(settings, found, {}, _CHANGE)
    remark("stored" if found else "it has this value already, stored")
    _tell(notes)


@config.command("diff")
@_file
@with_settings
def diff(settings: Settings, file: Path) -> None:
    """Show where the joints differ from a file.

    In JSON `before` is the file, `after` the joint.
    """
    wanted = _read(file)

    from guidearm.arm.config import check_same_arm, differences, read_config

    with opened(settings) as robot, _of_file(file):
        present = read_config(robot)
        check_same_arm(present, wanted)
        notes = _notes(robot)
    found = differences(wanted, present)
    _show(settings, found, {"file": str(file), "equal": not found}, ("file", "joint"))
    remark(f"not as in {file}: {_count(found)}" if found else f"all are as in {file}")
    _tell(notes)


def _read(file: Path) -> ArmConfig:
    from guidearm.arm.config_file import read_config_file

    wanted, unknown = read_config_file(file)
    if unknown:
        remark(f"{file}: left out, unknown to this version: {', '.join(unknown)}")
    return wanted


@contextmanager
def _of_file(file: Path) -> Generator[None]:
    """Put the file's name in front of what is wrong with its content."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


def _notes(robot: Robot) -> list[str]:
    """Return what a person should know of the joints' storage."""
    from guidearm.arm.config import read_store
    from guidearm_protocol.messages import PARAMETER_CRC

    notes: list[str] = []
    for joint in robot.poll().joints:
        store = read_store(robot.bus, joint.number)
        who = f"joint {joint.number}"
        if not store.valid:
            notes.append(f"{who} has lost its parameters and runs on defaults: restore a dump")
        elif joint.fault == PARAMETER_CRC:
            notes.append(f"{who} has its parameters again: guidearm reset-fault")
        elif store.unsaved:
            notes.append(f"{who} uses {store.unsaved} parameters that are not stored")
    return notes


def _tell(notes: list[str]) -> None:
    for note in notes:
        remark(note)


def _columns(config: ArmConfig) -> str:
    """Return a table with a column for each joint."""
    from guidearm_protocol.parameters import NAMES, UNITS

    header = ["parameter", "unit", *(f"joint {joint.number}" for joint in config.joints)]
    rows = [
        [name, unit, *(str(joint.values[name]) for joint in config.joints)]
        for name, unit in zip(NAMES, UNITS, strict=True)
    ]
    return table(header, rows, "  " + "r" * len(config.joints))


def _show(
    settings: Settings, found: Sequence[Difference], more: dict[str, Any], sides: tuple[str, str]
) -> None:
    if settings.as_json:
        changes = [difference.as_dict() for difference in found]
        print_json({"port": settings.port, **more, "differences": changes})
    elif found:
        rows = [(str(d.joint), d.name, str(d.before), str(d.after), d.unit) for d in found]
        click.echo(table(("joint", "parameter", *sides, "unit"), rows, "r rr "))


def _count(found: Sequence[Difference]) -> str:
    return "1 parameter" if len(found) == 1 else f"{len(found)} parameters"
