"""The judge: compares the guide's true axis with the plan in the true vertebra."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array, inverse
from guidearm_hil.patient import BREATHING_HZ
from guidearm_hil.world import World

_PHASES = 32


@dataclass(frozen=True)
class TrueError:
    """True deviation of the guide from the plan.

    Fields:
        entry_mm, target_mm: lateral distance of the guide's axis from the planned points, of the
            mean over a breath.
        angle_deg: between the guide's axis and the planned direction.
        depth_mm: signed, of the guide's end past the planned entry, mean over a breath.
        entry_image, target_image: (3,) m, from each planned point to the guide's axis, mean over
            a breath, in image axes.
    """

    entry_mm: float
    target_mm: float
    angle_deg: float
    depth_mm: float
    entry_image: Array = field(compare=False)
    target_image: Array = field(compare=False)

    @property
    def worst_mm(self) -> float:
        """Lateral error at the worse of entry and target."""
        return max(self.entry_mm, self.target_mm)


class Judge:
    """Sees the truth of a world. Shares no formula with what it judges."""

    def __init__(self, world: World) -> None:
        """Judge positions in `world`."""
        self._world = world

    def error(self, q: ArrayLike) -> TrueError:
        """Error (see `TrueError`) with the arm at rest at true joint angles q (6,) rad."""
        plan = self._world.plan
        T_base_guide = self._world.T_base_guide(q)
        entry, target = np.zeros(3), np.zeros(3)
        depth = 0.0
        axis = np.zeros(3)
        for k in range(_PHASES):
            t = k / _PHASES / BREATHING_HZ
            T_vertebra_guide = inverse(self._world.patient.T_base_vertebra(t)) @ T_base_guide
            tip, axis = T_vertebra_guide[:3, 3], T_vertebra_guide[:3, 2]
            entry += _from_axis(plan.entry_image, tip, axis) / _PHASES
            target += _from_axis(plan.target_image, tip, axis) / _PHASES
            depth += float((tip - plan.entry_image) @ plan.direction) / _PHASES
        cosine = float(np.clip(axis @ plan.direction, -1.0, 1.0))
        sine = float(np.linalg.norm(np.cross(axis, plan.direction)))
        return TrueError(
            entry_mm=1e3 * float(np.linalg.norm(entry)),
            target_mm=1e3 * float(np.linalg.norm(target)),
            angle_deg=math.degrees(math.atan2(sine, cosine)),
            depth_mm=1e3 * depth,
            entry_image=entry,
            target_image=target,
        )


def _from_axis(point: Array, tip: Array, axis: Array) -> Array:
    """Vector (3,) from a point to the nearest point of the axis."""
    away = tip - point
    return away - (away @ axis) * axis
