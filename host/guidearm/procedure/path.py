"""The whole way to the line, planned and checked before anything moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guidearm.errors import GuideArmError, KinematicsError, MotionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.kinematics.clearance import Room
from guidearm.kinematics.guide_axis import Candidate, guide_candidates
from guidearm.motion import JointMove, LineMove, joint_move, line_move
from guidearm.motion.check import LEAST_CLEARANCE_M, Finding, check_motion, refuse_unless_good

APPROACH_M = 0.060
"""How far before its place on the line the guide begins the straight approach."""
STANDOFF_M = 0.010
"""How far before the entry the sleeve's end is held."""
APPROACH_M_S = 0.020
CORRECTION_M_S = 0.005
_MOST_TRIES = 24
_NEIGHBOUR_RAD = np.radians(5.0)  # what stops one of two neighbours stops the other


@dataclass(frozen=True, eq=False)
class Path:
    """A joint move to the beginning of the approach, then the guide straight along the line.

    Fields: candidate, the posture at the beginning; transfer and approach; T_base_guide (4, 4) at
    the end; refused, how many better-ranked postures could not go this way; findings, what the
    whole way was judged by.
    """

    candidate: Candidate
    transfer: JointMove
    approach: LineMove
    T_base_guide: Array
    refused: int
    findings: list[Finding]

    @property
    def duration_s(self) -> float:
        """Time of both, s."""
        return self.transfer.duration_s + self.approach.duration_s


@dataclass(frozen=True, eq=False)
class Ranked:
    """Postures at the beginning of an approach, the best first, with their clearance (m).

    rejected: how many were left out, by reason.
    """

    clear: list[tuple[Candidate, float]]
    rejected: dict[str, int]

    def distinct(self, most: int, apart_rad: float) -> list[tuple[Candidate, float]]:
        """Leave out postures of which no joint is that far from one taken: neighbours in roll."""
        taken: list[tuple[Candidate, float]] = []
        for candidate, clearance in self.clear:
            if all(np.max(np.abs(candidate.q - other.q)) > apart_rad for other, _ in taken):
                taken.append((candidate, clearance))
                if len(taken) == most:
                    break
        return taken


def plan_path(
    arm: Arm,
    T_flange_guide: Array,
    T_base_line: Array,
    q: Array,
    *,
    speed: float,
    room: Room | None = None,
) -> Path:
    """Plan the way from posture q (6,) rad until the guide stands on the line.

    T_base_line (4, 4): where the guide's end comes to rest, +z to the target; its roll is free.
    The best-ranked posture that can take the whole way is used: within the arm's limits, clear of
    itself, of what stands in `room` and of the lines of sight through it. `speed` 0..1 scales the
    transfer. Raises KinematicsError or MotionError, with the reason of the best one, if none can.
    """
    first: GuideArmError | None = None
    tried = 0
    ranked = ranked_postures(arm, T_flange_guide, T_base_line, q, room)
    for candidate, _ in ranked.distinct(_MOST_TRIES, _NEIGHBOUR_RAD):
        T_begin = arm.forward(candidate.q) @ T_flange_guide
        T_end = _behind(T_begin, -APPROACH_M)
        try:
            approach = straight(arm, T_flange_guide, T_end, candidate.q, APPROACH_M_S, "approach")
            transfer = joint_move(q, candidate.q, arm, speed, label="transfer")
            findings = [
                *check_motion(transfer, arm, room),
                *check_motion(approach, arm, room, straight=True),
            ]
            refuse_unless_good(findings)
            return Path(candidate, transfer, approach, T_end, tried, findings)
        except (KinematicsError, MotionError) as error:
            first = first or error
            tried += 1
    raise first if first is not None else MotionError("approach: no posture to try")


def ranked_postures(
    arm: Arm, T_flange_guide: Array, T_base_line: Array, q: Array, room: Room | None = None
) -> Ranked:
    """Rank the postures from which the guide can begin its approach to a line.

    Arguments as of `plan_path`. Raises UnreachableError if the arm has none, MotionError that
    names the most frequent contact if none is clear.
    """
    candidates = guide_candidates(arm, T_flange_guide, _behind(T_base_line, APPROACH_M), q)
    clearances = arm.clearances(candidates.q, room)
    least = clearances.least
    clear = [
        (candidate, float(clearance))
        for candidate, clearance in zip(candidates, least, strict=True)
        if clearance >= LEAST_CLEARANCE_M
    ]
    rejected: dict[str, int] = {}
    if clearances.pairs:
        worst = np.argmin(clearances.each, axis=-1)[least < LEAST_CLEARANCE_M]
        for pair in np.argsort(-np.bincount(worst, minlength=1), kind="stable"):
            one, other = clearances.pairs[int(pair)]
            count = int(np.sum(worst == pair))
            if count:
                rejected[f"{one} meets {other}"] = count
    if not clear:
        raise MotionError(
            f"approach: none of {len(candidates)} postures is clear, mostly because "
            f"{next(iter(rejected))}: move the base or what is in the way, or choose another path"
        )
    return Ranked(clear, rejected)


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
