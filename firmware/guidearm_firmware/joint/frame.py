"""Frames without allocation: found in a burst, unstuffed and checked where they lie, and sealed.

A frame's content lies one byte behind where its first COBS code was: counted from that code, the
flags are byte 1, the address 2, the sequence 3 and 4, the message 5, and the body begins at 6. A
reply is built with its content at `buffer[1:]`, so that the code fits in front.

Memory of received bytes, one bytearray of MEMORY_BYTES:
- 0 .. 255: the burst, as the board's `read` left it; 256 for a delimiter behind the fullest one
- SPLIT: a frame that came in several bursts, put together

Words of the link, an array('i'): those named here, and behind them those of `link`.

What is called for every frame gets its buffers by address (`uctypes.addressof`), which costs a
third of handing an object over. Nothing moves in memory; who hands out an address keeps the object.

The CRC takes most of the time. The compiler keeps the first two locals, which are the first two
arguments, in registers; so these are the CRC's start value and its table's address. Four bytes to
a round save a third of the loop.
"""

from array import array

import micropython
from micropython import const
from uctypes import addressof  # pyright: ignore[reportUnknownVariableType]

from guidearm_protocol.messages import (
    BROADCAST,
    CRC_BYTES,
    FROM_JOINT,
    MAX_DECODED_BYTES,
    MIN_DECODED_BYTES,
)

# --- words of the link
RECEIVED = const(0)  # us, joint clock, at the last byte of the burst (the board's `read` writes)
ADDRESS = const(1)  # of this joint
FILL = const(2)  # bytes of a frame whose end has not come yet, in SPLIT
BASE = const(3)  # where in the memory the frame lies that was found
LENGTH = const(4)  # of its content without CRC
CRC = const(5)  # which viper alone can read: it needs 32 bits
DAMAGED = const(6)  # frames that could not be read, modulo 2^30
RECEIVER_WORDS = const(7)

BURST_BYTES = const(256)  # a delimiter, the longest frame, its delimiter
SPLIT = const(260)
MEMORY_BYTES = const(516)
FRAME_BUFFER_BYTES = MAX_DECODED_BYTES + 3  # code, content, delimiter, one to spare

_COUNT = const(0x3FFFFFFF)
_FROM_JOINT = const(1)
_BROADCAST = const(255)
_MIN_ENCODED = const(10)
_MAX_ENCODED = const(254)
_NO_CODE = const(255)  # COBS: never in a frame of at most 254 bytes
_CRC_BYTES = const(4)
if (_FROM_JOINT, _BROADCAST, _MIN_ENCODED, _MAX_ENCODED, _CRC_BYTES) != (
    FROM_JOINT,
    BROADCAST,
    MIN_DECODED_BYTES + 1,
    MAX_DECODED_BYTES + 1,
    CRC_BYTES,
):
    raise ImportError("frame.py disagrees with the message table")


@micropython.viper
def _fill(table: object, polynomial: uint) -> object:
    """Put in the 256 steps of a reflected polynomial: in bytecode each is a long integer."""
    t = ptr32(table)
    one = uint(1)
    index = 0
    while index < 256:
        crc = uint(index)
        bits = 8
        while bits:
            odd = crc & one
            crc = crc >> one
            if odd:
                crc ^= polynomial
            bits -= 1
        t[index] = int(crc)
        index += 1


CRC_TABLE = array("i", [0] * 256)
_fill(CRC_TABLE, 0xEDB88320)
CRC_TABLE_AT = addressof(CRC_TABLE)  # it stays: the collector moves nothing
CRC_START = 0xFFFFFFFF


