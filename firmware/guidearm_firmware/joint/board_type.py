"""What the portable core asks of a board. Read by type checkers and people, not by joints."""

from array import array
from collections.abc import Callable
from typing import Protocol


class Board(Protocol):
    """Time, encoders, drive, brake, bytes and storage of one joint controller.

    Its timer interrupt fills the input words of the servo's state, calls the tick once and applies
    the output words (`joint.servo` names them).
    """

    name: bytes  # 12 bytes, padded with zeros
    unique_id: bytes  # 8 bytes
    boot_count: int  # differs from boot to boot, 16 bits

    def start(
        self,
        state: "array[int]",
        tick: "Callable[..., object]",
        supervise: object,
    ) -> None:
        """Begin the timer interrupt: once a millisecond, `tick(state, supervise)`.

        For the array its address will do, which saves the tick 40 instructions.
        """
        ...

    def wait(self) -> None:
        """Idle until received bytes may be there."""
        ...

    def read(self, buffer: "bytearray | memoryview[int]", received: "array[int]") -> int:
        """Move received bytes of one burst (no idle line inside) into buffer; return how many.

        With any, received[0] becomes the joint clock at the last one: microseconds modulo 2^30,
        taken by an interrupt. The buffer has room for the longest frame.
        """
        ...

    def write(self, buffer: bytearray, n: int, at_us: int, late_us: int) -> bool:
        """Transmit buffer[:n], beginning at an instant of the joint clock or at once if late.

        If it could only begin more than late_us after it, transmit nothing and return False.
        """
        ...

    def read_slot(self, slot: int, buffer: bytearray) -> None:
        """Fill buffer with the first bytes of storage slot 0 or 1."""
        ...

    def erase_slot(self, slot: int) -> None:
        """Make every byte of a slot FF. Asked for only while no torque is on.

        A slot is what can be erased without touching the other: a flash sector. Interrupts may be
        off for `messages.COMMIT_US` over this and `program_slot`.
        """
        ...

    def program_slot(self, slot: int, buffer: bytearray, n: int) -> None:
        """Write buffer[:n] to the beginning of an erased slot."""
        ...
