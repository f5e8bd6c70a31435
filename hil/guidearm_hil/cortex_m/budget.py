"""The firmware's budgets, measured on the target in instructions, each beside its bound.

The target says which processor its code is for; the bounds follow from that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from guidearm_tools.bench.rows import Row, at_most, exactly

M3, M0PLUS = "Cortex-M3", "Cortex-M0+"
TICK = {M3: 1200, M0PLUS: 1300}
WORST_TICK = {M3: 1600, M0PLUS: 1800}
TRANSACTION = 13_000
FOREIGN_FRAME = 4500
ALLOCATED = 0
HEAP = 64 * 1024
ENTRY = 400
STACK = 1024
"""An eighth of the 8 KB that MicroPython gives an RP2040, for main loop and interrupts together."""
TICKS = 10_000
DROPPED = 0

_NOMINAL = ("hold", "run")
"""With whichever slice of what changes slowly; the rest counts with the worst path."""
TRANSACTION_NAME = "cycle of 3 joints with set-points"
"""43 bytes in and 35 out: no other pair of ours is as near to 38 bytes each way from above."""
_BEGINS = "IDENTIFY"
"""The transaction that begins a session: what comes after it is the steady state."""
_FOREIGN = ("frame for another joint", "reply of another joint")

Run = Callable[[str], str]
"""What runs a script on the target and returns what it printed."""


@dataclass(frozen=True)
class Costs:
    """What the firmware's parts take; `everything` is the target's JSON, by section."""

    everything: dict[str, Any]

    @property
    def processor(self) -> str:
        """The processor that the code is for."""
        return self.everything["processor"]

    def rows(self) -> list[Row]:
        """Return the promises. A tick's figure is the dearest seen of its kind."""
        ticks: dict[str, dict[str, int]] = self.everything["ticks"]
        talk: dict[str, dict[str, int]] = self.everything["transactions"]
        on = self.processor
        rows = [
            at_most(
                f"{on}: servo tick, nominal, instructions",
                _dearest(ticks, _NOMINAL, "most"),
                TICK[on],
            ),
        ]
        if on == M0PLUS:
            replied = talk[TRANSACTION_NAME]
            size = f"{replied['received']} + {replied['sent']} bytes"
            rows += [
                at_most(
                    f"{on}: request and reply, {size}, instructions",
                    replied["instructions"],
                    TRANSACTION,
                ),
                at_most(
                    f"{on}: frame for another joint, instructions",
                    _dearest(talk, _FOREIGN, "instructions"),
                    FOREIGN_FRAME,
                ),
            ]
        rows += [
            at_most(
                f"{on}: allocated by ticks of a move, bytes",
                self.everything["allocated_by_ticks"],
                ALLOCATED,
            ),
            at_most(
                f"{on}: allocated by a transaction of a session, given back or not, bytes",
                _dearest(talk, (name for name in talk if name != _BEGINS), "allocated"),
                ALLOCATED,
            ),
            at_most(f"{on}: heap used by the firmware, bytes", self.everything["heap"], HEAP),
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


@dataclass(frozen=True)
class WorstTicks:
    """What the dearest tick of each situation takes, and what met it, as the target has it."""

    everything: dict[str, Any]

    def rows(self) -> list[Row]:
        """Return the promise: the dearest of all."""
        on: str = self.everything["processor"]
        dearest: dict[str, tuple[int, str]] = self.everything["dearest"]
        where = max(dearest, key=lambda situation: dearest[situation][0])
        spent, met = dearest[where]
        name = f"{on}: servo tick, worst path ({where}: {met}), instructions"
        return [at_most(name, spent, WORST_TICK[on])]

    def profile(self) -> list[tuple[str, int]]:
        """Return what the dearest tick of each situation takes: name and figure."""
        dearest: dict[str, tuple[int, str]] = self.everything["dearest"]
        return [(f"dearest tick: {name}", spent) for name, (spent, _) in dearest.items()]


@dataclass(frozen=True)
class Interrupts:
    """What hard interrupts take, and how they come under load, as the target's JSON has it."""

    everything: dict[str, Any]

    def rows(self) -> list[Row]:
        """Return the promises."""
        on, load = self.everything["processor"], self.everything["collector"]
        return [
            at_most(
                f"{on}: interrupt, entry to first line, instructions",
                self.everything["entry"],
                ENTRY,
            ),
            at_most(
                f"{on}: interrupt, entry to the Pico board's first register, instructions",
                self.everything["entry_pico"],
                ENTRY,
            ),
            at_most(
                f"{on}: stack of the interrupt, its tick calling the supervisor, bytes",
                self.everything["stack"],
                STACK,
            ),
            exactly(
                f"{on}: ticks dropped in {load['ticks']} under a full bus and the collector",
                load["dropped"],
                DROPPED,
            ),
        ]

    def profile(self) -> list[tuple[str, int]]:
        """Return what has no bound of its own: name, with its unit, and figure."""
        found = [
            ("interrupt: all of it, around a function that does nothing", self.everything["around"])
        ]
        for name, load in (("full bus", "bus"), ("full bus and collector", "collector")):
            figures = self.everything[load]
            found += [
                (f"{name}: entry at the latest, to 40", figures["most"]),
                (f"{name}: jitter of the entry, to 40", figures["most"] - figures["least"]),
                (f"{name}: replies in {figures['ticks']} ticks", figures["replies"]),
                (f"{name}: bytes lost in them", figures["bytes_lost"]),
            ]
        return found


def measure_costs(run: Run) -> Costs:
    """Measure the firmware's parts."""
    return Costs(json.loads(run("import measure\nmeasure.all_of_it()")))


def measure_worst_ticks(run: Run) -> WorstTicks:
    """Measure ticks that meet events."""
    return WorstTicks(json.loads(run("import events\nevents.measure()")))


def measure_interrupts(run: Run, ticks: int = TICKS) -> Interrupts:
    """Measure hard interrupts, for so many ticks under load."""
    return Interrupts(json.loads(run(f"import running\nrunning.measure({ticks})")))
