"""A wire that spoils what it carries, from a seed, and the account of what it did to whom.

Every listener hears a transmission on its own: a spike at one receiver is none at the next. What
has arrived is told by a parser of its own at every joint's ears, so the account is exact even where
a lost delimiter joins two frames into one that is neither.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from guidearm_protocol.errors import FrameError
from guidearm_protocol.frame import Frame, decode_frame
from guidearm_protocol.messages import BROADCAST
from guidearm_protocol.stream import StreamParser
from guidearm_tools.spoil import spoil

HOST = -1
_STREAM = 21  # of the seed


@dataclass(frozen=True)
class Noise:
    """Shares (0..1) of transmissions that suffer, for each listener by itself but for `late`.

    `corrupt`: a bit flips, or a byte changes, goes missing or is added. `drop`: nothing is heard.
    `double`: heard twice. `late`: it begins up to `late_us` later, for everybody.
    """

    corrupt: float = 0.0
    drop: float = 0.0
    double: float = 0.0
    late: float = 0.0
    late_us: int = 2000


@dataclass
class Account:
    """Frames of the host that concerned one joint: on the wire, added by doubling, arrived."""

    sent: int = 0
    doubled: int = 0
    arrived: int = 0

    @property
    def lost(self) -> int:
        """Frames that never arrived."""
        return self.sent + self.doubled - self.arrived


@dataclass
class _Ear:
    address: int
    account: Account = field(default_factory=Account)
    parser: StreamParser = field(default_factory=StreamParser)

    def concerned(self, frames: Sequence[Frame]) -> int:
        return sum(not f.from_joint and f.address in (self.address, BROADCAST) for f in frames)


class Wire:
    """What a bus asks about each transmission; `noise` can be changed at any time."""

    def __init__(self, noise: Noise, seed: int, addresses: Sequence[int]) -> None:
        """Spoil by `noise` and `seed`; `addresses` are those of the joints, in their order."""
        self.noise = noise
        self.corrupted = 0
        self.dropped = 0
        self.doubled = 0
        self.late = 0
        self._rng = random.Random(f"{seed}/{_STREAM}")
        self._ears = [_Ear(address) for address in addresses]

    @property
    def accounts(self) -> dict[int, Account]:
        """The account of each joint, by address."""
        return {ear.address: ear.account for ear in self._ears}

    def delay_us(self) -> int:
        """Return how much later than meant a transmission begins."""
        if not self._happens(self.noise.late):
            return 0
        self.late += 1
        return self._rng.randint(1, self.noise.late_us)

    def hear(self, listener: int, sender: int, said: bytes, data: bytes) -> bytes:
        """Return what a listener (a joint by its index, or HOST) hears of `data`.

        `said` is what the sender meant, before collisions.
        """
        heard = self._spoil(data)
        if listener == HOST:
            return heard
        ear = self._ears[listener]
        if sender == HOST:
            meant = ear.concerned(_frames(said))
            ear.account.sent += meant
            if heard == data + data:
                ear.account.doubled += meant
        ear.account.arrived += ear.concerned(ear.parser.feed(heard))
        return heard

    def _spoil(self, data: bytes) -> bytes:
        noise = self.noise
        if self._happens(noise.drop):
            self.dropped += 1
            return b""
        if self._happens(noise.double):
            self.doubled += 1
            return data + data
        if data and self._happens(noise.corrupt):
            self.corrupted += 1
            return spoil(data, self._rng)
        return data

    def _happens(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share


def at_another_baud(data: bytes, sent: int, heard: int) -> bytes:
    """Return the junk that bytes sent at one baud rate are to a receiver at another.

    The receiver samples the line at its own rate from each falling edge on; framing errors are
    passed on as bytes, as cheap UARTs do.
    """
    line: list[int] = []
    for byte in data:
        line += [0, *(byte >> bit & 1 for bit in range(8)), 1]
    cells = len(line) * heard / sent  # the line's length in the receiver's bits

    def level(cell: float) -> int:
        index = int(cell * sent / heard)
        return line[index] if index < len(line) else 1

    junk = bytearray()
    cell = 0.5
    while cell < cells:
        if level(cell):
            cell += 0.25
            continue
        junk.append(sum(level(cell + 1 + bit) << bit for bit in range(8)))
        cell += 9.5
    return bytes(junk)


def _frames(data: bytes) -> list[Frame]:
    """Return the frames in a transmission of the host, which knows how to make them."""
    found: list[Frame] = []
    for encoded in data.split(b"\0"):
        if encoded:
            try:
                found.append(decode_frame(encoded))
            except FrameError:
                continue  # the host said something else on purpose
    return found
