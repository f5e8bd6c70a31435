"""What the virtual rig charges a joint's main loop, in microseconds, from counts of instructions.

The counts are those of the code for a Cortex-M0+; how many cycles an instruction takes is that of a
tick's interrupt in the emulated RP2040, where flash is as quick as memory. No chip was measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import guidearm_hil
from guidearm_hil.cortex_m.budget import TRANSACTION_NAME, Costs
from guidearm_hil.pico.arm import Spent

CYCLES_PER_US = 125
FILE = Path(guidearm_hil.__file__).with_name("virtual_board") / "times.py"
COMMAND = "guidearm bench target --write-times"
_SHORT, _LONG = "short frame for another joint", "long frame for another joint"


def times(costs: Costs, tick: Spent) -> dict[str, int]:
    """Return the constants of the file by name, from what code for an M0+ and a Pico's tick cost.

    A frame that is none of the joint's costs READ_US and so much for each of its bytes; a reply
    costs WRITE_US more, which is what is left of a CYCLE with a set-point.
    """
    us = tick.cycles / tick.instructions / CYCLES_PER_US  # of an instruction
    talk: dict[str, dict[str, int]] = costs.everything["transactions"]
    short, long, whole = talk[_SHORT], talk[_LONG], talk[TRANSACTION_NAME]
    bytes_more = long["received"] - short["received"]
    byte_us = us * (long["instructions"] - short["instructions"]) / bytes_more
    read_us = us * short["instructions"] - short["received"] * byte_us
    write_us = us * whole["instructions"] - read_us - whole["received"] * byte_us
    return {
        "READ_US": round(read_us),
        "READ_BYTE_US_Q8": round(256 * byte_us),
        "WRITE_US": round(write_us),
    }


def as_text(values: dict[str, int]) -> str:
    """Return the file's text."""
    lines = [
        f'"""What the board charges the main loop, us: made by `{COMMAND}`.',
        "",
        "Counts on the code for a Cortex-M0+; cycles an instruction as in a tick of the emulated",
        f"RP2040, which runs at {CYCLES_PER_US} MHz.",
        '"""',
        "",
        *(f"{name} = {value}" for name, value in values.items()),
    ]
    return "\n".join(lines) + "\n"


def written() -> dict[str, int]:
    """Return the constants that the file holds."""
    found: dict[str, Any] = {}
    exec(compile(FILE.read_text(encoding="utf-8"), FILE.name, "exec"), found)
    return {name: value for name, value in found.items() if name.isupper()}


def write(costs: Costs, tick: Spent) -> None:
    """Write the file."""
    FILE.write_text(as_text(times(costs, tick)), encoding="utf-8")
