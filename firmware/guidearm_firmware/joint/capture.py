"""What a host may ask of the capture: set it up, see how far it is, read it in chunks.

Runs in the main loop; `servo` has the words and the tick's part, a sample. Set-up and reading touch
nothing else of the servo, so both may happen in mid-move.
"""

from array import array

import micropython
from micropython import const

from guidearm_protocol import messages as wire
from joint import frame, servo
from joint.frame import put_i32, put_u16

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
    servo.OUTPUT,
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

_STATE_FIELDS = wire.reply_fields(wire.CAPTURE_STATE) or ()
_STATE_BYTES = wire.body_size(_STATE_FIELDS)
if wire.body_format(_STATE_FIELDS) != "<BHHHII":
    raise ImportError("capture.py disagrees with the message table")
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
        self._number = 0

    def answer(self, message: int, request: bytearray, at: int, reply: bytearray, to: int) -> int:
        """Carry a SETUP or READ out, its body at request[at:]; return the end of the reply.

        The reply's fields go to reply[to:]. Returns -1 for values out of bounds.
        """
        if message == wire.CAPTURE_READ:
            return self._read(frame.get_u16(request, at), reply, to)
        if not self._set_up(request, at):
            return -1
        self._put_number(reply, to)
        return to + 2

    def _set_up(self, request: bytearray, at: int) -> bool:
        """Begin anew; with no signal, leave it switched off. False for values out of bounds."""
        s = self._state
        h = self._header
        signals = frame.get_i32(request, at)
        divider = frame.get_u16(request, at + 4)
        samples = frame.get_u16(request, at + 6)
        before = frame.get_u16(request, at + 8)
        kind = request[at + 10]
        watched = request[at + 11]
        level = frame.get_i32(request, at + 12)
        if signals < 0 or signals >> len(WORDS) or kind > wire.CAPTURE_BECOMING:
            return False
        columns = 0
        for signal in range(len(WORDS)):
            columns += signals >> signal & 1
        if not 1 <= divider <= 1000 or watched >= len(WORDS) or before >= samples:
            return False
        if level < -0x3FFFFFFF:
            return False
        if samples > servo.CAPTURE_WORDS or samples * columns > servo.CAPTURE_WORDS:
            return False
        s[servo.CAPTURING] = 0  # first: from here on the tick stays away
        column = servo.C_CHOSEN
        for signal in range(len(WORDS)):
            if signals >> signal & 1:
                h[column] = 4 * WORDS[signal]
                column += 1
        begin = 4 * servo.SAMPLES
        h[servo.C_PHASE] = wire.CAPTURE_WAITING if columns else wire.CAPTURE_OFF
        h[servo.C_COLUMNS] = columns
        h[servo.C_ROW] = 4 * columns
        h[servo.C_DIVIDER] = divider
        h[servo.C_COUNTDOWN] = 1
        h[servo.C_NEXT] = begin
        h[servo.C_END] = begin + 4 * columns * samples
        h[servo.C_SAMPLES] = samples
        h[servo.C_ROOM] = samples
        h[servo.C_BEFORE] = before
        h[servo.C_AFTER] = samples - before
        value = s[WORDS[watched]]
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
        h[servo.C_WATCHED] = 4 * WORDS[watched]
        h[servo.C_SENSE] = sense
        h[servo.C_LEVEL] = level * sense
        h[servo.C_EXACT] = kind == wire.CAPTURE_BECOMING
        h[servo.C_BELOW] = below
        h[servo.C_TRIGGER_TIME] = 0
        h[servo.C_LAST_TIME] = 0
        self._number = (self._number + 1) & 0xFFFF
        if columns:
            s[servo.CAPTURING] = 1  # last: it is the tick's
        return True

    def _put_number(self, reply: bytearray, to: int) -> None:
        reply[to] = self._number & 0xFF
        reply[to + 1] = self._number >> 8

    def _taken(self) -> int:
        return self._header[servo.C_SAMPLES] - self._header[servo.C_ROOM]

    def report(self, reply: bytearray, to: int) -> int:
        """Put the fields of a CAPTURE_STATE reply at reply[to:]; return their end."""
        s = self._state
        while True:
            ticks = s[servo.TICKS]
            self._pack_state(reply, to)
            if ticks == s[servo.TICKS]:  # else a sample came between two of its words
                return to + _STATE_BYTES

    def _pack_state(self, reply: bytearray, to: int) -> None:
        h = self._header
        reply[to] = h[servo.C_PHASE]
        self._put_number(reply, to + 1)
        put_u16(reply, to + 3, self._taken())
        put_u16(reply, to + 5, h[servo.C_BEFORE])
        put_i32(reply, to + 7, h[servo.C_TRIGGER_TIME])
        put_i32(reply, to + 11, h[servo.C_LAST_TIME])

    def _read(self, first: int, reply: bytearray, to: int) -> int:
        h = self._header
        if h[servo.C_PHASE] != wire.CAPTURE_COMPLETE:
            return -1
        columns = h[servo.C_COLUMNS]
        size = h[servo.C_SAMPLES] * columns
        words = self._taken() * columns
        if first >= words:
            return -1
        place = (h[servo.C_NEXT] >> 2) - servo.SAMPLES - words + first
        if place < 0:
            place += size
        n = min(words - first, wire.CAPTURE_CHUNK_WORDS)
        self._put_number(reply, to)
        copy_words(self._samples, place, size, n, reply, to + 2)
        return to + _READ_BYTES
