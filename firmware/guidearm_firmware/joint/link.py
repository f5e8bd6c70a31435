"""The link to the host: which frame executes, which is repeated, and which is stale.

One viper function, since every frame for this joint goes through it. Session and windows are those
of protocol/README.md, "Sequence"; what a frame does is in `session` and `cycle`.
"""

import micropython
from micropython import const

from guidearm_protocol import messages as wire
from joint import frame, servo

# --- words of the link, behind those of `frame`; counts are modulo 2^30
FLAGS = const(7)  # of replies: this joint's version and direction
BOOT = const(8)  # low byte of the boot count
OPEN = const(9)  # 1: there is a session; else only IDENTIFY and STOP execute
NONCE = const(10)  # of the session (viper's alone: it may need 32 bits)
LAST = const(11)  # sequence of the newest addressed request
LAST_CRC = const(12)  # viper's alone
BROADCASTS = const(13)  # 1: there was a broadcast in this session
LAST_BROADCAST = const(14)  # its sequence
ACCEPTED = const(15)  # frames
EXECUTED = const(16)
REPEATED = const(17)
STALE = const(18)
MISSED_SLOTS = const(19)
REPLY_AT = const(20)  # us, joint clock: when a reply to this frame may begin
LINK_WORDS = const(21)

# what `judge` says of a frame
NOTHING = const(0)  # to be done
REQUEST = const(1)  # execute it
REPEAT = const(2)  # send the cached reply again
STALE_REQUEST = const(3)  # say so
STOPPED = const(4)  # a STOP out of sequence was carried out: say so
BROADCAST_REQUEST = const(5)  # execute it
CYCLE = const(6)  # execute it, fast

# the compiler folds constants of its own file only
_RECEIVED = const(0)
_ADDRESS = const(1)
_BASE = const(3)
_LENGTH = const(4)
_CRC = const(5)
_DAMAGED = const(6)
_STOP_REQUEST = const(12)
_LAST_FRAME = const(36)
_HEADER_BYTES = const(5)
_BROADCAST = const(255)
_IDENTIFY = const(1)
_STOP = const(2)
_CYCLE = const(16)
_TURNAROUND = const(250)
_FIRST_UNFROZEN = const(16)
_DISCOVER = const(29)
_ASSIGN_ADDRESS = const(30)
if (
    _RECEIVED, _ADDRESS, _BASE, _LENGTH, _CRC, _DAMAGED, FLAGS,
    _STOP_REQUEST, _LAST_FRAME,
    _HEADER_BYTES, _BROADCAST, _IDENTIFY, _STOP, _CYCLE, _TURNAROUND,
    _FIRST_UNFROZEN, _DISCOVER, _ASSIGN_ADDRESS,
) != (
    frame.RECEIVED, frame.ADDRESS, frame.BASE, frame.LENGTH, frame.CRC, frame.DAMAGED,
    frame.RECEIVER_WORDS, servo.STOP_REQUEST, servo.LAST_FRAME,
    wire.HEADER_BYTES,
    wire.BROADCAST, wire.IDENTIFY, wire.STOP, wire.CYCLE, wire.TURNAROUND_US,
    wire.FIRST_UNFROZEN, wire.DISCOVER, wire.ASSIGN_ADDRESS,
):  # fmt: skip
    raise ImportError("link.py disagrees with frame.py, servo.py or the message table")

_COUNT = const(0x3FFFFFFF)
_TIME = const(0x3FFFFFFF)
_HALF = const(0x8000)


@micropython.viper
def judge(memory: int, link: int, state: int, reply: int, aside: int) -> int:
    """Say what is to be done about the frame that was found; STOP is carried out here.

    Where there is a reply its header, boot and the result OK are in place: for REQUEST in the
    cached `reply`, otherwise in `aside`, which leaves the cached one as it is. All arguments are
    addresses.
    """
    w = ptr32(link)
    s = ptr32(state)
    f = ptr8(memory + w[_BASE])
    message = f[5]
    if f[1] >> 4 != w[FLAGS] >> 4 and message >= _FIRST_UNFROZEN:
        w[_DAMAGED] = (w[_DAMAGED] + 1) & _COUNT
        return NOTHING
    w[ACCEPTED] = (w[ACCEPTED] + 1) & _COUNT
    w[REPLY_AT] = (w[_RECEIVED] + _TURNAROUND) & _TIME
    sequence = f[3] | f[4] << 8
    body = w[_LENGTH] - _HEADER_BYTES
    verdict = REQUEST
    r = ptr8(aside)
    if f[2] == _BROADCAST:
        verdict = BROADCAST_REQUEST
        if message == _STOP:
            s[_STOP_REQUEST] = 1
        elif message != _DISCOVER and message != _ASSIGN_ADDRESS:
            # those two are by unique id: good without a session, and harmless when repeated
            newer = (sequence - w[LAST_BROADCAST]) & 0xFFFF
            if w[OPEN] == 0:
                newer = _HALF
            elif w[BROADCASTS] == 0:
                newer = 1
            if newer == 0:
                w[REPEATED] = (w[REPEATED] + 1) & _COUNT
                return NOTHING
            if newer >= _HALF:
                w[STALE] = (w[STALE] + 1) & _COUNT
                return NOTHING
            w[BROADCASTS] = 1
            w[LAST_BROADCAST] = sequence
            if message == _CYCLE:
                verdict = CYCLE
    else:
        newer = (sequence - w[LAST]) & 0xFFFF
        if message == _IDENTIFY and body == 4:
            newer = 1
            nonce = f[6] | f[7] << 8 | f[8] << 16 | f[9] << 24
            if w[OPEN] == 0 or nonce != w[NONCE]:
                w[NONCE] = nonce
                w[OPEN] = 1
                w[BROADCASTS] = 0
                w[ACCEPTED] = 1  # this frame is the first of the session
                w[_DAMAGED] = 0
                w[EXECUTED] = 0
                w[REPEATED] = 0
                w[STALE] = 0
                w[MISSED_SLOTS] = 0
        else:
            if message == _STOP:
                s[_STOP_REQUEST] = 1  # whatever its sequence
            if newer == 0 and w[_CRC] == w[LAST_CRC]:
                w[REPEATED] = (w[REPEATED] + 1) & _COUNT
                return REPEAT
            if w[OPEN] == 0:
                newer = 0
        if newer != 0 and newer < _HALF:
            w[LAST] = sequence
            w[LAST_CRC] = w[_CRC]
            r = ptr8(reply)
        elif message == _STOP:
            verdict = STOPPED  # its sender takes no part in this session's sequence
        else:
            w[STALE] = (w[STALE] + 1) & _COUNT
            verdict = STALE_REQUEST
    if verdict != STOPPED and verdict != STALE_REQUEST:
        s[_LAST_FRAME] = w[_RECEIVED]
        w[EXECUTED] = (w[EXECUTED] + 1) & _COUNT
    r[1] = w[FLAGS]
    r[2] = w[_ADDRESS]
    r[3] = sequence
    r[4] = sequence >> 8
    r[5] = message
    r[6] = w[BOOT]
    r[7] = 0
    return verdict
