"""A joint line measured by the limits of the joints on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np

from guidearm.motion.limits import ROUNDING_RAD, JointLimits

Spans = tuple[float, float, float]
"""A way divided by its limits of velocity (s), acceleration (s^2) and jerk (s^3)."""

_HEAD = """
def joint_spans(start, end):
    [{starts}] = start
    [{ends}] = end
    if not ({inside} and -inf < {sum} < inf):
        return None
    v_span = a_span = j_span = 0.0
"""
_INSIDE = "{lower!r} <= e{n} <= {upper!r}"
_TRAVEL = """
    {name} = e{n} - s{n} if e{n} > s{n} else s{n} - e{n}
"""
_FARTHEST = """
    if travel > farthest:
        farthest = travel
"""
_ALIKE = """
    if farthest * {by_v!r} > v_span:
        v_span = farthest * {by_v!r}
    if farthest * {by_a!r} > a_span:
        a_span = farthest * {by_a!r}
    if farthest * {by_j!r} > j_span:
        j_span = farthest * {by_j!r}
"""
_TAIL = """
    return v_span, a_span, j_span
"""


@lru_cache(maxsize=8)
def joint_spans(arm: JointLimits) -> Callable[[list[float], list[float]], Spans | None]:
    """Return the function that measures the joint line between two postures, lists of n angles.

    The spans are those of the joint that needs the most of each. None instead of them if the end is
    outside a joint's range, or if an angle is not finite. Raises TypeError or ValueError for what
    is not n numbers.

    The function is written out joint by joint and compiled, as `namedtuple` does: this is the inner
    loop of planning, and as a loop it takes three times as long. Of joints with the same limits
    only the one that goes the farthest counts.
    """
    # A trace more than `check_limits` allows, which has the last word.
    lower, upper = arm.lower - 1.001 * ROUNDING_RAD, arm.upper + 1.001 * ROUNDING_RAD
    inverse = 1.0 / np.stack([arm.velocity, arm.acceleration, arm.jerk], axis=-1)
    alike: dict[tuple[float, ...], list[int]] = {}
    for n, row in enumerate(inverse.tolist()):
        alike.setdefault(tuple(row), []).append(n)
    body = ""
    for (by_v, by_a, by_j), (first, *others) in alike.items():
        body += _TRAVEL.format(name="farthest", n=first)
        for n in others:
            body += _TRAVEL.format(name="travel", n=n) + _FARTHEST
        body += _ALIKE.format(by_v=by_v, by_a=by_a, by_j=by_j)
    joints = range(len(lower))
    head = _HEAD.format(
        starts=", ".join(f"s{n}" for n in joints),
        ends=", ".join(f"e{n}" for n in joints),
        inside=" and ".join(
            _INSIDE.format(n=n, lower=float(lower[n]), upper=float(upper[n])) for n in joints
        ),
        sum=" + ".join(f"s{n}" for n in joints),
    )
    namespace: dict[str, Any] = {"inf": inf}
    exec(head + body + _TAIL, namespace)
    return namespace["joint_spans"]
