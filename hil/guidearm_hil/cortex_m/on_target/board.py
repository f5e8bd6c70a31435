"""A board without hardware: bytes from memory and a motor that follows its set-point.

What it does besides is done outside of what is measured.
"""

from array import array

import micropython
from micropython import const

from guidearm_protocol import parameters
from joint import parameters as stored
from joint import servo

ADDRESS = 3
LAG = 3  # counts that the motor stays behind, so that the cascade has something to do
_INPUT_BRAKE_OPEN = 128
_TIME = 0x3FFFFFFF
_WAITING = const(0)  # words of the line: bytes that wait to be read
_CLOCK = const(1)  # us, when the last of them came


@micropython.viper
def _take(line: object, words: object, buffer: object, received: object) -> int:
    """Move what waits on the line into buffer, and when the last of it came; return how many."""
    p = ptr32(line)
    to = ptr32(buffer)
    w = ptr32(words)
    n = w[_WAITING]
    w[_WAITING] = 0
    ptr32(received)[0] = w[_CLOCK]
    left = (n + 3) >> 2
    while left:
        to[0] = p[0]
        to = ptr32(int(to) + 4)
        p = ptr32(int(p) + 4)
        left -= 1
    return n


class Board:
    """One joint controller in memory, as `joint.board_type` describes it."""

    name = b"cortex-m\0\0\0\0"
    unique_id = b"in QEMU."
    boot_count = 1

    def __init__(self) -> None:
        """Hold the default parameters and an empty line."""
        values = list(parameters.DEFAULTS)
        values[parameters.ADDRESS] = ADDRESS
        self._flash = stored.encode(values)
        self.line = bytearray(256)
        self._words = array("i", [0, 0])
        self.sent = 0  # bytes of the last transmission
        self._last = self.line
        self.now = 1000

    def start(self, state: "array[int]", tick: object, supervise: object) -> None:
        """Have the caller run the ticks."""

    def step(self, state: "array[int]") -> None:
        """Let a millisecond pass: the inputs of the next tick."""
        self.now = (self.now + 1000) & _TIME
        state[servo.NOW] = self.now
        position = (state[servo.SET_POINT] >> 8) - LAG if state[servo.BRAKE] else 0
        if state[servo.BRAKE]:
            state[servo.MOTOR] += position - state[servo.POSITION]
        turned = state[servo.MOTOR] - state[servo.LAST_MOTOR] + state[servo.POSITION]
        per_step = state[servo.P_COUNTS_PER_TURN] // 16384 or 1
        state[servo.OUTPUT] = (turned // per_step) & 16383
        state[servo.INPUTS] = _INPUT_BRAKE_OPEN if state[servo.BRAKE] else 0
        state[servo.TEMPERATURE] = 300
        state[servo.SUPPLY] = 24000
        state[servo.LAST_FRAME] = self.now
        self._words[_CLOCK] = self.now

    def wait(self) -> None:
        """Return at once."""

    def give(self, n: int) -> None:
        """Have line[:n] be read, whose last byte has just come."""
        self._words[_WAITING] = n

    def comes_at(self, us: int) -> None:
        """Have the last byte of what waits come at an instant of the joint clock."""
        self._words[_CLOCK] = us

    def waiting(self) -> int:
        """Return the bytes that have not been read."""
        return self._words[_WAITING]

    def read(self, buffer: "bytearray | memoryview", received: "array[int]") -> int:
        """Move waiting bytes into buffer."""
        return _take(self.line, self._words, buffer, received)

    def write(self, buffer: bytearray, n: int, at_us: int, late_us: int) -> bool:
        """Take note of a transmission."""
        self.sent = n
        self._last = buffer
        return True

    def reply(self) -> bytearray:
        """Return the last transmission with the stuffing taken out, its content from index 1."""
        content = bytearray(self._last)
        i = 0
        while i < self.sent - 1:
            code = content[i]
            content[i] = 0
            i += code
        return content

    def read_slot(self, slot: int, buffer: bytearray) -> None:
        """Fill buffer: slot 0 holds the parameters, slot 1 nothing."""
        for i in range(len(buffer)):
            buffer[i] = self._flash[i] if slot == 0 and i < len(self._flash) else 0xFF

    def erase_slot(self, slot: int) -> None:
        """Refuse: nothing measured here stores."""
        raise NotImplementedError("this board has no flash")

    def program_slot(self, slot: int, buffer: bytearray, n: int) -> None:
        """Refuse: nothing measured here stores."""
        raise NotImplementedError("this board has no flash")
