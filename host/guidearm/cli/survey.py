"""Whoever answers on a port, without asking that the arm be whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guidearm.errors import SilentJointError

if TYPE_CHECKING:
    from guidearm.arm import Identity, JointState

CYCLES = 5


@dataclass(frozen=True)
class Survey:
    """Identities by address, and the states of those that answered a cycle too."""

    identities: dict[int, Identity]
    states: dict[int, JointState]

    def as_dicts(self, count: int) -> list[dict[str, Any]]:
        """Return joints 1..count as `JointState.as_dict` does; those that do not answer, silent."""
        return [
            self.states[number].as_dict() if number in self.states else _silent(number)
            for number in range(1, count + 1)
        ]


def survey(port: str, count: int) -> Survey:
    """Ask at the addresses 1..count of a port, at another baud rate if nobody answers at this.

    Raises PortError, or VersionMismatchError for a joint that does not speak this protocol.
    """
    from guidearm.arm.identify import identify
    from guidearm.arm.state import joint_state
    from guidearm.link import JointBus, find_baud, open_port
    from guidearm_protocol import messages

    connection = open_port(port)
    try:
        find_baud(connection)
        bus = JointBus(connection)
        nonce = 1 + int(connection.clock.now() * 1e6) % (messages.TIME_MODULUS - 1)
        identities: dict[int, Identity] = {}
        for address in range(1, count + 1):
            try:
                identities[address] = identify(bus, address, nonce)
            except SilentJointError:
                continue  # an address that nobody has
        states: dict[int, JointState] = {}
        for _ in range(CYCLES):
            result = bus.cycle(sum(1 << address - 1 for address in identities))
            for number, told in result.states.items():
                counts = identities[number].counts_per_turn
                states[number] = joint_state(number, result.instant, told, counts)
            if len(states) == len(identities):
                break
        return Survey(identities, states)
    finally:
        connection.port.close()


def _silent(number: int) -> dict[str, Any]:
    return {"joint": number, "state": "silent", "position_deg": None, "fault": None, "flags": []}
