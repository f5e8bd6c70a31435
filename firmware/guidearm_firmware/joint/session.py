"""The main loop's part of a host's session: bytes in, requests carried out, replies out.

`frame` finds what is for this joint, `link` judges it by session and sequence, `cycle` does what a
joint in motion does all the time. The rest is here, in bytecode, and goes through `drive`; `body`
takes fields apart and checks them by the message table. Once constructed, nothing allocates for any
message: a function here has few locals and short calls, since a frame of more than 11 words would
come from the heap.
"""

from array import array

from micropython import const
from uctypes import addressof  # pyright: ignore[reportUnknownVariableType]

from guidearm_protocol import messages as wire
from guidearm_protocol import parameters
from joint import body, frame, link, segments, servo
from joint.arithmetic import clamp16, later, since, speed_to_angle
from joint.body import pack, unpack
from joint.cycle import cycle
from joint.drive import Drive
from joint.frame import next_frame, seal_frame
from joint.identity import OUT_OF_BOUNDS, Identity
from joint.link import judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from joint.board_type import Board

    Handler = Callable[[], int]

_ADDRESS = const(2)  # of a frame, counted from its first code
_MESSAGE = const(5)
_BODY = const(6)
_RESULT = const(7)  # of a reply
_FIELDS = const(8)
_PLAIN = const(7)  # length of a reply without fields
_HEADER_BYTES = const(5)
_ALWAYS = const(0x1FFFFFFF)  # us: however late a reply is, it is sent

_BASE = const(3)  # words of the link
_LENGTH = const(4)
_REPLY_AT = const(20)
_REQUEST = const(1)  # what `judge` says
_REPEAT = const(2)
_STOPPED = const(4)
_BROADCAST_REQUEST = const(5)
_CYCLE = const(6)

# a refusal in place of a reply's length: minus 256 times the result, minus the reason
_STALE = const(-256)
_REFUSED = const(-512)
_UNKNOWN_MESSAGE = const(-768)
_BAD_LENGTH = const(-1024)
_OUT_OF_BOUNDS = const(-1280)
_BUSY = const(-1536)

if (
    _BASE, _LENGTH, _REPLY_AT, _HEADER_BYTES,
    _REQUEST, _REPEAT, _STOPPED, _BROADCAST_REQUEST, _CYCLE,
    _STALE, _REFUSED, _UNKNOWN_MESSAGE, _BAD_LENGTH, _OUT_OF_BOUNDS, _BUSY,
) != (
    frame.BASE, frame.LENGTH, link.REPLY_AT, wire.HEADER_BYTES,
    link.REQUEST, link.REPEAT, link.STOPPED, link.BROADCAST_REQUEST, link.CYCLE,
    -256 * wire.STALE, -256 * wire.REFUSED, -256 * wire.UNKNOWN_MESSAGE, -256 * wire.BAD_LENGTH,
    -256 * wire.OUT_OF_BOUNDS, -256 * wire.BUSY,
):  # fmt: skip
    raise ImportError("session.py disagrees with frame.py, link.py or the message table")

_VALUE = body.reply_layout(wire.GET_PARAMETER)
_COUNTS = body.reply_layout(wire.COUNTERS)
_STORE = body.reply_layout(wire.PARAMETER_STORE)
_FAULT = body.reply_layout(wire.FAULT)
_SETUP = body.reply_layout(wire.CAPTURE_SETUP)
_CAPTURE = body.reply_layout(wire.CAPTURE_STATE)
_PARAMETERS = len(parameters.PARAMETERS)
_COUNTED = (
    link.ACCEPTED,
    frame.DAMAGED,
    link.EXECUTED,
    link.REPEATED,
    link.STALE,
    link.MISSED_SLOTS,
)
"""Words of the link in the order of the fields of COUNTERS; the last of these is the ticks."""


