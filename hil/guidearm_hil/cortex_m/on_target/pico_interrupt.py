"""The interrupt of the Pico's board on this machine: its own code, its registers in memory.

All but one: where the chip's time stands it finds this machine's counter.
"""

import sys
from array import array

from uctypes import addressof

from joint import servo
from joint.supervisor import supervise

COUNTER = 0x40000004  # of instructions: `clock` has set it going


class _Os:
    """As much of an RP2040's MicroPython as the board's files ask for before they start."""

    class _Names:
        machine = "Raspberry Pi Pico with RP2040"

    @staticmethod
    def uname() -> "_Os._Names":
        """Name the chip."""
        return _Os._Names()


class _Rp2:
    class PIO:
        OUT_LOW = SHIFT_RIGHT = 0

    @staticmethod
    def asm_pio(**_: int) -> object:
        """Leave a program as it stands."""
        return lambda program: program


sys.modules["os"] = _Os  # pyright: ignore[reportArgumentType]
sys.modules["rp2"] = _Rp2  # pyright: ignore[reportArgumentType]
import rp2_interrupt as board  # noqa: E402

_registers = array("I", [0] * 32)
_state = servo.new_state()


def handler() -> object:
    """Return what serves the tick's interrupt on the Pico, and the servo's words, time first."""
    at = addressof(_registers)
    words = (
        board.COUNTS,
        board.FIFO_STATUS,
        board.FLAGS,
        board.CONVERTER,
        board.ENCODER,
        board.LEVELS,
        board.EDGES,
        board.COMPARE,
        board.PERMITTED,
        board.WATCHDOG,
    )
    for place, word in enumerate(words):
        board.own[word] = at + 8 * place
    board.own[board.TIME] = COUNTER
    board.own[board.READ_CURRENT] = 0x100  # read back: the conversion is over
    return board.handler(_state, servo.tick, supervise), _state