@micropython.viper
def next_frame(crc: uint, table: int, i: int, n: int, memory: int, link: int) -> int:
    """Find the next good frame for this joint in byte i of the burst's n, or behind.

    Return where to go on behind it, with BASE, LENGTH and CRC set; or 0 when the burst is used up,
    with the beginning of a frame kept in SPLIT. Frames for others are passed over without looking
    at their CRC: flags and address are never zero, so they stand in the clear. Damaged ones are
    counted. `crc` is CRC_START, `table` CRC_TABLE_AT, memory and link are addresses.
    """
    w = ptr32(link)
    ptr8(memory + n)[0] = 0  # every search ends here
    p = ptr8(memory + i)
    first = crc
    while True:
        start = p
        while p[0]:
            p = ptr8(int(p) + 1)
        size = int(p) - int(start)
        i = int(p) - memory
        fill = w[FILL]
        if i == n or fill != 0:
            # a frame in pieces. One byte over the longest marks it as too long
            left = size
            if fill + size > _MAX_ENCODED + 1:
                left = _MAX_ENCODED + 1 - fill
            size = fill + left
            to = ptr8(memory + SPLIT + fill)
            while left:
                to[0] = start[0]
                to = ptr8(int(to) + 1)
                start = ptr8(int(start) + 1)
                left -= 1
            if i == n:
                w[FILL] = size
                return 0
            w[FILL] = 0
            start = ptr8(memory + SPLIT)
        i += 1
        p = ptr8(memory + i)
        sound = 1
        if size < _MIN_ENCODED or size > _MAX_ENCODED:
            sound = 0
        elif start[0] > 2 and (
            start[1] & _FROM_JOINT or (start[2] != w[ADDRESS] and start[2] != _BROADCAST)
        ):
            size = 0  # somebody else's
        else:
            # unstuff: each code tells where the next one is, and becomes the zero it stands for
            end = int(start) + size
            code = start[0]
            to = ptr8(int(start) + code)
            while code != _NO_CODE and int(to) < end:
                code = to[0]
                to[0] = 0
                to = ptr8(int(to) + code)
            if code == _NO_CODE or int(to) != end:
                sound = 0
            else:
                crc = first
                to = ptr8(int(start) + 1)
                left = (size - 1 - _CRC_BYTES) >> 2
                while left:
                    crc = uint(ptr32((((to[0] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
                    crc = uint(ptr32((((to[1] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
                    crc = uint(ptr32((((to[2] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
                    crc = uint(ptr32((((to[3] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
                    to = ptr8(int(to) + 4)
                    left -= 1
                left = (size - 1 - _CRC_BYTES) & 3
                while left:
                    crc = uint(ptr32((((to[0] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
                    to = ptr8(int(to) + 1)
                    left -= 1
                crc ^= first
                if int(crc) != to[0] | to[1] << 8 | to[2] << 16 | to[3] << 24:
                    sound = 0
                elif start[1] & _FROM_JOINT or (start[2] != w[ADDRESS] and start[2] != _BROADCAST):
                    size = 0  # a zero where none may be, or somebody else's
                elif start[1] < 16 or start[1] & 15:
                    sound = 0  # no version, or bits that have no meaning yet
                else:
                    w[BASE] = int(start) - memory
                    w[LENGTH] = size - 1 - _CRC_BYTES
                    w[CRC] = crc
                    return i
        if sound == 0 and size != 0:
            w[DAMAGED] = (w[DAMAGED] + 1) & _COUNT


@micropython.viper
def seal_frame(crc: uint, table: int, buffer: int, n: int) -> int:
    """Add CRC and COBS to the n content bytes at buffer[1:]; return the bytes to transmit.

    `crc` is CRC_START, `table` CRC_TABLE_AT, `buffer` an address.
    """
    b = ptr8(buffer)
    first = crc
    p = ptr8(int(b) + 1)
    left = n >> 2
    while left:
        crc = uint(ptr32((((p[0] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
        crc = uint(ptr32((((p[1] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
        crc = uint(ptr32((((p[2] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
        crc = uint(ptr32((((p[3] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
        p = ptr8(int(p) + 4)
        left -= 1
    left = n & 3
    while left:
        crc = uint(ptr32((((p[0] ^ int(crc)) & 0xFF) << 2) + table)[0]) ^ (crc >> 8)
        p = ptr8(int(p) + 1)
        left -= 1
    crc ^= first
    p[0] = crc
    p[1] = crc >> 8
    p[2] = crc >> 16
    p[3] = crc >> 24
    p[4] = 0
    # stuff: each zero becomes the distance to the next one, the last of which is the delimiter
    end = int(p) + _CRC_BYTES
    p = b
    while int(p) != end:
        code = p
        p = ptr8(int(p) + 1)
        while p[0]:
            p = ptr8(int(p) + 1)
        code[0] = int(p) - int(code)
    return end + 1 - int(b)
