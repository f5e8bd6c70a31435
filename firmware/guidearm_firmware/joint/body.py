"""Bodies by the message table: fields into words and words into fields, without allocation.

A layout is the number of fields, then a byte for each: its size, and _SIGNED with it where it has a
sign. It ends before the first field of raw bytes; who has such packs them.
"""

from array import array

import micropython
from micropython import const

from guidearm_protocol import messages as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    Fields = tuple[tuple[str, str, str, int, int], ...]

MOST_FIELDS = const(14)
_SIGNED = const(16)
_SIZE = const(15)


def layout(fields: "Fields") -> bytes:
    """Return the layout of fields."""
    found = bytearray(1)
    for field in fields:
        code = field[1]
        if code[-1] == "s":
            break
        found[0] += 1
        found.append(wire.field_size(code) | (_SIGNED if code in "bhi" else 0))
    return bytes(found)


def bounds(fields: "Fields") -> "array[int]":
    """Return the lowest and the highest value of each field in turn."""
    found = array("i")
    for field in fields:
        found.append(field[3])
        found.append(field[4])
    return found


def reply_layout(message: int) -> bytes:
    """Return the layout of the fields that a reply has behind boot and result."""
    return layout(wire.reply_fields(message) or ())


@micropython.viper
def unpack(memory: int, at: int, layout: object, bounds: object, values: int) -> bool:
    """Take fields from `at` on into words; tell whether each is within its bounds.

    `memory` and `values` are addresses.
    """
    p = ptr8(memory + at)
    sizes = ptr8(layout)
    limits = ptr32(bounds)
    v = ptr32(values)
    m = 0x20000000
    m = m << 2
    n = sizes[0]
    i = 0
    while i < n:
        i += 1
        size = sizes[i] & _SIZE
        word = 0
        shift = 0
        while size:
            word |= p[0] << shift
            p = ptr8(int(p) + 1)
            shift += 8
            size -= 1
        if sizes[i] & _SIGNED:
            sign = 1 << (shift - 1)
            word = (word ^ sign) - sign
        if word < (limits[0] ^ m) - m or word > (limits[1] ^ m) - m:
            return False
        limits = ptr32(int(limits) + 8)
        v[0] = word
        v = ptr32(int(v) + 4)
    return True


@micropython.viper
def pack(buffer: object, at: int, layout: object, values: int) -> int:
    """Put words into fields from `at` on; return where they end. `values` is an address."""
    p = ptr8(int(ptr8(buffer)) + at)
    sizes = ptr8(layout)
    v = ptr32(values)
    n = sizes[0]
    i = 0
    while i < n:
        i += 1
        size = sizes[i] & _SIZE
        word = v[0]
        v = ptr32(int(v) + 4)
        at += size
        while size:
            p[0] = word
            word = word >> 8
            p = ptr8(int(p) + 1)
            size -= 1
    return at


@micropython.viper
def copy(source: object, n: int, buffer: object, at: int) -> object:
    """Put n raw bytes at buffer[at:]."""
    p = ptr8(source)
    to = ptr8(int(ptr8(buffer)) + at)
    while n:
        to[0] = p[0]
        to = ptr8(int(to) + 1)
        p = ptr8(int(p) + 1)
        n -= 1


@micropython.viper
def get_u16(buffer: object, at: int) -> int:
    """Return the 16-bit word at buffer[at:]."""
    b = ptr8(buffer)
    return b[at] | b[at + 1] << 8


@micropython.viper
def put_u16(buffer: object, at: int, word: int) -> object:
    """Put a 16-bit word at buffer[at:]."""
    b = ptr8(buffer)
    b[at] = word
    b[at + 1] = word >> 8
