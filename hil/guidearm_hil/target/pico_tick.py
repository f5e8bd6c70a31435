"""What the tick's interrupt takes on the Pico's own image, all of the board's work included."""

from __future__ import annotations

from pathlib import Path

from guidearm_hil.errors import RigError
from guidearm_hil.pico.arm import Spent
from guidearm_hil.rigs.pico import PicoRig
from guidearm_tools.bench.rows import Row, at_most

ENTRY = 400
_TICK = 16 + 9  # the exception of PIO1_IRQ_0, which the tick's clock raises
_TIME = 0x40054028  # TIMERAWL: the instant of a tick is what its handler reads first
_LEAST_TICKS = 500


def measure_tick(image: Path | None = None) -> Spent:
    """Return what the interrupts of a joint's ticks took while it moved.

    Counted by the emulated processor. The image is by default that of the rig. Raises
    RigSetUpError without the rig `pico`, RigError if the ticks cannot be told.
    """
    rig = PicoRig(1, 0, image)
    try:
        with rig.robot() as robot:
            robot.enable()
            rig.arm.watch(1, _TICK, _TIME)
            q = robot.poll().q
            robot.move_joints(q + rig.excursion)
            robot.move_joints(q)
            spent = rig.arm.watched(1)
    finally:
        rig.close()
    if spent.times < _LEAST_TICKS:
        raise RigError(f"rig pico: only {spent.times} ticks were seen, not {_LEAST_TICKS}")
    return spent


def rows(spent: Spent) -> list[Row]:
    """Return the promise."""
    name = "Pico: interrupt, entry to the board's first register, instructions"
    return [at_most(name, spent.to_register, ENTRY)]


def profile(spent: Spent) -> dict[str, int]:
    """Return what has no bound of its own."""
    return {
        "interrupt: all of a tick's, board included": spent.instructions,
        "the same, cycles": spent.cycles,
    }
