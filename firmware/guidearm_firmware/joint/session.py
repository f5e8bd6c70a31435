"""One host's session with this joint: which frame executes, which repeats, and the replies.

Everything here runs in the main loop and, once constructed, allocates nothing for any message of
the steady state. `drive` carries the requests out; this module knows sequence numbers, bodies and
reply slots.
"""

import struct
from array import array

from micropython import const

from guidearm_protocol import messages as wire
from guidearm_protocol import parameters
from joint import frame, segments, servo
from joint.arithmetic import clamp16, count_bits, later, speed_to_angle, until
from joint.drive import Drive
from joint.identity import OUT_OF_BOUNDS, Identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from joint.board_type import Board

_FLAGS = const(1)  # a frame's content starts at index 1 of its buffer
_ADDRESS = const(2)
_SEQUENCE = const(3)
_MESSAGE = const(5)
_BODY = const(6)
_RESULT = const(7)
_REPLY = const(8)  # after boot and result
_CYCLE_BYTES = const(8)
_SET_POINT_BYTES = const(8)
_HALF = const(0x8000)
_MAX_DRIFT = const(1 << 14)
_ALL_JOINTS = const(0xFFF)
_ALWAYS = const(0x1FFFFFFF)  # us: however late a reply is, it is sent

_REQUEST_BYTES = {entry[0]: wire.body_size(entry[2]) for entry in wire.MESSAGES}
_STATE_FORMAT = wire.body_format(wire.STATE)
_STATE_BYTES = wire.body_size(wire.STATE)
_FAULT_FIELDS = wire.reply_fields(wire.FAULT) or ()
_FAULT_FORMAT = wire.body_format(_FAULT_FIELDS)
_FAULT_BYTES = wire.body_size(_FAULT_FIELDS)
_COUNTERS_FIELDS = wire.reply_fields(wire.COUNTERS) or ()
_COUNTERS_FORMAT = wire.body_format(_COUNTERS_FIELDS)
_COUNTERS_BYTES = wire.body_size(_COUNTERS_FIELDS)
_VALUE_FORMAT = wire.body_format(wire.reply_fields(wire.GET_PARAMETER) or ())
_STORE_FIELDS = wire.reply_fields(wire.PARAMETER_STORE) or ()
_STORE_FORMAT = wire.body_format(_STORE_FIELDS)
_STORE_BYTES = wire.body_size(_STORE_FIELDS)


