"""A motion that is changed on its way: position, velocity, acceleration and jerk of every joint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.motion import ChangedMotion
from guidearm.sheet import (
    BAD,
    DASHES,
    HAIR,
    INK,
    JOINTS,
    QUIET,
    Axes,
    name_ends,
    place,
    sheet,
    write,
)

_WIDTH_IN, _LEFT_IN, _RIGHT_IN = 9.6, 0.95, 1.5
_HEIGHTS_IN = (2.5, 1.45, 1.45, 1.45)
_GAP_IN, _FOOT_IN, _HEAD_IN = 0.28, 0.6, 1.05
_STEP_S = 0.001
_ROOM = 1.2  # of the largest limit, that is shown


def draw_changes(
    path: Path, motion: ChangedMotion, arm: Arm, names: Sequence[str], title: str
) -> None:
    """Draw a motion with the limits of its joints; names are those of its changes. PNG to `path`.

    What it would have been without the first change goes on as a faint line.
    """
    count = max(2, int(np.ceil(motion.duration_s / _STEP_S)) + 1)
    t = np.linspace(0.0, motion.duration_s, count)
    q, qd = motion.sample(t)
    qdd = motion.acceleration(t)
    # constant between knots but for the sample in which a knot lies
    jerk = np.diff(qdd, axis=0) / np.diff(t)[:, None]
    up = _FOOT_IN + sum(_HEIGHTS_IN) + _GAP_IN * (len(_HEIGHTS_IN) - 1) + _HEAD_IN
    with sheet(path, _LEFT_IN + _WIDTH_IN + _RIGHT_IN, up) as figure:
        write(figure, _LEFT_IN, up - 0.42, title, 15, weight="bold")
        words = "Shaded: beyond the joints' limits. Faint: where the joints were going before."
        write(figure, _LEFT_IN, up - 0.68, words, 10, color=QUIET)
        top = up - _HEAD_IN
        panels = (
            ("position from start", "deg", t, q - q[0], None),
            ("velocity", "deg/s", t, qd, arm.velocity),
            ("acceleration", "deg/s\u00b2", t, qdd, arm.acceleration),
            ("jerk", "deg/s\u00b3", 0.5 * (t[1:] + t[:-1]), jerk, arm.jerk),
        )
        for height, (name, unit, instants, values, limits) in zip(_HEIGHTS_IN, panels, strict=True):
            axes = place(figure, _LEFT_IN, top - height, _WIDTH_IN, height)
            top -= height + _GAP_IN
            axes.set(xlim=(0.0, motion.duration_s))
            axes.set_ylabel(f"{name}, {unit}", fontsize=9.0)
            axes.axhline(0.0, color=HAIR, lw=0.8, zorder=1)
            axes.yaxis.set_label_coords(-0.65 / _WIDTH_IN, 0.5)
            if limits is None:
                _before(axes, motion)
                _mark(axes, motion, names)
            else:
                _limits(axes, np.degrees(limits))
                _mark(axes, motion, [])
            for joint, colour in enumerate(JOINTS):
                look = {"color": colour, "lw": 1.7, "ls": DASHES[joint], "zorder": 4}
                axes.plot(instants, np.degrees(values[:, joint]), **look)
            if limits is None:
                ends = np.degrees(q[-1]).tolist()
                joints = [
                    f"joint {n}  {end:.1f}\u00b0" for n, end in zip(arm.numbers, ends, strict=True)
                ]
                name_ends(axes, np.degrees(q[-1] - q[0]).tolist(), joints, 0.085)
            if name == "jerk":
                axes.set_xlabel("time, s")
            else:
                axes.tick_params(labelbottom=False)


def _before(axes: Axes, motion: ChangedMotion) -> None:
    """Go on with each motion as if it had not been changed."""
    start = motion.sample(np.zeros(1))[0][0]
    for (begin, before), (change, _) in zip(motion.parts[:-1], motion.parts[1:], strict=True):
        t = np.arange(change, begin + before.duration_s, _STEP_S)
        q = np.degrees(before.sample(t - begin)[0] - start)
        for joint, colour in enumerate(JOINTS):
            axes.plot(t, q[:, joint], color=colour, lw=1.3, ls=DASHES[joint], alpha=0.4, zorder=3)


def _mark(axes: Axes, motion: ChangedMotion, names: Sequence[str]) -> None:
    """Draw a line where each change takes effect, and say above what it is."""
    for begin, _ in motion.parts[1:]:
        axes.axvline(begin, color=QUIET, lw=0.9, ls=(0, (1, 2)), zorder=1)
    for (begin, _), name in zip(motion.parts[1:], names, strict=False):
        look = {"textcoords": "offset points", "color": INK, "fontsize": 9.0, "ha": "center"}
        axes.annotate(name, (begin, 1.0), (0, 4), xycoords=axes.get_xaxis_transform(), **look)


def _limits(axes: Axes, limits: Array) -> None:
    """Draw the limits of all joints, those that are alike once, and say whose they are."""
    top = _ROOM * float(np.max(limits))
    axes.set(ylim=(-top, top))
    for limit in np.unique(limits.round(9)):
        whose = np.flatnonzero(np.isclose(limits, limit)) + 1
        for side in (-1.0, 1.0):
            axes.axhspan(side * limit, side * top, color=BAD, alpha=0.09, lw=0.0, zorder=0)
            axes.axhline(side * limit, color=BAD, lw=0.8, zorder=2)
        words = "all joints" if len(whose) == len(limits) else f"joints {_range(whose.tolist())}"
        look = {"transform": axes.get_yaxis_transform(), "va": "center", "color": BAD}
        axes.text(1.01, limit, f"{limit:g}  {words}", fontsize=8.5, **look)


def _range(numbers: list[int]) -> str:
    """Return 1, 2, 3 as 1 to 3, others one by one."""
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))
