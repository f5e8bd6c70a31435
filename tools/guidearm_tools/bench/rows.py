"""One row a promise: what was measured, its bound, and whether it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from guidearm.cli.output import table
from guidearm.errors import GuideArmError


class BoundError(GuideArmError):
    """A promise was measured and not kept."""


@dataclass(frozen=True, slots=True)
class Row:
    """A promise; `name` says unit and, where it is not the upper one, which bound it is."""

    name: str
    measured: float
    bound: float
    ok: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def at_least(name: str, measured: float, bound: float) -> Row:
    """Return a row that holds from `bound` upwards."""
    return Row(f"{name}, at least", round(measured, 6), round(bound, 6), measured >= bound)


def at_most(name: str, measured: float, bound: float) -> Row:
    """Return a row that holds up to `bound`."""
    return Row(f"{name}, at most", round(measured, 6), round(bound, 6), measured <= bound)


def exactly(name: str, measured: float, bound: float) -> Row:
    """Return a row that holds at `bound` alone."""
    return Row(f"{name}, exactly", round(measured, 6), round(bound, 6), measured == bound)


def row_table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for people."""
    cells = [(r.name, f"{r.measured:g}", f"{r.bound:g}", "ok" if r.ok else "FAILED") for r in rows]
    return table(("what", "measured", "bound", ""), cells, " rr")
