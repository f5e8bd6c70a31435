"""From wire units to counts: segments into the ring, and positions back.

A segment is a cubic Hermite: from the end of the one before it to a position and velocity a given
time later. It is converted once, when it arrives, into Q12 coefficients relative to its start.

With c16 = counts per output turn / 16, a wire angle x (turn/2^24) is x c16 / 2^20 counts, or
x c16 / 2^12 in Q8. c16 stays under 2^15 and x is split at 12 bits, so no product passes 2^30.
"""

import micropython
from micropython import const

from joint.servo import (
    END_SPEED,
    HEAD,
    P_COUNTS_PER_TURN,
    P_OVER_SPEED,
    RING_SLOTS,
    SET_POINT,
    SLOT_C1,
    SLOT_C2,
    SLOT_C3,
    SLOT_DURATION,
    SLOT_END_SPEED,
    SLOT_START,
    TAIL,
)

# the compiler folds constants of its own file only
_END_SPEED = const(29)
_HEAD = const(17)
_TAIL = const(18)
_SET_POINT = const(22)
_P_COUNTS_PER_TURN = const(62)
_P_OVER_SPEED = const(70)
_SLOT_START = const(0)
_SLOT_C1 = const(1)
_SLOT_C2 = const(2)
_SLOT_C3 = const(3)
_SLOT_DURATION = const(4)
_SLOT_END_SPEED = const(5)
_RING_SLOTS = const(64)
if (
    _END_SPEED, _HEAD, _TAIL, _SET_POINT, _P_COUNTS_PER_TURN, _P_OVER_SPEED, _RING_SLOTS,
    _SLOT_START, _SLOT_C1, _SLOT_C2, _SLOT_C3, _SLOT_DURATION, _SLOT_END_SPEED,
) != (
    END_SPEED, HEAD, TAIL, SET_POINT, P_COUNTS_PER_TURN, P_OVER_SPEED, RING_SLOTS,
    SLOT_START, SLOT_C1, SLOT_C2, SLOT_C3, SLOT_DURATION, SLOT_END_SPEED,
):  # fmt: skip
    raise ImportError("segments.py disagrees with servo.py")

MIN_SEGMENT_US = 1000

# what `push` answers
QUEUED = const(1)
FULL = const(0)
TOO_FAST = const(-1)


@micropython.viper
def push(state: object, ring: object, position: int, velocity: int, duration: int) -> int:
    """Append a segment ending at `position` (turn/2^24) and `velocity` (turn/2^24/s).

    `duration` is in us. Returns QUEUED, FULL, or TOO_FAST when the segment's mean speed or its
    end speed is above the over-speed limit; with it the step stays under 10,240 counts, 4.2e7
    in Q12. The caller has checked the bounds of the arguments and the position limits.
    """
    s = ptr32(state)
    r = ptr32(ring)
    m = 0x20000000
    m = m << 2
    head = s[_HEAD]
    following = (head + 1) & (_RING_SLOTS - 1)
    if following == s[_TAIL]:
        return FULL
    c16 = s[_P_COUNTS_PER_TURN] >> 4
    end = (position >> 12) * c16 + (((position & 0xFFF) * c16 + 0x800) >> 12)
    # duration / 2^20 us, Q3 finer than us: 2^20 / 10^6 = 4295 / 4096 to 8e-6
    scaled = (duration * 4295) >> 9
    # tangents in turn/2^24 in Q8, then counts in Q12
    v = (velocity >> 12) * scaled + (((velocity & 0xFFF) * scaled) >> 12)
    v = v >> 3
    tangent = ((v >> 12) * c16 + (((v & 0xFFF) * c16) >> 12)) >> 4
    if head == s[_TAIL]:
        start = (s[_SET_POINT] ^ m) - m
        v = 0
    else:
        slot = ((head - 1) & (_RING_SLOTS - 1)) << 3
        start = (
            ((r[slot + _SLOT_C1] ^ m) - m)
            + ((r[slot + _SLOT_C2] ^ m) - m)
            + ((r[slot + _SLOT_C3] ^ m) - m)
        )
        start = ((r[slot + _SLOT_START] ^ m) - m) + (start >> 4)
        v = (s[_END_SPEED] ^ m) - m
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
    slot = head << 3
    r[slot + _SLOT_START] = start
    r[slot + _SLOT_C1] = from_tangent
    r[slot + _SLOT_C2] = 3 * step - 2 * from_tangent - tangent
    r[slot + _SLOT_C3] = from_tangent + tangent - 2 * step
    r[slot + _SLOT_DURATION] = duration
    r[slot + _SLOT_END_SPEED] = velocity
    s[_END_SPEED] = velocity
    s[_HEAD] = following  # last: from here on the tick may take it
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
