"""Two stored copies of the parameters, of which a power cut at any instant leaves one good.

A commit erases and programs the slot that does not hold the newest good set, under the next
generation. Until its last byte is there the new set's CRC is wrong and the other slot counts; from
then on the new one does. The two slots wear alike.
"""

from array import array

import micropython

from joint import frame, parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from joint.board_type import Board

SLOTS = 2


@micropython.viper
def _seal(buffer: object, n: int, table: object) -> object:
    """Put the CRC-32 of buffer[:n] behind it. binascii's would be allocated."""
    b = ptr8(buffer)
    t = ptr32(table)
    crc = -1
    i = 0
    while i < n:
        crc = ((crc >> 8) & 0xFFFFFF) ^ t[(crc ^ b[i]) & 0xFF]
        i += 1
    crc ^= -1
    b[n] = crc & 0xFF
    b[n + 1] = (crc >> 8) & 0xFF
    b[n + 2] = (crc >> 16) & 0xFF
    b[n + 3] = (crc >> 24) & 0xFF


class Storage:
    """The stored parameters of a joint. Reads both copies once, when it is constructed."""

    def __init__(self, board: "Board") -> None:
        """Take the newest good copy; `values` is None if there is none that can be used."""
        self.values: "list[int] | None" = None
        self.generation = 0
        self.version = 0  # of the table that stored it
        self._board = board
        self._good = [False] * SLOTS
        self._newest = SLOTS - 1
        # what is stored of each parameter of this table
        self._stored: "list[int | None]" = [None] * len(parameters.IDS)
        self._kept = array("i", [0] * len(parameters.IDS))
        self._set = bytearray(parameters.SET_BYTES)
        self._read_back = bytearray(parameters.SET_BYTES)
        self._load()

    def _load(self) -> None:
        buffer = bytearray(parameters.MAX_BYTES)
        newest: "tuple[int, int, dict[int, int]] | None" = None
        for slot in range(SLOTS):
            self._board.read_slot(slot, buffer)
            found = parameters.decode(buffer)
            self._good[slot] = found is not None
            if found is not None and (newest is None or found[0] > newest[0]):
                newest = found
                self._newest = slot
        if newest is None:
            return
        # the older copy stays unused if the newest is whole but unusable: nobody chose it
        self.generation, self.version, found = newest
        self.values = parameters.adopt(self.version, found)
        self._stored = [found.get(number) for number in parameters.IDS]

    def copies(self) -> int:
        """Return how many slots hold a good set."""
        return sum(self._good)

    def unsaved(self, values: "list[int] | array[int]") -> int:
        """Return how many of the values in use differ from what is stored."""
        count = 0
        for index in range(len(self._stored)):
            if self._stored[index] != values[index]:
                count += 1
        return count

    def keep(self, values: "array[int]", first: int, last: int) -> bool:
        """Store the values from index `first` to `last`, leave all others as they are stored."""
        kept = self._kept
        changed = False
        for index in range(len(kept)):
            stored = self._stored[index]
            kept[index] = values[index] if stored is None or first <= index <= last else stored
            changed = changed or kept[index] != stored
        return self.commit(kept) if changed else True

    def commit(self, values: "list[int] | array[int]") -> bool:
        """Store a set over the older copy; False if it does not read back as it was written.

        Blocks the servo's interrupt for as long as the board's flash takes. Allocates nothing.
        """
        slot = SLOTS - 1 - self._newest
        board = self._board
        end = parameters.pack(self._set, values, self.generation + 1)
        _seal(self._set, end, frame.CRC_TABLE)
        self._good[slot] = False
        board.erase_slot(slot)
        board.program_slot(slot, self._set, len(self._set))
        board.read_slot(slot, self._read_back)
        if self._read_back != self._set:
            return False
        self._good[slot] = True
        self._newest = slot
        self.generation += 1
        self.version = parameters.TABLE_VERSION
        for index in range(len(self._stored)):
            self._stored[index] = values[index]
        return True
