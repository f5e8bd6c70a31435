"""A joint line measured by the limits of the joints on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import Any

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
_JOINT = """
    travel = e{n} - s{n} if e{n} > s{n} else s{n} - e{n}
    if travel * {by_v!r} > v_span:
        v_span = travel * {by_v!r}
    if travel * {by_a!r} > a_span:
        a_span = travel * {by_a!r}
    if travel * {by_j!r} > j_span:
        j_span = travel * {by_j!r}
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
    loop of planning, and as a loop it takes twice as long.
    """
    columns = {
        # A trace more than `check_limits` allows, which has the last word.
        "lower": arm.lower - 1.001 * ROUNDING_RAD,
        "upper": arm.upper + 1.001 * ROUNDING_RAD,
        "by_v": 1.0 / arm.velocity,
        "by_a": 1.0 / arm.acceleration,
        "by_j": 1.0 / arm.jerk,
    }
    count = len(arm.lower)
    joints = [{"n": n, **{name: float(c[n]) for name, c in columns.items()}} for n in range(count)]
    head = _HEAD.format(
        starts=", ".join(f"s{n}" for n in range(count)),
        ends=", ".join(f"e{n}" for n in range(count)),
        inside=" and ".join(_INSIDE.format(**joint) for joint in joints),
        sum=" + ".join(f"s{n}" for n in range(count)),
    )
    namespace: dict[str, Any] = {"inf": inf}
    exec(head + "".join(_JOINT.format(**joint) for joint in joints) + _TAIL, namespace)
    return namespace["joint_spans"]
