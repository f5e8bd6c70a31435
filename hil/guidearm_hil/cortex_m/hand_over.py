"""What main loop and tick hand over to each other, interrupted everywhere on the target."""

from __future__ import annotations

import json
from dataclasses import dataclass

from guidearm_hil.cortex_m.budget import Run
from guidearm_tools.bench.rows import Row, at_least, exactly

LEAST_TRIES = 100


@dataclass(frozen=True)
class Interrupted:
    """An operation of the main loop, tried with the tick's interrupt ever later.

    Fields: tries with the interrupt inside it; outcomes that are that of no order of whole steps
    and the tick, and the first of them in words.
    """

    name: str
    inside: int
    mixed: int
    first: str

    def rows(self) -> list[Row]:
        """Return the promises, with what was found where one is broken."""
        what = f" ({self.first})" if self.first else ""
        return [
            at_least(f"{self.name}: places of an interrupt in it", self.inside, LEAST_TRIES),
            exactly(f"{self.name}: outcomes that are a mixture{what}", self.mixed, 0),
        ]


def interrupt_everything(run: Run) -> list[Interrupted]:
    """Interrupt every operation everywhere; takes a minute."""
    found = json.loads(run("import handover\nhandover.try_all()"))
    return [
        Interrupted(name, each["inside"], each["mixed"], each["first"])
        for name, each in found.items()
    ]
