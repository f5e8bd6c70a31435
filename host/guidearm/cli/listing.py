"""The command `list`: what is connected."""

from __future__ import annotations

from typing import Any

import click

from guidearm.cli.access import ask_holder
from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import print_json, remark, table
from guidearm.cli.survey import survey
from guidearm_protocol.messages import MAX_JOINTS


@click.command("list")
@with_settings
def list_(settings: Settings) -> None:
    """Show serial ports, and the joints on --port."""
    from serial.tools.list_ports import comports

    ports = [
        {"port": port.device, "description": port.description, "hardware_id": port.hwid}
        for port in sorted(comports())
    ]
    joints: list[dict[str, Any]] = []
    held = False
    if settings.port:
        told = ask_holder(settings)
        held = told is not None
        if told is not None:
            joints = told["joints"]
        else:
            found = survey(settings.port, MAX_JOINTS).identities
            joints = [identity.as_dict() for identity in found.values()]
    if settings.as_json:
        print_json({"ports": ports, "port": settings.port or None, "held": held, "joints": joints})
        return
    if ports:
        rows = [(port["port"], port["description"]) for port in ports]
        click.echo(table(("port", "description"), rows))
    else:
        remark("this computer has no serial port")
    if not settings.port:
        remark("name one with --port to see its joints")
    elif held:
        click.echo(f"{settings.port} is held by another guidearm: {len(joints)} joints")
    elif not joints:
        remark(f"no joint answers on {settings.port}")
    else:
        names = ("joint", "firmware", "interpreter", "board", "unique_id")
        click.echo(f"on {settings.port}:")
        click.echo(table(names, [[str(joint[name]) for name in names] for joint in joints], "r"))
