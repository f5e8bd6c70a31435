"""A parameter set as it is stored, so that other versions of the table can read it.

    magic "GAP1", table version u16, entries u16, generation u32,
    entries times (id u16, value i32), CRC-32 of all before it; little-endian

An entry is found by its id. Of a set that an older or a newer table stored, known parameters are
kept, those it lacks take their defaults, and those this table has not are dropped.

Imports nothing of MicroPython, so that tools on CPython write what the joint reads.
"""

import binascii
import struct

from guidearm_protocol.parameters import (
    DEFAULTS,
    IDS,
    NAMES,
    TABLE_VERSION,
    empty_range,
    in_bounds,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array

MAGIC = b"GAP1"
MAX_BYTES = 1024  # of a set: room for a table eight times as long

_HEADER = "<4sHHI"
_HEADER_BYTES = struct.calcsize(_HEADER)
_ENTRY = "<Hi"
_ENTRY_BYTES = struct.calcsize(_ENTRY)
_CRC = "<I"
_CRC_BYTES = 4
SET_BYTES = _HEADER_BYTES + len(IDS) * _ENTRY_BYTES + _CRC_BYTES


def pack(buffer: bytearray, values: "list[int] | array[int]", generation: int) -> int:
    """Put a set, all but its CRC, into a buffer of SET_BYTES; return where the CRC belongs.

    Allocates nothing.
    """
    struct.pack_into(_HEADER, buffer, 0, MAGIC, TABLE_VERSION, len(IDS), generation)
    at = _HEADER_BYTES
    for index in range(len(IDS)):
        struct.pack_into(_ENTRY, buffer, at, IDS[index], values[index])
        at += _ENTRY_BYTES
    return at


def encode(values: "list[int] | array[int]", generation: int = 1) -> bytes:
    """Return the stored form of a set; ValueError names what no joint would accept."""
    for index, value in enumerate(values):
        if not in_bounds(index, value):
            raise ValueError("parameter %s is out of bounds: %d" % (NAMES[index], value))
    lower = empty_range(values)
    if lower >= 0:
        raise ValueError("parameter %s is not below its upper end" % NAMES[lower])
    buffer = bytearray(SET_BYTES)
    end = pack(buffer, values, generation)
    struct.pack_into(_CRC, buffer, end, binascii.crc32(buffer[:end]) & 0xFFFFFFFF)
    return bytes(buffer)


def decode(stored: "bytes | bytearray") -> "tuple[int, int, dict[int, int]] | None":
    """Return generation, table version and values by id of a stored set; None if it is damaged."""
    if len(stored) < _HEADER_BYTES + _CRC_BYTES or bytes(stored[:4]) != MAGIC:
        return None
    _, version, count, generation = struct.unpack_from(_HEADER, stored, 0)
    end = _HEADER_BYTES + count * _ENTRY_BYTES
    if end + _CRC_BYTES > len(stored):
        return None
    if struct.unpack_from(_CRC, stored, end)[0] != binascii.crc32(stored[:end]) & 0xFFFFFFFF:
        return None
    found: "dict[int, int]" = {}
    for at in range(_HEADER_BYTES, end, _ENTRY_BYTES):
        number, value = struct.unpack_from(_ENTRY, stored, at)
        found[number] = value
    return generation, version, found


def adopt(version: int, found: "dict[int, int]") -> "list[int] | None":
    """Return the values of this table out of a set stored by a table of some version.

    None if they cannot be used: one is out of bounds, a range is empty, or a set of this very
    version lacks one.
    """
    values: "list[int]" = []
    for index in range(len(IDS)):
        value = found.get(IDS[index])
        if value is None:
            if version == TABLE_VERSION:
                return None
            value = DEFAULTS[index]
        if not in_bounds(index, value):
            return None
        values.append(value)
    return None if empty_range(values) >= 0 else values
