"""Scenarios on a rig, one after the other, each from a safe rig to a safe rig."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from guidearm.errors import GuideArmError
from guidearm_hil.rigs import Rig
from guidearm_hil.scenarios import Report, Scenario
from guidearm_tools.bench.rows import Row

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Result:
    """What became of a scenario: outcome, why if it did not pass, rows, wall time in s.

    `error` is what ended it, if something did.
    """

    scenario: Scenario
    outcome: str
    reason: str
    rows: tuple[Row, ...]
    took_s: float
    error: Exception | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; nothing in them depends on the speed of a machine."""
        return {
            "name": self.scenario.name,
            "outcome": self.outcome,
            "reason": self.reason,
            "rows": [row.as_dict() for row in self.rows],
        }


def play(rig: Rig, scenario: Scenario) -> Result:
    """Run one scenario on a rig that can, or say why it cannot; the rig is safe afterwards.

    Raises RigError if it cannot be made safe.
    """
    missing = scenario.missing(rig)
    if missing is not None:
        return Result(scenario, SKIPPED, missing, (), 0.0)
    report = Report()
    error: Exception | None = None
    why: list[str] = []
    began = time.monotonic()
    try:
        scenario.play(rig, report)
    except GuideArmError as raised:
        error = raised
        why.append(str(raised))
    except Exception as raised:
        error = raised  # a bug of ours; the arm has to be made safe all the same
        why.append(f"internal error: {type(raised).__name__}: {raised}")
    rig.make_safe()
    why += [_told(row) for row in report.broken]
    why += report.notes
    outcome = FAILED if why else PASSED
    took_s = time.monotonic() - began
    return Result(scenario, outcome, "; ".join(why), tuple(report.rows), took_s, error)


def run(
    rig: Rig, scenarios: Sequence[Scenario], before: Callable[[Scenario], None] | None = None
) -> Iterator[Result]:
    """Play scenarios one after the other; `before` is told of each before it starts."""
    for scenario in scenarios:
        if before is not None:
            before(scenario)
        yield play(rig, scenario)


def _told(row: Row) -> str:
    return f"{row.name} {row.bound:g}: it is {row.measured:g}"
