"""CYCLE, whole: this joint's set-point into the queue, its state into the reply.

One viper function, since it is what a joint in motion does all the time. It relies on where the
fields lie. Both bodies are little-endian, as the processors are, and a reply's buffer begins at a
multiple of 4, as every bytearray does; so a field at a multiple of its size is stored at once.

Request, counted from the frame's first code: joints 6, slot_us 8, segment 10, duration_us 12, then
8 bytes for each joint. Reply: received_us 8, position 12, following_error 16, output 18,
current_ma 20, age_us 22, state 24, flags 25, fault 26, segment 27, depth 29.
"""

import micropython
from micropython import const

from guidearm_protocol import messages as wire
from joint import frame, link, segments, servo

# the compiler folds constants of its own file only
_RECEIVED = const(0)  # words of the link
_ADDRESS = const(1)
_BASE = const(3)
_LENGTH = const(4)
_REPLY_AT = const(20)
_NEWEST = const(0)  # words of the queue
_REFUSED = const(1)
_NUMBER = const(4)
_POSITION = const(5)
_VELOCITY = const(6)
_DURATION = const(7)
_NOW = const(0)  # words of the servo
_CORRECTED = const(55)
_INPUTS = const(3)
_CURRENT = const(4)
_BRAKE = const(9)
_PULL_LINE = const(10)
_HEAD = const(37)
_TAIL = const(31)
_STATE = const(38)
_MODE = const(15)
_COUNTS = const(18)
_ERROR = const(24)
_AUTHORISED = const(39)
_HOMED = const(40)
_CLOCK_SET = const(41)
_TICKS = const(16)
_FAULT = const(42)
_P_COUNTS_PER_TURN = const(73)
_INPUT_STOP_LINE = const(1)
_ARMED = const(2)
_RUN = const(3)
_SEEK = const(5)
_RING_SLOTS = const(64)
if (
    _RECEIVED, _ADDRESS, _BASE, _LENGTH, _REPLY_AT,
    _NEWEST, _REFUSED, _NUMBER, _POSITION, _VELOCITY, _DURATION,
    _NOW, _CORRECTED, _INPUTS, _CURRENT, _BRAKE, _PULL_LINE, _HEAD, _TAIL, _STATE, _MODE, _COUNTS,
    _ERROR, _AUTHORISED, _HOMED, _CLOCK_SET, _TICKS, _FAULT, _P_COUNTS_PER_TURN,
    _INPUT_STOP_LINE, _ARMED, _RUN, _SEEK, _RING_SLOTS,
) != (
    frame.RECEIVED, frame.ADDRESS, frame.BASE, frame.LENGTH, link.REPLY_AT,
    segments.NEWEST, segments.REFUSED, segments.NUMBER, segments.POSITION, segments.VELOCITY,
    segments.DURATION,
    servo.NOW, servo.CORRECTED, servo.INPUTS, servo.CURRENT, servo.BRAKE, servo.PULL_LINE,
    servo.HEAD, servo.TAIL, servo.STATE, servo.MODE, servo.POSITION, servo.ERROR,
    servo.AUTHORISED, servo.HOMED,
    servo.CLOCK_SET, servo.TICKS, servo.FAULT, servo.P_COUNTS_PER_TURN,
    servo.INPUT_STOP_LINE, servo.ARMED, servo.RUN, servo.SEEK, servo.RING_SLOTS,
):  # fmt: skip
    raise ImportError("cycle.py disagrees with frame.py, link.py, segments.py or servo.py")

_HEADER_BYTES = const(5)
_CYCLE_BYTES = const(8)
_ALL_JOINTS = const(0xFFF)
_REPLY_BYTES = const(29)  # content of a whole one
_FLAG_ARMED = const(1)
_FLAG_MOVING = const(2)
_FLAG_HOMED = const(4)
_FLAG_AUTHORISED = const(8)
_FLAG_BRAKE_RELEASED = const(16)
_FLAG_STOP_LINE = const(32)
_FLAG_CLOCK_SET = const(64)
_FLAG_SEGMENT_REFUSED = const(128)
if (
    wire.HEADER_BYTES, wire.body_size(wire.request_fields(wire.CYCLE)), (1 << wire.MAX_JOINTS) - 1,
    7 + wire.body_size(wire.STATE),
    wire.FLAG_ARMED, wire.FLAG_MOVING, wire.FLAG_HOMED, wire.FLAG_AUTHORISED,
    wire.FLAG_BRAKE_RELEASED, wire.FLAG_STOP_LINE, wire.FLAG_CLOCK_SET, wire.FLAG_SEGMENT_REFUSED,
) != (
    _HEADER_BYTES, _CYCLE_BYTES, _ALL_JOINTS, _REPLY_BYTES,
    _FLAG_ARMED, _FLAG_MOVING, _FLAG_HOMED, _FLAG_AUTHORISED, _FLAG_BRAKE_RELEASED,
    _FLAG_STOP_LINE, _FLAG_CLOCK_SET, _FLAG_SEGMENT_REFUSED,
):  # fmt: skip
    raise ImportError("cycle.py disagrees with the message table")
