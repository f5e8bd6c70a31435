"""The board of a joint on a Raspberry Pi Pico or Pico 2.

Each subject has a module of its own; `rp2_pins` has the wiring. Here they are put together.
"""

from array import array

import machine
import micropython

import rp2_analog
import rp2_bridge
import rp2_bus
import rp2_chip
import rp2_clock
import rp2_flash
import rp2_interrupt
import rp2_quadrature
import rp2_spi
import rp2_watchdog
from rp2_pins import BAUD, GPIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Maintenance(Exception):
    """The jumper is set, so that a person gets the prompt."""


class Board:
    """Time, encoders, drive, brake, bytes and storage of one joint."""

    name = rp2_chip.NAME

    def __init__(self) -> None:
        """Put the outputs in order, and what the main loop needs.

        Raises Maintenance where the jumper is set, FlashError, and AnalogError.
        """
        pin = machine.Pin
        self._clock = rp2_clock.Clock()
        if pin(GPIO["maintenance"], pin.IN, pin.PULL_UP).value() == 0:
            raise Maintenance("the maintenance jumper is set: take it off and reset to run")
        self.unique_id = machine.unique_id()
        bitten = rp2_watchdog.has_bitten()
        self._flash = rp2_flash.Flash()
        self.boot_count = self._flash.boot_count
        for signal in ("emergency_stop", "limit_lower", "limit_upper", "brake_open"):
            pin(GPIO[signal], pin.IN, pin.PULL_UP)
        pin(GPIO["stop_line"], pin.IN)
        compare, period = rp2_bridge.start()
        rp2_interrupt.prepare(compare, period, rp2_analog.start(), bitten)
        self._counter = rp2_quadrature.start()
        self._output_encoder = rp2_spi.start()
        self._bus = bus = rp2_bus.Bus(BAUD)
        self.read = bus.read
        self.write = bus.write

    def start(
        self,
        state: "array[int]",
        tick: "Callable[..., object]",
        supervise: object,
    ) -> None:
        """Begin the timer interrupt: once a millisecond, `tick(state, supervise)`."""
        rp2_interrupt.prime(state)
        micropython.kbd_intr(-1)  # a stray Ctrl-C from USB stops no joint
        rp2_interrupt.own[rp2_interrupt.ALIVE] = rp2_watchdog.MAIN_LOOP_TICKS
        rp2_watchdog.start()
        self._clock.start(rp2_interrupt.handler(state, tick, supervise))

    def wait(self) -> None:
        """Idle until received bytes may be there."""
        own = rp2_interrupt.own
        bus = self._bus
        while True:
            own[rp2_interrupt.ALIVE] = rp2_watchdog.MAIN_LOOP_TICKS
            if bus.rest():
                return

    def read_slot(self, slot: int, buffer: bytearray) -> None:
        """Fill buffer with the first bytes of storage slot 0 or 1."""
        self._flash.read(slot, buffer)

    def erase_slot(self, slot: int) -> None:
        """Make every byte of a slot FF. Interrupts are off for as long as a sector takes."""
        self._leave_alone()
        self._flash.erase(slot)
        self._come_back()

    def program_slot(self, slot: int, buffer: bytearray, n: int) -> None:
        """Write buffer[:n] to the beginning of an erased slot."""
        self._leave_alone()
        self._flash.program(slot, buffer, n)
        self._come_back()

    def _leave_alone(self) -> None:
        """Prepare for interrupts being off for long: the stop line stays as it is."""
        self._clock.pause()
        rp2_watchdog.stretch()

    def _come_back(self) -> None:
        """Go on. A request that has waited would be answered into another joint's slot."""
        self._bus.discard()
        self._clock.resume()
