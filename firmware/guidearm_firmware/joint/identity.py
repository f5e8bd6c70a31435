"""Who a joint is: what it says of itself, how it is found by its unique id, and given an address.

Finding and giving go by the unique id, need no session, and change nothing when repeated.
"""

import struct
import sys

from micropython import const

from guidearm_protocol import messages as wire
from guidearm_protocol import parameters
from joint import servo
from joint.body import copy, get_u16, put_u16

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array

    from joint.board_type import Board
    from joint.drive import Drive

_IDENTIFY_FIELDS = wire.reply_fields(wire.IDENTIFY) or ()
_IDENTIFY_BYTES = const(40)
_ARM_ID = const(16)
_COUNTS_PER_TURN = const(20)
if (
    wire.body_size(_IDENTIFY_FIELDS),
    wire.offset_of(_IDENTIFY_FIELDS, "arm_id"),
    wire.offset_of(_IDENTIFY_FIELDS, "counts_per_turn"),
) != (_IDENTIFY_BYTES, _ARM_ID, _COUNTS_PER_TURN):
    raise ImportError("identity.py disagrees with the message table")
_UNIQUE_ID_BYTES = const(8)
_WORD_BITS = 32 if sys.maxsize == 0x7FFFFFFF else 64

OUT_OF_BOUNDS = -1  # beside the reasons of `assign`


def slot(unique_id: bytes, salt: int, slots: int) -> int:
    """Draw 0..slots-1 from an id; another salt draws two ids that met into different slots.

    A sum or a CRC would not do: where those of two ids agree, they agree under every salt.
    """
    h = salt
    for byte in unique_id:
        h = ((h ^ byte) * 403 + 1) & 0x1FFFFF
        h ^= h >> 7
    return (h >> 3) % slots


class Identity:
    """Board, firmware and parameters as far as they name this joint. Allocates nothing in use."""

    def __init__(self, board: "Board", drive: "Drive", version: "tuple[int, int, int]") -> None:
        """Speak for the joint made of these."""
        self._drive = drive
        self._unique_id = board.unique_id
        interpreter = sys.implementation.version
        self._fields = struct.pack(
            wire.body_format(_IDENTIFY_FIELDS),
            wire.PROTOCOL_VERSION,
            version[0],
            version[1],
            version[2],
            wire.table_hash(),
            board.unique_id,
            0,
            board.boot_count,
            0,
            interpreter[0],
            interpreter[1],
            interpreter[2],
            _WORD_BITS,
            board.name,
        )

    def pack_identify(self, buffer: bytearray, at: int) -> int:
        """Put the fields of an IDENTIFY reply at buffer[at:]; return their end."""
        copy(self._fields, _IDENTIFY_BYTES, buffer, at)
        put_u16(buffer, at + _ARM_ID, self._drive.parameters[parameters.ARM_ID])
        turn = self._drive.state[servo.P_COUNTS_PER_TURN]
        put_u16(buffer, at + _COUNTS_PER_TURN, turn & 0xFFFF)
        put_u16(buffer, at + _COUNTS_PER_TURN + 2, turn >> 16)
        return at + _IDENTIFY_BYTES

    def pack_found(self, buffer: bytearray, at: int) -> int:
        """Put the fields of a DISCOVER reply at buffer[at:]; return their end."""
        copy(self._unique_id, _UNIQUE_ID_BYTES, buffer, at)
        put_u16(buffer, at + _UNIQUE_ID_BYTES, self._drive.parameters[parameters.ARM_ID])
        return at + _UNIQUE_ID_BYTES + 2

    def slot_us(self, values: "array[int]") -> int:
        """Return when, after the turnaround, to answer a DISCOVER of these fields."""
        return slot(self._unique_id, values[2], values[0]) * values[1]

    def is_named(self, buffer: bytearray, body: int) -> bool:
        """Tell whether the ASSIGN_ADDRESS at buffer[body:] is for this joint."""
        unique_id = self._unique_id
        index = 0
        while index < _UNIQUE_ID_BYTES and buffer[body + index] == unique_id[index]:
            index += 1
        return index == _UNIQUE_ID_BYTES

    def assign(self, buffer: bytearray, body: int) -> int:
        """Take the address and arm of an ASSIGN_ADDRESS; return the reason why not."""
        address = buffer[body + _UNIQUE_ID_BYTES]
        if not 1 <= address <= wire.MAX_JOINTS:
            return OUT_OF_BOUNDS
        arm_id = get_u16(buffer, body + _UNIQUE_ID_BYTES + 1)
        return self._drive.set_identity(address, arm_id)
