"""How far an arm is from itself, from what stands in its room, and from the camera's view.

The arm is a set of capsules (a sphere swept along a segment), each fixed to a link. Beside them
stand volumes that it must keep out of, fixed to the base, and lines of sight that it must not
cross. One call judges any number of postures.

A clearance is the distance of surfaces in m: 0 or less is contact. How deep two things are inside
each other it does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
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
from guidearm.kinematics.levers import levers

BASE = 0
FLANGE = 6
# Postures whose segments lie side by side in the processor's caches.
_BLOCK = 64


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

    def all_but(self, spared: frozenset[str]) -> list[int]:
        """Return which bodies are not among those that are spared."""
        return [i for i, body in enumerate(self.bodies) if body.name not in spared]

    def placed(self, frames: Array) -> tuple[Array, Array]:
        """Give the ends of the segments, each (..., n, 3) m, for link frames (..., 7, 4, 4)."""
        mine = frames[..., self.links, :, :]
        start = np.array([body.start for body in self.bodies]).reshape(-1, 3)
        end = np.array([body.end for body in self.bodies]).reshape(-1, 3)
        return apply(mine, start), apply(mine, end)

    def clearances(self, frames: Array, room: Room | None = None) -> Clearances:
        """Judge postures given by their link frames (..., 7, 4, 4), see `Chain.frames`."""
        judged = _judged(self, room)
        flat = frames.reshape(-1, *frames.shape[-3:])
        each = np.empty((len(flat), len(judged.names)))
        for begin in range(0, len(flat), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            each[block] = self._distances(flat[block], judged)
        each -= judged.radii
        return Clearances(each.reshape(*frames.shape[:-3], -1), judged.names)

    def _distances(self, frames: Array, judged: _Judged) -> Array:
        """Distances (n, k) m of segments from each other and from volumes."""
        start, end = judged.with_fixed(*self.placed(frames), frames)
        first, second = judged.first, judged.second
        columns = [
            segment_distance(start[:, first], end[:, first], start[:, second], end[:, second])
        ]
        for volume, rest in judged.volumes:
            columns.append(volume.distance(start[:, rest], end[:, rest]))
        return np.concatenate(columns, axis=-1)

    def clearance_rates(self, links: Array, room: Room | None = None) -> Array:
        """By how much a clearance changes at most as a joint turns, (k, 6) m/rad.

        In the order of `clearances`, for a chain with links (7, 4, 4); whatever the posture.
        """
        judged = _judged(self, room)
        # The end of a segment that goes the farther: no point between does. What is fixed stays.
        each: list[Array] = [
            np.maximum(levers(links, body.link, body.start), levers(links, body.link, body.end))
            for body in self.bodies
        ]
        each += [np.zeros(6)] * len(judged.rods)
        each += [levers(links, sight.link, sight.target) for sight in judged.sights]
        own = [*self.links.tolist(), *([BASE] * len(judged.rods))]
        rows: list[Array] = []
        pairs: list[tuple[int, int]] = np.stack([judged.first, judged.second], axis=-1).tolist()
        for i, j in pairs:
            if j >= len(own):  # a line of sight: one of its ends may be carried along
                rows.append(each[i] + each[j])
                continue
            inner, outer = sorted((i, j), key=own.__getitem__)
            # What turns both does not turn one against the other.
            rows.append(each[outer] * (np.arange(6) >= own[inner]))
        for _, rest in judged.volumes:
            rows.extend(each[i] for i in rest)
        return np.array(rows).reshape(-1, 6)


@dataclass(frozen=True, eq=False)
class _Judged:
    """What is compared with what: all that does not depend on the posture.

    Segments are those of the bodies, of the rods, and from eye to marker; `first` and `second` (m,)
    are which of them make a pair. Behind those come the bodies that each other volume does not
    spare. names and radii (k,), to be taken off the distance, are those of all pairs.
    """

    rods: tuple[Rod, ...]
    sights: tuple[Sight, ...]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    volumes: tuple[tuple[KeepOut, list[int]], ...]
    names: tuple[tuple[str, str], ...]
    radii: Array

    @cached_property
    def _fixed(self) -> tuple[Array, Array, NDArray[np.intp], Array]:
        """Ends (r, 3) of the rods, then the eyes among the starts; links and markers of sights."""
        start = [rod.start for rod in self.rods] + [sight.eye for sight in self.sights]
        end = [rod.end for rod in self.rods]
        links = np.array([sight.link for sight in self.sights], dtype=np.intp)
        targets = np.array([sight.target for sight in self.sights])
        return np.array(start).reshape(-1, 3), np.array(end).reshape(-1, 3), links, targets

    def with_fixed(self, start: Array, end: Array, frames: Array) -> tuple[Array, Array]:
        """Return the ends of the bodies' segments (..., n, 3) m with those of the others behind."""
        starts, ends, links, targets = self._fixed
        batch = start.shape[:-2]
        parts = [end, np.broadcast_to(ends, (*batch, *ends.shape))]
        if self.sights:
            parts.append(apply(frames[..., links, :, :], targets))
        starts = np.broadcast_to(starts, (*batch, *starts.shape))
        return np.concatenate([start, starts], axis=-2), np.concatenate(parts, axis=-2)


def _judged(bodies: Bodies, room: Room | None) -> _Judged:
    return _pairs(bodies, room.keep_outs, room.sights) if room else _pairs(bodies, (), ())


@lru_cache(maxsize=32)
def _pairs(arm: Bodies, keep_outs: tuple[KeepOut, ...], sights: tuple[Sight, ...]) -> _Judged:
    bodies = arm.bodies
    pairs = [
        (i, j)
        for i, one in enumerate(bodies)
        for j, other in enumerate(bodies[:i])
        if abs(one.link - other.link) > 1 and frozenset((one.name, other.name)) not in arm.may_touch
    ]
    rods = tuple(volume for volume in keep_outs if isinstance(volume, Rod))
    for j, thing in enumerate((*rods, *sights), start=len(bodies)):
        pairs += [(i, j) for i in arm.all_but(thing.spares)]
    things = [*bodies, *rods, *sights]
    volumes = tuple(
        (volume, arm.all_but(volume.spares)) for volume in keep_outs if not isinstance(volume, Rod)
    )
    names = [(things[i].name, things[j].name) for i, j in pairs]
    radii = [things[i].radius + things[j].radius for i, j in pairs]
    for volume, rest in volumes:
        names += [(bodies[i].name, volume.name) for i in rest]
        radii += [bodies[i].radius for i in rest]
    first, second = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return _Judged(rods, sights, first, second, volumes, tuple(names), np.array(radii))
