"""The watchdog: resets the chip when the tick or the main loop no longer runs.

In reset every pin is an input, and the resistors beside them keep the power stage off, the brake
closed and the stop line pulled. The interrupt feeds it, for as long as the main loop has passed
lately. The next boot can tell that it was this.
"""

import machine

import rp2_chip as chip

LOAD = chip.WATCHDOG + 0x04
_REASON = chip.WATCHDOG + 0x08
_SCRATCH = chip.WATCHDOG + 0x0C  # keeps its content over a reset
_BY_TIMER = 1
_ARMED = 0x47415744

TICKING = 20000 * chip.WATCHDOG_PER_US  # twenty ticks
_ERASING = 4000000 * chip.WATCHDOG_PER_US  # interrupts are off for as long as a sector takes
MAIN_LOOP_TICKS = 100  # it may be away for: a collection, many frames


def has_bitten() -> bool:
    """Tell whether this boot is due to the watchdog of the one before."""
    scratch = machine.mem32[_SCRATCH]
    machine.mem32[_SCRATCH] = 0
    return scratch == _ARMED and machine.mem32[_REASON] & _BY_TIMER != 0


def start() -> None:
    """Let go of the leash; only a reset takes it back."""
    machine.WDT(timeout=1000)  # sets up what is reset, which the registers below do not
    machine.mem32[LOAD] = TICKING
    machine.mem32[_SCRATCH] = _ARMED


def stretch() -> None:
    """Give flash its time, over which interrupts are off. The next tick shortens it again."""
    machine.mem32[LOAD] = _ERASING
