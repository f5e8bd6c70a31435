"""Times of several ways to do one thing, measured in turns, so that a busy machine slows all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

Way = Callable[[int], object]


def in_turns(
    ways: Mapping[str, Way], count: int, block: int = 1, best_of: int = 1
) -> dict[str, NDArray[np.float64]]:
    """Call every way with 0 .. count - 1 and return how long each call took, us: (count,).

    The ways take turns after `block` calls, the first turn going round, so that each is as warm as
    in a loop of its own and none is always the one behind another. Each block is gone through
    `best_of` times, and of each call the quickest counts: what else the machine does comes and
    goes. The garbage collector rests.
    """
    took = {name: np.full(count, np.inf) for name in ways}
    order = list(ways.items())
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for begin in range(0, count, block):
            for _ in range(best_of):
                order = [*order[1:], order[0]]
                for name, way in order:
                    calls = range(begin, min(begin + block, count))
                    mine = took[name][begin : begin + block]
                    np.minimum(mine, _timed(way, calls), out=mine)
    finally:
        if collecting:
            gc.enable()
    return took


def _timed(way: Way, calls: range) -> list[float]:
    took: list[float] = []
    for i in calls:
        start = perf_counter_ns()
        way(i)
        took.append((perf_counter_ns() - start) * 1e-3)
    return took


def summary(us: NDArray[np.float64], per: int = 1) -> dict[str, float]:
    """Return median and 99th percentile of times (us), each divided by `per`."""
    return {
        "median_us": round(float(np.median(us)) / per, 4),
        "p99_us": round(float(np.percentile(us, 99)) / per, 4),
    }


def share(ours: NDArray[np.float64], theirs: NDArray[np.float64], block: int = 1) -> float:
    """Return our time as a share of theirs: the median over the turns of both in each turn.

    What slows the machine for a while slows the two of a turn alike.
    """
    a, b = (
        np.array([np.median(us[i : i + block]) for i in range(0, len(us), block)])
        for us in (ours, theirs)
    )
    return float(np.median(a / b))
