"""The virtual bus paced by the wall clock, for programs that live outside its time.

Bus time follows wall time: bytes that a program writes go on the wire when they are read here, and
what the joints answer is handed out once its last byte has left the wire. On a computer that is
too busy to keep up, bus time slips behind wall time instead of jumping: to the joints nothing
happened, so nothing faults.
"""

from __future__ import annotations

from collections import deque

from guidearm.link import Clock
from guidearm_hil.bus import VirtualBus

LATE_US = 2_000  # that a step may be late before bus time slips
LAZY_US = 20_000  # they may be behind while nobody speaks, still well inside a tracker's latency
BUFFER_US = 4_000  # replies in close succession are handed out together, as an adapter would
TARDINESS_SHARE = 0.1  # of the newest lateness in what is typical of this computer
MOST_TARDY_US = 20_000  # beyond is an accident that says nothing of the next time
IDLE_GAP_US = 100
REMEMBERED_US = 30_000_000  # of the true motion: more than the longest backlog of a tracker
_DELIMITER = b"\0"


class PacedBus:
    """`bus` against `clock`. `slips` counts how often it was late, `slipped_s` by how much."""

    def __init__(self, bus: VirtualBus, clock: Clock) -> None:
        """Let bus time run on from where it stands."""
        self.bus = bus
        self.slips = 0
        self.slipped_s = 0.0
        self._clock = clock
        self._origin = clock.now() - bus.time_us * 1e-6
        self._waiting: deque[bytes] = deque()
        self._heard = bytearray()
        self._heard_us = 0
        self._quiet_us = bus.time_us
        self._tardiness_us = 0.0
        self._tidy_us = bus.time_us + REMEMBERED_US

    def now(self) -> float:
        """Return the instant of bus time, s."""
        return self._clock.now() - self._origin

    @property
    def ready(self) -> bool:
        """Whether bytes may be written: those of the last call are on the wire."""
        return not self._waiting

    def write(self, data: bytes) -> None:
        """Put what a program sent on the wire.

        Frames that were sent apart arrive in one piece when this computer was late to read them.
        The first goes out now, each other one when the answers to those before it are through.
        The program lives on this computer and was kept waiting as we were: once to be told the
        last answers, and once until its bytes were read. That is no lateness of its own.
        """
        if not data:
            return
        self._keep_up()
        self._slip(min(2 * self._tardiness_us, self._now_us() - self._quiet_us))
        frames = [frame + _DELIMITER for frame in data.split(_DELIMITER)]
        frames[-1] = frames[-1][:-1]
        self._waiting.extend(frame for frame in frames if frame)
        if self.bus.quiet:
            self._transmit()

    def poll(self) -> bytes:
        """Advance the joints to now; return what has reached the host, once no more follows."""
        self._keep_up()
        now = self._now_us()
        while data := self.bus.receive(now):
            if not self._heard:
                self._heard_us = self.bus.host_us
            self._heard += data
            self._quiet_us = self.bus.host_us
        if self.bus.time_us + LAZY_US <= now:
            self.bus.advance(now)
        if self._waiting and self.bus.quiet:
            self._transmit()
        if now >= self._tidy_us:
            self._tidy_us = now + REMEMBERED_US // 10
            self.bus.forget(now - REMEMBERED_US)
        if not self.bus.quiet and now < self._heard_us + BUFFER_US:
            return b""
        heard, self._heard = bytes(self._heard), bytearray()
        return heard

    def wait_s(self) -> float:
        """Return for how long (s) nothing happens unless the program writes."""
        return max(0.0, self._due_us() * 1e-6 - self.now())

    def _due_us(self) -> int:
        lazy_us = self.bus.time_us + LAZY_US
        return lazy_us if self.bus.due_us is None else min(lazy_us, self.bus.due_us)

    def _transmit(self) -> None:
        bus = self.bus
        bus.host_us = max(bus.host_us, self._now_us(), self._quiet_us + IDLE_GAP_US)
        self._quiet_us = bus.transmit(self._waiting.popleft())

    def _keep_up(self) -> None:
        """Slip by what the joints are late; remember how late this computer tends to be."""
        late_us = self._now_us() - self._due_us()
        if late_us > 0:
            newest_us = min(late_us, MOST_TARDY_US)
            self._tardiness_us += (newest_us - self._tardiness_us) * TARDINESS_SHARE
            self._slip(late_us)

    def _slip(self, late_us: float) -> None:
        late_us -= LATE_US
        if late_us > 0:
            self.slips += 1
            self.slipped_s += late_us * 1e-6
            self._origin += late_us * 1e-6

    def _now_us(self) -> int:
        return round(self.now() * 1e6)
