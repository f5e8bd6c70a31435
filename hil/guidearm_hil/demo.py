"""The command `guidearm demo`: the whole job on the virtual arm."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import print_json
from guidearm.errors import OptionError

if TYPE_CHECKING:
    from guidearm_hil.session import Setting


def _seed_range(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> range | None:
    if value is None:
        return None
    first, dash, last = value.partition("-")
    try:
        seeds = range(int(first), int(last if dash else first) + 1)
    except ValueError:
        seeds = range(0)
    if not seeds:
        raise click.BadParameter(f"{value!r} is not a range such as 1-50", context, parameter)
    return seeds


@click.command()
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="One run.")
@click.option("--seeds", callback=_seed_range, metavar="A-B", help="Many runs and their table.")
@click.option("--plan", type=click.Path(path_type=Path), help="3D Slicer line markup (.mrk.json).")
@click.option("--registration", type=click.Path(path_type=Path), help="Registration of its image.")
@click.option("--image-uid", metavar="UID", help="Image of a plan that does not name one.")
@click.option(
    "--tracker-noise",
    type=click.FloatRange(0.0, 5.0),
    metavar="MM",
    help="Error of a sphere's position, as the tracker's data sheet declares it.  [default: 0.12]",
)
@click.option(
    "--plant",
    type=click.Choice(["joint-2", "flange-marker", "camera"]),
    help="Plant a 2 mm error that the tracker can see.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Session folder, new or empty.")
@with_settings
def demo(
    settings: Settings,
    seed: int,
    seeds: range | None,
    plan: Path | None,
    registration: Path | None,
    image_uid: str | None,
    tracker_noise: float | None,
    plant: str | None,
    out: Path | None,
) -> None:
    """Do the whole job on a virtual arm: map, plan, move, correct, judge, release.

    Six joint controllers run the real firmware in MicroPython. The session folder gets a journal,
    summary.json and pictures. Exits with 1 when the guide pin was not released.
    """
    from guidearm_hil.session import Plant, Setting

    setting = Setting(
        seed=seed,
        plan=plan,
        registration=registration,
        image_uid=image_uid,
        tracker_noise_m=None if tracker_noise is None else tracker_noise * 1e-3,
        planted=None if plant is None else Plant(plant),
    )
    run = _one if seeds is None else partial(_many, seeds=seeds)
    passed = run(setting, out, settings.as_json)
    if not passed:
        sys.exit(1)


def _one(setting: Setting, out: Path | None, as_json: bool) -> bool:
    from guidearm_hil.session import run_session

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    folder = _free_folder(setting.seed) if out is None else out
    summary = run_session(setting, folder, say=say)
    if as_json:
        print_json(summary)
        return bool(summary["passed"])
    truth, gate = summary["truth"], summary["gate"]
    click.echo(
        f"truth (known to the simulation only): {truth['entry_mm']:.2f} mm off at the entry, "
        f"{truth['target_mm']:.2f} mm at the target, {truth['angle_deg']:.2f} deg; uncorrected "
        f"{truth['uncorrected_entry_mm']:.2f} and {truth['uncorrected_target_mm']:.2f} mm"
    )
    click.echo(f"gate: under {gate['bound_mm']:.2f} mm with {gate['confidence']:.1%} confidence")
    rate = summary["virtual_s"] / summary["wall_s"]
    click.echo(
        f"{summary['virtual_s']:.0f} s of arm time in {summary['wall_s']:.1f} s ({rate:.0f}x)"
    )
    click.echo(f"session: {folder}")
    return bool(summary["passed"])


def _many(setting: Setting, out: Path | None, as_json: bool, *, seeds: range) -> bool:
    from guidearm_hil.campaign import run_campaign

    if out is not None:
        raise OptionError("--out is for one session: a table of seeds keeps no folders")
    with click.progressbar(length=len(seeds), label="seeds", file=sys.stderr) as bar:
        result = run_campaign(setting, seeds, lambda: bar.update(1))
    if as_json:
        print_json(result)
        return bool(result["passed"])
    click.echo("seed  uncorrected  entry  target mm  angle deg  bound mm  released")
    for session in result["sessions"]:
        if "error" in session:
            click.echo(f"{session['seed']:4d}  {session['error']}")
            continue
        truth = session["truth"]
        worst = max(truth["uncorrected_entry_mm"], truth["uncorrected_target_mm"])
        click.echo(
            f"{session['seed']:4d}  {worst:11.2f}  {truth['entry_mm']:5.2f}  "
            f"{truth['target_mm']:9.2f}  {truth['angle_deg']:9.2f}  "
            f"{session['gate']['bound_mm']:8.2f}  {'yes' if session['passed'] else 'no'}"
        )
    for row in result["rows"]:
        mark = "ok" if row["ok"] else "NOT OK"
        click.echo(f"{row['name']:48s} {row['measured']:8.3g}  bound {row['bound']:g}  {mark}")
    return bool(result["passed"])


def _free_folder(seed: int) -> Path:
    """Return a session folder below the working directory that does not exist yet."""
    base = Path("sessions") / f"demo-{seed}"
    folder, count = base, 1
    while folder.exists():
        count += 1
        folder = base.with_name(f"{base.name}-{count}")
    return folder
