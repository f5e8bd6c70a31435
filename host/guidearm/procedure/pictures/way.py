"""A planned way among what stands in the room, and its clearance from start to end."""

from __future__ import annotations

from pathlib import Path as FilePath

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.kinematics.clearance import Room
from guidearm.motion.check import LEAST_CLEARANCE_M
from guidearm.procedure.path import Path
from guidearm.procedure.pictures.silhouette import draw_arm, draw_room
from guidearm.sheet import (
    BAD,
    INK,
    JOINTS,
    MEASURED,
    QUIET,
    TRUTH,
    Axes,
    frame,
    place,
    sheet,
    write,
)

_LOOKS = (("start", "#c9d0d7"), ("beginning of approach", "#86b7d8"), ("on the line", MEASURED))
_SAMPLES = 160
_MOST_PAIRS = 5
_STILL_MM = 2.0
_SIDE_IN = 4.3


def draw_way(
    path: FilePath,
    arm: Arm,
    T_flange_guide: Array,
    way: Path,
    room: Room,
    entry: Array,
    target: Array,
) -> None:
    """Draw a way from the side and from above, and who comes nearest to whom over time.

    entry and target (3,) m in base coordinates. The PNG goes to `path`.
    """
    t1 = np.linspace(0.0, way.transfer.duration_s, _SAMPLES)
    t2 = np.linspace(0.0, way.approach.duration_s, _SAMPLES)
    q = np.vstack([way.transfer.sample(t1)[0], way.approach.sample(t2)[0]])
    seconds = np.concatenate([t1, way.transfer.duration_s + t2])
    stops = (q[0], q[_SAMPLES], q[-1])
    start, end = arm.bodies.placed(arm.joint_frames(np.array(stops)))
    points = 1e3 * np.vstack([start.reshape(-1, 3), end.reshape(-1, 3), entry, target])
    low, high = points.min(axis=0) - 90.0, points.max(axis=0) + 90.0
    middle, half = 0.5 * (low + high), 0.5 * float(np.max(high - low))
    tip = (arm.forward(q) @ T_flange_guide)[:, :3, 3] * 1e3
    with sheet(path, 14.8, 6.2) as figure:
        write(
            figure, 0.7, 5.75, "The way to the plan, among what it keeps out of", 15, weight="bold"
        )
        for up, title, left in ((2, "From the side", 0.75), (1, "From above", 5.75)):
            pick = [0, up]
            axes = place(figure, left, 0.95, _SIDE_IN, _SIDE_IN)
            frame(axes)
            axes.set(
                xlim=(middle[0] - half, middle[0] + half),
                ylim=(middle[up] - half, middle[up] + half),
                aspect="equal",
                title=title,
                xlabel="base x, mm",
                ylabel=f"base {'xyz'[up]}, mm",
            )
            draw_room(axes, arm, room, q[-1], pick)
            for order, (posture, (_, colour)) in enumerate(zip(stops, _LOOKS, strict=True)):
                draw_arm(axes, arm, posture, pick, colour, 3.0 + order, 0.55 + 0.2 * order)
            axes.plot(*tip[:, pick].T, color=TRUTH, lw=1.2, zorder=7)
            line = 1e3 * np.stack([entry, target])[:, pick]
            axes.plot(*line.T, color=TRUTH, lw=2.4, zorder=8)
        for i, (name, colour) in enumerate(_LOOKS):
            write(figure, 0.7 + 2.2 * i, 0.2, name, 9.5, color=colour if i else QUIET)
        write(figure, 7.2, 0.2, "path of the sleeve's end, and the plan", 9.5, color=TRUTH)
        _over_time(place(figure, 10.75, 0.95, 3.7, _SIDE_IN), arm, q, seconds, way, room)


def _over_time(axes: Axes, arm: Arm, q: Array, seconds: Array, way: Path, room: Room) -> None:
    clearances = arm.clearances(q, room)
    each = clearances.each * 1e3
    # what never changes is no matter of this way, unless it is near the bound
    still = (np.ptp(each, axis=0) < _STILL_MM) & (each.min(axis=0) > 2 * LEAST_CLEARANCE_M * 1e3)
    nearest = np.argsort(np.where(still, np.inf, each.min(axis=0)), kind="stable")[:_MOST_PAIRS]
    frame(axes)
    for colour, pair in zip(JOINTS, nearest, strict=False):
        one, other = clearances.pairs[int(pair)]
        axes.plot(seconds, each[:, pair], color=colour, lw=1.5, label=f"{one} - {other}")
    bound = LEAST_CLEARANCE_M * 1e3
    axes.axhline(bound, color=BAD, lw=1.2, ls=(0, (5, 3)))
    axes.axvline(way.transfer.duration_s, color=QUIET, lw=0.8, ls=(0, (1, 2)))
    top = max(60.0, 1.9 * float(np.median(each[:, nearest].max(axis=0))))
    axes.set(
        title="Clearance: the five nearest pairs",
        xlim=(0.0, seconds[-1]),
        ylim=(0.0, top),
        xlabel="time, s",
        ylabel="mm",
    )
    axes.text(seconds[-1], bound, f"least {bound:g}", color=BAD, ha="right", va="bottom")
    axes.text(way.transfer.duration_s, 0.6 * top, " approach", color=INK, fontsize=8.5, va="bottom")
    axes.legend(loc="upper right", fontsize=8.0)
