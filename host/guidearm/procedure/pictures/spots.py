"""What is known at entry and at target, turned to the view down the planned path.

The view is as the surgeon would look along the guide, with the patient's head up: superior is up
unless the path itself runs that way, and right is what is right of the one who looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guidearm.geometry import Array
from guidearm.positioning import GateLimits, lateral_covariance
from guidearm.positioning.gate import radius
from guidearm.procedure.steps import Outcome
from guidearm.procedure.tools import Task

# Opposite ends of the image's axes, left, posterior and superior: the negative one first.
_WORDS = (("right", "left"), ("front", "back"), ("feet", "head"))


@dataclass(frozen=True, eq=False)
class Truth:
    """True lateral errors, known only on a rig: (2,) m in `Line.plane`, mean over a breath.

    `before` the corrections and `after`, when the gate was judged.
    """

    entry_before: Array
    target_before: Array
    entry_after: Array
    target_after: Array


@dataclass(frozen=True, eq=False)
class Spot:
    """One planned point: errors in mm, in the axes of the view.

    Fields:
        steps: (n, 2) measured before each correction and after the last.
        judged: (2,) what the gate judged.
        reach95_mm, reach_mm: radii about it that hold the error at 95 % and at the gate's
            confidence.
        true: (2, 2) the truth before and after correction, None if unknown.
    """

    name: str
    steps: Array
    judged: Array
    reach95_mm: float
    reach_mm: float
    true: Array | None

    @property
    def uncorrected_mm(self) -> float:
        """Distance of the first measurement from the plan."""
        return float(np.linalg.norm(self.steps[0]))

    @property
    def judged_mm(self) -> float:
        """Distance of the judged measurement from the plan."""
        return float(np.linalg.norm(self.judged))

    @property
    def bound_mm(self) -> float:
        """What the gate judges."""
        return self.judged_mm + self.reach_mm

    @property
    def true_mm(self) -> tuple[float, float] | None:
        """True distances from the plan, before and after."""
        if self.true is None:
            return None
        before, after = np.linalg.norm(self.true, axis=1)
        return float(before), float(after)

    @property
    def extent_mm(self) -> float:
        """Largest of the bound, the gate's limit and the true distances from the plan."""
        return max(GateLimits().bound_mm, self.bound_mm, *(self.true_mm or ()))


def view_axes(task: Task) -> tuple[Array, tuple[str, str]]:
    """Axes of the view, (2, 2): rows right and up in `Line.plane`; and where they point.

    The words are the patient's: right, left, front, back, head or feet.
    """
    plane = task.line.plane @ task.registration.T_patient_image[:3, :3]  # rows in image axes, LPS
    superior, anterior = plane[:, 2], -plane[:, 1]
    up = superior if np.linalg.norm(superior) > 0.5 else anterior
    up = up / np.linalg.norm(up)
    axes = np.array([[-up[1], up[0]], up])  # right is the direction of looking x up
    right_word, up_word = (_word(direction) for direction in axes @ plane)
    return axes, (right_word, up_word)


def spots(outcome: Outcome, task: Task, truth: Truth | None) -> tuple[Spot, Spot]:
    """Return what is known at entry and at target."""
    axes, _ = view_axes(task)
    verdict = outcome.verdict
    of_entry, of_target = lateral_covariance(list(verdict.contributions))
    measured = [m.error for m in (*outcome.correction.measurements, outcome.measurement)]

    def spot(name: str, errors: list[Array], covariance: Array, true: list[Array] | None) -> Spot:
        view = 1e3 * np.stack(errors) @ axes.T
        return Spot(
            name=name,
            steps=view[:-1],
            judged=view[-1],
            reach95_mm=1e3 * radius(covariance, 0.95),
            reach_mm=1e3 * radius(covariance, verdict.confidence),
            true=None if true is None else 1e3 * np.stack(true) @ axes.T,
        )

    return (
        spot(
            "entry",
            [error.entry for error in measured],
            of_entry,
            None if truth is None else [truth.entry_before, truth.entry_after],
        ),
        spot(
            "target",
            [error.target for error in measured],
            of_target,
            None if truth is None else [truth.target_before, truth.target_after],
        ),
    )


def _word(direction_image: Array) -> str:
    axis = int(np.argmax(np.abs(direction_image)))
    return _WORDS[axis][int(direction_image[axis] > 0.0)]
