"""What a host may ask of the capture: set it up, see how far it is, read it in chunks.

Runs in the main loop; `recorder` has the step in the tick and the memory. Set-up and reading touch
nothing of the servo, so both may happen in mid-move.
"""

import struct
from array import array

from guidearm_protocol import messages as wire
from joint import frame, recorder, servo

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
    or len(WORDS) > recorder.MOST_COLUMNS
    or recorder.CAPTURE_WORDS != wire.CAPTURE_WORDS
    or recorder.DATA != recorder.CHOSEN + recorder.MOST_COLUMNS
    or recorder.MEMORY_WORDS != recorder.DATA + recorder.CAPTURE_WORDS
    or servo.CAPTURE_PHASE != recorder.PHASE
    or servo.RING_SLOTS * 8 != recorder.PHASE
):
    raise ImportError("capture.py disagrees with recorder.py, servo.py or the message table")

_STATE_FIELDS = wire.reply_fields(wire.CAPTURE_STATE) or ()
_STATE_FORMAT = wire.body_format(_STATE_FIELDS)
_STATE_BYTES = wire.body_size(_STATE_FIELDS)
_READ_BYTES = wire.body_size(wire.reply_fields(wire.CAPTURE_READ) or ())


class Capture:
    """The capture behind the segments in the ring's array."""

    def __init__(self, state: "array[int]", ring: "array[int]") -> None:
        """Begin with nothing captured."""
        self._state = state
        self._memory = ring
        self._number = 0

    def answer(self, message: int, request: bytearray, at: int, reply: bytearray, to: int) -> int:
        """Carry a CAPTURE message out, its body at request[at:]; return the end of the reply.

        The reply's fields go to reply[to:]. Returns -1 for values out of bounds.
        """
        if message == wire.CAPTURE_STATE:
            return self._report(reply, to)
        if message == wire.CAPTURE_READ:
            return self._read(frame.get_u16(request, at), reply, to)
        if not self._set_up(request, at):
            return -1
        self._put_number(reply, to)
        return to + 2

    def _set_up(self, request: bytearray, at: int) -> bool:
        """Begin anew; with no signal, leave it switched off. False for values out of bounds."""
        r = self._memory
        signals = frame.get_i32(request, at)
        divider = frame.get_u16(request, at + 4)
        samples = frame.get_u16(request, at + 6)
        before = frame.get_u16(request, at + 8)
        kind = request[at + 10]
        watched = request[at + 11]
        level = frame.get_i32(request, at + 12)
        if signals < 0 or signals >> len(WORDS) or kind > recorder.BECOMING:
            return False
        columns = 0
        for signal in range(len(WORDS)):
            columns += signals >> signal & 1
        if not 1 <= divider <= 1000 or watched >= len(WORDS) or before >= samples:
            return False
        if level < -0x3FFFFFFF:
            return False
        if samples > recorder.CAPTURE_WORDS or samples * columns > recorder.CAPTURE_WORDS:
            return False
        r[recorder.PHASE] = recorder.OFF  # first: from here on the tick stays away
        column = recorder.CHOSEN
        for signal in range(len(WORDS)):
            if signals >> signal & 1:
                r[column] = WORDS[signal]
                column += 1
        r[recorder.COLUMNS] = columns
        r[recorder.DIVIDER] = divider
        r[recorder.COUNTDOWN] = 0
        r[recorder.SAMPLES] = samples
        r[recorder.BEFORE] = before
        r[recorder.AFTER] = samples - before
        r[recorder.KIND] = kind
        r[recorder.WATCHED] = WORDS[watched]
        r[recorder.LEVEL] = level
        r[recorder.PREVIOUS] = self._state[WORDS[watched]]
        r[recorder.NEXT] = 0
        r[recorder.COUNT] = 0
        r[recorder.TRIGGER_TIME] = 0
        r[recorder.LAST_TIME] = 0
        self._number = (self._number + 1) & 0xFFFF
        if columns:
            r[recorder.PHASE] = recorder.WAITING  # last: it is the tick's
        return True

    def _put_number(self, reply: bytearray, to: int) -> None:
        reply[to] = self._number & 0xFF
        reply[to + 1] = self._number >> 8

    def _report(self, reply: bytearray, to: int) -> int:
        s = self._state
        while True:
            ticks = s[servo.TICKS]
            self._pack_state(reply, to)
            if ticks == s[servo.TICKS]:  # else a sample came between two of its words
                return to + _STATE_BYTES

    def _pack_state(self, reply: bytearray, to: int) -> None:
        r = self._memory
        struct.pack_into(
            _STATE_FORMAT,
            reply,
            to,
            r[recorder.PHASE],
            self._number,
            r[recorder.COUNT],
            r[recorder.BEFORE],
            r[recorder.TRIGGER_TIME],
            r[recorder.LAST_TIME],
        )

    def _read(self, first: int, reply: bytearray, to: int) -> int:
        r = self._memory
        if r[recorder.PHASE] != recorder.COMPLETE:
            return -1
        if first >= r[recorder.COUNT] * r[recorder.COLUMNS]:
            return -1
        self._put_number(reply, to)
        recorder.copy_words(r, first, wire.CAPTURE_CHUNK_WORDS, reply, to + 2)
        return to + _READ_BYTES
