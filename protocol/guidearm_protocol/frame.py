"""One frame: header, body and CRC-32, stuffed by COBS (README, "Frame").

`encode_frame` returns the bytes for the wire with the closing delimiter; `decode_frame` takes
the bytes between two delimiters. The version in a frame is data here: whoever holds the
conversation decides whether it speaks that version.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import crcmod.predefined
from cobs import cobs  # pyright: ignore[reportMissingTypeStubs]

from guidearm_protocol.errors import (
    ChecksumError,
    FrameLengthError,
    HeaderError,
    StuffingError,
)
from guidearm_protocol.messages import (
    BROADCAST,
    CRC_BYTES,
    FROM_JOINT,
    HEADER_BYTES,
    MAX_BODY_BYTES,
    MAX_DECODED_BYTES,
    MAX_JOINTS,
    MIN_DECODED_BYTES,
    PROTOCOL_VERSION,
)

DELIMITER = b"\x00"
MIN_ENCODED_BYTES = MIN_DECODED_BYTES + 1  # without the delimiter
MAX_ENCODED_BYTES = MAX_DECODED_BYTES + 1

_HEADER = struct.Struct("<BBHB")
_CRC = struct.Struct("<I")
# Neither library declares all its types.
_stuff = cast(Callable[[bytes], bytes], cobs.encode)  # pyright: ignore[reportUnknownMemberType]
_unstuff = cast(Callable[[bytes], bytes], cobs.decode)  # pyright: ignore[reportUnknownMemberType]
crc32 = cast(Callable[[bytes], int], crcmod.predefined.mkPredefinedCrcFun("crc-32"))


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as the two ends understand it.

    `flags` is the version in the upper nibble and the direction in bit 0, `address` is 1..12 or
    255 for a broadcast (never from a joint), `sequence` is 0..65535, `message` an id from the
    table, `body` at most 244 bytes.
    """

    flags: int
    address: int
    sequence: int
    message: int
    body: bytes = b""

    @property
    def version(self) -> int:
        """The protocol version of the sender, 1..15."""
        return self.flags >> 4

    @property
    def from_joint(self) -> bool:
        """Whether a joint sent it; a host drops its own echo by this."""
        return bool(self.flags & FROM_JOINT)


def request_frame(address: int, sequence: int, message: int, body: bytes = b"") -> Frame:
    """Return a frame from the host in the present protocol version."""
    return Frame(PROTOCOL_VERSION << 4, address, sequence, message, body)


def reply_frame(address: int, sequence: int, message: int, body: bytes = b"") -> Frame:
    """Return a frame from the joint `address` in the present protocol version."""
    return Frame(PROTOCOL_VERSION << 4 | FROM_JOINT, address, sequence, message, body)


def _check_header(frame: Frame) -> None:
    if frame.version == 0 or frame.flags & 0x0F & ~FROM_JOINT:
        raise HeaderError(f"flags {frame.flags:#04x} name no version or use reserved bits")
    if frame.address == BROADCAST and not frame.from_joint:
        return
    if not 1 <= frame.address <= MAX_JOINTS:
        sender = "joint" if frame.from_joint else "host"
        raise HeaderError(f"address {frame.address} cannot stand in a frame from a {sender}")


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes on the wire, closing delimiter included.

    Raises HeaderError or FrameLengthError where `decode_frame` at the other end would.
    """
    _check_header(frame)
    if len(frame.body) > MAX_BODY_BYTES:
        raise FrameLengthError(f"a body of {len(frame.body)} bytes is over {MAX_BODY_BYTES}")
    content = _HEADER.pack(frame.flags, frame.address, frame.sequence, frame.message) + frame.body
    return _stuff(content + _CRC.pack(crc32(content))) + DELIMITER


def decode_frame(encoded: bytes) -> Frame:
    """Return the frame in `encoded`, the bytes between two delimiters.

    Raises FrameLengthError, StuffingError, ChecksumError or HeaderError, checked in this order.
    """
    size = len(encoded)
    if not MIN_ENCODED_BYTES <= size <= MAX_ENCODED_BYTES:
        raise FrameLengthError(
            f"{size} bytes between delimiters, not {MIN_ENCODED_BYTES}..{MAX_ENCODED_BYTES}"
        )
    try:
        decoded = _unstuff(encoded)
    except cobs.DecodeError as error:
        raise StuffingError(f"no COBS encoding: {error}") from None
    if len(decoded) < MIN_DECODED_BYTES:
        raise FrameLengthError(f"{len(decoded)} bytes decoded, under {MIN_DECODED_BYTES}")
    content = decoded[:-CRC_BYTES]
    sent = int.from_bytes(decoded[-CRC_BYTES:], "little")
    if crc32(content) != sent:
        raise ChecksumError(f"CRC-32 is {crc32(content):08x}, the frame says {sent:08x}")
    flags, address, sequence, message = _HEADER.unpack_from(content)
    frame = Frame(flags, address, sequence, message, content[HEADER_BYTES:])
    _check_header(frame)
    return frame
