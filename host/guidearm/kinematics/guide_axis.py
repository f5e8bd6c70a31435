"""Postures that put the guide on a line: the roll about the line is free, so all are tried.

A guide axis fixes five of six degrees of freedom. The sixth is searched over whole turns in one
numpy batch, all branches at once, and what remains is ranked by one cost in radians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, check_transform, inverse, rotation_z, transform
from guidearm.kinematics.arm import Arm
from guidearm.kinematics.limits import nearest_turns
from guidearm.kinematics.ur_batch import branches_batch

# Postures with a smaller singularity factor are refused.
LEAST_SINGULARITY = 0.05
# Postures with a joint nearer to its limit (rad) are refused: room for corrections.
LEAST_LIMIT_MARGIN = 0.05
# Cost (rad of joint travel) of a singularity factor of 1, and of a limit margin of 1 rad; it grows
# with the inverse, so that 0.1 costs ten times as much.
SINGULARITY_COST = 0.2
LIMIT_COST = 0.1


@dataclass(frozen=True, eq=False)
class Candidate:
    """One posture with the guide on the line.

    q (6,) rad; roll (rad) of the guide about the line's z, from the x of T_base_line; singularity
    as `Arm.singularity`; limit_margin, the least distance of a joint to its limit (rad); travel,
    the largest joint travel from the seed (rad); cost = travel + SINGULARITY_COST / singularity +
    LIMIT_COST / limit_margin.
    """

    q: Array
    roll: float
    cost: float
    singularity: float
    limit_margin: float
    travel: float


def guide_candidates(
    arm: Arm, T_flange_guide: ArrayLike, T_base_line: ArrayLike, seed_q: ArrayLike, rolls: int = 360
) -> list[Candidate]:
    """All usable postures with the guide's frame on the line's, up to roll; the best first.

    T_flange_guide (4, 4) mounts the guide; T_base_line (4, 4) has its origin where the guide's
    origin goes and +z where the guide points; seed_q (6,) rad is where the arm comes from. Joints
    take the turn nearest to the seed. What lies between, and collisions, are not looked at.

    Raises UnreachableError that counts why none is usable, InputError for bad arguments.
    """
    mount = check_transform(T_flange_guide, "T_flange_guide")
    line = check_transform(T_base_line, "T_base_line")
    seed = np.asarray(seed_q, dtype=np.float64)
    if seed.shape != (6,) or not np.all(np.isfinite(seed)):
        raise InputError("the seed posture must be six finite joint angles in rad")
    if rolls < 1:
        raise InputError(f"the number of rolls must be at least 1, got {rolls}")

    roll = 2.0 * np.pi * np.arange(rolls) / rolls
    T_base_flange = line @ transform(rotation_z(roll), np.zeros(3)) @ inverse(mount)
    anywhere = branches_batch(arm.geometry, T_base_flange, float(seed[5]))
    q = nearest_turns(anywhere, seed, arm.lower, arm.upper)
    reached = np.all(np.isfinite(anywhere), axis=-1)
    margin = np.min(np.minimum(q - arm.lower, arm.upper - q), axis=-1)
    inside = margin >= LEAST_LIMIT_MARGIN
    singularity = arm.singularity(q)
    usable = inside & (singularity >= LEAST_SINGULARITY)
    if not np.any(usable):
        tally = {
            "out of reach": np.sum(~reached),
            "at or outside a joint limit": np.sum(reached & ~inside),
            "too near a singularity": np.sum(inside & ~usable),
        }
        raise UnreachableError(_none_usable(arm, line, rolls, tally))

    travel = np.max(np.abs(q - seed), axis=-1)
    rows = np.nonzero(usable)
    columns = (q, np.broadcast_to(roll[:, None], usable.shape), singularity, margin, travel)
    q, at_roll, singularity, margin, travel = (column[rows] for column in columns)
    cost = travel + SINGULARITY_COST / singularity + LIMIT_COST / margin
    return [
        Candidate(
            q=q[i],
            roll=float(at_roll[i]),
            cost=float(cost[i]),
            singularity=float(singularity[i]),
            limit_margin=float(margin[i]),
            travel=float(travel[i]),
        )
        for i in np.argsort(cost, kind="stable")
    ]


def _none_usable(arm: Arm, T_base_line: Array, rolls: int, tally: dict[str, np.int64]) -> str:
    where = ", ".join(f"{1e3 * x:.0f}" for x in T_base_line[:3, 3])
    reasons = ", ".join(f"{count} {reason}" for reason, count in tally.items() if count)
    return (
        f"no posture of {arm.name} puts the guide on the line at [{where}] mm: of {8 * rolls} "
        f"(8 branches x {rolls} rolls) {reasons}; move the base or choose another path"
    )
