"""Sectors of flash outside any file system: two for the parameters, one that counts boots.

MicroPython's file system takes all of the flash above a line, and its `_boot.py` formats that when
it cannot be mounted. The program takes what is below, and leaves most of it. So the sectors are
the last ones under the line, where neither comes: `rp2.Flash` is pointed there. It has no argument
for that, but is an object of three words, type, first byte and length, which is checked before it
is believed; and the program has to end before.
"""

import struct

import machine
import rp2
import uctypes
from micropython import const

import rp2_chip as chip

SECTOR = const(4096)
_PAGE = const(256)
_SLOTS = 2
_BOOTS = 2  # block after the slots
_BLOCKS = 3
_ERASE = 6  # ioctl

# the program's binary information: a header with the table's ends between two marks; the table is
# of pointers to entries, packed: type, tag, and in those of an integer id and value
_HEADER_START = 0x7188EBF2
_HEADER_END = 0xE71AA390
_HEADER_WITHIN = 1024
_INTEGER = "<HHII"
_PROGRAM_END = (5, 0x5052, 0x68F465DE)


class FlashError(OSError):
    """The flash is not laid out as it must be."""


def program_end() -> int:
    """Return where in flash MicroPython ends. Raises FlashError when it does not tell."""
    for at in range(chip.XIP, chip.XIP + _HEADER_WITHIN, 4):
        start, first, last, _, end = struct.unpack("<5I", uctypes.bytes_at(at, 20))
        if start == _HEADER_START and end == _HEADER_END:
            for pointer in range(first, last, 4):
                entry = uctypes.bytes_at(machine.mem32[pointer], struct.calcsize(_INTEGER))
                *found, value = struct.unpack(_INTEGER, entry)
                if tuple(found) == _PROGRAM_END:
                    return value - chip.XIP
    raise FlashError("MicroPython does not tell where it ends: no room for parameters is certain")


def _sectors() -> "rp2.Flash":
    """Return the block device of the sectors."""
    word = machine.mem32
    line = word[id(rp2.Flash()) + 4]
    # the published stub lacks both arguments
    device = rp2.Flash(start=0, len=_BLOCKS * SECTOR)  # pyright: ignore[reportCallIssue]
    at = id(device)
    if word[at + 4] != line or word[at + 8] != _BLOCKS * SECTOR or line % SECTOR:
        raise FlashError("this MicroPython's rp2.Flash is not known: no flash for parameters")
    first = line - _BLOCKS * SECTOR
    if program_end() > first:
        raise FlashError("MicroPython takes all of the flash: no room for parameters")
    word[at + 4] = first
    return device


class Flash:
    """Slots for the parameters, and the number of this boot."""

    def __init__(self) -> None:
        """Count a boot. Raises FlashError when there is no room for the sectors."""
        self._device = _sectors()
        self._page = bytearray(_PAGE)
        self.boot_count = self._count_boot()

    def read(self, slot: int, buffer: bytearray) -> None:
        """Fill buffer with the first bytes of a slot."""
        self._device.readblocks(slot, buffer, 0)

    def erase(self, slot: int) -> None:
        """Set every bit of a slot."""
        self._device.ioctl(_ERASE, slot)

    def program(self, slot: int, buffer: bytearray, n: int) -> None:
        """Write buffer[:n] to the beginning of an erased slot."""
        page = self._page
        for start in range(0, n, _PAGE):
            for index in range(_PAGE):
                at = start + index
                page[index] = buffer[at] if at < n else 0xFF
            self._device.writeblocks(slot, page, start)

    def _count_boot(self) -> int:
        """Clear the next bit of the sector of boots; return how many are, from 1 to 32768."""
        page = self._page
        for start in range(0, SECTOR, _PAGE):
            self._device.readblocks(_BOOTS, page, start)
            for index in range(_PAGE):
                if page[index]:
                    return 8 * (start + index) + self._clear_bit(start, index)
        self._device.ioctl(_ERASE, _BOOTS)
        self._device.readblocks(_BOOTS, page, 0)
        return self._clear_bit(0, 0)

    def _clear_bit(self, start: int, index: int) -> int:
        """Clear the lowest set bit of a byte of the page; return how many are clear."""
        page = self._page
        page[index] &= page[index] - 1
        self._device.writeblocks(_BOOTS, page, start)
        return 8 - sum([page[index] >> bit & 1 for bit in range(8)])
