"""Traces as pictures: what a joint was asked and what it did, over the same time.

Time is ms from the trigger. matplotlib is imported when something is drawn.
"""

from __future__ import annotations

import textwrap
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from guidearm.arm.capture import JointTrace
from guidearm.errors import InputError
from guidearm.geometry import Array
from guidearm.sheet import (
    BAD,
    DASHES,
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
    place,
    sheet,
    write,
)
from guidearm_protocol import messages

SIGNALS = ("position", "set_point", "following_error", "speed", "set_speed", "current", "mode")
"""What the pictures show."""

_WIDTH_IN, _LEFT_IN, _KEY_IN, _TOP_IN = 8.7, 1.05, 1.95, 1.5
_PANEL_IN, _GAP_IN, _STRIP_IN, _FOOT_IN = 1.45, 0.28, 0.26, 0.6
_MOVING = "#e3ebf1"
_MODE_LOOK = {"run": ("#c9d8e4", INK), "ramp": ("#f2cdb4", INK), "seek": ("#c9d8e4", INK)}
# panels show no less than this from bottom to top: what rests looks at rest
_LEAST = {
    "position, deg": 0.05,
    "travel, deg": 0.05,
    "speed, deg/s": 0.5,
    "error, deg": 0.01,
    "current, A": 0.5,
}
_DASHED = (0, (4, 1.6))
TOGETHER = (MEASURED, TRUTH, GOOD)
"""Colours of recordings that lie over each other."""


@dataclass(frozen=True)
class Words:
    """What stands above a picture: a headline, what it says, and what to know about it."""

    headline: str
    says: str
    note: str = ""
    bad: bool = False


def draw_joint(
    path: Path, trace: JointTrace, words: Words, spans: Sequence[tuple[float, float, str]] = ()
) -> None:
    """Draw target and position, speeds, following error and current of one joint.

    `spans` (s from the trigger) are shaded and named. Raises InputError if the file cannot be
    written.
    """
    ms = (trace.time_s - trace.trigger_s) * 1e3
    v = trace.values
    with _panels(path, words, 4) as (figure, panels):
        position, speed, error, current = panels
        _lines(position, ms, v, ("set_point", "position"), ("set-point", "position"))
        _lines(speed, ms, v, ("set_speed", "speed"), ("set-point", "measured"))
        _lines(error, ms, v, ("following_error",), ("set-point \u2212 position",))
        peak = float(np.max(np.abs(np.degrees(v["following_error"]))))
        _say(error, 1, f"peak {_number(peak)}\u00b0")
        current.plot(ms, v["current"], color=MEASURED, lw=1.4, zorder=3)
        _key(current, 0, "motor", MEASURED, "-")
        _say(current, 1, f"peak {_number(float(np.max(np.abs(v['current']))))} A")
        window = (float(ms[0]), float(ms[-1]))
        _dress(panels, window, ("position, deg", "speed, deg/s", "error, deg", "current, A"))
        for axes in panels:
            for start, end, _ in spans:
                axes.axvspan(start * 1e3, end * 1e3, color=_MOVING, lw=0.0, zorder=0)
        for start, end, name in spans:
            _name_span(position, start * 1e3, end * 1e3, name)
        _modes(figure, window, ms, v["mode"], "mode")


def draw_arm(path: Path, traces: Sequence[JointTrace], words: Words) -> None:
    """Draw the joints together: travel, speed, following error and current of each.

    Raises InputError if the file cannot be written.
    """
    zero = min(trace.trigger_s for trace in traces)
    with _panels(path, words, 4) as (figure, panels):
        for row, trace in enumerate(traces):
            ms = (trace.time_s - zero) * 1e3
            v = trace.values
            courses = (
                np.degrees(v["position"] - v["position"][0]),
                np.degrees(v["speed"]),
                np.degrees(v["following_error"]),
                v["current"],
            )
            colour, dash = JOINTS[(trace.number - 1) % 6], DASHES[(trace.number - 1) % 6]
            for axes, course in zip(panels, courses, strict=True):
                axes.plot(ms, course, color=colour, ls=dash, lw=1.3, zorder=3)
            travel = _number(float(courses[0][-1]), sign=True)
            _key(panels[0], row, f"joint {trace.number}  {travel}\u00b0", colour, dash)
            peak = _number(float(np.max(np.abs(courses[2]))))
            _key(panels[2], row, f"peak {peak}\u00b0", colour, dash)
        first = min(traces, key=lambda trace: trace.trigger_s)
        begin = min(float(trace.time_s[0]) for trace in traces)
        end = max(float(trace.time_s[-1]) for trace in traces)
        window = ((begin - zero) * 1e3, (end - zero) * 1e3)
        _dress(panels, window, ("travel, deg", "speed, deg/s", "error, deg", "current, A"))
        ms = (first.time_s - zero) * 1e3
        _modes(figure, window, ms, first.values["mode"], f"mode of joint {first.number}")


