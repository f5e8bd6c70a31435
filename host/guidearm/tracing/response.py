"""What a step and a sine say of a servo: rise, overshoot, settling; gain and phase."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from guidearm.errors import InputError
from guidearm.geometry import Array

SETTLED_SHARE = 0.02
"""Settled is within this share of the step."""


@dataclass(frozen=True, slots=True)
class StepResponse:
    """How a joint answered a quick move from rest to rest.

    The set-point does not jump: its jerk is limited, and `demand_rise_s`, `demand_s` (all of it)
    say how quick it was. Rise is from 10 to 90 % of the step, `lag_s` from the set-point's half to
    the position's. Overshoot is the furthest beyond the end, `settling_s` the time from the end of
    the set-point's motion until the position stays within `SETTLED_SHARE` of the step, 0 if it
    does at once. Angles in rad.
    """

    size: float
    demand_s: float
    demand_rise_s: float
    rise_s: float
    lag_s: float
    overshoot: float
    settling_s: float
    peak_error: float

    def as_dict(self) -> dict[str, float]:
        """Return plain values for JSON, in rad and s."""
        return asdict(self)


def step_response(time_s: Array, demand: Array, position: Array) -> StepResponse:
    """Judge a step from set-points and positions (n,) rad at `time_s` (n,) s.

    The first sample is at rest before it, the last long after it. Raises InputError if the
    set-point does not move, or does not rest at the end.
    """
    start, end = float(demand[0]), float(demand[-1])
    size = end - start
    if size == 0 or demand[-2] != demand[-1]:
        raise InputError(
            "a step begins at one set-point and ends at rest at another: record longer"
        )
    asked, reached = (demand - start) / size, (position - start) / size
    done = int(np.flatnonzero(asked != asked[-1])[-1]) + 1
    begun = int(np.flatnonzero(asked != asked[0])[0]) - 1
    unsettled = np.flatnonzero(np.abs(reached - 1) > SETTLED_SHARE)
    settled = min(int(unsettled[-1]) + 1 if unsettled.size else 0, len(time_s) - 1)
    return StepResponse(
        size=size,
        demand_s=float(time_s[done] - time_s[begun]),
        demand_rise_s=crossing(time_s, asked, 0.9) - crossing(time_s, asked, 0.1),
        rise_s=crossing(time_s, reached, 0.9) - crossing(time_s, reached, 0.1),
        lag_s=crossing(time_s, reached, 0.5) - crossing(time_s, asked, 0.5),
        overshoot=max(float(np.max(reached)) - 1, 0.0) * abs(size),
        settling_s=max(float(time_s[settled] - time_s[done]), 0.0),
        peak_error=float(np.max(np.abs(demand - position))),
    )


def crossing(time_s: Array, course: Array, level: float) -> float:
    """Return when a course (n,) first comes up to a level, between samples on a straight line."""
    above = np.flatnonzero(course >= level)
    if not above.size or above[0] == 0:
        raise InputError(f"the course does not come up to {level:g} of the step: record longer")
    i = int(above[0])
    share = (level - course[i - 1]) / (course[i] - course[i - 1])
    return float(time_s[i - 1] + share * (time_s[i] - time_s[i - 1]))


@dataclass(frozen=True, slots=True)
class SineResponse:
    """Position over set-point at one frequency, from the sines that fit both best.

    `gain` is the ratio of their amplitudes, `phase` (rad) negative where the position lags;
    `rest` (rad, root mean square) is what of the position is no such sine.
    """

    frequency: float
    amplitude: float
    gain: float
    phase: float
    peak_error: float
    rest: float

    def as_dict(self) -> dict[str, float]:
        """Return plain values for JSON, in Hz and rad."""
        return asdict(self)


def sine_response(time_s: Array, demand: Array, position: Array, frequency: float) -> SineResponse:
    """Judge a pure sine of `frequency` (Hz) from samples (n,) rad over whole periods."""
    angle = 2 * math.pi * frequency * (time_s - time_s[0])
    base = np.column_stack([np.sin(angle), np.cos(angle), np.ones_like(angle)])
    asked, reached = _fit(base, demand), _fit(base, position)
    ratio = complex(reached[0], reached[1]) / complex(asked[0], asked[1])
    rest = position - base @ reached
    return SineResponse(
        frequency=frequency,
        amplitude=math.hypot(asked[0], asked[1]),
        gain=abs(ratio),
        phase=math.atan2(ratio.imag, ratio.real),
        peak_error=float(np.max(np.abs(demand - position))),
        rest=float(np.sqrt(np.mean(rest**2))),
    )


def _fit(base: Array, course: Array) -> Array:
    return np.asarray(np.linalg.lstsq(base, course, rcond=None)[0], dtype=np.float64)
