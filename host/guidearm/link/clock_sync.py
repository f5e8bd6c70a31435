"""The joints' clocks in the host's time, from broadcasts that all of them heard.

One broadcast is one common event: each joint reports its own clock at the last byte, the host
knows the instant on its clock. A line is fitted for each joint, host time over joint time, by
least squares over a window of events. The host's instant may be wrong by milliseconds on a real
port, but by the same amount for all joints: the median of their residuals at an event is taken
as the host's error and removed before the second fit, so that joints agree with each other far
better than with the host. Likewise the drift that all joints share is believed only as far as
the host's jitter lets it be known, against quartz oscillators being good to `COMMON_DRIFT`; where
it is beyond any oscillator, because a simulated bus slips on a busy computer, not at all.
Residuals beyond five robust standard deviations are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guidearm.errors import LinkError
from guidearm_protocol.messages import SET_CLOCK, TIME_MODULUS, request_fields

WINDOW_EVENTS = 256
SPACING_S = 0.004  # closer events add nothing but work
MIN_EVENTS = 24
MIN_SPAN_S = 0.2
MAX_AGE_S = 30.0  # a quartz drifts with temperature: older events would mislead
OUTLIER_SIGMAS = 5.0
OUTLIER_FLOOR_US = 2.0  # clocks that agree to the microsecond have no outliers

COMMON_DRIFT = 50e-6
DRIFT_UNIT = 2.0**-26
_, _, _, _LOWEST_DRIFT, _HIGHEST_DRIFT = request_fields(SET_CLOCK)[2]

_Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClockValues:
    """What SET_CLOCK tells one joint: host time = master + (joint time - joint) (1 + drift).

    Times in us modulo 2^30, drift in 2^-26; `scatter_us` is the standard deviation of the joint's
    events about the line.
    """

    joint_us: int
    master_us: int
    drift: int
    scatter_us: float

    @property
    def drift_ppm(self) -> float:
        """Host per joint rate minus 1, in parts per million."""
        return self.drift * DRIFT_UNIT * 1e6


def master_us(instant: float) -> int:
    """Return an instant of the host's clock (s) as wire time, us modulo 2^30."""
    return round(instant * 1e6) % TIME_MODULUS


class ClockSync:
    """Offset and drift of each joint's clock, from common events."""

    def __init__(self, joints: tuple[int, ...]) -> None:
        """Start without events; `joints` are the addresses that every event needs."""
        self.joints = joints
        self.skipped = 0  # events that not all joints heard
        self._host_us: deque[float] = deque(maxlen=WINDOW_EVENTS)
        self._joint_us: deque[tuple[float, ...]] = deque(maxlen=WINDOW_EVENTS)

    def add(self, instant: float, received_us: Mapping[int, int]) -> None:
        """Take the event at the host's `instant` (s), heard at `received_us` on each joint."""
        if any(joint not in received_us for joint in self.joints):
            self.skipped += 1
            return
        host = instant * 1e6
        raw = [received_us[joint] for joint in self.joints]
        if self._host_us:
            elapsed = host - self._host_us[-1]
            if elapsed < SPACING_S * 1e6:
                return
            expected = [last + elapsed for last in self._joint_us[-1]]
            half = TIME_MODULUS / 2
            # whole turns of the joint's clock are known from the host's: unwrap to the nearest
            unwrapped = tuple(
                guess + (value - guess + half) % TIME_MODULUS - half
                for guess, value in zip(expected, raw, strict=True)
            )
        else:
            unwrapped = tuple(float(value) for value in raw)
        self._host_us.append(host)
        self._joint_us.append(unwrapped)
        while host - self._host_us[0] > MAX_AGE_S * 1e6:
            self._host_us.popleft()
            self._joint_us.popleft()

    @property
    def ready(self) -> bool:
        """Whether the events are enough and spread over long enough for a drift."""
        enough = len(self._host_us) >= MIN_EVENTS
        return enough and self._host_us[-1] - self._host_us[0] >= MIN_SPAN_S * 1e6

    def values(self) -> dict[int, ClockValues]:
        """Return what to tell each joint, by address.

        Raises LinkError while not `ready`, and when a joint's clock runs too fast or too slow.
        """
        if not self.ready:
            raise LinkError(
                f"only {len(self._host_us)} common events: the joints' clocks are not known yet"
            )
        # relative to the newest event, where the line will be used and floats are finest
        host = np.array(self._host_us) - self._host_us[-1]
        joints = np.array(self._joint_us).T - np.array(self._joint_us[-1])[:, None]
        corrected = _without_host_errors(host, joints)
        values: dict[int, ClockValues] = {}
        for joint, own, last in zip(self.joints, joints, self._joint_us[-1], strict=True):
            slope, offset, scatter = _robust_line(own, corrected)
            drift = round((slope - 1) / DRIFT_UNIT)
            if not _LOWEST_DRIFT <= drift <= _HIGHEST_DRIFT:
                raise LinkError(
                    f"the clock of joint {joint} is off by {(slope - 1) * 1e6:.0f} ppm, more than "
                    f"{_HIGHEST_DRIFT * DRIFT_UNIT * 1e6:.0f}: check its oscillator"
                )
            values[joint] = ClockValues(
                round(last) % TIME_MODULUS,
                round(self._host_us[-1] + offset) % TIME_MODULUS,
                drift,
                scatter,
            )
        return values


