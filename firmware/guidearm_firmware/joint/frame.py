"""Frames without allocation: COBS in place and CRC-32, fused into three viper functions.

A frame is built at `buffer[1:]`, so that the first COBS code fits in front of it; a received
frame is decoded where it lies and its content is again at `buffer[1:]`.
"""

from array import array

import micropython
from micropython import const

from guidearm_protocol.messages import (
    BROADCAST,
    CRC_BYTES,
    FROM_JOINT,
    MAX_DECODED_BYTES,
    MIN_DECODED_BYTES,
)

FRAME_BUFFER_BYTES = MAX_DECODED_BYTES + 3  # code, content, delimiter, one to spare

_FROM_JOINT = const(1)
_BROADCAST = const(255)
_MIN_ENCODED = const(10)
_MAX_ENCODED = const(254)
_CRC_BYTES = const(4)
if (_FROM_JOINT, _BROADCAST, _MIN_ENCODED, _MAX_ENCODED, _CRC_BYTES) != (
    FROM_JOINT,
    BROADCAST,
    MIN_DECODED_BYTES + 1,
    MAX_DECODED_BYTES + 1,
    CRC_BYTES,
):
    raise ImportError("frame.py disagrees with the message table")

# what `open_frame` says of bytes that are no frame for this joint
NOT_MINE = const(0)
DAMAGED = const(-1)


def _crc_table() -> "array[int]":
    """Return the 256 steps of the reflected polynomial 0xEDB88320 as signed 32-bit words."""
    table = array("i", [0] * 256)
    for index in range(256):
        crc = index
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
        table[index] = crc - (1 << 32) if crc >> 31 else crc
    return table


CRC_TABLE = _crc_table()


@micropython.viper
def seal_frame(buffer: object, n: int, table: object) -> int:
    """Add CRC and COBS to the n content bytes at buffer[1:]; return the bytes to transmit."""
    b = ptr8(buffer)
    t = ptr32(table)
    crc = -1
    i = 1
    while i <= n:
        crc = ((crc >> 8) & 0xFFFFFF) ^ t[(crc ^ b[i]) & 0xFF]
        i += 1
    crc ^= -1
    b[i] = crc & 0xFF
    b[i + 1] = (crc >> 8) & 0xFF
    b[i + 2] = (crc >> 16) & 0xFF
    b[i + 3] = (crc >> 24) & 0xFF
    end = n + _CRC_BYTES + 1
    b[end] = 0
    i = end - 1
    zero = end
    while i > 0:
        if b[i] == 0:
            b[i] = zero - i
            zero = i
        i -= 1
    b[0] = zero
    return end + 1


@micropython.viper
def open_frame(buffer: object, length: int, address: int, table: object) -> int:
    """Decode `length` bytes in place; return the content's length without CRC, at buffer[1:].

    NOT_MINE for another joint's frame, which is known before decoding because flags and address
    are never zero; DAMAGED for a wrong length, code or CRC.
    """
    b = ptr8(buffer)
    t = ptr32(table)
    if length < _MIN_ENCODED or length > _MAX_ENCODED:
        return DAMAGED
    if b[0] > 2 and (b[1] & _FROM_JOINT or (b[2] != address and b[2] != _BROADCAST)):
        return NOT_MINE
    code = b[0]
    i = 0
    while True:
        if code == 0 or code == 255:
            return DAMAGED
        i += code
        if i >= length:
            break
        code = b[i]
        b[i] = 0
    if i != length:
        return DAMAGED
    end = length - _CRC_BYTES
    crc = -1
    i = 1
    while i < end:
        crc = ((crc >> 8) & 0xFFFFFF) ^ t[(crc ^ b[i]) & 0xFF]
        i += 1
    crc ^= -1
    if (
        b[i] != crc & 0xFF
        or b[i + 1] != (crc >> 8) & 0xFF
        or b[i + 2] != (crc >> 16) & 0xFF
        or b[i + 3] != (crc >> 24) & 0xFF
    ):
        return DAMAGED
    if (b[2] != address and b[2] != _BROADCAST) or b[1] & _FROM_JOINT:
        return NOT_MINE
    if b[1] < 16 or b[1] & 15:
        return DAMAGED  # no version, or bits that have no meaning yet
    return end - 1


@micropython.viper
def gather(source: object, start: int, n: int, buffer: object, fill: object) -> int:
    """Append source[start:n] to the frame in `buffer` up to a delimiter; return the next start.

    fill[0] counts the bytes gathered and stays at one over the maximum when a frame is too long;
    fill[1] is 1 when the delimiter was seen: the frame is complete and fill[0] its length.
    """
    src = ptr8(source)
    b = ptr8(buffer)
    f = ptr32(fill)
    count = f[0]
    i = start
    while i < n:
        byte = src[i]
        i += 1
        if byte == 0:
            f[0] = count
            f[1] = 1
            return i
        if count <= _MAX_ENCODED:
            b[count] = byte
            count += 1
    f[0] = count
    return i


@micropython.viper
def get_u16(buffer: object, i: int) -> int:
    """Return the 16-bit little-endian word at i."""
    b = ptr8(buffer)
    return b[i] | (b[i + 1] << 8)


@micropython.viper
def get_i32(buffer: object, i: int) -> int:
    """Return the little-endian word at i, with its sign.

    A word that does not fit 31 bits would be allocated; no field holds one, and -2^30, which is
    outside the bounds of every field that acts, stands for it.
    """
    b = ptr8(buffer)
    m = 0x20000000
    m = m << 2
    word = b[i] | (b[i + 1] << 8) | (b[i + 2] << 16) | (b[i + 3] << 24)
    word = (word ^ m) - m
    limit = 0x20000000
    limit = limit << 1
    if word >= limit or word < 0 - limit:
        word = 0 - limit
    return word
