"""The view down the planned path: where the guide's axis passes entry and target."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from guidearm.geometry import Array
from guidearm.positioning import GateLimits
from guidearm.procedure.pictures.spots import Spot, Truth, spots, view_axes
from guidearm.procedure.pictures.style import (
    BOUND,
    HAIR,
    INK,
    MEASURED,
    QUIET,
    SHADE,
    TRUTH,
    Axes,
    frame,
    headline,
    percent,
    place,
    sheet,
    write,
)
from guidearm.procedure.steps import Outcome
from guidearm.procedure.tools import Task

PEDICLE_MM = 8.0
"""Width of the pedicle that is drawn for scale."""
_MARGIN = 1.22
_WIDEST = 2.0  # times what must be seen, for steps far outside
# Of the view's half width: steps nearer than this share a number, or have no arrow.
_ONE_NUMBER, _ARROW = 0.1, 0.08
_DASHES = (0, (4, 2))
_DOTS = (0, (1, 2))


def draw_target(path: Path, outcome: Outcome, task: Task, truth: Truth | None) -> None:
    """Draw entry and target side by side to one scale, and each in its pedicle."""
    both = spots(outcome, task, truth)
    _, (right, up) = view_axes(task)
    extent = max(half_width_mm(spot) for spot in both)
    with sheet(path, 12.6, 6.7) as figure:
        headline(figure, outcome.verdict, 0.75)
        name = f"{task.plan.name}, " if task.plan.name else ""
        write(figure, 0.75, 5.44, f"{name}seen down the planned path", color=QUIET)
        for spot, left in zip(both, (0.75, 5.3), strict=True):
            axes = place(figure, left, 0.7, 4.3, 4.3)
            axes.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
            axes.set_xlabel(f"mm to the patient's {right}")
            axes.set_title(f"{spot.name.capitalize()}: error under {spot.bound_mm:.2f} mm")
            _close_up(axes, spot, extent)
            if spot is both[0]:
                axes.set_ylabel(f"mm to the patient's {up}", labelpad=2)
            else:
                axes.tick_params(labelleft=False)
        write(figure, 10.0, 5.09, f"In a pedicle of {PEDICLE_MM:g} mm", 10.5)
        half = 1.05 * max(PEDICLE_MM / 2.0, *(spot.extent_mm for spot in both))
        for spot, left in zip(both, (10.0, 11.3), strict=True):
            _pedicle(place(figure, left, 3.85, 1.1, 1.1), spot, half)
        _key(place(figure, 9.9, 0.66, 2.5, 2.75), both, outcome.verdict.confidence)


def _close_up(axes: Axes, spot: Spot, extent: float) -> None:
    frame(axes)
    axes.axhline(0.0, color=HAIR, lw=0.8, zorder=1)
    axes.axvline(0.0, color=HAIR, lw=0.8, zorder=1)
    _circle(axes, (0.0, 0.0), PEDICLE_MM / 2.0, ec=QUIET, lw=1.2, ls=_DOTS)
    _circle(axes, (0.0, 0.0), GateLimits().bound_mm, ec=INK, lw=1.6)
    _circle(axes, spot.judged, spot.reach_mm, fc=BOUND, alpha=0.18, lw=0.0)
    _circle(axes, spot.judged, spot.reach_mm, ec=MEASURED, lw=1.4)
    _circle(axes, spot.judged, spot.reach95_mm, ec=MEASURED, lw=1.1, ls=_DASHES)
    steps = _into_view(spot.steps, extent)
    _arrows(axes, steps, MEASURED, _ARROW * extent)
    for step, shown in zip(spot.steps, steps, strict=True):
        if np.array_equal(step, shown):
            _mark(axes, "step", step)
    if spot.true is not None:
        _arrows(axes, spot.true, TRUTH, _ARROW * extent)
        for kind, place_mm in zip(("before", "after"), spot.true, strict=True):
            _mark(axes, kind, place_mm)
    _mark(axes, "judged", spot.judged)
    _numbers(axes, steps, spot, extent)


def half_width_mm(spot: Spot) -> float:
    """Half width of a view that shows all but steps far outside: the bound must stay readable."""
    farthest = float(np.max(np.linalg.norm(spot.steps, axis=1)))
    return _MARGIN * min(max(spot.extent_mm, farthest), _WIDEST * spot.extent_mm)


def _into_view(steps: Array, extent: float) -> Array:
    """Move marks (n, 2) outside the view to its edge, in the direction in which they lie."""
    largest = np.max(np.abs(steps), axis=1, keepdims=True)
    edge = 0.93 * extent
    return np.where(largest > edge, steps * (edge / np.maximum(largest, edge)), steps)


def _pedicle(axes: Axes, spot: Spot, half: float) -> None:
    axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
    axes.axis("off")
    axes.text(0.5, -0.17, spot.name, ha="center", transform=axes.transAxes)
    _circle(axes, (0.0, 0.0), PEDICLE_MM / 2.0, fc=SHADE, ec=QUIET, lw=1.2)
    _circle(axes, spot.judged, spot.reach_mm, fc=BOUND, ec=MEASURED, lw=1.0)
    _circle(axes, (0.0, 0.0), GateLimits().bound_mm, ec=INK, lw=1.1)


# ---- marks


def _mark(axes: Axes, kind: str, at: Array | tuple[float, float]) -> None:
    looks: dict[str, tuple[str, float, str, str, float]] = {
        "step": ("o", 6.5, "white", MEASURED, 1.4),
        "judged": ("o", 7.0, MEASURED, "white", 0.8),
        "before": ("D", 6.5, "white", TRUTH, 1.4),
        "after": ("D", 7.5, TRUTH, "white", 0.8),
    }
    shape, size, face, edge, width = looks[kind]
    axes.plot(*at, shape, ms=size, mfc=face, mec=edge, mew=width, zorder=6, clip_on=False)


def _circle(axes: Axes, centre: Array | tuple[float, float], size: float, **look: object) -> None:
    from matplotlib.patches import Circle

    make: Axes = Circle
    look.setdefault("fc", "none")
    axes.add_patch(make((float(centre[0]), float(centre[1])), size, zorder=3, **look))


def _arrows(axes: Axes, marks: Array, colour: str, least: float) -> None:
    look = {"arrowstyle": "-|>", "color": colour, "lw": 1.2, "shrinkA": 4.5, "shrinkB": 4.5}
    for begin, end in pairwise(marks):
        if np.linalg.norm(end - begin) > least:
            axes.annotate("", end, begin, arrowprops=look, zorder=5)


def _numbers(axes: Axes, steps: Array, spot: Spot, extent: float) -> None:
    """Write each step's number near its mark, where there is room; neighbours share one."""
    groups: list[list[int]] = []
    for k, step in enumerate(steps):
        if groups and np.linalg.norm(step - steps[groups[-1][0]]) < _ONE_NUMBER * extent:
            groups[-1].append(k)
        else:
            groups.append([k])
    taken = np.vstack([spot.judged[None], _between(steps)])
    if spot.true is not None:
        taken = np.vstack([taken, _between(spot.true)])
    angles = np.arange(16) * (np.pi / 8.0)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    around = extent * np.vstack([0.075 * ring, 0.12 * ring, 0.17 * ring])
    for group in groups:
        words = f"{group[0]}" if len(group) == 1 else f"{group[0]}\u2013{group[-1]}"
        letters = 0.035 * extent * (np.arange(len(words)) - 0.5 * (len(words) - 1))
        written = np.stack([letters, np.zeros_like(letters)], axis=1)
        places = np.mean(steps[group], axis=0) + around
        gaps = places[:, None, None, :] + written[:, None, :] - taken
        room = np.linalg.norm(gaps, axis=-1).reshape(len(places), -1).min(axis=1)
        # The nearest place with room enough; rounded, so that nothing hangs on the last bit.
        enough = np.minimum(room, 0.07 * extent).round(6)
        at = places[int(enough.argmax())]
        taken = np.vstack([taken, at + written])
        look = {"ha": "center", "va": "center", "color": MEASURED, "weight": "bold"}
        axes.text(*at, words, zorder=8, **look)


