"""What can be wrong with bytes from the wire, as one hierarchy.

Every class carries a `reason`: the short fixed word under which vectors and counters know it.
"""


class ProtocolError(ValueError):
    """Base of everything the codec refuses."""

    reason = "protocol"


class FrameError(ProtocolError):
    """Bytes between two delimiters are not a frame."""

    reason = "frame"


class FrameLengthError(FrameError):
    """Fewer or more bytes than a frame can have."""

    reason = "length"


class StuffingError(FrameError):
    """The bytes are no COBS encoding."""

    reason = "stuffing"


class ChecksumError(FrameError):
    """The CRC-32 does not match."""

    reason = "crc"


class HeaderError(FrameError):
    """The checksum holds, but the header names no version or no address that exists."""

    reason = "header"


class BodyError(ProtocolError):
    """A body does not fit its message."""

    reason = "body"


class UnknownMessageError(BodyError):
    """The message table has no such message."""

    reason = "unknown message"


class BodyLengthError(BodyError):
    """A body is shorter or longer than its message says."""

    reason = "bad length"


class BoundsError(BodyError):
    """A field lies outside its bounds."""

    reason = "out of bounds"
