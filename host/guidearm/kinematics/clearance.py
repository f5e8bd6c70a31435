"""How far an arm is from itself, from what stands in its room, and from the camera's view.

The arm is a set of capsules (a sphere swept along a segment), each fixed to a link. Beside them
stand volumes that it must keep out of, fixed to the base, and lines of sight that it must not
cross. One call judges any number of postures.

A clearance is the distance of surfaces in m: 0 or less is contact. How deep two things are inside
each other it does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from guidearm.geometry import (
    Array,
    apply,
    inverse,
    segment_box_distance,
    segment_distance,
    segment_plane_distance,
)

BASE = 0
FLANGE = 6


@dataclass(frozen=True, eq=False)
class Body:
    """A capsule of the arm: `start` and `end` (3,) m in the DH frame of `link`, 0 is the base."""

    name: str
    link: int
    start: Array
    end: Array
    radius: float


class KeepOut(Protocol):
    """A volume, fixed to the base, that no body may enter but those it `spares`."""

    @property
    def name(self) -> str:
        """What it is."""
        ...

    @property
    def spares(self) -> frozenset[str]:
        """Names of bodies that may be in it: the pedestal stands on the table."""
        ...

    def distance(self, start: Array, end: Array) -> Array:
        """Distance (...) m from segments (..., 3) m in base coordinates; 0 or less inside."""
        ...


@dataclass(frozen=True, eq=False)
class Floor:
    """All that lies behind a plane: a table, a wall. `normal` (3,) points to the free side."""

    name: str
    point: Array
    normal: Array
    spares: frozenset[str] = frozenset()

    def distance(self, start: Array, end: Array) -> Array:
        """Distance (...) m from segments (..., 3) m in base coordinates, negative behind it."""
        return segment_plane_distance(start, end, self.point, self.normal)


@dataclass(frozen=True, eq=False)
class Block:
    """A box with rounded edges: half edges `half` (3,) m in its frame, swept by a sphere."""

    name: str
    T_base_box: Array
    half: Array
    radius: float = 0.0
    spares: frozenset[str] = frozenset()

    def distance(self, start: Array, end: Array) -> Array:
        """Distance (...) m from segments (..., 3) m in base coordinates."""
        T_box_base = inverse(self.T_base_box)
        a0, a1 = apply(T_box_base, start), apply(T_box_base, end)
        return segment_box_distance(a0, a1, self.half) - self.radius


@dataclass(frozen=True, eq=False)
class Rod:
    """A capsule fixed to the base: a patient's trunk, a stand."""

    name: str
    start: Array
    end: Array
    radius: float
    spares: frozenset[str] = frozenset()

    def distance(self, start: Array, end: Array) -> Array:
        """Distance (...) m from segments (..., 3) m in base coordinates."""
        return segment_distance(start, end, self.start, self.end) - self.radius


@dataclass(frozen=True, eq=False)
class Sight:
    """A line of sight from a camera at `eye` (3,) m in base coordinates to a marker.

    The marker is at `target` (3,) m in the frame of `link`; nothing may come within `radius` of
    the line but the bodies that carry the marker, `spares`.
    """

    name: str
    eye: Array
    link: int
    target: Array
    radius: float
    spares: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Clearances:
    """Clearances (..., k) m of k pairs, and who is in each: pairs of names, k long."""

    each: Array
    pairs: tuple[tuple[str, str], ...]

    @property
    def least(self) -> Array:
        """Smallest clearance (...) m; infinite where there is nothing to meet."""
        if not self.pairs:
            return np.full(self.each.shape[:-1], np.inf)
        return np.asarray(np.min(self.each, axis=-1))

    @property
    def nearest(self) -> tuple[float, tuple[int, ...], tuple[str, str]]:
        """The smallest clearance of all (m), the index of its posture, and the two concerned."""
        place = np.unravel_index(int(np.argmin(self.each)), self.each.shape)
        at = tuple(int(i) for i in place)
        return float(self.each[at]), at[:-1], self.pairs[at[-1]]


@dataclass(frozen=True, eq=False)
class Room:
    """What stands about an arm: volumes to keep out of, and lines of sight to keep free."""

    keep_outs: tuple[KeepOut, ...] = ()
    sights: tuple[Sight, ...] = ()

    def with_sights(self, *sights: Sight) -> Room:
        """Return the room with more lines of sight."""
        return Room(self.keep_outs, self.sights + sights)

    def joined(self, other: Room) -> Room:
        """Return what stands in either."""
        return Room(self.keep_outs + other.keep_outs, self.sights + other.sights)


@dataclass(frozen=True, eq=False)
class Bodies:
    """The arm's capsules, and who of them may touch.

    Bodies of one link and of neighbouring links always may: what joins them cannot move them into
    each other. `may_touch` names further pairs.
    """

    bodies: tuple[Body, ...] = ()
    may_touch: frozenset[frozenset[str]] = frozenset()

    @cached_property
    def links(self) -> NDArray[np.intp]:
        """Link of each body (n,)."""
        return np.array([body.link for body in self.bodies], dtype=np.intp)

    @cached_property
    def radii(self) -> Array:
        """Radius of each body (n,) m."""
        return np.array([body.radius for body in self.bodies])

    @cached_property
    def _pairs(self) -> NDArray[np.intp]:
        """Indices (k, 2) of the bodies that may not touch."""
        found = [
            (i, j)
            for i, one in enumerate(self.bodies)
            for j, other in enumerate(self.bodies[:i])
            if abs(one.link - other.link) > 1
            and frozenset((one.name, other.name)) not in self.may_touch
        ]
        return np.array(found, dtype=np.intp).reshape(-1, 2)

    def placed(self, frames: Array) -> tuple[Array, Array]:
        """Give the ends of the segments, each (..., n, 3) m, for link frames (..., 7, 4, 4)."""
        mine = frames[..., self.links, :, :]
        start = np.array([body.start for body in self.bodies])
        end = np.array([body.end for body in self.bodies])
        return apply(mine, start), apply(mine, end)

    def clearances(self, frames: Array, room: Room | None = None) -> Clearances:
        """Judge postures given by their link frames (..., 7, 4, 4), see `Chain.frames`."""
        if not self.bodies:
            return Clearances(np.empty((*frames.shape[:-3], 0)), ())
        room = Room() if room is None else room
        start, end = self.placed(frames)
        first, second = self._pairs[:, 0], self._pairs[:, 1]
        columns = [
            segment_distance(
                start[..., first, :], end[..., first, :], start[..., second, :], end[..., second, :]
            )
            - self.radii[first]
            - self.radii[second]
        ]
        names = [body.name for body in self.bodies]
        pairs: list[tuple[str, str]] = []
        for i in range(len(first)):
            pairs.append((names[int(first[i])], names[int(second[i])]))
        for volume in room.keep_outs:
            rest = self._all_but(volume.spares)
            columns.append(volume.distance(start[..., rest, :], end[..., rest, :]))
            columns[-1] -= self.radii[rest]
            pairs += [(names[i], volume.name) for i in rest]
        for sight in room.sights:
            rest = self._all_but(sight.spares)
            target = apply(frames[..., sight.link, :, :], sight.target)[..., None, :]
            columns.append(
                segment_distance(start[..., rest, :], end[..., rest, :], sight.eye, target)
                - self.radii[rest]
                - sight.radius
            )
            pairs += [(names[i], sight.name) for i in rest]
        return Clearances(np.concatenate(columns, axis=-1), tuple(pairs))

    def _all_but(self, spared: frozenset[str]) -> list[int]:
        return [i for i, body in enumerate(self.bodies) if body.name not in spared]
