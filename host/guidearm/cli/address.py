"""The commands `guidearm address list` and `set`: joints by unique id, whatever their address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from guidearm.cli.group import Group
from guidearm.cli.options import Settings, group_options, with_settings
from guidearm.cli.output import print_json, remark, table
from guidearm.errors import AddressError, InputError, SilentBusError
from guidearm_protocol.messages import MAX_JOINTS

if TYPE_CHECKING:
    from guidearm.link import Found, JointBus


@click.command("list")
@with_settings
def list_(settings: Settings) -> None:
    """Show every joint's unique id, address and arm.

    Finds joints that share an address, too.
    """
    from guidearm.link import discover

    with _bus(settings) as bus:
        _show(settings, discover(bus))


@click.command("set")
@click.argument("unique_id")
@click.argument("address", type=click.IntRange(1, MAX_JOINTS))
@click.option("--arm-id", type=click.IntRange(0, 65535), help="Its arm.  [as before]")
@with_settings
def set_(settings: Settings, unique_id: str, address: int, arm_id: int | None) -> None:
    """Give the joint UNIQUE_ID an address.

    The first digits of the id will do if they name one joint. The joint must be disabled, and
    nobody else may have the address.
    """
    from guidearm.link import assign, discover

    with _bus(settings) as bus:
        everybody = discover(bus)
        joint = _named(everybody, unique_id, settings.port)
        others = [f for f in everybody if f.address == address and f != joint]
        if others:
            raise AddressError(
                f"joint {others[0].unique_id} has address {address} already: give it another first"
            )
        assign(bus, joint.unique_id, address, joint.arm_id if arm_id is None else arm_id)
        _show(settings, discover(bus))
    remark(f"joint {joint.unique_id} has address {address}")


@contextmanager
def _bus(settings: Settings) -> Generator[JointBus]:
    """Open the port at the joints' baud rate; raises SilentBusError if nobody answers."""
    from guidearm.link import JointBus, find_baud, open_port

    connection = open_port(settings.port)
    try:
        if find_baud(connection) is None:
            raise SilentBusError(f"no joint answers on {settings.port}: check power and cable")
        yield JointBus(connection)
    finally:
        connection.port.close()


def _named(everybody: Sequence[Found], unique_id: str, port: str) -> Found:
    matching = [found for found in everybody if found.unique_id.startswith(unique_id.lower())]
    if len(matching) != 1:
        which = "is the beginning of several" if matching else "is none"
        raise InputError(f"{unique_id} {which} of the unique ids on {port}: guidearm address list")
    return matching[0]


def _show(settings: Settings, everybody: Sequence[Found]) -> None:
    count = Counter(found.address for found in everybody)
    joints: list[dict[str, Any]] = [
        {
            "address": found.address,
            "unique_id": found.unique_id,
            "arm_id": found.arm_id,
            "shared": count[found.address] > 1,
        }
        for found in everybody
    ]
    if settings.as_json:
        print_json({"port": settings.port, "joints": joints})
        return
    rows = [
        (
            str(joint["address"]),
            joint["unique_id"],
            str(joint["arm_id"]),
            "shared" if joint["shared"] else "",
        )
        for joint in joints
    ]
    click.echo(table(("address", "unique id", "arm", ""), rows, "r r"))


address = Group(
    "address",
    params=group_options(),
    commands=[list_, set_],
    help="Find joints by unique id and give them addresses.",
)
