"""The command `guidearm bench target`."""

from __future__ import annotations

import click

from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import print_json, remark, table


@click.command("target")
@with_settings
def target(settings: Settings) -> None:
    """Measure the firmware's budgets in instructions, on a Cortex-M3 in QEMU.

    Needs no port, but the rig: tools/setup --rig cortex-m. Counts are exact and repeat.
    """
    from guidearm_hil.cortex_m.budget import measure
    from guidearm_hil.cortex_m.image import CortexMError
    from guidearm_tools.bench.rows import row_table

    measured = measure()
    rows, profile = measured.rows(), measured.profile()
    if settings.as_json:
        print_json({"rows": [row.as_dict() for row in rows], "profile": dict(profile)})
    else:
        click.echo(row_table(rows))
        if settings.verbose:
            click.echo()
            cells = [(name, str(figure)) for name, figure in profile]
            click.echo(table(("where it goes", "instructions"), cells, " r"))
    broken = [row.name for row in rows if not row.ok]
    if broken:
        raise CortexMError("out of bounds: " + "; ".join(broken))
    remark(f"all {len(rows)} within their bounds")
