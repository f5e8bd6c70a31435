"""The command `list`: what is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from guidearm.cli.access import ask_holder
from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import print_json, remark, table
from guidearm.errors import SilentJointError

if TYPE_CHECKING:
    from guidearm.arm import Identity


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
        joints = told["joints"] if told is not None else [i.as_dict() for i in _joints(settings)]
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


def _joints(settings: Settings) -> list[Identity]:
    """Ask at every address there can be."""
    from guidearm.arm.identify import identify
    from guidearm.link import JointBus, open_port
    from guidearm_protocol import messages

    connection = open_port(settings.port)
    try:
        bus = JointBus(connection)
        nonce = 1 + int(connection.clock.now() * 1e6) % (messages.TIME_MODULUS - 1)
        found: list[Identity] = []
        for address in range(1, messages.MAX_JOINTS + 1):
            try:
                found.append(identify(bus, address, nonce))
            except SilentJointError:
                continue  # an address that nobody has
        return found
    finally:
        connection.port.close()
