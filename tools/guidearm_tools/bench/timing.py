"""Times of several ways to do one thing, measured in turns, so that a busy machine slows all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

Way = Callable[[int], object]


def in_turns(ways: Mapping[str, Way], count: int, block: int = 1) -> dict[str, NDArray[np.float64]]:
    """Call every way with 0 .. count - 1 and return how long each call took, us: (count,).

    The ways take turns after `block` calls, the first turn going round, so that each is as warm as
    in a loop of its own and none is always the one behind another. The garbage collector rests.
    """
    took = {name: np.empty(count) for name in ways}
    order = list(ways.items())
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for begin in range(0, count, block):
            order = [*order[1:], order[0]]
            for name, way in order:
                mine = took[name]
                for i in range(begin, min(begin + block, count)):
                    start = perf_counter_ns()
                    way(i)
                    mine[i] = (perf_counter_ns() - start) * 1e-3
    finally:
        if collecting:
            gc.enable()
    return took


def summary(us: NDArray[np.float64], per: int = 1) -> dict[str, float]:
    """Return median and 99th percentile of times (us), each divided by `per`."""
    return {
        "median_us": round(float(np.median(us)) / per, 4),
        "p99_us": round(float(np.percentile(us, 99)) / per, 4),
    }
