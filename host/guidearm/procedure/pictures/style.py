"""The look of the procedure's pictures: that of all, and the decision of the gate as headline."""

from __future__ import annotations

import textwrap

from guidearm.positioning import GateLimits, GateVerdict
from guidearm.sheet import (
    BAD,
    BOUND,
    DASHES,
    DPI,
    GOOD,
    HAIR,
    INK,
    JOINTS,
    MEASURED,
    QUIET,
    SHADE,
    TRUTH,
    Axes,
    Figure,
    frame,
    name_ends,
    place,
    sheet,
    write,
)

__all__ = [
    "BAD",
    "BOUND",
    "DASHES",
    "DPI",
    "GOOD",
    "HAIR",
    "INK",
    "JOINTS",
    "MEASURED",
    "QUIET",
    "SHADE",
    "TRUTH",
    "Axes",
    "Figure",
    "frame",
    "headline",
    "name_ends",
    "percent",
    "place",
    "sheet",
    "verdict_words",
    "write",
]


def verdict_words(verdict: GateVerdict) -> tuple[str, str]:
    """Return the decision with its bound, and in one sentence what that means or why not."""
    decision = "Released" if verdict.passed else "NOT released"
    meaning = (
        f"the lateral error is under it with {percent(verdict.confidence)} confidence, "
        f"under {verdict.bound95_mm:.2f} mm with 95 %; {GateLimits().bound_mm:g} mm is allowed"
    )
    words = meaning if verdict.passed else "; ".join(verdict.reasons)
    return f"{decision}: bound {verdict.bound_mm:.2f} mm", words[:1].upper() + words[1:]


def headline(figure: Figure, verdict: GateVerdict, left: float) -> None:
    """Write the decision of the gate over the top inch of the sheet."""
    across, up = figure.get_size_inches()
    decision, reason = verdict_words(verdict)
    colour = GOOD if verdict.passed else BAD
    write(figure, left, up - 0.46, decision, 15, color=colour, weight="bold")
    room = int((across - 2.0 * left) / 0.083)
    lines = textwrap.wrap(reason, room, max_lines=2, placeholder=" ...")
    for row, line in enumerate(lines):
        write(figure, left, up - 0.74 - 0.2 * row, line, 10.5)


def percent(confidence: float) -> str:
    """Return a probability in words: 99.9 %."""
    return f"{100.0 * confidence:g} %"
