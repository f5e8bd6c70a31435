"""Groups of commands: what is said before a command's name holds for the command."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click
from click.core import ParameterSource

from guidearm.cli.options import complete
from guidearm.errors import GuideArmError

ENTRY_POINTS = "guidearm.commands"


class Group(click.Group):
    """A group whose options become the defaults of its commands, at any depth."""

    def invoke(self, ctx: click.Context) -> object:
        """Hand the values down, then go on."""
        values: dict[str, Any] = {
            name: value
            for name, value in ctx.params.items()
            if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
        }
        # click asks a group's defaults for those of a command by its name; a group further down
        # hands on what it was handed
        ctx.default_map = {name: values for name in self.list_commands(ctx)}
        return super().invoke(ctx)


class CommandLine(Group):
    """The program: its own commands, and those that other distributions register."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names."""
        others = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
        return sorted({*super().list_commands(ctx), *others})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; one of another distribution is loaded when it is asked for."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for entry in entry_points(group=ENTRY_POINTS, name=cmd_name):
            return _load(entry)
        return None


def _load(entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except Exception as error:
        # one broken distribution must not take the other commands with it
        return _broken(entry, f"{type(error).__name__}: {error}")
    if not isinstance(command, click.Command):
        return _broken(entry, "it is no click command")
    complete(command)
    return command


def _broken(entry: EntryPoint, why: str) -> click.Command:
    text = f"{entry.name} cannot be loaded from {entry.value} ({why})"

    def refuse(**_: object) -> None:
        raise GuideArmError(text)

    callback: Callable[..., None] = refuse
    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(
        entry.name, callback=callback, context_settings=settings, short_help=f"({text})"
    )
