"""The main loop's part of a host's session: bytes in, requests carried out, replies out.

`frame` finds what is for this joint, `link` judges it by session and sequence, `cycle` does what a
joint in motion does all the time. The rest is here, in bytecode, and goes through `drive`. Once
constructed, nothing allocates for any message; a function here has few locals and short calls,
since a frame of more than 11 words would come from the heap.
"""

from array import array

from micropython import const
from uctypes import addressof  # pyright: ignore[reportUnknownVariableType]

from guidearm_protocol import messages as wire
from guidearm_protocol import parameters
from joint import frame, link, segments, servo
from joint.arithmetic import clamp16, later, speed_to_angle
from joint.cycle import cycle
from joint.drive import Drive
from joint.frame import get_i32, next_frame, put_i32, put_u16, seal_frame
from joint.identity import OUT_OF_BOUNDS, Identity
from joint.link import judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from joint.board_type import Board

_ADDRESS = const(2)  # of a frame, counted from its first code
_MESSAGE = const(5)
_BODY = const(6)
_RESULT = const(7)  # of a reply
_FIELDS = const(8)
_PLAIN = const(7)  # length of a reply without fields
_HEADER_BYTES = const(5)
_MAX_DRIFT = const(1 << 14)
_ALWAYS = const(0x1FFFFFFF)  # us: however late a reply is, it is sent

# what `judge` says
_REQUEST = const(1)
_REPEAT = const(2)
_STALE_REQUEST = const(3)
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
    _REQUEST, _REPEAT, _STALE_REQUEST, _STOPPED, _BROADCAST_REQUEST, _CYCLE,
    _STALE, _REFUSED, _UNKNOWN_MESSAGE, _BAD_LENGTH, _OUT_OF_BOUNDS, _BUSY,
    _HEADER_BYTES,
) != (
    link.REQUEST, link.REPEAT, link.STALE_REQUEST, link.STOPPED, link.BROADCAST_REQUEST, link.CYCLE,
    -256 * wire.STALE, -256 * wire.REFUSED, -256 * wire.UNKNOWN_MESSAGE, -256 * wire.BAD_LENGTH,
    -256 * wire.OUT_OF_BOUNDS, -256 * wire.BUSY,
    wire.HEADER_BYTES,
):  # fmt: skip
    raise ImportError("session.py disagrees with link.py or the message table")

