"""One number from any state to rest at a goal, within limits of velocity, acceleration and jerk.

The quickest way is to press on, towards the velocity limit on the goal's side, up to some instant,
and then to stop as quickly as can be. That none is quicker follows by comparison. Pressing on has
at every instant t the largest velocity F(t) that can be reached from the start; the quickest stop,
followed backwards from rest at T, has the largest B(T - t) from which rest can be reached; so no
way to rest at T is above either. The way described here runs along F, leaves it by a piece of the
lowest jerk that is tangent to both, and runs on along B. A velocity above that piece, but not above
F and B at its ends, would have to bend down more than the jerk allows. So of all ways that take a
time T this one goes the farthest, and nothing gets to where it ends sooner.
Place and time of rest both grow with the instant of turning to the stop: it is the root of a
monotonic function, found by Newton's method between bounds.

At rest after a given time: between the farthest way in that time and the quickest stop with a wait
lies every goal for which the time suffices. A mixture of the two, with shares that add up to one,
ends in between and keeps every limit that both keep. No goal is ever reachable in one time and not
in a longer one.

A start that breaks a limit is brought back as fast as the jerk allows, and then kept within.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cbrt, inf, sqrt

from guidearm.motion.profile import Limits, Piece, Profile, State, after

STILL = 1e-12
"""What is nearer than this is there: in rad a ten-millionth of a motor count."""

_MOST_STEPS = 60
_ROUNDING = 1e-15


def quickest_stop(start: State, limits: Limits) -> Profile:
    """Return the quickest way to rest, wherever that is."""
    pieces = _recovery(start, limits)
    pieces += _change(_end(start, pieces), 0.0, limits)
    return Profile(start, pieces, _end(start, pieces).position)


def quickest(start: State, goal: float, limits: Limits) -> Profile:
    """Return the quickest way to rest at `goal`."""
    stop = quickest_stop(start, limits)
    if abs(goal - stop.end) <= STILL:
        return Profile(start, stop.pieces, goal)
    side = 1.0 if goal > stop.end else -1.0
    return Profile(start, _Farthest(limits, side, place=goal).pieces(start), goal)


def lasting(start: State, goal: float, limits: Limits, duration_s: float) -> Profile:
    """Return a way to rest at `goal` that takes `duration_s`, for which that has to be enough.

    The more time there is, the gentler the way.
    """
    stop = quickest_stop(start, limits)
    way = goal - stop.end
    wait = (max(duration_s - stop.duration_s, 0.0), 0.0)
    if abs(way) <= STILL:
        return Profile(start, [*stop.pieces, wait], goal)
    side = 1.0 if way > 0.0 else -1.0
    farthest = _Farthest(limits, side, time_s=duration_s).pieces(start)
    share = min(way / (_end(start, farthest).position - stop.end), 1.0)
    return Profile(start, _mixture(farthest, share, [*stop.pieces, wait]), goal)


def _end(start: State, pieces: Sequence[Piece]) -> State:
    state = start
    for piece in pieces:
        state = after(state, piece)
    return state


def _recovery(start: State, limits: Limits) -> list[Piece]:
    """Return the piece that brings an acceleration beyond the limit back to it."""
    excess = abs(start.acceleration) - limits.acceleration
    if excess <= 0.0:
        return []
    return [(excess / limits.jerk, -limits.jerk if start.acceleration > 0.0 else limits.jerk)]


def _change(state: State, target: float, limits: Limits) -> list[Piece]:
    """Return the quickest three pieces to a steady velocity `target`."""
    _, v, a = state
    most, jerk = limits.acceleration, limits.jerk
    # Compared with the velocity reached if the acceleration goes straight back to zero.
    sign = 1.0 if target > v + a * abs(a) / (2.0 * jerk) else -1.0
    peak = sqrt(max(sign * jerk * (target - v) + 0.5 * a * a, 0.0))
    hold = 0.0
    if peak > most:
        hold = (peak * (peak / most) - most) / jerk
        peak = most
    rise = max(peak - sign * a, 0.0) / jerk
    return [(rise, sign * jerk), (hold, 0.0), (peak / jerk, -sign * jerk)]


def _common_s(first: Sequence[Piece], second: Sequence[Piece]) -> float:
    """Return how long two ways from the same state are the same."""
    common_s = 0.0
    for (a_s, a_jerk), (b_s, b_jerk) in zip(first, second, strict=False):
        if a_jerk != b_jerk:
            break
        common_s += min(a_s, b_s)
        if a_s != b_s:
            break
    return common_s


def _mixture(first: Sequence[Piece], share: float, second: Sequence[Piece]) -> list[Piece]:
    """Return the pieces of `share` of the first and 1 - `share` of the second, of one duration."""
    mixed: list[Piece] = []
    rest = [list(reversed(first)), list(reversed(second))]
    while rest[0] and rest[1]:
        (a_s, a_jerk), (b_s, b_jerk) = rest[0].pop(), rest[1].pop()
        mixed.append((min(a_s, b_s), share * a_jerk + (1.0 - share) * b_jerk))
        if a_s > b_s:
            rest[0].append((a_s - b_s, a_jerk))
        elif b_s > a_s:
            rest[1].append((b_s - a_s, b_jerk))
    return mixed


class _Farthest:
    """Press on to one side, then stop, so as to rest at a place or at a time: one is given.

    Either is beyond that of the quickest stop. Inside, the side is the positive one.
    """

    def __init__(
        self, limits: Limits, side: float, *, place: float = inf, time_s: float = inf
    ) -> None:
        self._limits = limits
        self._side = side
        self._by_time = time_s < inf
        self._aim = time_s if self._by_time else side * place

    def pieces(self, start: State) -> list[Piece]:
        """Return the pieces from `start`."""
        state = State(*(self._side * value for value in start))
        taken = _recovery(state, self._limits)
        for piece in taken:
            state = after(state, piece)
        begins = [(sum(duration for duration, _ in taken), state)]
        push = [*_change(state, self._limits.velocity, self._limits), (inf, 0.0)]
        shared_s = _common_s(push, _change(state, 0.0, self._limits))
        for piece in push[:-1]:
            passed, state = begins[-1]
            begins.append((passed + piece[0], after(state, piece)))
        # From behind: most ways are long enough for the cruise.
        number, most = len(push) - 1, inf
        while True:
            passed, state = begins[number]
            value, slope = self._rest(state, push[number][1], passed)
            if value <= self._aim or number == 0:
                break
            number, most = number - 1, value
        if most == inf:
            turn = ((self._aim - value) / slope, 0.0)
        else:
            flat = max(begins[0][0] + shared_s - passed, 0.0)
            turn = self._turn(state, push[number], passed, (flat, value, most))
        taken += [*push[:number], turn]
        taken += _change(after(state, turn), 0.0, self._limits)
        return [(duration, self._side * jerk) for duration, jerk in taken]

    def _turn(
        self, state: State, piece: Piece, passed: float, between: tuple[float, float, float]
    ) -> Piece:
        """Return the part of a piece after which to stop.

        `between`: how long in the piece it makes no difference, what the stop leads to until then,
        and what at the end of the piece.
        """
        high, jerk = piece
        low, least, most = between
        # The place grows with the third power of the time, to begin with.
        t = low + (high - low) * cbrt((self._aim - least) / (most - least))
        for _ in range(_MOST_STEPS):
            value, slope = self._rest(after(state, (t, jerk)), jerk, passed + t)
            if abs(value - self._aim) <= _ROUNDING * (1.0 + abs(self._aim)):
                break
            low, high = (t, high) if value < self._aim else (low, t)
            step = (self._aim - value) / slope if slope > 0.0 else inf
            t = t + step if low < t + step < high else 0.5 * (low + high)
        return t, jerk

    def _rest(self, state: State, jerk: float, passed: float) -> tuple[float, float]:
        """Return where or when a stop from here leads to rest, and how that grows with its delay.

        `jerk` is that of the way here, `passed` the time (s) since the start.
        """
        x, v, a = state
        sign = 1.0 if v + a * abs(a) / (2.0 * self._limits.jerk) > 0.0 else -1.0
        if self._by_time:
            time, by_v, by_a = _stop_time(sign * v, -sign * a, self._limits)
            return passed + time, 1.0 + sign * (by_v * a - by_a * jerk)
        way, by_v, by_a = _stop_distance(sign * v, -sign * a, self._limits)
        return x + sign * way, v + by_v * a - by_a * jerk


# The stop from velocity v > 0 while already braking with b (negative: not yet), b <= limit: the
# braking rises to a peak, perhaps holds, and falls to zero. Each with its derivatives by v and b.


def _stop_distance(v: float, b: float, limits: Limits) -> tuple[float, float, float]:
    most, jerk = limits.acceleration, limits.jerk
    peak = sqrt(max(jerk * v + 0.5 * b * b, 0.0))
    if peak <= most:
        rise = (peak - b) / jerk
        way = rise * (v - rise * (b / 2.0 + rise * jerk / 6.0)) + peak**3 / (6.0 * jerk**2)
        by_b = -0.5 * rise**2 + peak * (b - peak) / (2.0 * jerk**2)
        return way, rise + peak / (2.0 * jerk), by_b
    rise = (most - b) / jerk
    then = v - rise * (b + rise * jerk / 2.0)
    last = most**2 / (2.0 * jerk)
    hold = (then - last) / most
    way = rise * (v - rise * (b / 2.0 + rise * jerk / 6.0))
    way += 0.5 * hold * (then + last) + most**3 / (6.0 * jerk**2)
    by_b = -0.5 * rise**2 - then / jerk + b * hold / jerk + most * b / (2.0 * jerk**2)
    return way, rise + hold + most / (2.0 * jerk), by_b


def _stop_time(v: float, b: float, limits: Limits) -> tuple[float, float, float]:
    most, jerk = limits.acceleration, limits.jerk
    peak = sqrt(max(jerk * v + 0.5 * b * b, 0.0))
    if peak == 0.0:
        return 0.0, inf, 0.0
    if peak <= most:
        return (2.0 * peak - b) / jerk, 1.0 / peak, (b / peak - 1.0) / jerk
    hold = (peak * (peak / most) - most) / jerk
    time = (most - b) / jerk + hold + most / jerk
    return time, 1.0 / most, (b / most - 1.0) / jerk
