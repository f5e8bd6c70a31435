"""The command `guidearm bench target`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import print_json, remark, table

if TYPE_CHECKING:
    from guidearm_hil.cortex_m.budget import Costs
    from guidearm_tools.bench.rows import Row


@click.command("target")
@click.option(
    "--ticks", type=click.IntRange(min=1), default=10_000, show_default=True, help="Under load."
)
@click.option("--write-times", is_flag=True, help="Have the virtual rig charge what was counted.")
@with_settings
def target(settings: Settings, ticks: int, write_times: bool) -> None:
    """Measure the firmware's budgets in instructions, as code for a Cortex-M3 and an M0+.

    The Pico's own interrupt is measured on its own image. Needs no port, but both rigs:
    tools/setup --rig cortex-m --rig pico. Counts are exact and repeat.
    """
    from guidearm_hil.cortex_m.budget import M0PLUS
    from guidearm_hil.cortex_m.image import PROCESSORS, CortexMError
    from guidearm_hil.target import pico_tick, times
    from guidearm_tools.bench.rows import row_table

    on_the_pico = pico_tick.measure_tick()
    with ThreadPoolExecutor(len(PROCESSORS)) as pool:
        measured = list(pool.map(_measure, PROCESSORS, [ticks] * len(PROCESSORS)))
    counted = [costs for costs, _, _ in measured]
    rows = [*(row for _, each, _ in measured for row in each), *pico_tick.rows(on_the_pico)]
    profiles = dict(zip(PROCESSORS.values(), (profile for _, _, profile in measured), strict=True))
    profiles["Pico"] = pico_tick.profile(on_the_pico)
    if settings.as_json:
        print_json({"rows": [row.as_dict() for row in rows], "profile": profiles})
    else:
        click.echo(row_table(rows))
        if settings.verbose:
            click.echo()
            columns = list(profiles.values())
            names = list(dict.fromkeys(name for column in columns for name in column))
            cells = [(name, *(str(column.get(name, "")) for column in columns)) for name in names]
            click.echo(
                table(("where it goes, instructions", *profiles), cells, " " + "r" * len(profiles))
            )
    broken = [row.name for row in rows if not row.ok]
    if broken:
        raise CortexMError("out of bounds: " + "; ".join(broken))
    if write_times:
        times.write(next(costs for costs in counted if costs.processor == M0PLUS), on_the_pico)
        remark(f"wrote {times.FILE}")
    remark(f"all {len(rows)} within their bounds")


def _measure(processor: str, ticks: int) -> tuple[Costs, list[Row], dict[str, int]]:
    """Return costs, rows and profile of a processor."""
    from guidearm_hil.cortex_m.budget import (
        measure_costs,
        measure_interrupts,
        measure_worst_ticks,
    )
    from guidearm_hil.cortex_m.machine import CortexM

    with CortexM(processor) as machine:
        costs = measure_costs(machine.run)
    with CortexM(processor) as machine:
        worst = measure_worst_ticks(machine.run)
    with CortexM(processor) as machine:
        interrupts = measure_interrupts(machine.run, ticks)
    measured = (costs, worst, interrupts)
    profile = dict(item for each in measured for item in each.profile())
    return costs, [row for each in measured for row in each.rows()], profile
