"""What the joints did: angles over the whole procedure, following error in every motion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from guidearm.procedure.pictures.style import (
    DASHES,
    HAIR,
    INK,
    JOINTS,
    QUIET,
    SHADE,
    Axes,
    headline,
    name_ends,
    place,
    sheet,
    write,
)
from guidearm.procedure.steps import Motion, Outcome

FOLLOWING_DEG = 0.05
"""Largest following error that a move is meant to have."""
_BEFORE_S, _AFTER_S = 0.1, 0.15
_WIDTH_IN, _LEFT_IN, _GAP_IN = 11.0, 0.95, 0.25
_NARROWEST_IN = 1.0


@dataclass(frozen=True)
class Phase:
    """A named stretch of time, s since the first cycle."""

    name: str
    start_s: float
    end_s: float
    moving: bool


def phases(outcome: Outcome) -> list[Phase]:
    """Return motions and measurements in order of time.

    The camera is located while the arm waits for its first motion.
    """
    zero = float(outcome.trace.time_s[0])
    found = [
        Phase(name, motion.record.start - zero, motion.record.settled - zero, True)
        for name, motion in zip(motion_names(outcome.motions), outcome.motions, strict=True)
    ]
    found.append(Phase("locate camera", 0.0, found[0].start_s, False))
    for number, measurement in enumerate(outcome.correction.measurements):
        name = f"measure {number}"
        found.append(Phase(name, measurement.first_s - zero, measurement.last_s - zero, False))
    judged = outcome.measurement
    found.append(Phase("judge", judged.first_s - zero, judged.last_s - zero, False))
    return sorted(found, key=lambda phase: phase.start_s)


def motion_names(motions: tuple[Motion, ...]) -> list[str]:
    """Return the names of the motions, corrections numbered from 1."""
    plain = [motion.name for motion in motions]
    return [
        f"{name} {plain[: k + 1].count(name)}" if name == "correction" else name
        for k, name in enumerate(plain)
    ]


def draw_motion(path: Path, outcome: Outcome) -> None:
    """Draw joint angles over time with the phases, and below the following error of each motion."""
    with sheet(path, 13.4, 7.0) as figure:
        headline(figure, outcome.verdict, _LEFT_IN)
        _angles(place(figure, _LEFT_IN, 3.55, _WIDTH_IN, 1.95), outcome)
        words = f"Following error of each motion, meant to stay under {FOLLOWING_DEG:g}\u00b0"
        write(figure, _LEFT_IN, 2.72, words, 10.5)
        names, widths = motion_names(outcome.motions), column_widths(outcome.motions)
        height_deg = 1.2 * max(FOLLOWING_DEG, *(peak_deg(motion) for motion in outcome.motions))
        left = _LEFT_IN
        for motion, name, width in zip(outcome.motions, names, widths, strict=True):
            axes = place(figure, left, 0.65, width, 1.35)
            _following(axes, outcome, motion, name, height_deg)
            if left == _LEFT_IN:
                axes.set_ylabel("error, deg")
                _align(axes, width)
            else:
                axes.tick_params(labelleft=False)
            left += width + _GAP_IN


def column_widths(motions: tuple[Motion, ...]) -> list[float]:
    """Share the sheet by duration, in inches, none too narrow for its title."""
    spans = [m.record.settled - m.record.start for m in motions]
    free = _WIDTH_IN - _GAP_IN * (len(spans) - 1) - _NARROWEST_IN * len(spans)
    return [_NARROWEST_IN + max(free, 0.0) * span / sum(spans) for span in spans]


def _angles(axes: Axes, outcome: Outcome) -> None:
    trace = outcome.trace
    time = trace.time_s - trace.time_s[0]
    q_deg = np.degrees(trace.q)
    span = float(time[-1])
    low, high = float(q_deg.min()), float(q_deg.max())
    room = 0.07 * (high - low)
    axes.set(xlim=(0.0, span), ylim=(low - room, high + room))
    axes.set_ylabel("joint angle, deg")
    _align(axes, _WIDTH_IN)
    axes.set_xlabel("time, s")
    _shade(axes, phases(outcome), span)
    for joint, colour in enumerate(JOINTS):
        axes.plot(time, q_deg[:, joint], color=colour, lw=1.6, ls=DASHES[joint], zorder=3)
    ends = q_deg[-1].tolist()
    names = [f"joint {joint + 1}  {end:.1f}\u00b0" for joint, end in enumerate(ends)]
    name_ends(axes, ends, names, 0.085)


def _shade(axes: Axes, stretches: list[Phase], span: float) -> None:
    """Shade the phases and name them above, in a second row where names would touch."""
    free = [0.0, 0.0]
    for phase in stretches:
        shade = "#c9d8e4" if phase.moving else SHADE
        axes.axvspan(phase.start_s, phase.end_s, color=shade, lw=0.0, zorder=0)
        middle = 0.5 * (phase.start_s + phase.end_s)
        half = 0.5 * 0.085 * len(phase.name) / _WIDTH_IN * span
        row = 0 if middle - half >= free[0] else 1
        free[row] = middle + half
        colour = INK if phase.moving else QUIET
        look = {"textcoords": "offset points", "ha": "center", "color": colour, "fontsize": 9.0}
        transform = axes.get_xaxis_transform()
        axes.annotate(phase.name, (middle, 1.0), (0, 4 + 13 * row), xycoords=transform, **look)


def peak_deg(motion: Motion) -> float:
    """Largest following error of any joint in a motion."""
    return float(np.degrees(motion.record.following_error).max())


def _following(axes: Axes, outcome: Outcome, motion: Motion, name: str, height_deg: float) -> None:
    trace, record = outcome.trace, motion.record
    shown = trace.time_s >= record.start - _BEFORE_S
    shown &= trace.time_s <= record.settled + _AFTER_S
    time = trace.time_s[shown] - record.start
    error_deg = np.degrees(trace.q_demand[shown] - trace.q[shown])
    axes.axhline(0.0, color=HAIR, lw=0.8, zorder=1)
    for side in (-FOLLOWING_DEG, FOLLOWING_DEG):
        axes.axhline(side, color=QUIET, lw=1.0, ls=(0, (4, 2)), zorder=1)
    axes.axvspan(0.0, record.end - record.start, color="#e3ebf1", lw=0.0, zorder=0)
    for joint, colour in enumerate(JOINTS):
        axes.plot(time, error_deg[:, joint], color=colour, lw=1.2, ls=DASHES[joint], zorder=3)
    axes.set(xlim=(-_BEFORE_S, float(time[-1])), ylim=(-height_deg, height_deg))
    axes.set_xlabel("s")
    settled_ms = 1e3 * (record.settled - record.end)
    words = f"{name}\npeak {peak_deg(motion):.3f}\u00b0\nsettled +{settled_ms:.0f} ms"
    axes.set_title(words, fontsize=9.0)


def _align(axes: Axes, width_in: float) -> None:
    """Put the words beside an axis where they stand in the other row."""
    axes.yaxis.set_label_coords(-0.62 / width_in, 0.5)