class Session:
    """Receives frames from a board and answers them through it."""

    def __init__(self, board: "Board", drive: Drive, version: "tuple[int, int, int]") -> None:
        """Serve the address stored in the drive's parameters."""
        self.board = board
        self.drive = drive
        self.identity = Identity(board, drive, version)
        self._memory = bytearray(frame.MEMORY_BYTES)
        self._link = array("i", [0] * link.LINK_WORDS)
        self._link[frame.ADDRESS] = drive.parameters[parameters.ADDRESS]
        self._link[link.FLAGS] = wire.PROTOCOL_VERSION << 4 | wire.FROM_JOINT
        self._link[link.BOOT] = board.boot_count & 0xFF
        self._reply = bytearray(frame.FRAME_BUFFER_BYTES)  # cached: to the newest request
        self._aside = bytearray(frame.FRAME_BUFFER_BYTES)  # every other
        self._aside_at = addressof(self._aside)
        self._values = array("i", [0] * body.MOST_FIELDS)  # of a request, then of its reply
        self._values_at = addressof(self._values)
        self._requests = _by_message(
            (
                (wire.IDENTIFY, self._identify),
                (wire.STOP, self._stop),
                (wire.FAULT, self._fault),
                (wire.SET_CLOCK, self._set_clock),
                (wire.ENABLE, self._enable),
                (wire.DISABLE, self._disable),
                (wire.RESET_FAULT, self._reset_fault),
                (wire.HOME, self._home),
                (wire.GET_PARAMETER, self._get_parameter),
                (wire.SET_PARAMETER, self._set_parameter),
                (wire.COUNTERS, self._counters),
                (wire.COMMIT_PARAMETERS, self._commit_parameters),
                (wire.PARAMETER_STORE, self._parameter_store),
                (wire.CAPTURE_SETUP, self._capture_setup),
                (wire.CAPTURE_STATE, self._capture_state),
                (wire.CAPTURE_READ, self._capture_read),
            )
        )
        self._broadcasts = _by_message(
            (
                (wire.START, self._start),
                (wire.CANCEL, self._cancel),
                (wire.DISCOVER, self._discover),
                (wire.ASSIGN_ADDRESS, self._assign),
            )
        )
        passes = self._passes()
        next(passes)  # what it needs is made now
        self.poll = passes.__next__
        """Handle the bytes of one burst, if there are any."""

    def _passes(self) -> "Generator[None, None, None]":
        """Pass through the main loop once for each step.

        As a generator it has its frame for good, and no name to look up for each frame.
        """
        # what every frame needs comes first: 16 locals have an instruction of their own
        n = at = verdict = 0
        read, find, judged = self.board.read, next_frame, judge
        crc, table = frame.CRC_START, frame.CRC_TABLE_AT
        burst, words = memoryview(self._memory)[: frame.BURST_BYTES], self._link
        memory_at, link_at = addressof(self._memory), addressof(words)
        state, queue = addressof(self.drive.state), addressof(self.drive.queue)
        reply_at, aside_at, values_at = addressof(self._reply), self._aside_at, self._values_at
        cycled, seal, offer, write = cycle, seal_frame, segments.offer, self.board.write
        memory, reply, aside = self._memory, self._reply, self._aside
        late = wire.SLOT_GUARD_US // 2  # us: later, a reply would run into the next joint's slot
        cached = 0  # bytes on the wire of the reply to the newest request
        while True:
            yield
            n = read(burst, words)
            at = 0
            while at < n:
                at = find(crc, table, at, n, memory_at, link_at)
                if not at:
                    break
                verdict = judged(memory_at, link_at, state, reply_at, aside_at)
                if verdict == _CYCLE:
                    size = cycled(memory_at, link_at, state, queue, aside_at, offer)
                    if size:
                        size = seal(crc, table, aside_at, size)
                        if not write(aside, size, words[_REPLY_AT], late):
                            words[link.MISSED_SLOTS] += 1
                elif verdict == _REQUEST or verdict == _BROADCAST_REQUEST:
                    base = words[_BASE]
                    message = memory[base + _MESSAGE]
                    known = self._requests if verdict == _REQUEST else self._broadcasts
                    if message not in known:
                        size = _UNKNOWN_MESSAGE
                    else:
                        size, layout, bounds, handler = known[message]
                        if words[_LENGTH] - _HEADER_BYTES != size:
                            size = _BAD_LENGTH
                        elif not unpack(memory_at, base + _BODY, layout, bounds, values_at):
                            size = _OUT_OF_BOUNDS
                        else:
                            size = handler()
                    if verdict == _REQUEST:
                        if size < 0:
                            size = _refuse(reply, size)
                        cached = seal(crc, table, reply_at, size)
                        write(reply, cached, words[_REPLY_AT], _ALWAYS)
                elif verdict == _REPEAT:
                    write(reply, cached, words[_REPLY_AT], _ALWAYS)
                elif verdict:
                    self._answer_aside(_PLAIN if verdict == _STOPPED else _STALE, 0)

    def _answer_aside(self, n: int, after: int) -> None:
        """Send a reply of n bytes, or a refusal, so many us after the turnaround."""
        if n < 0:
            n = _refuse(self._aside, n)
        n = seal_frame(frame.CRC_START, frame.CRC_TABLE_AT, self._aside_at, n)
        self.board.write(self._aside, n, later(self._link[_REPLY_AT], after), _ALWAYS)

    # ---- broadcasts: what they return is not looked at

    def _start(self) -> int:
        self.drive.start(self._values[0])
        return _PLAIN

    def _cancel(self) -> int:
        self.drive.cancel()
        return _PLAIN

    def _discover(self) -> int:
        after = self.identity.slot_us(self._values)
        self._answer_aside(self.identity.pack_found(self._aside, _FIELDS) - 1, after)
        return _PLAIN

    def _assign(self) -> int:
        at = self._link[_BASE] + _BODY
        if not self.identity.is_named(self._memory, at):
            return _PLAIN
        reason = self.identity.assign(self._memory, at)
        address = self.drive.parameters[parameters.ADDRESS]
        if address != self._link[frame.ADDRESS]:
            self._link[frame.ADDRESS] = address
            self._link[link.OPEN] = 0  # whoever talked to the old address did not mean this joint
            self._aside[_ADDRESS] = address
        self._answer_aside(_OUT_OF_BOUNDS if reason == OUT_OF_BOUNDS else _told(reason), 0)
        return _PLAIN

    # ---- requests: each returns its reply's length, or a refusal

    def _identify(self) -> int:
        return self.identity.pack_identify(self._reply, _FIELDS) - 1

    def _stop(self) -> int:
        return _PLAIN  # `judge` has done it

    def _disable(self) -> int:
        return _told(self.drive.stop())

    def _enable(self) -> int:
        return _BUSY if self.drive.busy() else _told(self.drive.enable(self._values[0]))

    def _reset_fault(self) -> int:
        return _BUSY if self.drive.busy() else _told(self.drive.reset_fault())

    def _home(self) -> int:
        return _BUSY if self.drive.busy() else _told(self.drive.home())

    def _set_clock(self) -> int:
        v = self._values
        return _told(self.drive.set_clock(v[0], v[1], v[2]))

    def _get_parameter(self) -> int:
        v = self._values
        if v[0] >= _PARAMETERS:
            return _OUT_OF_BOUNDS
        v[0] = self.drive.parameters[v[0]]
        return self._packed(_VALUE)

    def _set_parameter(self) -> int:
        if self.drive.busy():
            return _BUSY
        index, value = self._values[0], self._values[1]
        if index >= _PARAMETERS or not parameters.in_bounds(index, value):
            return _OUT_OF_BOUNDS
        return _told(self.drive.set_parameter(index, value))

    def _commit_parameters(self) -> int:
        return _BUSY if self.drive.busy() else _told(self.drive.commit_parameters())

    def _parameter_store(self) -> int:
        v = self._values
        storage = self.drive.storage
        v[0] = self.drive.parameters_valid
        v[1] = storage.copies()
        v[2] = storage.generation
        v[3] = storage.version
        v[4] = storage.unsaved(self.drive.parameters)
        return self._packed(_STORE)

    def _counters(self) -> int:
        v = self._values
        i = 0
        for word in _COUNTED:
            v[i] = self._link[word]
            i += 1
        v[i] = self.drive.state[servo.TICKS]
        return self._packed(_COUNTS)

    def _fault(self) -> int:
        v = self._values
        s = self.drive.state
        turn = s[servo.P_COUNTS_PER_TURN]
        while True:
            ticks = s[servo.TICKS]
            v[0] = s[servo.FAULT]
            v[1] = s[servo.FAULT_STATE_BEFORE]
            v[2] = s[servo.FAULT_TIME]
            v[3] = segments.counts_to_angle(s[servo.FAULT_POSITION], turn)
            v[4] = s[servo.FAULT_ERROR] >> 8
            v[5] = speed_to_angle(s[servo.FAULT_SPEED], turn)
            v[6] = clamp16(s[servo.FAULT_CURRENT])
            v[7] = self.drive.queue[segments.NEWEST]
            v[8] = since(s[servo.FAULT_HEARD], s[servo.FAULT_TIME])
            if ticks == s[servo.TICKS]:  # else the tick came, perhaps with the fault
                return self._packed(_FAULT)

    def _capture_setup(self) -> int:
        if not self.drive.capture.set_up(self._values):
            return _OUT_OF_BOUNDS
        self._values[0] = self.drive.capture.number
        return self._packed(_SETUP)

    def _capture_state(self) -> int:
        self.drive.capture.report(self._values)
        return self._packed(_CAPTURE)

    def _capture_read(self) -> int:
        end = self.drive.capture.read(self._values[0], self._reply, _FIELDS)
        return _OUT_OF_BOUNDS if end < 0 else end - 1

    def _packed(self, layout: bytes) -> int:
        """Put the values into the reply's fields; return its length."""
        return pack(self._reply, _FIELDS, layout, self._values_at) - 1


def _by_message(
    handlers: "tuple[tuple[int, Handler], ...]",
) -> "dict[int, tuple[int, bytes, array[int], Handler]]":
    """Return for each message its body's size, layout and bounds, and what handles it."""
    found: "dict[int, tuple[int, bytes, array[int], Handler]]" = {}
    for message, handler in handlers:
        fields = wire.request_fields(message)
        found[message] = (wire.body_size(fields), body.layout(fields), body.bounds(fields), handler)
    return found


def _refuse(reply: bytearray, refusal: int) -> int:
    """Make a reply a refusal; return its length."""
    reply[_RESULT] = -refusal >> 8
    reply[_FIELDS] = -refusal & 0xFF
    return _PLAIN + 1


def _told(reason: int) -> int:
    """Return the length of a reply to a command that was taken, or the refusal for a reason."""
    return _PLAIN if reason == wire.REASON_NONE else _REFUSED - reason
