"""Simulated flash: two sectors that are erased to FF and programmed by clearing bits.

The power can be made to fail after a number of bytes erased or programmed. The byte under way is
then left with half of its bits changed, and the process ends.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

SECTOR = 4096
SECTORS = 2
NEVER = -1


class PowerCut(SystemExit):
    """The supply failed: on a board, its process ends."""


class Flash:
    """Sectors in memory and, byte by byte as they change, in a file that outlives the process."""

    def __init__(
        self, content: bytearray, cut_after: int = NEVER, file: "IO[bytes] | None" = None
    ) -> None:
        """Hold `content`; fail when the byte after `cut_after` others is under way."""
        self._content = content
        self._left = cut_after
        self._file = file

    def read(self, sector: int, buffer: bytearray) -> None:
        """Fill buffer from the beginning of a sector."""
        start = sector * SECTOR
        buffer[:] = self._content[start : start + len(buffer)]

    def erase(self, sector: int) -> None:
        """Set every bit of a sector."""
        self._change(sector * SECTOR, b"\xff" * SECTOR)

    def program(self, sector: int, data: bytearray, n: int) -> None:
        """Clear the bits of a sector that are not set in data[:n]."""
        start = sector * SECTOR
        self._change(start, bytes([self._content[start + i] & data[i] for i in range(n)]))

    def _change(self, start: int, target: bytes) -> None:
        n = len(target)
        if 0 <= self._left < n:
            torn = self._content[start + self._left] & 0x0F | target[self._left] & 0xF0
            self._put(start, target[: self._left] + bytes([torn]))
            raise PowerCut
        if self._left >= 0:
            self._left -= n
        self._put(start, target)

    def _put(self, start: int, data: bytes) -> None:
        self._content[start : start + len(data)] = data
        if self._file is not None:
            self._file.seek(start)
            self._file.write(data)
