"""From wire units to counts: segments into the ring, and positions back.

A segment is a cubic Hermite: from the end of the one before it to a position and velocity a given
time later. It is converted once, when it arrives, into Q12 coefficients relative to its start.

With c16 = counts per output turn / 16, a wire angle x (turn/2^24) is x c16 / 2^20 counts, or
x c16 / 2^12 in Q8. c16 stays under 2^15 and x is split at 12 bits, so no product passes 2^30.
"""

import micropython
from micropython import const

from guidearm_protocol import messages as wire
from joint.servo import (
    CLOCK_HOST,
    CLOCK_JOINT,
    CLOCK_LAG,
    HEAD,
    LIFT,
    OPERATION_ENABLED,
    P_COUNTS_PER_TURN,
    P_OVER_SPEED,
    RING_SLOTS,
    SET_POINT,
    SLOT_C1,
    SLOT_C2,
    SLOT_C3,
    SLOT_END,
    SLOT_END_SPEED,
    SLOT_RATE,
    SLOT_START,
    SLOT_US,
    SLOTS,
    STATE,
    TAIL,
)

# the compiler folds constants of its own file only
_SET_POINT = const(21)
_LIFT = const(26)
_TAIL = const(31)
_HEAD = const(37)
_STATE = const(38)
_CLOCK_JOINT = const(51)
_CLOCK_HOST = const(52)
_CLOCK_LAG = const(54)
_P_COUNTS_PER_TURN = const(73)
_P_OVER_SPEED = const(81)
_SLOTS = const(133)
_SLOT_START = const(0)
_SLOT_C1 = const(1)
_SLOT_C2 = const(2)
_SLOT_C3 = const(3)
_SLOT_END = const(4)
_SLOT_END_SPEED = const(5)
_SLOT_US = const(6)
_SLOT_RATE = const(7)
_RING_SLOTS = const(64)
_OPERATION_ENABLED = const(4)
if (
    _SET_POINT, _LIFT, _TAIL, _HEAD, _STATE, _CLOCK_JOINT, _CLOCK_HOST, _CLOCK_LAG,
    _P_COUNTS_PER_TURN, _P_OVER_SPEED, _SLOTS, _SLOT_START, _SLOT_C1, _SLOT_C2, _SLOT_C3,
    _SLOT_END, _SLOT_END_SPEED, _SLOT_US, _SLOT_RATE, _RING_SLOTS, _OPERATION_ENABLED,
) != (
    SET_POINT, LIFT, TAIL, HEAD, STATE, CLOCK_JOINT, CLOCK_HOST, CLOCK_LAG,
    P_COUNTS_PER_TURN, P_OVER_SPEED, SLOTS, SLOT_START, SLOT_C1, SLOT_C2, SLOT_C3,
    SLOT_END, SLOT_END_SPEED, SLOT_US, SLOT_RATE, RING_SLOTS, OPERATION_ENABLED,
):  # fmt: skip
    raise ImportError("segments.py disagrees with servo.py")

# --- words of the queue, an array('i'): what stands before the ring
NEWEST = const(0)  # number of the newest queued segment
REFUSED = const(1)  # 1: the newest one offered was outside the limits
LOWER_LIMIT = const(2)  # turn/2^24, of set-points
UPPER_LIMIT = const(3)
NUMBER = const(4)  # the segment offered
POSITION = const(5)  # turn/2^24
VELOCITY = const(6)  # turn/2^24/s
DURATION = const(7)  # us
REST = const(8)  # us, Q28: what was left out of the segments' lengths so far
QUEUE_WORDS = const(9)

# what `offer` answers
QUEUED = const(1)
FULL = const(0)
TOO_FAST = const(-1)
OUTSIDE = const(-2)  # of the limits, or of what a segment may be
NOT_NEXT = const(-3)  # older or later than the next one
NOT_ENABLED = const(-4)

_MIN_SEGMENT_US = const(2000)  # a tick takes up one at most
_MAX_SEGMENT_US = const(20000)
_FARTHEST = const(0x4000000)  # turn/2^24
_FASTEST = const(0x2000000)  # turn/2^24/s
if (
    wire.MAX_SEGMENT_US != _MAX_SEGMENT_US
    or wire.SET_POINT[0][3:] != (-_FARTHEST, _FARTHEST)
    or wire.SET_POINT[1][3:] != (-_FASTEST, _FASTEST)
):
    raise ImportError("segments.py disagrees with the message table")


