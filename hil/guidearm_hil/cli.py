"""The commands `guidearm hil ...`: what there is to test, and testing it on a rig."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guidearm.cli.group import Group
from guidearm.cli.options import Settings, group_options, with_settings
from guidearm.cli.output import print_json, remark, table
from guidearm_hil.errors import ScenarioError

if TYPE_CHECKING:
    from guidearm_hil.runner import Result
    from guidearm_hil.scenarios import Scenario

hil = Group(
    "hil",
    params=group_options(),
    help="Test joints on rigs: simulated, emulated, or boards on a desk.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@hil.command("list")
@with_settings
def list_(settings: Settings) -> None:
    """Show the rigs, and the scenarios with what each needs of a rig."""
    from guidearm_hil.rigs import RIGS
    from guidearm_hil.scenarios import all_scenarios

    scenarios = all_scenarios()
    if settings.as_json:
        print_json(
            {
                "rigs": [{"name": k.usage, "what": k.what} for k in RIGS.values()],
                "scenarios": [
                    {"name": s.name, "what": s.what, "needs": s.needs, "moves": s.moves}
                    for s in scenarios
                ],
            }
        )
        return
    click.echo(table(("rig", "what it is"), [(k.usage, k.what) for k in RIGS.values()]))
    click.echo()
    rows = [(s.name, ", ".join(s.needs), "yes" if s.moves else "", s.what) for s in scenarios]
    click.echo(table(("scenario", "needs", "moves", "what holds"), rows))


@hil.command("run")
@click.option("--rig", "name", required=True, metavar="RIG", help="See guidearm hil list.")
@click.option("--scenario", "names", multiple=True, metavar="NAME", help="Only this one.  [all]")
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML, too."
)
@click.option("--yes", is_flag=True, help="Let a rig on a desk move without asking.")
@with_settings
def run(
    settings: Settings, name: str, names: tuple[str, ...], junit: Path | None, yes: bool
) -> None:
    """Run scenarios on a rig; what it cannot run is skipped with the reason.

    A rig on a desk says what will move, and asks. Ctrl-C stops it.

    Exits with 1 if a scenario fails, or if none could run.
    """
    from guidearm_hil import runner
    from guidearm_hil.junit import write_junit
    from guidearm_hil.rigs import open_rig
    from guidearm_hil.scenarios import chosen

    scenarios = chosen(names)
    results: list[Result] = []
    try:
        with open_rig(name) as rig:
            able = [scenario.name for scenario in scenarios if scenario.missing(rig) is None]
            rig.permit(able, yes)
            with _progress(len(scenarios), rig.physical) as before:
                for result in runner.run(rig, scenarios, before):
                    results.append(result)
    except KeyboardInterrupt:
        # leaving the rig has made it safe, or has said that it could not
        raise KeyboardInterrupt(f"stopped by Ctrl-C; {name} is safe") from None
    finally:
        if junit is not None:
            write_junit(junit, name, results)  # what there is, also of a run that was broken off
    if settings.as_json:
        rows = [
            {**row.as_dict(), "name": f"{result.scenario.name}: {row.name}"}
            for result in results
            for row in result.rows
        ]
        told = [result.as_dict() for result in results]
        print_json({"rig": name, "scenarios": told, "rows": rows})
    else:
        _show(results, settings.verbose)
    ran = [result for result in results if result.outcome != runner.SKIPPED]
    failed = [result.scenario.name for result in ran if result.outcome == runner.FAILED]
    if failed:
        raise ScenarioError(f"{len(failed)} of {len(ran)} failed on {name}: {', '.join(failed)}")
    if not ran:
        raise ScenarioError(f"no scenario could run on {name}: the reasons stand above")
    rows_held = sum(len(result.rows) for result in ran)
    remark(f"{len(ran)} passed, {len(results) - len(ran)} skipped; {rows_held} rows within bounds")


@hil.command("trace")
@click.option("--rig", "names", multiple=True, required=True, metavar="RIG", help="Each of these.")
@click.option("--joint", type=int, metavar="N", help="Joint that all rigs have.  [the first]")
@click.option("--size", type=float, default=1.0, show_default=True, metavar="DEG", help="Step.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Folder for the files.  [this one]",
)
@click.option("--yes", is_flag=True, help="Let a rig on a desk move without asking.")
@with_settings
def trace(
    settings: Settings, names: tuple[str, ...], joint: int | None, size: float, out: Path, yes: bool
) -> None:
    """Record one step of a joint on several rigs and draw them in one picture.

    The step is within the limits that all of the rigs allow. Exits with 1 if what the joints do
    differs by more than it should.
    """
    import math

    from guidearm_hil.traces import record_steps, save_together
    from guidearm_tools.bench.rows import row_table

    steps = record_steps(names, joint, math.radians(size), yes, remark)
    rows, files = save_together(steps, out)
    if settings.as_json:
        told = [step.as_dict() for step in steps]
        print_json(
            {"rigs": told, "rows": [row.as_dict() for row in rows], "files": [*map(str, files)]}
        )
    else:
        click.echo(row_table(rows))
        click.echo("\n".join(map(str, files)))
    apart = [row.name for row in rows if not row.ok]
    if apart:
        raise ScenarioError("out of bounds: " + "; ".join(apart))


@hil.command("template")
@with_settings
def template(_settings: Settings) -> None:
    """Print the description of a desk, to be filled in: for --rig serial:FILE."""
    from importlib.resources import files

    click.echo((files("guidearm_hil.rigs") / "desk.toml").read_text("utf-8"), nl=False)


def _show(results: list[Result], verbose: bool) -> None:
    from guidearm_hil.runner import FAILED
    from guidearm_tools.bench.rows import row_table

    cells = [(result.scenario.name, result.outcome, result.reason) for result in results]
    click.echo(table(("scenario", "outcome", "why"), cells))
    for result in results:
        if result.rows and (verbose or result.outcome == FAILED):
            click.echo(f"\n{result.scenario.name}")
            click.echo(row_table(result.rows))


@contextmanager
def _progress(count: int, plain: bool) -> Generator[Callable[[Scenario], None] | None]:
    """Yield what shows the scenario that runs, by name or in a bar; None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    if plain:  # a person may be spoken to meanwhile
        yield lambda scenario: remark(f"{scenario.name}: {scenario.what}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count)
        begun = 0

        def before(scenario: Scenario) -> None:
            nonlocal begun
            bar.update(task, description=scenario.name, completed=begun)
            begun += 1

        yield before
