"""Postures that put the guide on a line: the roll about the line is free, so all are tried.

A guide axis fixes five of six degrees of freedom. The sixth is searched over whole turns in one
numpy batch, all branches at once, and what remains is ranked by one cost in radians. What does not
remain has its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, angle_between, frame_along, inverse
from guidearm.kinematics.arm import Arm, posture, rows_of
from guidearm.kinematics.limits import turned_into_limits
from guidearm.kinematics.numeric import wrapped

# Postures with a smaller singularity factor are refused.
LEAST_SINGULARITY = 0.05
# Postures with a joint nearer to its limit (rad) are refused: room for corrections.
LEAST_LIMIT_MARGIN = 0.05
# Postures that turn the marker farther (rad) from the camera are refused: trackers lose flat
# markers between 60 and 75 degrees.
LARGEST_SIGHT = np.radians(60.0)
# Cost (rad of joint travel) of a singularity factor of 1, and of a limit margin of 1 rad; it grows
# with the inverse, so that 0.1 costs ten times as much.
SINGULARITY_COST = 0.2
LIMIT_COST = 0.1
# Cost (rad of joint travel) of a marker turned as far from the camera as it may; it grows with the
# square.
SIGHT_COST = 0.5

_ROLL = np.zeros((2, 4, 4))
_ROLL[0, [0, 1], [0, 1]] = 1.0
_ROLL[1, [0, 1], [1, 0]] = -1.0, 1.0
_REST = np.diag([0.0, 0.0, 1.0, 1.0])


class Verdict(IntEnum):
    """Why a posture is not offered."""

    USABLE = 0
    OUT_OF_REACH = 1
    OUTSIDE_LIMITS = 2
    NEAR_SINGULARITY = 3
    OUT_OF_SIGHT = 4

    @property
    def words(self) -> str:
        """The reason as it is counted."""
        return _WORDS[self]


_WORDS = {
    Verdict.USABLE: "usable",
    Verdict.OUT_OF_REACH: "out of reach",
    Verdict.OUTSIDE_LIMITS: "at or outside a joint limit",
    Verdict.NEAR_SINGULARITY: "too near a singularity",
    Verdict.OUT_OF_SIGHT: "turning the marker from the camera",
}


@dataclass(frozen=True, eq=False)
class Candidate:
    """One posture with the guide on the line.

    q (6,) rad; roll (rad) of the guide about the line's z, from the x of T_base_line; branch, its
    place among the postures of the pose; singularity as `Arm.singularity`; limit_margin, the least
    distance of a joint to its limit (rad); travel, the largest joint travel from the seed (rad);
    sight, the angle between the marker's normal and the line to the camera (rad), 0 without one;
    cost = travel + SINGULARITY_COST / singularity + LIMIT_COST / limit_margin + SIGHT_COST (sight /
    LARGEST_SIGHT)^2.
    """

    q: Array
    roll: float
    branch: int
    cost: float
    singularity: float
    limit_margin: float
    travel: float
    sight: float


@dataclass(frozen=True, eq=False)
class Rejection:
    """One posture, or branch without one, that is not offered, and why in words."""

    roll: float
    branch: int
    verdict: Verdict
    reason: str


@dataclass(frozen=True, eq=False)
class _Figures:
    """Figures of all postures, (k r,) with the branch before the roll; q is (6, k r).

    NaN where there is no posture, or none within the limits.
    """

    q: Array
    cost: Array
    singularity: Array
    limit_margin: Array
    travel: Array
    sight: Array


class GuideSearch(Sequence[Candidate]):
    """The usable postures, best first, and what became of all others.

    roll (r,) rad; verdict (k, r) holds a `Verdict` for each branch and roll.
    """

    def __init__(
        self, arm: Arm, roll: Array, anywhere: Array, verdict: NDArray[np.int8], figures: _Figures
    ) -> None:
        """Take postures with any turns (6, k r), verdicts (k, r) and figures."""
        self._arm, self._anywhere, self._figures = arm, anywhere, figures
        self.roll, self.verdict = roll, verdict
        usable = np.flatnonzero(verdict == Verdict.USABLE)
        self._order = usable[_ascending(figures.cost[usable])]

    @property
    def q(self) -> Array:
        """Usable postures (n, 6) rad, best first."""
        return self._figures.q[:, self._order].T

    @property
    def cost(self) -> Array:
        """Their costs (n,), rad."""
        return self._figures.cost[self._order]

    @property
    def rejected(self) -> dict[str, int]:
        """How many postures fell to which reason; reasons of none are left out."""
        counts = np.bincount(self.verdict.ravel(), minlength=len(Verdict)).tolist()
        return {v.words: counts[v] for v in Verdict if v is not Verdict.USABLE and counts[v]}

    def rejections(self) -> list[Rejection]:
        """Return every posture that is not offered, with its reason and by how much."""
        flat = self.verdict.ravel()
        return [
            Rejection(
                roll=float(self.roll[i % len(self.roll)]),
                branch=i // len(self.roll),
                verdict=Verdict(flat[i]),
                reason=self._reason(i, Verdict(flat[i])),
            )
            for i in np.flatnonzero(flat != Verdict.USABLE).tolist()
        ]

    def _reason(self, i: int, verdict: Verdict) -> str:
        if verdict is Verdict.OUTSIDE_LIMITS:
            return self._limit_reason(self._anywhere[:, i])
        if verdict is Verdict.NEAR_SINGULARITY:
            distance = self._figures.singularity[i]
            return f"{distance:.3f} from a singularity, {LEAST_SINGULARITY:g} is needed"
        if verdict is Verdict.OUT_OF_SIGHT:
            sight, most = np.degrees([self._figures.sight[i], LARGEST_SIGHT])
            return f"the marker looks {sight:.0f} deg past the camera, {most:.0f} is the most"
        return verdict.words

    def _limit_reason(self, anywhere: Array) -> str:
        """Name the joint that is farthest beyond, whichever turn it takes."""
        lower, upper = self._arm.lower, self._arm.upper
        middle = 0.5 * (lower + upper)
        turned = middle + wrapped(anywhere - middle)
        beyond = np.degrees(np.maximum(lower - turned, turned - upper))
        joint = int(np.argmax(beyond))
        where = "outside" if beyond[joint] > 0.0 else "inside"
        return (
            f"joint {self._arm.numbers[joint]} is {abs(beyond[joint]):.1f} deg {where} its limits, "
            f"{np.degrees(LEAST_LIMIT_MARGIN):.1f} inside is needed"
        )

    def __len__(self) -> int:
        """How many are usable."""
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> list[Candidate]: ...
    def __getitem__(self, index: int | slice) -> Candidate | list[Candidate]:
        """Return the usable posture of a rank, 0 is the best; or those of several."""
        if isinstance(index, slice):
            return [self._candidate(i) for i in self._order[index].tolist()]
        return self._candidate(int(self._order[index]))

    def __iter__(self) -> Iterator[Candidate]:
        """Go through the usable postures, best first."""
        return (self._candidate(i) for i in self._order.tolist())

    def _candidate(self, i: int) -> Candidate:
        figures = self._figures
        return Candidate(
            q=figures.q[:, i].copy(),
            roll=float(self.roll[i % len(self.roll)]),
            branch=i // len(self.roll),
            cost=float(figures.cost[i]),
            singularity=float(figures.singularity[i]),
            limit_margin=float(figures.limit_margin[i]),
            travel=float(figures.travel[i]),
            sight=float(figures.sight[i]),
        )


def guide_line(entry: ArrayLike, direction: ArrayLike, depth_m: float = 0.0) -> Array:
    """Frame (4, 4) for the guide's end, `depth_m` along the direction from the entry.

    entry (3,) m in base, direction (3,) of any length; a negative depth stands off before the
    entry. +z is the direction, the roll repeatable. Raises InputError for a direction of no length.
    """
    line = frame_along(entry, direction)
    line[:3, 3] += depth_m * line[:3, 2]
    return line


def guide_search(
    arm: Arm,
    T_flange_guide: ArrayLike,
    T_base_line: ArrayLike,
    seed_q: ArrayLike,
    rolls: int = 360,
    *,
    T_base_camera: ArrayLike | None = None,
    T_flange_marker: ArrayLike | None = None,
) -> GuideSearch:
    """All postures with the guide's frame on the line's, up to roll, and their verdicts.

    T_flange_guide (4, 4) mounts the guide; T_base_line (4, 4) has its origin where the guide's
    origin goes and +z where the guide points, see `guide_line`; seed_q (6,) rad is where the arm
    comes from. Joints take the turn nearest to the seed. With T_base_camera (4, 4) the marker, by
    T_flange_marker (4, 4) or else as the arm has it, must face the camera's origin. Contact, and
    what lies between, is not looked at.

    Raises InputError for bad arguments.
    """
    rows_of(T_flange_guide, "T_flange_guide")
    rows_of(T_base_line, "T_base_line")
    mount, line = np.asarray(T_flange_guide), np.asarray(T_base_line)
    seed = posture(seed_q)
    if rolls < 1:
        raise InputError(f"the number of rolls must be at least 1, got {rolls}")

    roll = 2.0 * np.pi * np.arange(rolls) / rolls
    to_flange = inverse(mount)
    cosine, sine = line @ _ROLL @ to_flange
    T_base_flange = (
        np.cos(roll)[:, None, None] * cosine
        + np.sin(roll)[:, None, None] * sine
        + line @ _REST @ to_flange
    )
    postures, factors = arm.solver.postures_batch(T_base_flange, seed)
    count = postures.shape[1]
    # Joint, branch, roll: working on a joint of all postures is quickest so.
    anywhere = postures.transpose(2, 1, 0).reshape(6, -1)
    q, _ = turned_into_limits(anywhere, seed, arm.lower, arm.upper)
    margin = np.min(np.minimum(q - arm.lower[:, None], arm.upper[:, None] - q), axis=0)
    travel = np.max(np.abs(q - seed[:, None]), axis=0)
    singularity = np.min(np.abs(factors.transpose(2, 1, 0).reshape(-1, count * rolls)), axis=0)
    sight = np.zeros(rolls)
    if T_base_camera is not None:
        rows_of(T_base_camera, "T_base_camera")
        marker = arm.T_flange_arm_marker if T_flange_marker is None else T_flange_marker
        rows_of(marker, "T_flange_marker")
        sight = _sight(arm, T_base_flange, np.asarray(marker), np.asarray(T_base_camera))
    sight = np.tile(sight, count)
    cost = (
        travel
        + SINGULARITY_COST / np.maximum(singularity, 1e-9)
        + LIMIT_COST / np.maximum(margin, 1e-9)
        + SIGHT_COST * (sight / LARGEST_SIGHT) ** 2
    )

    # The last word is the first reason.
    verdict = np.zeros(count * rolls, dtype=np.int8)
    verdict[sight > LARGEST_SIGHT] = Verdict.OUT_OF_SIGHT
    verdict[singularity < LEAST_SINGULARITY] = Verdict.NEAR_SINGULARITY
    verdict[~(margin >= LEAST_LIMIT_MARGIN)] = Verdict.OUTSIDE_LIMITS
    verdict[np.isnan(anywhere[0])] = Verdict.OUT_OF_REACH
    figures = _Figures(q, cost, singularity, margin, travel, sight)
    return GuideSearch(arm, roll, anywhere, verdict.reshape(count, rolls), figures)


def guide_candidates(
    arm: Arm,
    T_flange_guide: ArrayLike,
    T_base_line: ArrayLike,
    seed_q: ArrayLike,
    rolls: int = 360,
    *,
    T_base_camera: ArrayLike | None = None,
    T_flange_marker: ArrayLike | None = None,
) -> GuideSearch:
    """`guide_search` that finds something: raises UnreachableError, with counts, if it does not."""
    found = guide_search(
        arm,
        T_flange_guide,
        T_base_line,
        seed_q,
        rolls,
        T_base_camera=T_base_camera,
        T_flange_marker=T_flange_marker,
    )
    if len(found) == 0:
        raise UnreachableError(_none_usable(arm, np.asarray(T_base_line), found))
    return found


def _ascending(cost: Array) -> NDArray[np.intp]:
    """Order of costs (n,), the first of equals first: a stable sort, which seldom is needed."""
    order = np.argsort(cost)
    if np.any(cost[order[1:]] == cost[order[:-1]]):
        return np.argsort(cost, kind="stable")
    return order


def _sight(arm: Arm, T_base_flange: Array, T_flange_marker: Array, T_base_camera: Array) -> Array:
    """Angle (n,) rad from the marker's normal to the camera, with the flange at poses (n, 4, 4)."""
    normal = T_base_flange[:, :3, :3] @ (T_flange_marker[:3, :3] @ arm.marker_normal)
    place = T_base_flange[:, :3, :3] @ T_flange_marker[:3, 3] + T_base_flange[:, :3, 3]
    return angle_between(normal, T_base_camera[:3, 3] - place)


def _none_usable(arm: Arm, T_base_line: Array, found: GuideSearch) -> str:
    where = ", ".join(f"{1e3 * x:.0f}" for x in T_base_line[:3, 3])
    reasons = ", ".join(f"{count} {reason}" for reason, count in found.rejected.items())
    branches, rolls = found.verdict.shape
    return (
        f"no posture of {arm.name} puts the guide on the line at [{where}] mm: of "
        f"{branches * rolls} ({branches} branches x {rolls} rolls) {reasons}; move the base or "
        "choose another path"
    )