def _between(track: Array) -> Array:
    """Points (n, 2) along the arrows of a track, its marks included."""
    share = np.linspace(0.0, 1.0, 25)[:, None]
    parts = [(1.0 - share) * a + share * b for a, b in pairwise(track)]
    return np.vstack([track, *parts])


# ---- key


def _key(axes: Axes, both: tuple[Spot, Spot], confidence: float) -> None:
    """Explain each mark, with its distance from the plan or its radius in mm."""
    rows: list[tuple[str, str, list[float]]] = [
        ("step", "0  uncorrected", [spot.uncorrected_mm for spot in both]),
        ("judged", "judged", [spot.judged_mm for spot in both]),
        ("dashes", "95 % circle", [spot.reach95_mm for spot in both]),
        ("bound", f"{percent(confidence)} circle", [spot.reach_mm for spot in both]),
        ("", f"bound, {percent(confidence)}", [spot.bound_mm for spot in both]),
        ("gate", "gate limit", [GateLimits().bound_mm] * 2),
    ]
    true = [spot.true_mm for spot in both if spot.true_mm is not None]
    if true:
        rows.append(("before", "truth at 0", [before for before, _ in true]))
        rows.append(("after", "truth", [after for _, after in true]))
    axes.set(xlim=(0.0, 2.5), ylim=(0.0, 2.75))
    axes.axis("off")
    axes.text(0.34, 2.6, "mm", color=QUIET)
    for x, words in ((1.9, "entry"), (2.5, "target")):
        axes.text(x, 2.6, words, ha="right", color=QUIET)
    for row, (kind, words, numbers) in enumerate(rows):
        y = 2.3 - 0.29 * row
        weight = "normal" if kind else "bold"
        _sample(axes, kind, 0.12, y + 0.05)
        axes.text(0.34, y, words, weight=weight)
        for x, number in zip((1.9, 2.5), numbers, strict=True):
            axes.text(x, y, f"{number:.2f}", ha="right", weight=weight)


def _sample(axes: Axes, kind: str, x: float, y: float) -> None:
    lines: dict[str, dict[str, object]] = {
        "dashes": {"ec": MEASURED, "lw": 1.1, "ls": _DASHES},
        "bound": {"fc": "#e0f1fb", "ec": MEASURED, "lw": 1.4},
        "gate": {"ec": INK, "lw": 1.6},
    }
    if kind in lines:
        _circle(axes, (x, y), 0.1, **lines[kind])
    elif kind:
        _mark(axes, kind, (x, y))
