"""The board of a virtual joint: simulated motor, encoders, brake, UART and clock.

The genuine firmware runs on it unchanged, in a MicroPython process of its own. Time is the bus's:
the process waits for `advance by dt` on one descriptor, runs the ticks and main-loop passes that
fall into dt, and answers on another with what it transmits and where its plant has got to.
`guidearm_hil.exchange` has the other end and the layout of both messages.

Code takes no simulated time by itself, so every pass of the main loop is charged by the figures
in `times.py`, and a receive timestamp carries the jitter an interrupt has.
"""

import struct
import sys
from array import array

import flash
import plant
from times import READ_BYTE_US_Q8, READ_US, WRITE_US

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, BinaryIO

    Tick = Callable[..., object]

RECEIVE_JITTER_US = 4
ERASE_US = 45000  # a flash sector of 4 KB
PROGRAM_US = 1000  # a page of it

_TIME = 0x3FFFFFFF
_TICK_US = 1000
_HEADER = "<iiHHi"  # advance by, load, inputs, bytes of runs, injections
_HEADER_BYTES = struct.calcsize(_HEADER)
_INJECTION = "<ii"  # plant word, its new value
_INJECTION_BYTES = struct.calcsize(_INJECTION)
_RUN = "<iH"  # last byte at, bytes
_RUN_BYTES = struct.calcsize(_RUN)
_ANSWER = "<HHii"  # flags, bytes of transmissions, link position, motor position
_TRANSMISSION = "<iH"  # begins after the advance, bytes
# plant words, boot count, ppm, tick phase, clock, flash bytes until a power cut, unique id, name
_SETUP = "<HHhiIi8s12s"
_UPDATE: str = "rb+"

# words of the servo's state that the bus is told
_BRIDGE = 8
_PULL_LINE = 10

FLAG_PULLING = 1
FLAG_POWERED = 2
FLAG_BRAKE_OPEN = 4


def _no_tick(state: "array[int]", supervise: object) -> object:
    """Stand for the servo before it is started."""