def draw_together(
    path: Path, traces: Sequence[tuple[str, JointTrace]], words: Words, demand: str
) -> None:
    """Draw one motion of a joint as several recordings have it, over the same axes.

    `traces` are named; travel is from where each stood before, `demand` names the set-point of
    the first. Raises InputError if the file cannot be written.
    """
    with _panels(path, words, 4) as (figure, panels):
        windows: list[tuple[float, float]] = []
        first = traces[0][1]
        ms = (first.time_s - first.trigger_s) * 1e3
        asked = np.degrees(first.values["set_point"] - first.values["set_point"][0])
        look = {"color": INK, "ls": _DASHED, "lw": 1.1, "zorder": 5}
        panels[0].plot(ms, asked, **look)
        panels[1].plot(ms, np.degrees(first.values["set_speed"]), **look)
        _key(panels[0], 0, demand, INK, _DASHED)
        for row, (name, trace) in enumerate(traces):
            ms = (trace.time_s - trace.trigger_s) * 1e3
            v = trace.values
            courses = (
                np.degrees(v["position"] - v["position"][0]),
                np.degrees(v["speed"]),
                np.degrees(v["following_error"]),
                v["current"],
            )
            colour = TOGETHER[row % len(TOGETHER)]
            for axes, course in zip(panels, courses, strict=True):
                axes.plot(ms, course, color=colour, lw=1.5, zorder=3 + row / 10, alpha=0.85)
            _key(panels[0], row + 1, name, colour, "-")
            peak = _number(float(np.max(np.abs(courses[2]))))
            _key(panels[2], row, f"peak {peak}\u00b0", colour, "-")
            most = _number(float(np.max(np.abs(courses[3]))))
            _key(panels[3], row, f"peak {most} A", colour, "-")
            windows.append((float(ms[0]), float(ms[-1])))
        window = (min(start for start, _ in windows), max(end for _, end in windows))
        _dress(panels, window, ("travel, deg", "speed, deg/s", "error, deg", "current, A"))
        ms = (first.time_s - first.trigger_s) * 1e3
        _modes(figure, window, ms, first.values["mode"], f"mode, {traces[0][0]}")


@contextmanager
def _panels(path: Path, words: Words, count: int) -> Generator[tuple[Figure, list[Axes]]]:
    """Give a sheet with its words and `count` panels; InputError if it cannot be written."""
    top = _TOP_IN + count * (_PANEL_IN + _GAP_IN) + _STRIP_IN + _FOOT_IN
    try:
        with sheet(path, _LEFT_IN + _WIDTH_IN + _KEY_IN, top) as figure:
            look = {"color": BAD if words.bad else INK, "weight": "bold"}
            write(figure, _LEFT_IN, top - 0.42, words.headline, 15, **look)
            row = 0
            for text, colour in ((words.says, INK), (words.note, QUIET)):
                for line in textwrap.wrap(text, 134):
                    write(figure, _LEFT_IN, top - 0.70 - 0.19 * row, line, 10, color=colour)
                    row += 1
            heights = [top - _TOP_IN - _PANEL_IN - k * (_PANEL_IN + _GAP_IN) for k in range(count)]
            yield (
                figure,
                [place(figure, _LEFT_IN, height, _WIDTH_IN, _PANEL_IN) for height in heights],
            )
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): name another folder"
        ) from None


