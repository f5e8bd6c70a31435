"""The arm as it stood: start, beginning of the approach, on the line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.procedure.pictures.scene import Scene, Skeleton, scene
from guidearm.procedure.pictures.style import (
    HAIR,
    INK,
    MEASURED,
    QUIET,
    TRUTH,
    Axes,
    frame,
    headline,
    place,
    sheet,
)
from guidearm.procedure.steps import Outcome
from guidearm.procedure.tools import Task, ToolCalibration

# Name and colour of each posture.
_LOOKS = (("start", "#c9d0d7"), ("beginning of approach", "#86b7d8"), ("on the line", MEASURED))
_LINK, _JOINT, _SLEEVE = 6.5, 6.0, 3.0  # points
_ROOM_MM = 60.0  # around everything
_SIGHT: dict[str, Any] = {"color": QUIET, "lw": 1.0, "ls": (0, (2, 2))}
_LEFT_IN = 0.85
_HIGH_IN, _NARROW_IN = 4.0, 3.1


def draw_approach(
    path: Path, outcome: Outcome, tools: ToolCalibration, task: Task, arm: Arm
) -> None:
    """Draw the arm from the side and from above to one scale, and the sleeve along the path."""
    room = scene(outcome, tools, task, arm)
    low, high = room.points.min(axis=0), room.points.max(axis=0)
    middle, half = 0.5 * (low + high), 0.5 * float(np.max(high - low)) + _ROOM_MM
    with sheet(path, 13.8, 6.35) as figure:
        headline(figure, outcome.verdict, _LEFT_IN)
        views = ((2, "From the side", _LEFT_IN), (1, "From above", _LEFT_IN + 4.85))
        for up, title, left in views:
            axes = place(figure, left, 1.0, _HIGH_IN, _HIGH_IN)
            axes.set(
                xlim=(middle[0] - half, middle[0] + half),
                ylim=(middle[up] - half, middle[up] + half),
                aspect="equal",
                title=title,
                xlabel="base x, mm",
            )
            axes.set_ylabel(f"base {'xyz'[up]}, mm", labelpad=1)
            _view(axes, room, [0, up])
        _along(place(figure, _LEFT_IN + 9.6, 1.0, _NARROW_IN, _HIGH_IN), room)
        _key(place(figure, _LEFT_IN, 0.1, 12.5, 0.3), room)


def _view(axes: Axes, room: Scene, pick: list[int]) -> None:
    """Look along a base axis, at the other two."""
    frame(axes)
    if pick[1] == 2:
        axes.axhline(0.0, color=HAIR, lw=1.0, zorder=1)
    for order, posture in enumerate(room.postures):
        _posture(axes, posture.seen(lambda points: points[..., pick]), order)
    patient = room.patient[pick]
    _plan(axes, room.entry[pick], room.target[pick])
    _mark(axes, INK, patient)
    axes.plot(0.0, 0.0, "s", ms=12, color=INK, zorder=8)
    _say(axes, (0.0, 0.0), "base", (0.0, -15.0), ha="center")
    for marker in (patient, room.postures[2].marker[pick]):
        axes.plot(
            *np.stack([marker, room.camera[pick]]).T, zorder=2, **_SIGHT
        )  # ends outside the view


def _along(axes: Axes, room: Scene) -> None:
    """Look at the plane of sleeve and flange: the path runs straight down."""
    view = room.along_path()
    begin, last = (posture.seen(view) for posture in room.postures[1:])
    depth = float(view(room.target)[1])
    seen = np.vstack([p for posture in (begin, last) for p in (posture.sleeve, posture.marker)])
    bottom, top = depth + 15.0, float(seen[:, 1].min()) - 20.0
    width = (bottom - top) * _NARROW_IN / _HIGH_IN
    left = min(float(seen[:, 0].max()) + 20.0 - width, -55.0)
    frame(axes)
    axes.set(
        xlim=(left, left + width),
        ylim=(bottom, top),
        aspect="equal",
        title="Along the path",
        xlabel="beside the path, mm",
    )
    axes.set_ylabel("depth past the entry, mm", labelpad=1)
    axes.plot([0.0, 0.0], [top, depth], color=TRUTH, lw=1.0, ls=(0, (5, 3)), zorder=2)
    for order, posture in ((1, begin), (2, last)):
        _tool(axes, posture, order, 2.0 * _SLEEVE)
        axes.plot(*posture.flange, "o", ms=5.5, color=_LOOKS[order][1], zorder=4 + order)
    _say(axes, last.flange, "flange", (6.0, 3.0), va="bottom")
    _say(axes, last.marker, "arm marker", (10.0, -9.0), ha="right", va="top")
    _say(axes, 0.5 * (last.sleeve[0] + last.sleeve[1]), "sleeve", (8.0, 0.0))
    _say(axes, view(room.entry), "entry", (8.0, -7.0))
    _say(axes, view(room.target), "target", (8.0, 0.0))
    _plan(axes, view(room.entry), view(room.target))
    ends = (float(begin.sleeve[1, 1]), float(last.sleeve[1, 1]), 0.0, depth)
    names = ("approach", "stand-off", "depth")
    for name, (first, second) in zip(names, pairwise(ends), strict=True):
        x = -0.05 * width
        _span(axes, x, first, second)
        words = f"{name}\n{second - first:.0f} mm"
        _say(axes, (x, 0.5 * (first + second)), words, (-6.0, 0.0), ha="right")


# ---- strokes


def _posture(axes: Axes, posture: Skeleton, order: int) -> None:
    colour, z = _LOOKS[order][1], 3.0 + order
    look: dict[str, Any] = {"solid_joinstyle": "round"}
    axes.plot(*posture.links.T, color="white", lw=_LINK + 2.0, zorder=z, **look)
    axes.plot(*posture.links.T, color=colour, lw=_LINK, zorder=z + 0.1, **look)
    look = {"ms": _JOINT, "mfc": "white", "mec": colour, "mew": 1.3}
    axes.plot(*posture.joints[:6].T, "o", zorder=z + 0.2, **look)
    _tool(axes, posture, order, _SLEEVE)


def _tool(axes: Axes, posture: Skeleton, order: int, width: float) -> None:
    colour, z = _LOOKS[order][1], 3.3 + order
    bracket = np.stack([posture.marker, posture.flange, posture.sleeve[0]])
    axes.plot(*bracket.T, color=colour, lw=1.6, zorder=z)
    axes.plot(*posture.sleeve.T, color=colour, lw=width, solid_capstyle="butt", zorder=z)
    _mark(axes, colour, posture.marker, z + 0.1)


def _plan(axes: Axes, entry: Array, target: Array) -> None:
    axes.plot(*np.stack([entry, target]).T, color=TRUTH, lw=2.0, zorder=8)
    for at, face in ((entry, "white"), (target, TRUTH)):
        axes.plot(*at, "o", ms=5.5, mfc=face, mec=TRUTH, mew=1.4, zorder=9)


def _mark(axes: Axes, colour: str, at: Array | tuple[float, float], z: float = 8.0) -> None:
    axes.plot(*at, "P", ms=8.5, mfc=colour, mec="white", mew=0.7, zorder=z)


def _span(axes: Axes, x: float, first: float, second: float) -> None:
    """Draw a dimension line."""
    look: dict[str, Any] = {"arrowstyle": "|-|,widthA=0.25,widthB=0.25", "color": QUIET, "lw": 1.1}
    look |= {"shrinkA": 0.0, "shrinkB": 0.0}
    axes.annotate("", (x, second), (x, first), arrowprops=look, zorder=7)


def _say(
    axes: Axes,
    at: Array | tuple[float, float],
    words: str,
    shift: tuple[float, float],
    ha: str = "left",
    va: str = "center",
) -> None:
    look = {"textcoords": "offset points", "ha": ha, "va": va, "fontsize": 9.0}
    axes.annotate(words, at, shift, zorder=9, **look)


def _key(axes: Axes, room: Scene) -> None:
    """Explain the marks in one row; x is in inches."""
    axes.set(xlim=(0.0, 12.5), ylim=(-0.15, 0.15))
    axes.axis("off")
    distance_m = 1e-3 * float(np.linalg.norm(room.camera - room.patient))
    x = 0.08

    def name(words: str, room_in: float) -> None:
        nonlocal x
        axes.text(x + room_in, 0.0, words, va="center")
        x += room_in + 0.4 + 0.078 * len(words)

    for words, colour in _LOOKS:
        axes.plot([x, x + 0.25], [0.0, 0.0], color=colour, lw=_LINK)
        name(words, 0.4)
    _mark(axes, MEASURED, (x, 0.0))
    name("arm marker", 0.15)
    _mark(axes, INK, (x, 0.0))
    name("patient marker", 0.15)
    axes.plot([x, x + 0.4], [0.0, 0.0], **_SIGHT)
    name(f"line of sight, {distance_m:.2f} m", 0.52)
    _plan(axes, np.array([x, 0.0]), np.array([x + 0.3, 0.0]))
    name("entry and target", 0.44)