@micropython.viper
def offer(state: int, queue: int) -> int:
    """Queue the segment that stands in the queue's words, if it is the next one and may be.

    An older number was queued already; a later one means that a frame was lost, and the number
    reported with the state tells the host from where to repeat. Beyond a limit a segment may lead
    back, but not a count further out than the set-point. It is TOO_FAST when its mean speed or its
    end speed is above the over-speed limit; with that the step stays under 10,240 counts, 4.2e7 in
    Q12. The arguments are addresses.
    """
    s = ptr32(state)
    q = ptr32(queue)
    lift = s[_LIFT]
    if s[_STATE] != _OPERATION_ENABLED:
        return NOT_ENABLED
    number = q[NUMBER]
    if number != (q[NEWEST] + 1) & 0xFFFF:
        return NOT_NEXT
    position = q[POSITION] << lift >> lift
    velocity = q[VELOCITY] << lift >> lift
    duration = q[DURATION]
    refused = q[REFUSED]
    q[REFUSED] = 1
    if duration < _MIN_SEGMENT_US or duration > _MAX_SEGMENT_US:
        return OUTSIDE
    if position > _FARTHEST or position < 0 - _FARTHEST:
        return OUTSIDE
    if velocity > _FASTEST or velocity < 0 - _FASTEST:
        return OUTSIDE
    c16 = s[_P_COUNTS_PER_TURN] >> 4
    end = (position >> 12) * c16 + (((position & 0xFFF) * c16 + 0x800) >> 12)
    set_point = s[_SET_POINT] << lift >> lift
    if position > q[UPPER_LIMIT] << lift >> lift and end > ((set_point >> 8) + 1) << 8:
        return OUTSIDE
    if position < q[LOWER_LIMIT] << lift >> lift and end < ((set_point >> 8) - 1) << 8:
        return OUTSIDE
    head = s[_HEAD]
    tail = s[_TAIL]
    following = (head + 1) & (_RING_SLOTS - 1)
    if following == tail:
        q[REFUSED] = refused
        return FULL
    # duration / 2^20 us, Q3 finer than us: 2^20 / 10^6 = 4295 / 4096 to 8e-6
    scaled = (duration * 4295) >> 9
    # tangents in turn/2^24 in Q8, then counts in Q12
    v = (velocity >> 12) * scaled + (((velocity & 0xFFF) * scaled) >> 12)
    v = v >> 3
    tangent = ((v >> 12) * c16 + (((v & 0xFFF) * c16) >> 12)) >> 4
    start = set_point
    from_tangent = 0
    if head != tail:
        last = ptr32(state + 4 * _SLOTS + (((head - 1) & (_RING_SLOTS - 1)) << 5))
        start = last[_SLOT_END] << lift >> lift
        v = last[_SLOT_END_SPEED] << lift >> lift
        v = (v >> 12) * scaled + (((v & 0xFFF) * scaled) >> 12)
        v = v >> 3
        from_tangent = ((v >> 12) * c16 + (((v & 0xFFF) * c16) >> 12)) >> 4
    step = end - start
    limit = (s[_P_OVER_SPEED] >> 2) * duration // 250
    if step > limit or step < 0 - limit:
        return TOO_FAST
    step = step << 4
    limit = limit << 4
    if tangent > limit or tangent < 0 - limit:
        return TOO_FAST
    slot = ptr32(state + 4 * _SLOTS + (head << 5))
    slot[_SLOT_START] = start
    slot[_SLOT_C1] = from_tangent
    slot[_SLOT_C2] = 3 * step - 2 * from_tangent - tangent
    slot[_SLOT_C3] = from_tangent + tangent - 2 * step
    slot[_SLOT_END] = end
    slot[_SLOT_END_SPEED] = velocity
    # 2^31 / duration, of a dividend within 30 bits
    rate = 0x3FFFFFFF // duration
    rest = 0x3FFFFFFF - rate * duration + 1
    rate = (rate << 1) + (rest << 1) // duration
    # to the joint's clock: 20,000 times 2^16 is 1.3e9
    lag = s[_CLOCK_LAG] << lift >> lift
    rest = duration * lag + q[REST]
    q[REST] = rest & 0xFFFFFFF
    slot[_SLOT_US] = duration - (rest >> 28)
    slot[_SLOT_RATE] = ((rate >> 7) * lag >> 21) + rate
    s[_HEAD] = following  # last: from here on the tick may take it
    q[NEWEST] = number
    q[REFUSED] = 0
    return QUEUED


@micropython.viper
def counts_to_angle(counts: int, counts_per_turn: int) -> int:
    """Return turn/2^24 of motor counts, rounded down: the exact floor over +-4 turns."""
    c16 = counts_per_turn >> 4
    whole = counts // c16
    rest = (counts - whole * c16) << 14
    fine = rest // c16
    rest = (rest - fine * c16) << 6
    return (whole << 20) + (fine << 6) + rest // c16


@micropython.viper
def lag(drift: int) -> int:
    """Return by how much a time is shorter on the joint's clock, 2^-28, of the drift, 2^-26.

    Host over joint is 1 + d, so joint over host is 1 - (d - d^2). The drift is at most 2^14.
    """
    return (drift << 2) - (drift * drift >> 24)


@micropython.viper
def on_joint_clock(state: object, host_us: int) -> int:
    """Return the joint's clock at an instant of the host's, at most 2^29 us from SET_CLOCK's."""
    s = ptr32(state)
    since = ((host_us - s[_CLOCK_HOST] + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    # 2^29 times 2^15, split at 15 bits
    shorter = s[_CLOCK_LAG] << s[_LIFT] >> s[_LIFT] >> 1
    shorter = (since >> 15) * shorter + ((since & 0x7FFF) * shorter >> 15)
    return (s[_CLOCK_JOINT] + since - (shorter >> 12)) & 0x3FFFFFFF
