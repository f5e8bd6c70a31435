"""Pictures of a procedure: where the guide stands, how the arm came there, and how sure that is.

Importing this is cheap: matplotlib is imported when something is drawn.
"""

from __future__ import annotations

from pathlib import Path

from guidearm.errors import InputError
from guidearm.kinematics import Arm
from guidearm.procedure.pictures.approach import draw_approach
from guidearm.procedure.pictures.motion import draw_motion
from guidearm.procedure.pictures.spots import Truth
from guidearm.procedure.pictures.target import draw_target
from guidearm.procedure.pictures.uncertainty import draw_uncertainty
from guidearm.procedure.steps import Outcome
from guidearm.procedure.tools import Task, ToolCalibration

__all__ = ["Truth", "draw_pictures"]


def draw_pictures(
    outcome: Outcome,
    tools: ToolCalibration,
    task: Task,
    arm: Arm,
    folder: Path,
    truth: Truth | None = None,
) -> list[Path]:
    """Draw target.png, approach.png, motion.png and uncertainty.png into `folder`.

    `truth` is what only a rig can know; without it the pictures show what the host knows. The same
    outcome gives the same bytes. Raises InputError if the folder cannot be written.
    """
    target, approach, motion, uncertainty = paths = [
        folder / f"{name}.png" for name in ("target", "approach", "motion", "uncertainty")
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draw_target(target, outcome, task, truth)
        draw_approach(approach, outcome, tools, task, arm)
        draw_motion(motion, outcome)
        draw_uncertainty(uncertainty, outcome, task, truth)
    except OSError as error:
        raise InputError(
            f"{folder} cannot hold the pictures ({error.strerror}): name another folder"
        ) from None
    return paths