_REQUEST = [field[:2] for field in wire.request_fields(wire.CYCLE) + wire.SET_POINT]
_REPLY = [field[:2] for field in wire.STATE]
if _REQUEST != [
    ("joints", "H"), ("slot_us", "H"), ("segment", "H"), ("duration_us", "H"),
    ("position", "i"), ("velocity", "i"),
] or _REPLY != [
    ("received_us", "I"), ("position", "i"), ("following_error", "h"), ("output", "H"),
    ("current_ma", "h"), ("age_us", "h"), ("state", "B"), ("flags", "B"), ("fault", "B"),
    ("segment", "H"), ("depth", "B"),
]:  # fmt: skip
    raise ImportError("cycle.py disagrees with the message table")

_TIME = const(0x3FFFFFFF)
_HALF_TIME = const(0x20000000)


@micropython.viper
def cycle(
    memory: int,
    link: int,
    state: object,
    queue: object,
    reply: int,
    offer: object,
) -> int:
    """Carry out the CYCLE that was found; return the length of the reply's content.

    0 if this joint has none: another mask, or a body that is not of its length. The reply has its
    header already, and is to begin at REPLY_AT. `offer` is that of `segments`, all others are
    addresses; an `object` is one that goes on to it as it came.
    """
    w = ptr32(link)
    s = ptr32(int(state))  # pyright: ignore[reportArgumentType]
    q = ptr32(int(queue))  # pyright: ignore[reportArgumentType]
    r = ptr8(reply)
    f = ptr8(memory + w[_BASE])
    body = w[_LENGTH] - _HEADER_BYTES
    joints = f[6] | f[7] << 8
    bit = 1 << (w[_ADDRESS] - 1)
    if body < _CYCLE_BYTES or joints & bit == 0 or joints > _ALL_JOINTS:
        return 0
    # bits are counted in both halves at once: of all joints, and of those before this one
    bits = joints | (joints & (bit - 1)) << 16
    bits = (bits & 0x5555555) + ((bits >> 1) & 0x5555555)
    bits = (bits & 0x3333333) + ((bits >> 2) & 0x3333333)
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F
    bits = bits + (bits >> 8)
    rank = (bits >> 16) & 31
    duration = f[12] | f[13] << 8
    if duration == 0:
        if body != _CYCLE_BYTES:
            return 0
    else:
        if body != _CYCLE_BYTES + ((bits & 31) << 3):
            return 0
        q[_NUMBER] = f[10] | f[11] << 8
        q[_DURATION] = duration
        p = ptr8(int(f) + 14 + (rank << 3))
        q[_POSITION] = p[0] | p[1] << 8 | p[2] << 16 | p[3] << 24
        q[_VELOCITY] = p[4] | p[5] << 8 | p[6] << 16 | p[7] << 24
        offer(state, queue)  # pyright: ignore[reportCallIssue] viper knows no other type
    w[_REPLY_AT] = (w[_REPLY_AT] + rank * (f[8] | f[9] << 8)) & _TIME

    # ---- STATE, all of one tick: take it again if one came between two loads
    m = 0x20000000
    m = m << 2
    while True:
        ticks = s[_TICKS]
        now = s[_NOW]
        position = (s[_COUNTS] ^ m) - m
        error = (s[_ERROR] ^ m) - m
        output = s[_CORRECTED]
        current = (s[_CURRENT] ^ m) - m
        drive = s[_STATE]
        mode = s[_MODE]
        fault = s[_FAULT]
        depth = (s[_HEAD] - s[_TAIL]) & (_RING_SLOTS - 1)
        flags = 0
        if mode == _ARMED:
            flags = _FLAG_ARMED
        elif mode >= _RUN and mode <= _SEEK:
            flags = _FLAG_MOVING
        if s[_HOMED] != 0:
            flags |= _FLAG_HOMED
        if s[_AUTHORISED] != 0:
            flags |= _FLAG_AUTHORISED
        if s[_BRAKE] != 0:
            flags |= _FLAG_BRAKE_RELEASED
        if s[_INPUTS] & _INPUT_STOP_LINE or s[_PULL_LINE] != 0:
            flags |= _FLAG_STOP_LINE
        if s[_CLOCK_SET] != 0:
            flags |= _FLAG_CLOCK_SET
        if ticks == s[_TICKS]:
            break
    words = ptr32(r)
    received = w[_RECEIVED]
    words[2] = received
    # turn/2^24 of motor counts, rounded down, as in `segments.counts_to_angle`
    c16 = s[_P_COUNTS_PER_TURN] >> 4
    high = (position << 9) // c16
    low = ((position << 9) - high * c16) << 11
    words[3] = (high << 11) + low // c16
    error = error >> 8
    if error > 32767:
        error = 32767
    elif error < -32768:
        error = -32768
    if current > 32767:
        current = 32767
    elif current < -32768:
        current = -32768
    age = ((received - now + _HALF_TIME) & _TIME) - _HALF_TIME
    if age > 32767:
        age = 32767
    elif age < -32768:
        age = -32768
    halves = ptr16(r)
    halves[8] = error
    halves[9] = output
    halves[10] = current
    halves[11] = age
    r[24] = drive
    if q[_REFUSED] != 0:
        flags |= _FLAG_SEGMENT_REFUSED
    r[25] = flags
    r[26] = fault
    r[27] = q[_NEWEST]
    r[28] = q[_NEWEST] >> 8
    r[29] = depth
    return _REPLY_BYTES
