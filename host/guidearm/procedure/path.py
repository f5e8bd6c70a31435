"""The whole way to the line, planned and checked before anything moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guidearm.errors import GuideArmError, KinematicsError, MotionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.kinematics.guide_axis import Candidate, guide_candidates
from guidearm.motion import JointMove, LineMove, joint_move, line_move

APPROACH_M = 0.060
"""How far before its place on the line the guide begins the straight approach."""
STANDOFF_M = 0.010
"""How far before the entry the sleeve's end is held."""
APPROACH_M_S = 0.020
CORRECTION_M_S = 0.005
_MOST_TRIES = 24


@dataclass(frozen=True, eq=False)
class Path:
    """A joint move to the beginning of the approach, then the guide straight along the line.

    Fields: candidate, the posture at the beginning; transfer and approach; T_base_guide (4, 4) at
    the end; refused, how many better-ranked postures could not go this way.
    """

    candidate: Candidate
    transfer: JointMove
    approach: LineMove
    T_base_guide: Array
    refused: int

    @property
    def duration_s(self) -> float:
        """Time of both, s."""
        return self.transfer.duration_s + self.approach.duration_s


def plan_path(
    arm: Arm, T_flange_guide: Array, T_base_line: Array, q: Array, *, speed: float
) -> Path:
    """Plan the way from posture q (6,) rad until the guide stands on the line.

    T_base_line (4, 4): where the guide's end comes to rest, +z to the target; its roll is free.
    The best-ranked posture that can take the whole approach is used. `speed` 0..1 scales the
    transfer. Raises KinematicsError or MotionError, with the reason of the best one, if none can.
    """
    start = _behind(T_base_line, APPROACH_M)
    first: GuideArmError | None = None
    tried = 0
    for candidate in _distinct(guide_candidates(arm, T_flange_guide, start, q)):
        T_begin = arm.forward(candidate.q) @ T_flange_guide
        T_end = _behind(T_begin, -APPROACH_M)
        try:
            approach = straight(arm, T_flange_guide, T_end, candidate.q, APPROACH_M_S, "approach")
            transfer = joint_move(q, candidate.q, arm, speed, label="transfer")
            return Path(candidate, transfer, approach, T_end, tried)
        except (KinematicsError, MotionError) as error:
            first = first or error
            tried += 1
    raise first if first is not None else MotionError("approach: no posture to try")


def straight(
    arm: Arm, T_flange_guide: Array, T_base_guide: Array, q: Array, speed_m_s: float, label: str
) -> LineMove:
    """Plan the guide's straight way from where posture q (6,) rad has it to T_base_guide (4, 4)."""
    start = arm.forward(q) @ T_flange_guide
    return line_move(arm, T_flange_guide, start, T_base_guide, q, speed_m_s, label)


def _behind(T_base_guide: Array, distance_m: float) -> Array:
    moved = T_base_guide.copy()
    moved[:3, 3] -= distance_m * T_base_guide[:3, 2]
    return moved


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Leave out neighbours in roll of a posture already taken: what stops one stops the other."""
    taken: list[Candidate] = []
    for candidate in candidates:
        if all(np.max(np.abs(candidate.q - other.q)) > np.radians(5.0) for other in taken):
            taken.append(candidate)
            if len(taken) == _MOST_TRIES:
                break
    return taken
