"""How sure the guide's place is: every source of error, and what they come to at the gate."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

from guidearm.positioning import GateLimits
from guidearm.procedure.pictures.spots import Spot, Truth, spots
from guidearm.procedure.pictures.style import (
    BOUND,
    INK,
    MEASURED,
    QUIET,
    TRUTH,
    Axes,
    headline,
    percent,
    place,
    sheet,
)
from guidearm.procedure.steps import Outcome
from guidearm.procedure.tools import Task

_ENTRY, _TARGET = "#9dc3de", MEASURED
_BAR = 0.36
_TOTAL = "all together"
# Parts of the bound.
_OFFSET, _TO_95, _TO_BOUND = INK, MEASURED, BOUND


def draw_uncertainty(path: Path, outcome: Outcome, task: Task, truth: Truth | None) -> None:
    """Draw the budget by source, the largest first, and how it makes the bound."""
    with sheet(path, 12.6, 5.9) as figure:
        headline(figure, outcome.verdict, 0.75)
        _budget(place(figure, 2.35, 0.75, 4.1, 3.55), outcome)
        _bound(place(figure, 7.75, 0.75, 4.4, 3.55), spots(outcome, task, truth), outcome)


def _budget(axes: Axes, outcome: Outcome) -> None:
    table = sorted(outcome.verdict.contributions, key=lambda c: -max(c.entry_mm, c.target_mm))
    entry = math.hypot(*(c.entry_mm for c in table))
    target = math.hypot(*(c.target_mm for c in table))
    rows = [*((c.name, c.entry_mm, c.target_mm) for c in table), (_TOTAL, entry, target)]
    largest = max(entry, target)
    for row, (name, *numbers) in enumerate(rows):
        whole = name == _TOTAL
        y = row + (0.35 if whole else 0.0)
        for side, number, colour in zip((-0.5, 0.5), numbers, (_ENTRY, _TARGET), strict=True):
            at = y + side * _BAR
            axes.barh(at, number, height=_BAR, color=colour)
            axes.text(number + 0.015 * largest, at, f"{number:.3f}", va="center", fontsize=8.0)
        look = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
        axes.text(-0.02, y, name, weight="bold" if whole else "normal", **look)
    axes.set(xlim=(0.0, 1.15 * largest), ylim=(len(rows) + 0.1, -0.6), yticks=[])
    axes.spines["left"].set_color(QUIET)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("lateral, root mean square, mm")
    axes.set_title("What the measurement does not tell", pad=24)
    _key(axes, [(_ENTRY, "at the entry"), (_TARGET, "at the target")])


def _bound(axes: Axes, both: tuple[Spot, Spot], outcome: Outcome) -> None:
    limit = GateLimits().bound_mm
    longest = max(limit, *(spot.extent_mm for spot in both))
    for row, spot in enumerate(both):
        ends = (0.0, spot.judged_mm, spot.judged_mm + spot.reach95_mm, spot.bound_mm)
        for colour, (begin, end) in zip((_OFFSET, _TO_95, _TO_BOUND), pairwise(ends), strict=True):
            axes.barh(row, end - begin, left=begin, height=0.42, color=colour)
        axes.text(
            spot.bound_mm + 0.012 * longest, row, f"{spot.bound_mm:.2f}", va="center", weight="bold"
        )
        if spot.true_mm is not None:
            axes.plot(spot.true_mm[1], row, "D", ms=8.5, mfc=TRUTH, mec="white", mew=0.9, zorder=5)
    axes.axvline(limit, color=INK, lw=1.6)
    axes.text(limit + 0.012 * longest, 0.5, f"limit {limit:.2f}", va="center")
    axes.set(xlim=(0.0, 1.15 * longest), ylim=(1.6, -0.6))
    axes.set_yticks([0, 1], ["entry", "target"])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("lateral error, mm")
    axes.set_title("What the gate judges", pad=24)
    sure = percent(outcome.verdict.confidence)
    key = [(_OFFSET, "measured"), (_TO_95, "to 95 %"), (_TO_BOUND, f"to {sure}")]
    if both[0].true is not None:
        key.append((TRUTH, "truth"))
    _key(axes, key)


def _key(axes: Axes, rows: list[tuple[str, str]]) -> None:
    """Explain the colours in one row above the axes."""
    points = 4.0
    for colour, words in rows:
        look = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
        shape = "\u25c6" if colour == TRUTH else "\u25a0"
        axes.annotate(shape, (0.0, 1.0), (points, 13.0), color=colour, ha="center", **look)
        axes.annotate(words, (0.0, 1.0), (points + 9.0, 13.0), fontsize=9.0, **look)
        points += 30.0 + 5.4 * len(words)
