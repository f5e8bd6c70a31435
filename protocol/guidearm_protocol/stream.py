"""Frames out of a stream of bytes, however the bytes arrive in pieces."""

from __future__ import annotations

from guidearm_protocol.errors import FrameError, FrameLengthError
from guidearm_protocol.frame import DELIMITER, MAX_ENCODED_BYTES, Frame, decode_frame


class StreamParser:
    """Cut a byte stream at its delimiters and decode what lies between.

    The frames and counts depend on the bytes only, never on how they were split into calls.
    After junk, a truncated or an over-long frame the next whole frame is found again. At most
    `MAX_ENCODED_BYTES` bytes are kept between calls. Empty frames (delimiters in a row) are
    silence, not an error.
    """

    def __init__(self) -> None:
        """Start outside any frame, with all counts at zero."""
        self.frames = 0
        self.errors: dict[str, int] = {}
        self._pending = bytearray()
        self._overrun = False

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes; damaged ones are counted by reason."""
        found: list[Frame] = []
        start = 0
        while (end := data.find(DELIMITER, start)) >= 0:
            self._collect(data[start:end])
            frame = self._close()
            if frame is not None:
                found.append(frame)
            start = end + 1
        self._collect(data[start:])
        return found

    def reset(self) -> None:
        """Forget the bytes of an unfinished frame; the counts stay."""
        self._pending.clear()
        self._overrun = False

    def _collect(self, part: bytes) -> None:
        room = MAX_ENCODED_BYTES - len(self._pending)
        if len(part) > room:
            self._overrun = True
        self._pending += part[:room]

    def _close(self) -> Frame | None:
        encoded, overrun = bytes(self._pending), self._overrun
        self.reset()
        if not encoded:
            return None
        try:
            if overrun:
                raise FrameLengthError(f"more than {MAX_ENCODED_BYTES} bytes between delimiters")
            frame = decode_frame(encoded)
        except FrameError as error:
            self.errors[error.reason] = self.errors.get(error.reason, 0) + 1
            return None
        self.frames += 1
        return frame
