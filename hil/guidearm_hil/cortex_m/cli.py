"""The command `guidearm bench target`."""

from __future__ import annotations

import click

from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import print_json, remark, table


@click.command("target")
@with_settings
def target(settings: Settings) -> None:
    """Measure the firmware's budgets in instructions, as code for a Cortex-M3 and an M0+.

    Needs no port, but the rig: tools/setup --rig cortex-m. Counts are exact and repeat.
    """
    from guidearm_hil.cortex_m.budget import measure
    from guidearm_hil.cortex_m.image import PROCESSORS, CortexMError
    from guidearm_tools.bench.rows import row_table

    measured = [measure(processor) for processor in PROCESSORS]
    rows = [row for each in measured for row in each.rows()]
    profiles = {PROCESSORS[each.processor]: dict(each.profile()) for each in measured}
    if settings.as_json:
        print_json({"rows": [row.as_dict() for row in rows], "profile": profiles})
    else:
        click.echo(row_table(rows))
        if settings.verbose:
            click.echo()
            columns = list(profiles.values())
            cells = [(name, *(str(column[name]) for column in columns)) for name in columns[0]]
            click.echo(table(("where it goes, instructions", *profiles), cells, " rr"))
    broken = [row.name for row in rows if not row.ok]
    if broken:
        raise CortexMError("out of bounds: " + "; ".join(broken))
    remark(f"all {len(rows)} within their bounds")
