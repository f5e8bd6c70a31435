"""Ranked postures for one plan: each from the side and from above, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

import numpy as np

from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.kinematics.clearance import Room
from guidearm.kinematics.guide_axis import Candidate
from guidearm.procedure.pictures.silhouette import draw_arm, draw_room
from guidearm.sheet import MEASURED, QUIET, TRUTH, frame, place, sheet, write

_CELL_IN = 2.35


def draw_ranking(
    path: FilePath,
    arm: Arm,
    T_flange_guide: Array,
    ranked: Sequence[tuple[Candidate, float]],
    room: Room,
    entry: Array,
    target: Array,
) -> None:
    """Draw candidates with their clearance (m), the best first, as a PNG at `path`.

    T_flange_guide (4, 4) mounts the guide; entry and target (3,) m are in base coordinates.
    """
    q = np.array([candidate.q for candidate, _ in ranked])
    start, end = arm.bodies.placed(arm.joint_frames(q))
    points = 1e3 * np.vstack([start.reshape(-1, 3), end.reshape(-1, 3), entry, target])
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    half = 0.5 * float(np.max(np.ptp(points, axis=0))) + 90.0
    tip = (arm.forward(q) @ T_flange_guide)[:, :3, 3] * 1e3
    across = 0.75 + len(ranked) * (_CELL_IN + 0.15)
    with sheet(path, across, 7.0) as figure:
        write(figure, 0.6, 6.6, "Postures that take the guide to the plan, the best first", 15,
              weight="bold")  # fmt: skip
        for column, (candidate, clearance) in enumerate(ranked):
            left = 0.7 + column * (_CELL_IN + 0.15)
            for up, bottom in ((2, 3.75), (1, 1.15)):
                pick = [0, up]
                axes = place(figure, left, bottom, _CELL_IN, _CELL_IN)
                frame(axes)
                axes.set(
                    xlim=(middle[0] - half, middle[0] + half),
                    ylim=(middle[up] - half, middle[up] + half),
                    aspect="equal",
                )
                if column:
                    axes.set(yticklabels=[])
                else:
                    axes.set_ylabel(f"base {'xyz'[up]}, mm", labelpad=1)
                if up == 2:
                    axes.set(xticklabels=[], title=f"{column + 1}: cost {candidate.cost:.2f}")
                else:
                    axes.set_xlabel("base x, mm")
                draw_room(axes, arm, room, candidate.q, pick)
                draw_arm(axes, arm, candidate.q, pick, MEASURED, 3.0, 0.9)
                to_plan = np.stack([tip[column], 1e3 * entry])[:, pick]
                axes.plot(*to_plan.T, color=TRUTH, lw=1.0, ls=(0, (4, 2)), zorder=7)
                axes.plot(*(1e3 * np.stack([entry, target])[:, pick]).T, color=TRUTH, lw=2.2,
                          zorder=8)  # fmt: skip
            words = (
                f"travel {np.degrees(candidate.travel):.0f} deg, roll "
                f"{np.degrees(candidate.roll):.0f}",
                f"singularity {candidate.singularity:.2f}, clearance {1e3 * clearance:.0f} mm",
            )
            for row, line in enumerate(words):
                write(figure, left, 0.42 - 0.2 * row, line, 8.5, color=QUIET)