class Board:
    """Time, bytes, encoders and drive of one simulated joint controller."""

    def __init__(self) -> None:
        """Receive this joint's set-up from the rig."""
        self._in: "BinaryIO" = open(int(sys.argv[1]), "rb")  # noqa: SIM115 until the process ends
        self._out: "BinaryIO" = open(int(sys.argv[2]), "wb")  # noqa: SIM115
        setup = self._receive(struct.calcsize(_SETUP))
        words, self.boot_count, self._ppm, phase, clock, cut_after, self.unique_id, self.name = (
            struct.unpack(_SETUP, setup)
        )
        self._plant = array("i", struct.unpack("<" + "i" * words, self._receive(4 * words)))
        file: "IO[bytes]" = open(sys.argv[3], _UPDATE)  # noqa: SIM115
        self._flash = flash.Flash(bytearray(file.read()), cut_after, file)
        self._deaf_until = 0  # interrupts are off
        self._clock = clock & _TIME  # joint clock at the start of the advance
        self._tick_at = phase  # the rest is relative to it
        self._plant[plant.CLOCK] = (clock + phase) & _TIME
        self._now = 0
        self._end = 0
        self._charge = 0
        self._remainder = 0
        self._runs: "list[tuple[int, bytes]]" = []
        self._sent = bytearray()
        self._jitter = int.from_bytes(self.unique_id[:2], "little")
        self._state = array("i", [0] * (_PULL_LINE + 1))
        self._tick: "Tick" = _no_tick
        self._supervise: object = None

    def read_slot(self, slot: int, buffer: bytearray) -> None:
        """Fill buffer with the first bytes of storage slot 0 or 1."""
        self._flash.read(slot, buffer)

    def erase_slot(self, slot: int) -> None:
        """Make every byte of a slot FF."""
        self._flash.erase(slot)
        self._block(ERASE_US)

    def program_slot(self, slot: int, buffer: bytearray, n: int) -> None:
        """Write buffer[:n] to the beginning of an erased slot."""
        self._flash.program(slot, buffer, n)
        self._block(PROGRAM_US)

    def _block(self, us: int) -> None:
        """Charge a flash operation, over which interrupts are off."""
        self._charge += us
        self._deaf_until = self._now + self._charge

    def start(self, state: "array[int]", tick: "Tick", supervise: object) -> None:
        """Begin the servo's ticks on its state."""
        self._state = state
        self._tick = tick
        self._supervise = supervise

    def wait(self) -> None:
        """Let simulated time pass until the main loop finds received bytes."""
        free = self._now + self._charge  # the main loop is busy until then
        self._charge = 0
        while True:
            if self._runs:
                at = self._runs[0][0]
                if at < free:
                    at = free
                if at <= self._end:
                    self._run_ticks(at)
                    self._now = at
                    return
            self._run_ticks(self._end)
            free -= self._end
            if free < 0:
                free = 0
            self._exchange()

    def read(self, buffer: "bytearray | memoryview[int]", received: "array[int]") -> int:
        """Move received bytes of one burst into buffer, the last one's time into received[0]."""
        if not self._runs or self._runs[0][0] > self._now:
            return 0
        at, data = self._runs[0]
        n = len(buffer)
        if len(data) > n:
            buffer[:] = data[:n]
            self._runs[0] = (at, data[n:])
        else:
            n = len(data)
            buffer[:n] = data
            self._runs.pop(0)
            self._charge += READ_US
        self._charge += n * READ_BYTE_US_Q8 >> 8
        self._jitter = (self._jitter * 5 + 17) & 1023
        received[0] = (self._clock + at + self._jitter % (RECEIVE_JITTER_US + 1)) & _TIME
        return n

    def write(self, buffer: bytearray, n: int, at_us: int, late_us: int) -> bool:
        """Transmit buffer[:n] from an instant on, or up to late_us after it, or not at all."""
        self._charge += WRITE_US
        at = ((at_us - self._clock + 0x20000000) & _TIME) - 0x20000000
        ready = self._now + self._charge
        if ready - at > late_us:
            return False
        self._sent += struct.pack(_TRANSMISSION, max(at, ready), n)
        self._sent += buffer[:n]
        return True

    # ---- time

    def _run_ticks(self, until: int) -> None:
        while self._tick_at <= until:
            plant.advance(self._plant, self._state, plant.SINE)
            if self._tick_at >= self._deaf_until:
                self._tick(self._state, self._supervise)
            self._tick_at += _TICK_US

    def _exchange(self) -> None:
        """Report the advance that is over and take the next one."""
        state = self._state
        end = self._end
        flags = 0
        if state[_PULL_LINE]:
            flags |= FLAG_PULLING
        if state[_BRIDGE]:
            flags |= FLAG_POWERED
        if self._plant[plant.BRAKE_OPEN]:
            flags |= FLAG_BRAKE_OPEN
        if self._sent:
            self._to_bus_time(end)
        self._out.write(
            struct.pack(
                _ANSWER,
                flags,
                len(self._sent),
                self._position(plant.LINK_POSITION, plant.LINK_SPEED),
                self._position(plant.MOTOR_POSITION, plant.MOTOR_SPEED),
            )
            + self._sent
        )
        self._sent = bytearray()
        # the next advance starts where this one ended
        self._clock = (self._clock + end) & _TIME
        self._tick_at -= end
        self._deaf_until = max(0, self._deaf_until - end)
        if self._runs:
            self._runs = [(at - end, data) for at, data in self._runs]
        header = self._receive(_HEADER_BYTES)
        advance, load, inputs, size, injections = struct.unpack(_HEADER, header)
        self._plant[plant.LOAD] = load
        self._plant[plant.INPUTS] = inputs
        for _ in range(injections):
            word, value = struct.unpack(_INJECTION, self._receive(_INJECTION_BYTES))
            self._plant[word] = value
        if size:
            data = self._receive(size)
            start = 0
            while start < size:
                at, n = struct.unpack_from(_RUN, data, start)
                start += _RUN_BYTES
                self._runs.append((self._local(at), data[start : start + n]))
                start += n
        scaled = advance * self._ppm + self._remainder
        self._end = advance + scaled // 1000000
        self._remainder = scaled % 1000000
        self._now = 0

    def _position(self, position: int, speed: int) -> int:
        """Return a position of the plant (Q10) at the advance's end, which lies between ticks."""
        since_tick = self._end - (self._tick_at - _TICK_US)
        return self._plant[position] + (self._plant[speed] >> 14) * since_tick // plant.STEP_US

    def _local(self, bus_us: int) -> int:
        return bus_us + (bus_us * self._ppm + self._remainder) // 1000000

    def _to_bus_time(self, end: int) -> None:
        """Make the transmissions' starts relative to the advance's end, in bus time."""
        start = 0
        while start < len(self._sent):
            at, n = struct.unpack_from(_TRANSMISSION, self._sent, start)
            at -= end
            struct.pack_into(_TRANSMISSION, self._sent, start, at - at * self._ppm // 1000000, n)
            start += _RUN_BYTES + n

    def _receive(self, n: int) -> bytes:
        data = self._in.read(n)
        if len(data) < n:
            sys.exit(0)  # the rig has gone
        return data
