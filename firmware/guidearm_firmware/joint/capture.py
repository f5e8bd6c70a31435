"""What a host may ask of the capture: set it up, see how far it is, read it in chunks.

Runs in the main loop; `servo` has the words and the tick's part, a sample. Set-up and reading touch
nothing else of the servo, so both may happen in mid-move.
"""

from array import array

import micropython
from micropython import const

from guidearm_protocol import messages as wire
from joint import servo

_SIGN = -0x80000000  # of a word
_CHUNK_WORDS = const(60)  # the compiler folds constants of its own file only

# the word of each of CAPTURE_SIGNALS
WORDS = (
    servo.POSITION,
    servo.SET_POINT,
    servo.ERROR,
    servo.SPEED,
    servo.SET_SPEED,
    servo.SET_ACCELERATION,
    servo.CURRENT,
    servo.DUTY,
    servo.INTEGRAL,
    servo.CORRECTED,
    servo.MODE,
    servo.STATE,
    servo.FAULT,
    servo.INPUTS,
    servo.BRAKE,
    servo.TEMPERATURE,
    servo.SUPPLY,
    servo.TAIL,
    servo.NOW,
)
if (
    len(WORDS) != len(wire.CAPTURE_SIGNALS)
    or len(WORDS) > servo.MOST_COLUMNS
    or servo.CAPTURE_WORDS != wire.CAPTURE_WORDS
    or wire.CAPTURE_CHUNK_WORDS != _CHUNK_WORDS
):
    raise ImportError("capture.py disagrees with servo.py or the message table")

_READ_BYTES = wire.body_size(wire.reply_fields(wire.CAPTURE_READ) or ())


@micropython.viper
def copy_words(samples: object, place: int, size: int, n: int, buffer: object, at: int) -> object:
    """Write n words of the ring of samples, from a place in it on, as little-endian bytes.

    `size` is the ring's. Zeros fill up what a chunk has more.
    """
    r = ptr32(samples)
    b = ptr8(buffer)
    i = 0
    while i < _CHUNK_WORDS:
        word = 0
        if i < n:
            if place == size:
                place = 0
            word = r[place]
            place += 1
        b[at] = word & 0xFF
        b[at + 1] = (word >> 8) & 0xFF
        b[at + 2] = (word >> 16) & 0xFF
        b[at + 3] = (word >> 24) & 0xFF
        at += 4
        i += 1


class Capture:
    """The capture behind the segments in the servo's array."""

    def __init__(self, state: "array[int]") -> None:
        """Begin with nothing captured."""
        self._state = state
        self._header = memoryview(state)[servo.CAPTURE : servo.SAMPLES]
        self._samples = memoryview(state)[servo.SAMPLES :]
        self.number = 0  # of the last set-up

    def set_up(self, values: "array[int]") -> bool:
        """Begin anew by the fields of CAPTURE_SETUP; with no signal, leave it switched off.

        False if they do not go together; each is within its bounds.
        """
        columns = 0
        for signal in range(len(WORDS)):
            columns += values[0] >> signal & 1
        if values[3] >= values[2] or values[2] * columns > servo.CAPTURE_WORDS:
            return False
        self._state[servo.CAPTURING] = 0  # first: from here on the tick stays away
        self._choose(values[0], columns, values[1])
        self._make_room(columns, values[2], values[3])
        self._watch(values[4], WORDS[values[5]], values[6])
        self.number = (self.number + 1) & 0xFFFF
        if columns:
            self._state[servo.CAPTURING] = 1  # last: it is the tick's
        return True

    def _choose(self, signals: int, columns: int, divider: int) -> None:
        h = self._header
        column = servo.C_CHOSEN
        for signal in range(len(WORDS)):
            if signals >> signal & 1:
                h[column] = 4 * WORDS[signal]
                column += 1
        h[servo.C_COLUMNS] = columns
        h[servo.C_SIXES] = columns // 6
        h[servo.C_REST] = columns % 6
        h[servo.C_ROW] = 4 * columns
        h[servo.C_DIVIDER] = divider

    def _make_room(self, columns: int, samples: int, before: int) -> None:
        h = self._header
        begin = 4 * servo.SAMPLES
        h[servo.C_BEGIN] = begin
        h[servo.C_NEXT] = begin
        h[servo.C_ROUND] = 0
        h[servo.C_END] = begin + 4 * columns * samples
        h[servo.C_SAMPLES] = samples
        h[servo.C_BEFORE] = before
        h[servo.C_AFTER] = samples - before

    def _watch(self, kind: int, word: int, level: int) -> None:
        h = self._header
        value = self._state[word]
        if kind == wire.CAPTURE_AT_ONCE:
            sense = 0
            below = True
        elif kind == wire.CAPTURE_RISING:
            sense = 1
            below = value < level
        elif kind == wire.CAPTURE_FALLING:
            sense = -1
            below = value > level
        else:
            sense = 1
            below = value != level
        h[servo.C_WAITS] = 1
        h[servo.C_WATCHED] = 4 * word
        h[servo.C_SENSE] = sense
        h[servo.C_LEVEL] = level * sense
        h[servo.C_MASK] = -1 if kind == wire.CAPTURE_BECOMING else _SIGN
        h[servo.C_BELOW] = below
        h[servo.C_TRIGGER_TIME] = 0
        h[servo.C_LAST_TIME] = 0

    def _phase(self) -> int:
        h = self._header
        if not h[servo.C_COLUMNS]:
            return wire.CAPTURE_OFF
        if not self._state[servo.CAPTURING]:
            return wire.CAPTURE_COMPLETE
        return wire.CAPTURE_WAITING if h[servo.C_WAITS] else wire.CAPTURE_TRIGGERED

    def _taken(self) -> int:
        h = self._header
        if h[servo.C_ROUND]:
            return h[servo.C_SAMPLES]
        columns = h[servo.C_COLUMNS]
        return (h[servo.C_NEXT] - h[servo.C_BEGIN]) // (4 * columns) if columns else 0

    def _before(self) -> int:
        """Return the samples before the trigger's: one that came early has less than asked."""
        h = self._header
        wanted = h[servo.C_BEFORE]
        if h[servo.C_WAITS]:
            return wanted
        since = h[servo.C_SAMPLES] - wanted - h[servo.C_AFTER]
        return min(self._taken() - since, wanted)

    def report(self, values: "array[int]") -> None:
        """Put the fields of CAPTURE_STATE into values, all of one tick."""
        s = self._state
        h = self._header
        while True:
            ticks = s[servo.TICKS]
            values[0] = self._phase()
            values[1] = self.number
            values[2] = self._taken()
            values[3] = self._before()
            values[4] = h[servo.C_TRIGGER_TIME]
            values[5] = h[servo.C_LAST_TIME]
            if ticks == s[servo.TICKS]:  # else a sample came between two of them
                return

    def read(self, first: int, reply: bytearray, at: int) -> int:
        """Put the fields of a CAPTURE_READ from a word on at reply[at:]; return their end.

        -1 if the capture is not complete, or has no such word.
        """
        h = self._header
        columns = h[servo.C_COLUMNS]
        words = self._taken() * columns
        if self._phase() != wire.CAPTURE_COMPLETE or first >= words:
            return -1
        reply[at] = self.number & 0xFF
        reply[at + 1] = self.number >> 8
        size = h[servo.C_SAMPLES] * columns
        place = (h[servo.C_NEXT] >> 2) - servo.SAMPLES - words + first
        if place < 0:
            place += size
        copy_words(self._samples, place, size, words - first, reply, at + 2)
        return at + _READ_BYTES