_REQUEST_BYTES = {entry[0]: wire.body_size(entry[2]) for entry in wire.MESSAGES}
_COUNTS = (
    link.ACCEPTED,
    frame.DAMAGED,
    link.EXECUTED,
    link.REPEATED,
    link.STALE,
    link.MISSED_SLOTS,
)
"""Words of the link in the order of the fields of COUNTERS; the last one is the servo's ticks."""


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
        self._reply_bytes = 0
        self._aside = bytearray(frame.FRAME_BUFFER_BYTES)  # every other
        self._reply_at = addressof(self._reply)
        self._aside_at = addressof(self._aside)
        self._handlers = {
            wire.IDENTIFY: self._identify,
            wire.STOP: self._stop,
            wire.FAULT: self._fault,
            wire.SET_CLOCK: self._set_clock,
            wire.ENABLE: self._enable,
            wire.DISABLE: self._disable,
            wire.RESET_FAULT: self._reset_fault,
            wire.HOME: self._home,
            wire.GET_PARAMETER: self._get_parameter,
            wire.SET_PARAMETER: self._set_parameter,
            wire.COUNTERS: self._counters,
            wire.COMMIT_PARAMETERS: self._commit_parameters,
            wire.PARAMETER_STORE: self._parameter_store,
            wire.CAPTURE_SETUP: self._capture_setup,
            wire.CAPTURE_STATE: self._capture_state,
            wire.CAPTURE_READ: self._capture_read,
        }
        passes = self._passes()
        next(passes)  # what it needs is made now
        self.poll = passes.__next__
        """Handle the bytes of one burst, if there are any."""

    def _passes(self) -> "Generator[None, None, None]":
        """Pass through the main loop once for each step.

        As a generator it has its frame for good, and no name to look up for each frame.
        """
        read, write = self.board.read, self.board.write
        find, judged, cycled, seal, offer = next_frame, judge, cycle, seal_frame, segments.offer
        crc, table = frame.CRC_START, frame.CRC_TABLE_AT
        words, aside, drive = self._link, self._aside, self.drive
        burst = memoryview(self._memory)[: frame.BURST_BYTES]
        memory, link_at = addressof(self._memory), addressof(words)
        reply_at, aside_at = self._reply_at, self._aside_at
        state = addressof(drive.state)
        queue = addressof(drive.queue)
        instant, late = link.REPLY_AT, wire.SLOT_GUARD_US // 2
        while True:
            yield
            n = read(burst, words)
            at = 0
            while at < n:
                at = find(crc, table, at, n, memory, link_at)
                if not at:
                    break
                verdict = judged(memory, link_at, state, reply_at, aside_at)
                if verdict == _CYCLE:
                    size = cycled(memory, link_at, state, queue, aside_at, offer)
                    if size:
                        size = seal(crc, table, aside_at, size)
                        # a late reply would run into the next joint's slot
                        if not write(aside, size, words[instant], late):
                            words[link.MISSED_SLOTS] += 1
                elif verdict:
                    self._act(verdict)

    def _act(self, verdict: int) -> None:
        """Do what `judge` says, with the frame that was found."""
        if verdict == _REQUEST:
            self._reply_bytes = self._close(self._reply, self._reply_at, self._execute())
        elif verdict == _BROADCAST_REQUEST:
            self._broadcast()
            return
        elif verdict != _REPEAT:
            n = self._close(self._aside, self._aside_at, _PLAIN if verdict == _STOPPED else _STALE)
            self._transmit(self._aside, n, 0)
            return
        self._transmit(self._reply, self._reply_bytes, 0)

    # ---- replies

    def _close(self, buffer: bytearray, address: int, n: int) -> int:
        """Seal a reply whose content has n bytes, or is a refusal; return its bytes on the wire."""
        if n < 0:
            buffer[_RESULT] = -n >> 8
            buffer[_FIELDS] = -n & 0xFF
            n = _PLAIN + 1
        return seal_frame(frame.CRC_START, frame.CRC_TABLE_AT, address, n)

    def _transmit(self, buffer: bytearray, n: int, after: int) -> None:
        """Send a reply, beginning so many us after the turnaround."""
        self.board.write(buffer, n, later(self._link[link.REPLY_AT], after), _ALWAYS)

    # ---- broadcasts

    def _broadcast(self) -> None:
        at = self._link[frame.BASE]
        message = self._memory[at + _MESSAGE]
        at += _BODY
        if message == wire.CANCEL:
            self.drive.cancel()
        elif self._link[frame.LENGTH] - _HEADER_BYTES != _REQUEST_BYTES.get(message):
            return
        elif message == wire.START:
            instant = get_i32(self._memory, at)
            if instant >= 0:
                self.drive.start(instant)
        elif message == wire.DISCOVER:
            self._discover(at)
        elif message == wire.ASSIGN_ADDRESS:
            self._assign(at)

    def _discover(self, at: int) -> None:
        after = self.identity.slot_us(self._memory, at)
        if after >= 0:
            n = self._close(
                self._aside, self._aside_at, self.identity.pack_found(self._aside, _FIELDS) - 1
            )
            self._transmit(self._aside, n, after)

    def _assign(self, at: int) -> None:
        if not self.identity.is_named(self._memory, at):
            return
        reason = self.identity.assign(self._memory, at)
        address = self.drive.parameters[parameters.ADDRESS]
        if address != self._link[frame.ADDRESS]:
            self._link[frame.ADDRESS] = address
            self._link[link.OPEN] = 0  # whoever talked to the old address did not mean this joint
            self._aside[_ADDRESS] = address
        n = _OUT_OF_BOUNDS if reason == OUT_OF_BOUNDS else _told(reason)
        self._transmit(self._aside, self._close(self._aside, self._aside_at, n), 0)

    # ---- requests: each handler gets where the body begins and returns its reply's length

    def _execute(self) -> int:
        """Carry out the request that was found; return its reply's length, or a refusal."""
        at = self._link[frame.BASE]
        message = self._memory[at + _MESSAGE]
        if message not in self._handlers:
            return _UNKNOWN_MESSAGE
        if self._link[frame.LENGTH] - _HEADER_BYTES != _REQUEST_BYTES[message]:
            return _BAD_LENGTH
        return self._handlers[message](at + _BODY)

    def _identify(self, at: int) -> int:
        return self.identity.pack_identify(self._reply, _FIELDS) - 1

    def _stop(self, at: int) -> int:
        return _PLAIN  # `judge` has done it

    def _disable(self, at: int) -> int:
        return _told(self.drive.stop())

    def _enable(self, at: int) -> int:
        if self.drive.busy():
            return _BUSY
        resume = self._memory[at]
        return _OUT_OF_BOUNDS if resume > 1 else _told(self.drive.enable(resume))

    def _reset_fault(self, at: int) -> int:
        return _BUSY if self.drive.busy() else _told(self.drive.reset_fault())

    def _home(self, at: int) -> int:
        return _BUSY if self.drive.busy() else _told(self.drive.home())

    def _set_clock(self, at: int) -> int:
        if self.drive.busy():
            return _BUSY
        joint_us = get_i32(self._memory, at)
        host_us = get_i32(self._memory, at + 4)
        drift = get_i32(self._memory, at + 8)
        if joint_us < 0 or host_us < 0 or not -_MAX_DRIFT <= drift <= _MAX_DRIFT:
            return _OUT_OF_BOUNDS
        return _told(self.drive.set_clock(joint_us, host_us, drift))

    def _get_parameter(self, at: int) -> int:
        index = self._memory[at]
        values = self.drive.parameters
        if index >= len(values):
            return _OUT_OF_BOUNDS
        put_i32(self._reply, _FIELDS, values[index])
        return _PLAIN + 4

    def _set_parameter(self, at: int) -> int:
        if self.drive.busy():
            return _BUSY
        index = self._memory[at]
        value = get_i32(self._memory, at + 1)
        if index >= len(parameters.PARAMETERS) or not parameters.in_bounds(index, value):
            return _OUT_OF_BOUNDS
        return _told(self.drive.set_parameter(index, value))

    def _commit_parameters(self, at: int) -> int:
        return _BUSY if self.drive.busy() else _told(self.drive.commit_parameters())

    def _parameter_store(self, at: int) -> int:
        reply = self._reply
        storage = self.drive.storage
        reply[_FIELDS] = self.drive.parameters_valid
        reply[_FIELDS + 1] = storage.copies()
        put_i32(reply, _FIELDS + 2, storage.generation)
        put_u16(reply, _FIELDS + 6, storage.version)
        reply[_FIELDS + 8] = storage.unsaved(self.drive.parameters)
        return _PLAIN + 9

    def _counters(self, at: int) -> int:
        index = 0
        while index < len(_COUNTS):
            put_i32(self._reply, _FIELDS + 4 * index, self._link[_COUNTS[index]])
            index += 1
        put_i32(self._reply, _FIELDS + 24, self.drive.state[servo.TICKS])
        return _PLAIN + 28

    def _fault(self, at: int) -> int:
        s = self.drive.state
        while True:
            ticks = s[servo.TICKS]
            self._pack_fault(s)
            if ticks == s[servo.TICKS]:  # else the tick came, perhaps with the fault
                return _PLAIN + 26

    def _pack_fault(self, s: "array[int]") -> None:
        reply = self._reply
        reply[_FIELDS] = s[servo.FAULT]
        reply[_FIELDS + 1] = s[servo.FAULT_STATE_BEFORE]
        put_i32(reply, _FIELDS + 2, s[servo.FAULT_TIME])
        put_i32(reply, _FIELDS + 6, self._angle(s[servo.FAULT_POSITION]))
        put_i32(reply, _FIELDS + 10, s[servo.FAULT_ERROR] >> 8)
        put_i32(reply, _FIELDS + 14, self._speed(s[servo.FAULT_SPEED]))
        put_u16(reply, _FIELDS + 18, clamp16(s[servo.FAULT_CURRENT]))
        put_u16(reply, _FIELDS + 20, self.drive.queue[segments.NEWEST])
        put_i32(reply, _FIELDS + 22, s[servo.FAULT_LATE])

    def _angle(self, counts: int) -> int:
        return segments.counts_to_angle(counts, self.drive.state[servo.P_COUNTS_PER_TURN])

    def _speed(self, speed: int) -> int:
        return speed_to_angle(speed, self.drive.state[servo.P_COUNTS_PER_TURN])

    def _capture_setup(self, at: int) -> int:
        return self._captured(wire.CAPTURE_SETUP, at)

    def _capture_state(self, at: int) -> int:
        return self.drive.capture.report(self._reply, _FIELDS) - 1

    def _capture_read(self, at: int) -> int:
        return self._captured(wire.CAPTURE_READ, at)

    def _captured(self, message: int, at: int) -> int:
        capture = self.drive.capture
        end = capture.answer(message, self._memory, at, self._reply, _FIELDS)
        return _OUT_OF_BOUNDS if end < 0 else end - 1


def _told(reason: int) -> int:
    """Return the length of a reply to a command that was taken, or the refusal for a reason."""
    return _PLAIN if reason == wire.REASON_NONE else _REFUSED - reason
