"""The program `guidearm`: its commands, exit codes, and what an interrupt or an error says.

Exit codes: 0 done; 1 an error, told in one line; 2 usage; 130 interrupted, with the arm at rest.
"""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from guidearm.cli import address, config, faults, joints, listing, move, plan, run, trace
from guidearm.cli.group import CommandLine
from guidearm.cli.options import VERBOSE, group_options
from guidearm.cli.output import complain
from guidearm.errors import GuideArmError

INTERRUPTED = 130


def _show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"guidearm {version('guidearm')}")
        context.exit()


guidearm = CommandLine(
    "guidearm",
    params=[
        *group_options(outermost=True),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version.",
        ),
    ],
    commands=[
        address.address,
        config.config,
        joints.disable,
        joints.enable,
        faults.faults,
        joints.feed,
        joints.home,
        joints.reset_fault,
        joints.status,
        joints.stop,
        listing.list_,
        move.move,
        plan.plan,
        run.run,
        trace.trace,
    ],
    help="An open guide arm. Options may stand before or after a command.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    # a script that runs this in the background must not make it deaf to Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # a closed terminal or a `kill` ends a move as Ctrl-C does: between two exchanges, arm stopped
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    verbose = False
    try:
        with guidearm.make_context("guidearm", arguments) as context:
            try:
                guidearm.invoke(context)
            finally:
                verbose = context.meta.get(VERBOSE, False)
            return 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except GuideArmError as error:
        if verbose:
            traceback.print_exception(error)
        complain(error)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        click.echo(f"guidearm: {str(interrupt) or 'stopped by Ctrl-C'}", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone: nobody is left to tell
        return 1
    except Exception as error:
        # a bug of ours: nobody but whoever asks for it wants to see where
        if verbose:
            traceback.print_exception(error)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        click.echo(f"guidearm: internal error: {what} (use -v for details)", err=True)
        return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
