"""The commands `guidearm bench ...`; each exits with 1 when a promise is not kept."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import click

from guidearm.cli.group import Group
from guidearm.cli.options import Settings, group_options, with_settings
from guidearm.cli.output import print_json, remark, table

if TYPE_CHECKING:
    from guidearm_tools.bench.peers import Peers
    from guidearm_tools.bench.rows import Row

ENTRY_POINTS = "guidearm.benches"


@click.command("link")
@click.option("--cycles", type=click.IntRange(1), default=500, help="To measure.  [500]")
@with_settings
def link(settings: Settings, cycles: int) -> None:
    """Measure the link: cycle rate beside the wire limit, latency, losses.

    Nothing moves; the arm must be off. A virtual arm is measured at 1 and at 3 Mbaud.
    """
    from guidearm.kinematics import load_arm
    from guidearm_tools.bench.link import bench_link

    results = bench_link(settings.port, load_arm(settings.arm), cycles)
    rows = [row for result in results for row in result.rows()]
    _show(settings, rows, port=settings.port, rates=[result.as_dict() for result in results])


@click.command("codec")
@click.option("--frames", type=click.IntRange(1), default=1_000_000, help="A codec.  [1000000]")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draws frames and damage.")
@with_settings
def codec(settings: Settings, frames: int, seed: int) -> None:
    """Send corrupted frames through the host's codec and the firmware's.

    Needs no port: the firmware's codec runs on MicroPython here.
    """
    from dataclasses import asdict

    from guidearm_tools.bench.codec import bench_host, bench_joint

    counts = {"host": bench_host(frames, seed), "joint": bench_joint(frames, seed)}
    rows = [row for name, count in counts.items() for row in count.rows(name)]
    _show(settings, rows, **{name: asdict(count) for name, count in counts.items()})


@click.command("kinematics")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draws the poses.")
@click.option("--poses", type=click.IntRange(1000), default=10_000, help="To solve.  [10000]")
@with_settings
def kinematics(settings: Settings, seed: int, poses: int) -> None:
    """Measure the kinematics beside other libraries, on the same poses.

    They are kept in an environment of their own, which needs a network the first time.
    """
    from guidearm_tools.bench.kinematics import PEERS, beside_table, measure_kinematics, rows

    peers = _peers(settings, PEERS)
    measured = measure_kinematics(peers, seed, poses)
    if not settings.as_json:
        header = ("what", "who", "median us", "p99 us", "solved %", "residual m")
        click.echo(table(header, beside_table(measured), "  rrrr") + "\n")
    told: dict[str, Any] = {"peers": peers.present, "skipped": peers.skipped, **measured}
    _show(settings, [*rows(measured), *peers.rows()], **told)


@click.command("motion")
@click.option("--seed", type=click.IntRange(0), default=0, help="Draws moves and changes.")
@click.option("--moves", type=click.IntRange(100), default=2000, help="Of each kind.  [2000]")
@click.option("--sequences", type=click.IntRange(1), default=300, help="Of changes.  [300]")
@with_settings
def motion(settings: Settings, seed: int, moves: int, sequences: int) -> None:
    """Measure how moves are planned beside another library, on the same moves.

    It is kept in an environment of its own, which needs a network the first time.
    """
    from guidearm_tools.bench.motion import PEERS, beside_table, measure_motion, rows

    peers = _peers(settings, PEERS)
    measured = measure_motion(peers, seed, moves, sequences)
    if not settings.as_json:
        click.echo(
            table(("what", "who", "median us", "p99 us"), beside_table(measured), "  rr") + "\n"
        )
    told: dict[str, Any] = {"peers": peers.present, "skipped": peers.skipped, **measured}
    _show(settings, [*rows(measured), *peers.rows()], **told)


def _peers(settings: Settings, names: Sequence[str]) -> Peers:
    """Return the peers' environment; on a terminal it is told what takes long."""
    from guidearm_tools.bench.peers import peers_folder, prepare

    say = remark if sys.stderr.isatty() else _nobody
    peers = prepare(names, peers_folder(settings.data_dir), say)
    for name, reason in peers.skipped.items():
        remark(f"{name} is skipped: {reason}")
    return peers


def _nobody(_text: str) -> None:
    pass


def _show(settings: Settings, rows: list[Row], **more: object) -> None:
    from guidearm_tools.bench.rows import BoundError, row_table

    if settings.as_json:
        told: dict[str, Any] = {"rows": [row.as_dict() for row in rows], **more}
        print_json(told)
    else:
        click.echo(row_table(rows))
    broken = [row.name for row in rows if not row.ok]
    if broken:
        raise BoundError("out of bounds: " + "; ".join(broken))
    remark(f"all {len(rows)} within their bounds")


class _Bench(Group):
    """Its own benches, and those that a rig registers."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names."""
        others = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
        return sorted({*super().list_commands(ctx), *others})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a bench; a rig's is loaded when it is asked for."""
        for entry in entry_points(group=ENTRY_POINTS, name=cmd_name):
            return entry.load()
        return super().get_command(ctx, cmd_name)


bench = _Bench(
    "bench",
    params=group_options(),
    commands=[codec, kinematics, link, motion],
    help="Measure link, codecs, kinematics, motion and firmware.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