def _fit(x: _Vector, y: _Vector, used: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of the least-squares line through the used points."""
    mean_x, mean_y = float(np.mean(x[used])), float(np.mean(y[used]))
    dx = x[used] - mean_x
    # the slope is near 1: fitting its difference keeps all digits
    slope = 1 + float(dx @ ((y[used] - mean_y) - dx)) / float(dx @ dx)
    return slope, mean_y - slope * mean_x


def _without_host_errors(host: _Vector, joints: _Vector) -> _Vector:
    """Return the events' instants `host` (n,) freed of what is common to all `joints` (m, n)."""
    everything = np.ones(len(host), dtype=np.bool_)
    lines = [_fit(own, host, everything) for own in joints]
    residuals = np.array(
        [host - (slope * own + offset) for own, (slope, offset) in zip(joints, lines, strict=True)]
    )
    error = np.median(residuals, axis=0)
    slopes = [slope for slope, _ in lines]
    common = float(np.median(slopes)) - 1
    centred = host - np.mean(host)
    variance = float(np.var(error)) / float(centred @ centred)  # of the common drift
    doubt = variance / (variance + COMMON_DRIFT**2)
    most = _HIGHEST_DRIFT * DRIFT_UNIT
    worst = max(abs(slope - 1) for slope in slopes)
    apart = max(abs(slope - 1 - common) for slope in slopes)
    beyond = most + OUTLIER_SIGMAS * variance**0.5  # what jitter of the host alone can do
    if len(slopes) > 1 and worst > beyond and apart <= most:
        # oscillators that agree with each other are not all off: it is the host's time that went
        # uneven. Only how the joints differ is left, and the newest event to go by
        return (host - error + error[-1]) / (1 + common)
    return host - error - centred * (1 - 1 / (1 + doubt * common))


def _robust_line(x: _Vector, y: _Vector) -> tuple[float, float, float]:
    """Return slope, offset and scatter of y over x, outliers left out."""
    used = np.ones(len(x), dtype=np.bool_)
    for _ in range(3):
        slope, offset = _fit(x, y, used)
        residual = y - (slope * x + offset)
        spread = 1.4826 * float(np.median(np.abs(residual - np.median(residual))))
        within = np.abs(residual - np.median(residual)) <= max(
            OUTLIER_SIGMAS * spread, OUTLIER_FLOOR_US
        )
        if bool(np.array_equal(within, used)):
            break
        used = within
    slope, offset = _fit(x, y, used)
    residual = y[used] - (slope * x[used] + offset)
    return slope, offset, float(np.std(residual))
