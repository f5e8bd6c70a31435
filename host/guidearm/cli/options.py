"""Options that every command has, before its name or after it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import click

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_ARM = "guide6"
VARIABLES = {"port": "GUIDEARM_PORT", "data": "GUIDEARM_HOME"}
VERBOSE = "guidearm.verbose"
"""Where the context's `meta` notes -v for whoever reports an error."""


@dataclass(frozen=True)
class Settings:
    """What the common options say; `data` is None where it was not given."""

    port: str
    arm: str
    tracker: str | None
    data: Path | None
    as_json: bool
    verbose: bool

    @property
    def data_dir(self) -> Path:
        """The folder of calibrations and sessions."""
        return default_data_dir() if self.data is None else self.data


def default_data_dir() -> Path:
    """Return the folder where this platform keeps a user's data."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "guidearm"
    shared = os.environ.get("XDG_DATA_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "guidearm"


def _note_verbose(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    context.meta[VERBOSE] = context.meta.get(VERBOSE, False) or value
    return value


_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("--port", "port"),
        {
            "metavar": "URL",
            "default": "",
            "help": "Port of the arm: /dev/..., socket://HOST:PORT, virtual:seed=N.  "
            "[env: GUIDEARM_PORT]",
        },
    ),
    (
        ("--arm", "arm"),
        {"metavar": "NAME|FILE", "default": DEFAULT_ARM, "help": f"Arm.  [{DEFAULT_ARM}]"},
    ),
    (("--tracker", "tracker"), {"metavar": "URL", "help": "Tracker: igtl://HOST:PORT."}),
    (
        ("--data", "data"),
        {
            "metavar": "DIR",
            "type": click.Path(path_type=Path),
            "help": "Folder of calibrations and sessions.  [env: GUIDEARM_HOME]",
        },
    ),
    (("--json", "json"), {"is_flag": True, "help": "Print JSON on stdout."}),
    (
        ("-v", "--verbose", "verbose"),
        {
            "is_flag": True,
            "callback": _note_verbose,
            "is_eager": True,
            "help": "Say more; show where an error came from.",
        },
    ),
)


def group_options(*, outermost: bool = False) -> list[click.Parameter]:
    """Return the common options for a group, to stand before a command's name.

    Only those of the outermost read the environment: what is said there is handed down as
    defaults, which a variable read further down would override.
    """
    variables = VARIABLES if outermost else {}
    return [
        click.Option(names, envvar=variables.get(names[-1]), **attributes)
        for names, attributes in _OPTIONS
    ]


def complete(command: click.Command) -> None:
    """Give a command the common options it does not have, without passing their values on."""
    known = {parameter.name for parameter in command.params}
    for names, attributes in _OPTIONS:
        if names[-1] not in known:
            command.params.append(click.Option(names, expose_value=False, **attributes))


def with_settings(function: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """Give a command the common options, as one `Settings` before its own parameters."""

    @functools.wraps(function)
    def gathered(*args: P.args, **kwargs: P.kwargs) -> R:
        given = cast("dict[str, Any]", kwargs)
        settings = Settings(
            port=given.pop("port"),
            arm=given.pop("arm"),
            tracker=given.pop("tracker"),
            data=given.pop("data"),
            as_json=given.pop("json"),
            verbose=given.pop("verbose"),
        )
        return function(settings, *args, **kwargs)

    for names, attributes in reversed(_OPTIONS):
        gathered = click.option(*names, **attributes)(gathered)
    return gathered
