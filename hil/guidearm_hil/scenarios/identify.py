"""Who is on the bus, and what its firmware is."""

from __future__ import annotations

from importlib.metadata import version

from guidearm.link import discover
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_protocol import messages

OLDEST_MICROPYTHON = 1.25


@scenario(Offer.BUS)
def identify(rig: Rig, report: Report) -> None:
    """Every joint answers at its address, and a search of the bus finds the same ones."""
    with rig.robot() as robot:
        ids = {identity.number: identity.unique_id for identity in robot.identities}
        report.exactly("joints that answer", len(ids), len(rig.joints.numbers))
        report.exactly("different unique ids", len(set(ids.values())), len(ids))
        # others may be on the bus, but not at these addresses
        found = [joint for joint in discover(robot.bus) if joint.address in ids]
        report.exactly("found at these addresses", len(found), len(ids))
        same = [joint for joint in found if ids[joint.address] == joint.unique_id]
        report.exactly("of them the same", len(same), len(ids))
        report.exactly("joints in fault", len(robot.poll().faulted), 0)


@scenario(Offer.BUS)
def firmware(rig: Rig, report: Report) -> None:
    """Firmware, protocol and message table are the host's, on a MicroPython that will do."""
    with rig.robot() as robot:
        joints = robot.identities
        of_host = [joint for joint in joints if joint.firmware == version("guidearm")]
        report.exactly("joints with the host's version", len(of_host), len(joints))
        tables = {joint.table_hash for joint in joints}
        report.exactly("joints with the host's table", tables == {messages.table_hash()}, True)
        protocols = {joint.protocol for joint in joints}
        report.exactly("protocol version", max(protocols), messages.PROTOCOL_VERSION)
        oldest = min(_micropython(joint.interpreter) for joint in joints)
        report.at_least("MicroPython", oldest, OLDEST_MICROPYTHON)
        counts = min(joint.counts_per_turn for joint in joints)
        report.at_least("motor counts a turn", counts, 1024)


def _micropython(interpreter: str) -> float:
    """Return 1.25 of `MicroPython 1.25.0, 32 bit`."""
    major, minor, *_ = interpreter.split()[1].split(".")
    return float(f"{major}.{minor}")
