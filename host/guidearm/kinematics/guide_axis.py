"""Postures that put the guide on a line: the roll about the line is free, so all are tried.

A guide axis fixes five of six degrees of freedom. The sixth is searched over whole turns in one
numpy batch, all branches at once, and what remains is ranked by one cost in radians. What does not
remain has its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, angle_between, frame_along, inverse
from guidearm.kinematics.arm import Arm, posture, rows_of

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

# Rz(roll) is the first times cos roll, the second times sin roll, and the third.
_ROLL = np.zeros((3, 4, 4))
_ROLL[0, [0, 1], [0, 1]] = 1.0
_ROLL[1, [0, 1], [1, 0]] = -1.0, 1.0
_ROLL[2, [2, 3], [2, 3]] = 1.0


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
    """Figures of all postures (k, r) by branch and roll; q is (6, k, r), sight (r,).

    NaN where there is no posture.
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

    def __init__(self, arm: Arm, roll: Array, verdict: NDArray[np.int8], figures: _Figures) -> None:
        """Take rolls (r,), verdicts (k, r) and figures."""
        self._arm, self._figures = arm, figures
        self.roll, self.verdict = roll, verdict
        usable = np.flatnonzero(verdict == Verdict.USABLE)
        self._flat = usable[np.argsort(figures.cost.ravel()[usable], kind="stable")]

    @cached_property
    def _order(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Branch and roll of the usable postures, best first."""
        return np.divmod(self._flat, len(self.roll))

    @property
    def q(self) -> Array:
        """Usable postures (n, 6) rad, best first."""
        return self._figures.q[:, *self._order].T

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
        return [
            Rejection(
                roll=float(self.roll[roll]),
                branch=branch,
                verdict=Verdict(self.verdict[branch, roll]),
                reason=self._reason(branch, roll),
            )
            for branch, roll in np.argwhere(self.verdict != Verdict.USABLE).tolist()
        ]

    def _reason(self, branch: int, roll: int) -> str:
        verdict = Verdict(self.verdict[branch, roll])
        if verdict is Verdict.OUTSIDE_LIMITS:
            return self._limit_reason(self._figures.q[:, branch, roll])
        if verdict is Verdict.NEAR_SINGULARITY:
            distance = self._figures.singularity[branch, roll]
            return f"{distance:.3f} from a singularity, {LEAST_SINGULARITY:g} is needed"
        if verdict is Verdict.OUT_OF_SIGHT:
            sight, most = np.degrees([self._figures.sight[roll], LARGEST_SIGHT])
            return f"the marker looks {sight:.0f} deg past the camera, {most:.0f} is the most"
        return verdict.words

    def _limit_reason(self, q: Array) -> str:
        """Name the joint that is farthest beyond."""
        beyond = np.degrees(np.maximum(self._arm.lower - q, q - self._arm.upper))
        joint = int(np.argmax(beyond))
        where = "outside" if beyond[joint] > 0.0 else "inside"
        return (
            f"joint {self._arm.numbers[joint]} is {abs(beyond[joint]):.1f} deg {where} its limits, "
            f"{np.degrees(LEAST_LIMIT_MARGIN):.1f} inside is needed"
        )

    def __len__(self) -> int:
        """How many are usable."""
        return len(self._flat)

    @overload
    def __getitem__(self, index: int) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> list[Candidate]: ...
    def __getitem__(self, index: int | slice) -> Candidate | list[Candidate]:
        """Return the usable posture of a rank, 0 is the best; or those of several."""
        branch, roll = (places[index].tolist() for places in self._order)
        if isinstance(index, slice):
            return list(map(self._candidate, branch, roll))
        return self._candidate(branch, roll)

    def __iter__(self) -> Iterator[Candidate]:
        """Go through the usable postures, best first."""
        branch, roll = (places.tolist() for places in self._order)
        return map(self._candidate, branch, roll)

    def _candidate(self, branch: int, roll: int) -> Candidate:
        figures = self._figures
        return Candidate(
            q=figures.q[:, branch, roll].copy(),
            roll=float(self.roll[roll]),
            branch=branch,
            cost=float(figures.cost[branch, roll]),
            singularity=float(figures.singularity[branch, roll]),
            limit_margin=float(figures.limit_margin[branch, roll]),
            travel=float(figures.travel[branch, roll]),
            sight=float(figures.sight[roll]),
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

    roll, basis = _rolls(rolls)
    # by what the elements of T_base_flange go with cos roll, sin roll and 1
    shares = (line @ _ROLL @ inverse(mount)).reshape(3, 16)
    T_base_flange = (shares.T @ basis).T.reshape(rolls, 4, 4)
    centre = arm.turn_centres(seed)
    postures, singularity = arm.solver.postures_batch(T_base_flange, seed, centre)
    # Joint, branch, roll: working on a joint of all postures is quickest so.
    q = postures.transpose(2, 1, 0)
    margin, travel = _margin_and_travel(q, arm, seed)
    singularity = singularity.T
    cost = (
        travel
        + SINGULARITY_COST / np.maximum(singularity, 1e-9)
        + LIMIT_COST / np.maximum(margin, 1e-9)
    )
    # The last word is the first reason.
    verdict = np.zeros(cost.shape, dtype=np.int8)
    sight = np.zeros(rolls)
    if T_base_camera is not None:
        rows_of(T_base_camera, "T_base_camera")
        marker = arm.T_flange_arm_marker if T_flange_marker is None else T_flange_marker
        rows_of(marker, "T_flange_marker")
        sight = _sight(arm, T_base_flange, np.asarray(marker), np.asarray(T_base_camera))
        cost += SIGHT_COST * (sight / LARGEST_SIGHT) ** 2
        verdict[:, sight > LARGEST_SIGHT] = Verdict.OUT_OF_SIGHT
    verdict[singularity < LEAST_SINGULARITY] = Verdict.NEAR_SINGULARITY
    verdict[~(margin >= LEAST_LIMIT_MARGIN)] = Verdict.OUTSIDE_LIMITS
    verdict[np.isnan(q[0])] = Verdict.OUT_OF_REACH
    figures = _Figures(q, cost, singularity, margin, travel, sight)
    return GuideSearch(arm, roll, verdict, figures)


@lru_cache(maxsize=4)
def _rolls(count: int) -> tuple[Array, Array]:
    """Return rolls (count,) rad over a turn, and their cosines, sines and ones (3, count)."""
    roll = 2.0 * np.pi * np.arange(count) / count
    roll.setflags(write=False)
    return roll, np.stack([np.cos(roll), np.sin(roll), np.ones(count)])


def _margin_and_travel(q: Array, arm: Arm, seed: Array) -> tuple[Array, Array]:
    """Least distance to a limit and farthest from the seed, rad: of q (6, k, r), (k, r) each.

    A joint at a time and in place, which stays in the nearest of the processor's caches.
    """
    room, middle = 0.5 * (arm.upper - arm.lower), 0.5 * (arm.upper + arm.lower)
    margin, travel, work = (
        np.full(q.shape[1:], np.inf),
        np.zeros(q.shape[1:]),
        np.empty(q.shape[1:]),
    )
    for joint in range(6):
        np.abs(np.subtract(q[joint], middle[joint], out=work), out=work)
        np.minimum(margin, np.subtract(room[joint], work, out=work), out=margin)
        np.abs(np.subtract(q[joint], seed[joint], out=work), out=work)
        np.maximum(travel, work, out=travel)
    return margin, travel


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
