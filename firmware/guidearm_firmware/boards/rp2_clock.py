"""The tick's clock, and the guard of what is dangerous.

A PIO state machine raises a hard interrupt a thousand times a second. (`machine.Timer` would do
from MicroPython 1.26 on; in 1.25 its interrupts are soft, and wait for the garbage collector.)

The same machine holds the pins that release the brake, let go of the stop line and enable the
power stage, from bit 0 on. A tick hands it a word with what is permitted, which it puts out 150 us
after it called for the tick. A tick that has not handed over by then permits nothing: whatever
becomes of the program, torque is off, the brake closes and the line is pulled within a millisecond.
"""

import machine
import rp2
from micropython import const

import rp2_chip as chip
from rp2_pins import GPIO

# ruff: noqa: F405  the assembler's words are there only while it assembles
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rp2.asm_pio import *  # noqa: F403

MACHINE = 5  # the second of PIO 1
PERMITTED = chip.PIO1 + chip.TRANSMIT_FIFO + 4  # where a tick puts the word
TICK_HZ = 1000
_CYCLES = const(40)  # a tick: of 25 us
_UNTIL_PUT_OUT = const(6)


@rp2.asm_pio(
    out_init=[rp2.PIO.OUT_LOW, rp2.PIO.OUT_LOW, rp2.PIO.OUT_LOW],
    out_shiftdir=rp2.PIO.SHIFT_RIGHT,
)
def _beat() -> None:
    wrap_target()
    pull(noblock)  # a word that came too late is worth nothing
    irq(rel(0))[_UNTIL_PUT_OUT - 1]
    pull(noblock)  # X, which is 0, if there is no word
    out(pins, 3)[_CYCLES - _UNTIL_PUT_OUT - 3]
    wrap()


class Clock:
    """The state machine of both."""

    def __init__(self) -> None:
        """Take the pins, with nothing permitted."""
        self._machine = rp2.StateMachine(
            MACHINE, _beat, freq=TICK_HZ * _CYCLES, out_base=machine.Pin(GPIO["brake_release"])
        )
        self._machine.exec("set(x, 0)")

    def start(self, interrupt: "Callable[[object], object]") -> None:
        """Call `interrupt` at every tick, in a hard interrupt."""
        self._machine.irq(interrupt, trigger=1, hard=True)
        self._machine.active(1)

    def pause(self) -> None:
        """Let no tick come, and leave the pins as they are: to be called with torque off."""
        self._machine.active(0)

    def resume(self) -> None:
        """Go on with the ticks."""
        self._machine.active(1)
