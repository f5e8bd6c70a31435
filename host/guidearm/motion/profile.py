"""One number over time in pieces of constant jerk, from any state to rest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import copysign, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from guidearm.geometry import Array


class State(NamedTuple):
    """Where a number is and how it moves, in its unit and s."""

    position: float
    velocity: float = 0.0
    acceleration: float = 0.0


class Limits(NamedTuple):
    """Largest magnitudes of velocity, acceleration and jerk, each > 0."""

    velocity: float
    acceleration: float
    jerk: float


Piece = tuple[float, float]
"""Duration (s) and jerk."""


def after(state: State, piece: Piece) -> State:
    """Return the state at the end of a piece that begins in `state`."""
    x, v, a = state
    dt, jerk = piece
    return State(
        x + dt * (v + dt * (a / 2.0 + dt * jerk / 6.0)),
        v + dt * (a + dt * jerk / 2.0),
        a + dt * jerk,
    )


def evaluate(dt: Array, column: Array) -> tuple[Array, Array, Array]:
    """Return x, v, a (...) a time dt (...) s after x, v, a and jerk, (4, ...)."""
    x, v, a, jerk = column
    return (
        x + dt * (v + dt * (a / 2.0 + dt * jerk / 6.0)),
        v + dt * (a + dt * jerk / 2.0),
        a + dt * jerk,
    )


class Profile:
    """Pieces of constant jerk that lead from `start` to rest at `end`.

    Before time 0 it is in `start`, which need not be at rest; from `duration_s` on it is exactly at
    `end`.
    """

    def __init__(self, start: State, pieces: Sequence[Piece], end: float) -> None:
        """Keep the pieces that last; `end` is what they lead to but for rounding."""
        self.start = start
        self.pieces = tuple(piece for piece in pieces if piece[0] > 0.0)
        self.end = end
        self.duration_s = sum(duration for duration, _ in self.pieces)

    @cached_property
    def knots(self) -> tuple[State, ...]:
        """States in which the pieces begin, and the one in which the last one ends."""
        states = [self.start]
        for piece in self.pieces:
            states.append(after(states[-1], piece))
        return tuple(states)

    @cached_property
    def table(self) -> tuple[Array, Array]:
        """Instants (m,) s at which the pieces begin, and x, v, a and jerk (4, m) from there on.

        The last one is the rest at `end`.
        """
        begins = np.cumsum([0.0, *(duration for duration, _ in self.pieces)])
        rows = [(*state, jerk) for state, (_, jerk) in zip(self.knots, self.pieces, strict=False)]
        return begins, np.array([*rows, (self.end, 0.0, 0.0, 0.0)]).T

    def sample(self, t: ArrayLike) -> tuple[Array, Array, Array]:
        """Position, velocity and acceleration at times t (...) s, each (...)."""
        begins, columns = self.table
        time = np.maximum(np.asarray(t, dtype=np.float64), 0.0)
        i = np.searchsorted(begins, time, side="right") - 1
        return evaluate(time - begins[i], columns[:, i])

    def extremes(self) -> tuple[float, float]:
        """Lowest and highest position on the way, both ends included."""
        found = [state.position for state in self.knots]
        found.append(self.end)
        for i, piece in enumerate(self.pieces):
            begin, end = self.knots[i], self.knots[i + 1]
            steady = begin.acceleration * end.acceleration >= 0.0
            if not (steady and begin.velocity * end.velocity >= 0.0):
                found.extend(after(begin, (t, piece[1])).position for t in _turns(begin, piece))
        return min(found), max(found)


def _turns(state: State, piece: Piece) -> list[float]:
    """Instants within a piece at which the velocity is zero."""
    _, v, a = state
    duration, jerk = piece
    if jerk == 0.0:
        return [-v / a] if a != 0.0 and 0.0 < -v / a < duration else []
    under = a * a - 2.0 * jerk * v
    if under < 0.0:
        return []
    # The root that does not cancel gives the other one by Vieta.
    far = -(a + copysign(sqrt(under), a))
    roots = (far / jerk, 2.0 * v / far if far != 0.0 else 0.0)
    return [root for root in roots if 0.0 < root < duration]
