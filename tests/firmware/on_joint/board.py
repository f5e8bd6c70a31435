"""Runs on MicroPython: the board of a joint on the bench, whose bytes a test hands over.

It allocates nothing, so that what allocates under a locked heap is the firmware.
"""

# pyright: basic, reportMissingImports=false

from array import array

_TIME = 0x3FFFFFFF


class Board:
    """Bytes in and out of memory; time is the servo's."""

    name = b"bench" + bytes(7)
    unique_id = b"12345678"
    boot_count = 0x0107

    def __init__(self) -> None:
        """Begin with nothing received and nothing sent."""
        self.state = array("i", [0])  # the servo's, once there is one
        self.behind_us = 0
        self.inbox = bytearray(1024)
        self.waiting = 0
        self.taken = 0
        self.sent = bytearray(1024)
        self.sent_bytes = 0
        self.sent_at = 0
        self.slots = [bytearray(b"\xff" * 1024) for _ in range(2)]
        self.worn = False  # a worn slot takes nothing any more

    def read_slot(self, slot: int, buffer: bytearray) -> None:
        """Fill buffer with the first bytes of a slot."""
        for index in range(len(buffer)):
            buffer[index] = self.slots[slot][index]

    def erase_slot(self, slot: int) -> None:
        """Make every byte of a slot FF."""
        for index in range(len(self.slots[slot])):
            self.slots[slot][index] = 0xFF

    def program_slot(self, slot: int, buffer: bytearray, n: int) -> None:
        """Write buffer[:n] to the beginning of a slot."""
        for index in range(0 if self.worn else n):
            self.slots[slot][index] = buffer[index]

    def received_us(self) -> int:
        """Return an instant 100 us before the last tick."""
        return (self.state[0] - 100) & _TIME

    def put(self, data: bytes) -> None:
        """Have bytes arrive."""
        for index in range(len(data)):
            self.inbox[index] = data[index]
        self.waiting = len(data)
        self.taken = 0

    def read(self, buffer: bytearray, received: array) -> int:
        """Hand over as many bytes as fit."""
        received[0] = self.received_us()
        n = min(len(buffer), self.waiting - self.taken)
        for index in range(n):
            buffer[index] = self.inbox[self.taken + index]
        self.taken += n
        return n

    def write(self, buffer: bytearray, n: int, at_us: int, late_us: int) -> bool:
        """Keep what is transmitted, if the main loop is not more than late_us behind the time."""
        now = self.state[0] + self.behind_us
        if ((now - at_us + 0x20000000) & _TIME) - 0x20000000 > late_us:
            return False
        for index in range(n):
            self.sent[self.sent_bytes + index] = buffer[index]
        self.sent_bytes += n
        self.sent_at = at_us
        return True
