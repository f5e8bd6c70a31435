"""Who a joint is: what it says of itself, how it is found by its unique id, and given an address.

Finding and giving go by the unique id, need no session, and change nothing when repeated.
"""

import struct
import sys

from guidearm_protocol import messages as wire
from guidearm_protocol import parameters
from joint import frame, servo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from joint.board_type import Board
    from joint.drive import Drive

_IDENTIFY_FIELDS = wire.reply_fields(wire.IDENTIFY) or ()
_IDENTIFY_FORMAT = wire.body_format(_IDENTIFY_FIELDS)
_IDENTIFY_BYTES = wire.body_size(_IDENTIFY_FIELDS)
_DISCOVER_FIELDS = wire.reply_fields(wire.DISCOVER) or ()
_DISCOVER_FORMAT = wire.body_format(_DISCOVER_FIELDS)
_DISCOVER_BYTES = wire.body_size(_DISCOVER_FIELDS)
_UNIQUE_ID_BYTES = 8
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
        self._board = board
        self._drive = drive
        self._version = version
        self._table_hash = wire.table_hash()

    def pack_identify(self, buffer: bytearray, at: int) -> int:
        """Put the fields of an IDENTIFY reply at buffer[at:]; return their end."""
        version = self._version
        interpreter = sys.implementation.version
        struct.pack_into(
            _IDENTIFY_FORMAT,
            buffer,
            at,
            wire.PROTOCOL_VERSION,
            version[0],
            version[1],
            version[2],
            self._table_hash,
            self._board.unique_id,
            self._drive.parameters[parameters.ARM_ID],
            self._board.boot_count,
            self._drive.state[servo.P_COUNTS_PER_TURN],
            interpreter[0],
            interpreter[1],
            interpreter[2],
            _WORD_BITS,
            self._board.name,
        )
        return at + _IDENTIFY_BYTES

    def pack_found(self, buffer: bytearray, at: int) -> int:
        """Put the fields of a DISCOVER reply at buffer[at:]; return their end."""
        arm_id = self._drive.parameters[parameters.ARM_ID]
        struct.pack_into(_DISCOVER_FORMAT, buffer, at, self._board.unique_id, arm_id)
        return at + _DISCOVER_BYTES

    def slot_us(self, buffer: bytearray, body: int) -> int:
        """Return when, after the turnaround, to answer the DISCOVER at buffer[body:].

        -1 if it has no slots.
        """
        slots = buffer[body]
        if slots == 0:
            return -1
        drawn = slot(self._board.unique_id, frame.get_u16(buffer, body + 3), slots)
        return drawn * frame.get_u16(buffer, body + 1)

    def is_named(self, buffer: bytearray, body: int) -> bool:
        """Tell whether the ASSIGN_ADDRESS at buffer[body:] is for this joint."""
        unique_id = self._board.unique_id
        index = 0
        while index < _UNIQUE_ID_BYTES and buffer[body + index] == unique_id[index]:
            index += 1
        return index == _UNIQUE_ID_BYTES

    def assign(self, buffer: bytearray, body: int) -> int:
        """Take the address and arm of an ASSIGN_ADDRESS; return the reason why not."""
        address = buffer[body + _UNIQUE_ID_BYTES]
        if not 1 <= address <= wire.MAX_JOINTS:
            return OUT_OF_BOUNDS
        arm_id = frame.get_u16(buffer, body + _UNIQUE_ID_BYTES + 1)
        return self._drive.set_identity(address, arm_id)