class Session:
    """Receives frames from a board and answers them through it."""

    def __init__(self, board: "Board", drive: Drive, version: "tuple[int, int, int]") -> None:
        """Serve the address stored in the drive's parameters."""
        self.board = board
        self.drive = drive
        self.identity = Identity(board, drive, version)
        self.address = drive.parameters[parameters.ADDRESS]
        self.boot = board.boot_count & 0xFF
        self.nonce = -1  # none yet: only IDENTIFY and STOP execute
        self.last = 0  # sequence of the newest addressed request, and its CRC
        self.last_crc_low = 0
        self.last_crc_high = 0
        self.last_broadcast = -1
        self.accepted = 0
        self.damaged = 0
        self.executed = 0
        self.repeated = 0
        self.stale = 0
        self.missed_slots = 0
        self._burst = bytearray(frame.FRAME_BUFFER_BYTES)
        self._received = array("i", [0])  # us, joint clock, at the burst's last byte
        self._fill = array("i", [0, 0])
        self._frame = bytearray(frame.FRAME_BUFFER_BYTES)
        self._reply = bytearray(frame.FRAME_BUFFER_BYTES)
        self._reply_bytes = 0
        self._state_reply = bytearray(frame.FRAME_BUFFER_BYTES)

    def poll(self) -> None:
        """Handle the bytes of one burst, if there are any."""
        n = self.board.read(self._burst, self._received)
        start = 0
        fill = self._fill
        while start < n:
            start = frame.gather(self._burst, start, n, self._frame, fill)
            if fill[1]:
                length = fill[0]
                fill[0] = 0
                fill[1] = 0
                if length:
                    self._receive(length)

    # ---- which frames execute

    def _receive(self, length: int) -> None:
        f = self._frame
        n = frame.open_frame(f, length, self.address, frame.CRC_TABLE)
        if n == frame.NOT_MINE:
            return
        if n == frame.DAMAGED:
            self.damaged += 1
            return
        message = f[_MESSAGE]
        if f[_FLAGS] >> 4 != wire.PROTOCOL_VERSION and message >= wire.FIRST_UNFROZEN:
            self.damaged += 1
            return
        self.accepted += 1
        sequence = frame.get_u16(f, _SEQUENCE)
        if f[_ADDRESS] == wire.BROADCAST:
            self._broadcast(message, sequence, n - wire.HEADER_BYTES)
        else:
            self._request(message, sequence, n)

    def _broadcast(self, message: int, sequence: int, body: int) -> None:
        if message == wire.STOP:
            self.drive.stop()
        elif message == wire.DISCOVER or message == wire.ASSIGN_ADDRESS:
            pass  # by unique id: good without a session, and harmless when repeated
        elif self.nonce < 0:
            self.stale += 1
            return
        elif sequence == self.last_broadcast:
            self.repeated += 1
            return
        elif self.last_broadcast >= 0 and (sequence - self.last_broadcast) & 0xFFFF >= _HALF:
            self.stale += 1
            return
        else:
            self.last_broadcast = sequence
        self._heard()
        self.executed += 1
        if message == wire.CYCLE and body >= _CYCLE_BYTES:
            self._cycle(sequence, body)
        elif message == wire.START and body == 4:
            instant = frame.get_i32(self._frame, _BODY)
            if instant >= 0:
                self.drive.start(instant)
        elif message == wire.CANCEL:
            self.drive.cancel()
        elif body == _REQUEST_BYTES.get(message):
            if message == wire.DISCOVER:
                self._discover(sequence)
            elif message == wire.ASSIGN_ADDRESS:
                self._assign(sequence)

    def _request(self, message: int, sequence: int, n: int) -> None:
        f = self._frame
        crc_low = frame.get_u16(f, n + 1)
        crc_high = frame.get_u16(f, n + 3)
        if message == wire.IDENTIFY and n == wire.HEADER_BYTES + 4:
            nonce = frame.get_i32(f, _BODY)
            if nonce != self.nonce:
                self.nonce = nonce
                self.last_broadcast = -1
                self.accepted = 1  # this frame is the first of the session
                self.damaged = self.executed = self.repeated = self.stale = self.missed_slots = 0
        else:
            if message == wire.STOP:
                self.drive.stop()  # whatever its sequence
            newer = (sequence - self.last) & 0xFFFF
            if newer == 0 and crc_low == self.last_crc_low and crc_high == self.last_crc_high:
                self.repeated += 1
                self._transmit(self._reply, self._reply_bytes)
                return
            if self.nonce < 0 or newer == 0 or newer >= _HALF:
                if message == wire.STOP:
                    # done; its sender takes no part in this session's sequence
                    self._answer_aside(message, sequence, wire.OK, _REPLY)
                    return
                self.stale += 1
                self._state_reply[_REPLY] = wire.REASON_NONE
                self._answer_aside(message, sequence, wire.STALE, _REPLY + 1)
                return
        self.last = sequence
        self.last_crc_low = crc_low
        self.last_crc_high = crc_high
        self._heard()
        self.executed += 1
        body = n - wire.HEADER_BYTES
        if message not in _REQUEST_BYTES:
            self._answer(message, sequence, wire.UNKNOWN_MESSAGE, wire.REASON_NONE)
        elif body != _REQUEST_BYTES[message]:
            self._answer(message, sequence, wire.BAD_LENGTH, wire.REASON_NONE)
        else:
            self._execute(message, sequence)

    def _heard(self) -> None:
        self.drive.state[servo.LAST_FRAME] = self._received[0]

    # ---- what they do

    def _execute(self, message: int, sequence: int) -> None:
        f = self._frame
        drive = self.drive
        if message == wire.IDENTIFY:
            self._reply_with(message, sequence, self.identity.pack_identify(self._reply, _REPLY))
            return
        if message == wire.FAULT:
            self._answer_fault(sequence)
            return
        if message == wire.COUNTERS:
            self._answer_counters(sequence)
            return
        if message == wire.GET_PARAMETER:
            self._answer_parameter(sequence)
            return
        if message == wire.PARAMETER_STORE:
            self._answer_store(sequence)
            return
        if wire.CAPTURE_SETUP <= message <= wire.CAPTURE_READ:
            end = drive.capture.answer(message, f, _BODY, self._reply, _REPLY)
            if end < 0:
                self._answer(message, sequence, wire.OUT_OF_BOUNDS, wire.REASON_NONE)
            else:
                self._reply_with(message, sequence, end)
            return
        if message == wire.STOP or message == wire.DISABLE:
            self._answer_reason(message, sequence, drive.stop())
        elif drive.busy():
            self._answer(message, sequence, wire.BUSY, wire.REASON_NONE)
        elif message == wire.ENABLE:
            if f[_BODY] > 1:
                self._answer(message, sequence, wire.OUT_OF_BOUNDS, wire.REASON_NONE)
            else:
                self._answer_reason(message, sequence, drive.enable(f[_BODY]))
        elif message == wire.RESET_FAULT:
            self._answer_reason(message, sequence, drive.reset_fault())
        elif message == wire.HOME:
            self._answer_reason(message, sequence, drive.home())
        elif message == wire.SET_CLOCK:
            self._set_clock(sequence)
        elif message == wire.SET_PARAMETER:
            self._set_parameter(sequence)
        elif message == wire.COMMIT_PARAMETERS:
            self._answer_reason(message, sequence, drive.commit_parameters())
        else:
            self._answer(message, sequence, wire.UNKNOWN_MESSAGE, wire.REASON_NONE)

    def _set_clock(self, sequence: int) -> None:
        joint_us = frame.get_i32(self._frame, _BODY)
        host_us = frame.get_i32(self._frame, _BODY + 4)
        drift = frame.get_i32(self._frame, _BODY + 8)
        if joint_us < 0 or host_us < 0 or not -_MAX_DRIFT <= drift <= _MAX_DRIFT:
            self._answer(wire.SET_CLOCK, sequence, wire.OUT_OF_BOUNDS, wire.REASON_NONE)
        else:
            reason = self.drive.set_clock(joint_us, host_us, drift)
            self._answer_reason(wire.SET_CLOCK, sequence, reason)

    def _set_parameter(self, sequence: int) -> None:
        index = self._frame[_BODY]
        value = frame.get_i32(self._frame, _BODY + 1)
        if index >= len(parameters.PARAMETERS) or not parameters.in_bounds(index, value):
            self._answer(wire.SET_PARAMETER, sequence, wire.OUT_OF_BOUNDS, wire.REASON_NONE)
        else:
            reason = self.drive.set_parameter(index, value)
            self._answer_reason(wire.SET_PARAMETER, sequence, reason)

    def _cycle(self, sequence: int, body: int) -> None:
        f = self._frame
        joints = frame.get_u16(f, _BODY)
        bit = 1 << (self.address - 1)
        duration = frame.get_u16(f, _BODY + 6)
        set_points = body - _CYCLE_BYTES
        expected = count_bits(joints) * _SET_POINT_BYTES if duration else 0
        if not joints & bit or joints > _ALL_JOINTS or set_points != expected:
            return
        rank = count_bits(joints & (bit - 1))
        if duration:
            at = _BODY + _CYCLE_BYTES + rank * _SET_POINT_BYTES
            self.drive.offer(
                frame.get_u16(f, _BODY + 4),
                frame.get_i32(f, at),
                frame.get_i32(f, at + 4),
                duration,
            )
        received = self._received[0]
        slot = later(received, wire.TURNAROUND_US + rank * frame.get_u16(f, _BODY + 2))
        reply = self._state_reply
        self._pack_state(reply, received)
        n = self._close(reply, wire.CYCLE, sequence, wire.OK, _REPLY + _STATE_BYTES)
        # a late reply would run into the next joint's slot
        if not self.board.write(reply, n, slot, wire.SLOT_GUARD_US // 2):
            self.missed_slots += 1

    def _discover(self, sequence: int) -> None:
        after = self.identity.slot_us(self._frame, _BODY)
        if after >= 0:
            reply = self._state_reply
            end = self.identity.pack_found(reply, _REPLY)
            n = self._close(reply, wire.DISCOVER, sequence, wire.OK, end)
            at = later(self._received[0], wire.TURNAROUND_US + after)
            self.board.write(reply, n, at, _ALWAYS)

    def _assign(self, sequence: int) -> None:
        if not self.identity.is_named(self._frame, _BODY):
            return
        reason = self.identity.assign(self._frame, _BODY)
        address = self.drive.parameters[parameters.ADDRESS]
        if address != self.address:
            self.address = address
            self.nonce = -1  # whoever talked to the old address did not mean this joint
        if reason == wire.REASON_NONE:
            self._answer_aside(wire.ASSIGN_ADDRESS, sequence, wire.OK, _REPLY)
        else:
            bounds = reason == OUT_OF_BOUNDS
            self._state_reply[_REPLY] = wire.REASON_NONE if bounds else reason
            result = wire.OUT_OF_BOUNDS if bounds else wire.REFUSED
            self._answer_aside(wire.ASSIGN_ADDRESS, sequence, result, _REPLY + 1)

    def _pack_state(self, reply: bytearray, received: int) -> None:
        drive = self.drive
        s = drive.state
        # the tick may come between two loads: take them again if it did
        while True:
            ticks = s[servo.TICKS]
            now = s[servo.NOW]
            position = s[servo.POSITION]
            error = s[servo.ERROR]
            if ticks == s[servo.TICKS]:
                break
        struct.pack_into(
            _STATE_FORMAT,
            reply,
            _REPLY,
            received,
            segments.counts_to_angle(position, s[servo.P_COUNTS_PER_TURN]),
            clamp16(error >> 8),
            s[servo.OUTPUT],
            clamp16(s[servo.CURRENT]),
            clamp16(until(now, received)),
            s[servo.STATE],
            drive.flags(),
            s[servo.FAULT],
            drive.segment,
            drive.depth(),
        )

    # ---- replies

    def _close(self, buffer: bytearray, message: int, sequence: int, result: int, end: int) -> int:
        """Put the header and boot in front of a reply ending at `end`; return its wire bytes."""
        buffer[_FLAGS] = wire.PROTOCOL_VERSION << 4 | wire.FROM_JOINT
        buffer[_ADDRESS] = self.address
        buffer[_SEQUENCE] = sequence & 0xFF
        buffer[_SEQUENCE + 1] = sequence >> 8
        buffer[_MESSAGE] = message
        buffer[_BODY] = self.boot
        buffer[_RESULT] = result
        return frame.seal_frame(buffer, end - 1, frame.CRC_TABLE)

    def _reply_with(self, message: int, sequence: int, end: int) -> None:
        self._reply_bytes = self._close(self._reply, message, sequence, wire.OK, end)
        self._transmit(self._reply, self._reply_bytes)

    def _answer(self, message: int, sequence: int, result: int, reason: int) -> None:
        self._reply[_REPLY] = reason
        self._reply_bytes = self._close(self._reply, message, sequence, result, _REPLY + 1)
        self._transmit(self._reply, self._reply_bytes)

    def _answer_aside(self, message: int, sequence: int, result: int, end: int) -> None:
        """Answer from the other buffer: the cached reply stays as it is."""
        n = self._close(self._state_reply, message, sequence, result, end)
        self._transmit(self._state_reply, n)

    def _answer_reason(self, message: int, sequence: int, reason: int) -> None:
        if reason == wire.REASON_NONE:
            self._reply_with(message, sequence, _REPLY)
        else:
            self._answer(message, sequence, wire.REFUSED, reason)

    def _transmit(self, buffer: bytearray, n: int) -> None:
        self.board.write(buffer, n, later(self._received[0], wire.TURNAROUND_US), _ALWAYS)

    def _answer_fault(self, sequence: int) -> None:
        s = self.drive.state
        counts_per_turn = s[servo.P_COUNTS_PER_TURN]
        struct.pack_into(
            _FAULT_FORMAT,
            self._reply,
            _REPLY,
            s[servo.FAULT],
            s[servo.FAULT_STATE_BEFORE],
            s[servo.FAULT_TIME],
            segments.counts_to_angle(s[servo.FAULT_POSITION], counts_per_turn),
            s[servo.FAULT_ERROR] >> 8,
            speed_to_angle(s[servo.FAULT_SPEED], counts_per_turn),
            clamp16(s[servo.FAULT_CURRENT]),
            self.drive.segment,
            s[servo.FAULT_LATE],
        )
        self._reply_with(wire.FAULT, sequence, _REPLY + _FAULT_BYTES)

    def _answer_counters(self, sequence: int) -> None:
        struct.pack_into(
            _COUNTERS_FORMAT,
            self._reply,
            _REPLY,
            self.accepted,
            self.damaged,
            self.executed,
            self.repeated,
            self.stale,
            self.missed_slots,
            self.drive.state[servo.TICKS],
        )
        self._reply_with(wire.COUNTERS, sequence, _REPLY + _COUNTERS_BYTES)

    def _answer_parameter(self, sequence: int) -> None:
        index = self._frame[_BODY]
        if index >= len(parameters.PARAMETERS):
            self._answer(wire.GET_PARAMETER, sequence, wire.OUT_OF_BOUNDS, wire.REASON_NONE)
            return
        struct.pack_into(_VALUE_FORMAT, self._reply, _REPLY, self.drive.parameters[index])
        self._reply_with(wire.GET_PARAMETER, sequence, _REPLY + 4)

    def _answer_store(self, sequence: int) -> None:
        drive = self.drive
        storage = drive.storage
        struct.pack_into(
            _STORE_FORMAT,
            self._reply,
            _REPLY,
            drive.parameters_valid,
            storage.copies(),
            storage.generation,
            storage.version,
            storage.unsaved(drive.parameters),
        )
        self._reply_with(wire.PARAMETER_STORE, sequence, _REPLY + _STORE_BYTES)
