"""The firmware's budgets as code for two processors, in instructions, each beside its bound."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from guidearm_hil.cortex_m.image import PROCESSORS
from guidearm_hil.cortex_m.machine import CortexM
from guidearm_tools.bench.rows import Row, at_most

TICK = {"m3": 1200, "m0plus": 1300}
WORST_TICK = {"m3": 1600, "m0plus": 1800}
TRANSACTION = 13_000
FOREIGN_FRAME = 4500
ALLOCATED = 0
HEAP = 64 * 1024

_SCRIPT = "import measure\nmeasure.all_of_it()"
_NOMINAL = ("hold", "run")
"""Seven ticks of eight; the eighth, with the supervisor, counts with the worst path."""
_WORST_CAPTURE = "capture of 19"
"""All signals there are; the bound of the worst path is for the usual six."""
_TRANSACTION = "cycle of 3 joints with set-points"
"""43 bytes in and 35 out: no other pair of ours is as near to 38 bytes each way from above."""
_FOREIGN = ("frame for another joint", "reply of another joint")


@dataclass(frozen=True)
class Measured:
    """What the rig printed for one of PROCESSORS; `everything` is its JSON, by section."""

    processor: str
    everything: dict[str, Any]

    def rows(self) -> list[Row]:
        """Return the promises. A tick's figure is the dearest seen of its kind."""
        ticks: dict[str, dict[str, int]] = self.everything["ticks"]
        talk: dict[str, dict[str, int]] = self.everything["transactions"]
        name = PROCESSORS[self.processor]
        worst = max(
            (kind for kind in ticks if _WORST_CAPTURE not in kind),
            key=lambda kind: ticks[kind]["most"],
        )
        rows = [
            at_most(
                f"servo tick, nominal, {name} instructions",
                _dearest(ticks, _NOMINAL, "most"),
                TICK[self.processor],
            ),
            at_most(
                f"servo tick, worst path ({worst}), {name} instructions",
                ticks[worst]["most"],
                WORST_TICK[self.processor],
            ),
            at_most(
                f"allocated by ticks of a move, {name}, bytes",
                self.everything["allocated_by_ticks"],
                ALLOCATED,
            ),
            at_most(
                f"allocated by a transaction, given back or not, {name}, bytes",
                _dearest(talk, talk, "allocated"),
                ALLOCATED,
            ),
            at_most(f"heap used by the firmware, {name}, bytes", self.everything["heap"], HEAP),
        ]
        if self.processor == "m0plus":
            replied = talk[_TRANSACTION]
            size = f"{replied['received']} + {replied['sent']} bytes"
            rows += [
                at_most(
                    f"request and reply, {size}, {name} instructions",
                    replied["instructions"],
                    TRANSACTION,
                ),
                at_most(
                    f"frame for another joint, {name} instructions",
                    _dearest(talk, _FOREIGN, "instructions"),
                    FOREIGN_FRAME,
                ),
            ]
        return rows

    def profile(self) -> list[tuple[str, int]]:
        """Return what has no bound of its own: name, with its unit, and figure."""
        found: list[tuple[str, int]] = []
        for name, tick in sorted(self.everything["ticks"].items()):
            found.append((f"tick: {name}", tick["most"]))
        for name, case in self.everything["transactions"].items():
            found.append(
                (f"poll: {name}, {case['received']} + {case['sent']} bytes", case["instructions"])
            )
            found.append((f"poll: {name}, bytes allocated", case["allocated"]))
        for name, case in self.everything["transactions_locked"].items():
            found.append((f"poll with the heap locked: {name}", case["instructions"]))
        found += [(f"piece: {name}", n) for name, n in self.everything["pieces"].items()]
        found += [(f"stack: {name}, bytes", n) for name, n in self.everything["stack"].items()]
        return found


def _dearest(measured: dict[str, dict[str, int]], names: Iterable[str], figure: str) -> int:
    return max(measured[name][figure] for name in names)


def measure(processor: str) -> Measured:
    """Measure everything. Raises CortexMError when the rig is not set up or fails."""
    with CortexM(processor) as machine:
        return Measured(processor, json.loads(machine.run(_SCRIPT)))
