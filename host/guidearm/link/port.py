"""Ports: where the bytes go, and how one is opened from its URL.

A URL is anything pyserial understands (`/dev/ttyUSB0`, `COM3`, `socket://host:port`), or has a
scheme that another distribution registers in the entry point group `guidearm.ports`: a callable
that takes the URL and the baud rate and returns a `Connection`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol, cast

from guidearm.errors import OptionError
from guidearm.link.clock import Clock

DEFAULT_BAUD = 1_000_000
BITS_PER_BYTE = 10  # start, 8 data, stop


class Port(Protocol):
    """A half-duplex byte port, timed by the clock it is connected with."""

    @property
    def name(self) -> str:
        """What the user calls it; stands in messages."""
        ...

    @property
    def baud(self) -> int:
        """Bits per second on the wire."""
        ...

    @property
    def slack_s(self) -> float:
        """What operating system and adapter may add to a reply's way, in s; 0 on a virtual bus."""
        ...

    def set_baud(self, baud: int) -> None:
        """Set the rate; a port without a line of its own (TCP) ignores it."""
        ...

    def write(self, data: bytes) -> float:
        """Send `data`; return the instant (s) at which its last byte leaves the wire."""
        ...

    def read(self, deadline: float) -> bytes:
        """Return received bytes as soon as there are any, or b"" at the instant `deadline` (s)."""
        ...

    def discard_input(self) -> None:
        """Forget everything received and not read yet."""
        ...

    def close(self) -> None:
        """Give the port back; a second call does nothing."""
        ...


@dataclass(frozen=True)
class Connection:
    """A port with the clock that times it.

    `physical` tells a port of this computer, which other shells may ask about, from a bus that
    lives inside this process.
    """

    port: Port
    clock: Clock
    physical: bool = False


def open_port(url: str, baud: int = DEFAULT_BAUD) -> Connection:
    """Open the port named by `url`.

    Raises OptionError for an empty URL, PortError with what to do: the port is absent, busy,
    forbidden, or of no known kind.
    """
    scheme, colon, _ = url.partition(":")
    if colon:
        for entry in entry_points(group="guidearm.ports", name=scheme):
            return cast(Callable[[str, int], Connection], entry.load())(url, baud)
    if not url:
        raise OptionError("no port given: use --port or set GUIDEARM_PORT")
    from guidearm.link.serial_port import open_serial  # pyserial only where it is used

    return open_serial(url, baud)