def _lines(
    axes: Axes, ms: Array, values: dict[str, Array], names: Sequence[str], keys: Sequence[str]
) -> None:
    """Plot angles in degrees: set-points dashed in ink above what was measured."""
    for row, (name, key) in enumerate(zip(names, keys, strict=True)):
        asked = len(names) > 1 and row == 0
        colour, dash = (INK, _DASHED) if asked else (MEASURED, "-")
        width, height = (1.1, 4) if asked else (1.6, 3)
        axes.plot(ms, np.degrees(values[name]), color=colour, ls=dash, lw=width, zorder=height)
        _key(axes, row, key, colour, dash)


def _key(axes: Axes, row: int, words: str, colour: str, dash: object) -> None:
    """Name a line in the margin on the right, beside a piece of it."""
    height = 1.0 - (0.19 * row + 0.09) / _PANEL_IN
    x = np.array([0.10, 0.36]) / _WIDTH_IN + 1.0
    look = {"transform": axes.transAxes, "clip_on": False, "color": colour}
    axes.plot(x, [height, height], lw=1.6, ls=dash, **look)
    _margin(axes, height, words, colour)


def _say(axes: Axes, row: int, words: str) -> None:
    """Write in the margin on the right, under the keys."""
    _margin(axes, 1.0 - (0.19 * row + 0.09) / _PANEL_IN, words, INK)


def _margin(axes: Axes, height: float, words: str, colour: str) -> None:
    look = {"transform": axes.transAxes, "va": "center_baseline", "fontsize": 9.0}
    axes.text(1.0 + 0.44 / _WIDTH_IN, height, words, color=colour, **look)


def _dress(panels: Sequence[Axes], window: tuple[float, float], labels: Sequence[str]) -> None:
    for axes, label in zip(panels, labels, strict=True):
        axes.set_xlim(*window)
        axes.margins(y=0.12)
        axes.set_ylabel(label)
        axes.yaxis.set_label_coords(-0.72 / _WIDTH_IN, 0.5)
        axes.tick_params(labelbottom=False)
        axes.axvline(0.0, color=QUIET, lw=0.9, ls=(0, (1.5, 1.5)), zorder=2)
        axes.locator_params(axis="y", nbins=5)
        low, high = axes.get_ylim()
        short = _LEAST[label] - (high - low)
        if short > 0:
            axes.set_ylim(low - short / 2, high + short / 2)
        if low < 0.0 < high:
            axes.axhline(0.0, color=HAIR, lw=0.8, zorder=1)


def _name_span(axes: Axes, start: float, end: float, name: str) -> None:
    transform = axes.get_xaxis_transform()
    look = {"textcoords": "offset points", "ha": "center", "color": QUIET, "fontsize": 9.0}
    axes.annotate(name, (0.5 * (start + end), 1.0), (0, 4), xycoords=transform, **look)


def _modes(figure: Figure, window: tuple[float, float], ms: Array, mode: Array, words: str) -> None:
    """Draw the drive's modes as a strip that carries the time axis."""
    axes = place(figure, _LEFT_IN, _FOOT_IN, _WIDTH_IN, _STRIP_IN)
    axes.set(xlim=window, ylim=(0.0, 1.0), yticks=[])
    axes.set_xlabel("time from the trigger, ms")
    axes.spines["left"].set_visible(False)
    edges = [0, *(np.flatnonzero(np.diff(mode)) + 1).tolist(), len(mode)]
    span = window[1] - window[0]
    for first, last in pairwise(edges):
        name = messages.MODES[int(mode[first])]
        begin, end = float(ms[first]), float(ms[min(last, len(ms) - 1)])
        shade, colour = _MODE_LOOK.get(name, (SHADE, QUIET))
        axes.axvspan(begin, end, color=shade, lw=0.0)
        axes.axvline(end, color="white", lw=1.5)
        if (end - begin) / span * _WIDTH_IN > 0.1 * len(name):
            middle = 0.5 * (begin + end)
            axes.text(middle, 0.46, name, ha="center", va="center", color=colour, fontsize=9.0)
    look = {"transform": axes.transAxes, "va": "center", "color": QUIET}
    axes.text(1.0 + 0.10 / _WIDTH_IN, 0.46, words, **look)


def _number(value: float, sign: bool = False) -> str:
    """Write a number to the thousandth below 1, else to the hundredth, with a real minus."""
    digits = 3 if abs(value) < 1 else 2
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "\u2212")
