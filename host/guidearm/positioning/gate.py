"""The gate: the pin is released only while a bound on the lateral error is under the limit.

The bound at a point is |measured offset| + the radius that holds the error with the stated
probability. By the triangle inequality the true error exceeds it no more often than one minus that
probability, whatever the measured offset is. It is not a mean, and no residual of a fit is in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from guidearm.errors import GateError
from guidearm.geometry import Array
from guidearm.positioning.measurement import GuideMeasurement
from guidearm.positioning.uncertainty import Contribution, lateral_covariance

_ANGLES = 720
_TRACKER = "a tracker with a smaller error, or"
_NEAR_LINE = f"{_TRACKER} the patient's marker closer to the line"
_NEAR_GUIDE = f"{_TRACKER} the arm's marker closer to the guide"
REMEDIES = {
    "patient marker, white": ("the patient marker's white noise", _NEAR_LINE),
    "patient marker, static": ("the patient marker's static error", _NEAR_LINE),
    "arm marker, white": ("the arm marker's white noise", _NEAR_GUIDE),
    "arm marker, static": ("the arm marker's static error", _NEAR_GUIDE),
    "guide calibration": ("the guide's calibration", "calibrate the guide again"),
    "sleeve mount": ("the sleeve's mount", "a mount that seats the sleeve more repeatably"),
    "registration": ("the registration", "register again, with more fiducials around the line"),
    "residual motion": ("the patient's motion", "shallower breathing, or the patient held stiller"),
    "latency": ("the tracker's latency", "a tracker with less delay"),
}
"""By source of error: what it is called in a sentence, and what makes it smaller."""


@dataclass(frozen=True)
class GateLimits:
    """What must hold for a release.

    Fields:
        bound_mm: limit of the bound on the lateral error at the worse of entry and target.
        confidence: probability with which the bound must hold.
        angle_deg, depth_mm: limits of the measured tilt and depth error.
        fewest_frames: in the measurement; most_dropped: share of frames that may lack a marker.
        oldest_s: age of the newest frame beyond the tracker's latency.
        drift_mm: most the arm marker may have moved within the measurement.
    """

    bound_mm: float = 1.0
    confidence: float = 0.999
    angle_deg: float = 0.5
    depth_mm: float = 1.0
    fewest_frames: int = 180
    most_dropped: float = 0.2
    oldest_s: float = 0.25
    drift_mm: float = 0.2


@dataclass(frozen=True)
class GateVerdict:
    """The gate's decision with all it rests on.

    Fields:
        passed: release or not.
        bound_mm: bound at the worse of entry and target, at `confidence`; bound95_mm at 95 %.
        entry_mm, target_mm: the bound at each.
        confidence: probability of the bound.
        reasons: why it is not released, one line each; empty if passed.
        contributions: the uncertainty by source.
    """

    passed: bool
    bound_mm: float
    bound95_mm: float
    entry_mm: float
    target_mm: float
    confidence: float
    reasons: tuple[str, ...]
    contributions: tuple[Contribution, ...]

    def require(self) -> None:
        """Raise GateError with the reasons unless passed."""
        if not self.passed:
            raise GateError("not released: " + "; ".join(self.reasons))


def judge(
    measurement: GuideMeasurement,
    table: list[Contribution],
    *,
    now_s: float,
    latency_s: float,
    markers_visible: bool,
    arm_at_rest: bool,
    limits: GateLimits | None = None,
) -> GateVerdict:
    """Judge a measurement with its contributions (from `contributions`).

    `now_s` is the host's clock; `latency_s` the tracker's; `markers_visible` what the supervisor
    of the markers says now; `arm_at_rest` what the joints say now.
    """
    limits = GateLimits() if limits is None else limits
    covariances = lateral_covariance(table)
    offsets = (measurement.error.entry, measurement.error.target)

    def bounds_mm(confidence: float) -> list[float]:
        return [
            1e3 * (float(np.linalg.norm(offset)) + radius(covariance, confidence))
            for offset, covariance in zip(offsets, covariances, strict=True)
        ]

    entry_mm, target_mm = bounds_mm(limits.confidence)
    bound_mm = max(entry_mm, target_mm)
    reasons = [
        *_accuracy(measurement, table, bound_mm, limits),
        *_evidence(measurement, now_s - latency_s, limits),
    ]
    if not markers_visible:
        reasons.append("a marker is not in view")
    if not arm_at_rest:
        reasons.append("the arm is not at rest")
    return GateVerdict(
        passed=not reasons,
        bound_mm=bound_mm,
        bound95_mm=max(bounds_mm(0.95)),
        entry_mm=entry_mm,
        target_mm=target_mm,
        confidence=limits.confidence,
        reasons=tuple(reasons),
        contributions=tuple(table),
    )


def radius(covariance: Array, confidence: float) -> float:
    """Radius of the circle that holds a centred 2-D Gaussian with probability `confidence`.

    covariance (2, 2) -> the quantile of the norm, in the covariance's unit of length. In whitened
    polar coordinates P(norm > r) = mean over t of exp(-r^2 / (2 (a cos^2 t + b sin^2 t))) with
    the eigenvalues a, b: a periodic integrand, on which the mean over equidistant angles converges
    geometrically, and which stays finite for b = 0. Solved by bisection. For a = b it is
    sqrt(-2 a ln(1 - confidence)).
    """
    if not np.all(np.isfinite(covariance)):
        raise GateError("the uncertainty of the guide's position is not a finite number")
    eigenvalues = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    largest = float(eigenvalues[1])
    if largest == 0.0:
        return 0.0
    # Half-open over a half turn: the integrand has period pi.
    t = (np.arange(_ANGLES) + 0.5) * (math.pi / _ANGLES)
    variance = largest * np.cos(t) ** 2 + float(eigenvalues[0]) * np.sin(t) ** 2
    doubt = 1.0 - confidence
    low, high = 0.0, math.sqrt(-2.0 * largest * math.log(doubt))
    while high - low > 1e-9 * high:
        middle = 0.5 * (low + high)
        outside = float(np.mean(np.exp(-0.5 * middle * middle / variance)))
        low, high = (middle, high) if outside > doubt else (low, middle)
    return high


def _largest(measurement: GuideMeasurement, table: list[Contribution]) -> str:
    """Say what the bound mostly comes from, the measured offset or a source, and what to do."""
    offset_mm = 1e3 * measurement.error.worst_m
    source = max(table, key=_worst_mm)
    if not _worst_mm(source) > offset_mm:
        return f"most comes from the measured offset ({offset_mm:.2f} mm): correct it again"
    words, remedy = REMEDIES[source.name]
    return f"most comes from {words} ({_worst_mm(source):.2f} mm): {remedy}"


def _worst_mm(source: Contribution) -> float:
    return max(source.entry_mm, source.target_mm)


def _accuracy(
    measurement: GuideMeasurement, table: list[Contribution], bound_mm: float, limits: GateLimits
) -> list[str]:
    reasons: list[str] = []
    percent = f"{100.0 * limits.confidence:g} %"
    if not bound_mm < limits.bound_mm:
        reasons.append(
            f"lateral error is under {bound_mm:.2f} mm with {percent} confidence, "
            f"{limits.bound_mm:g} mm is allowed; {_largest(measurement, table)}"
        )
    angle_deg = math.degrees(float(measurement.error.angle_rad))
    if not angle_deg <= limits.angle_deg:
        reasons.append(f"the guide is tilted by {angle_deg:.2f} deg, {limits.angle_deg:g} allowed")
    depth_mm = 1e3 * float(measurement.error.depth_m)
    if not abs(depth_mm) <= limits.depth_mm:
        reasons.append(f"the guide's end is {depth_mm:+.2f} mm off in depth")
    return reasons


def _evidence(measurement: GuideMeasurement, exposed_s: float, limits: GateLimits) -> list[str]:
    reasons: list[str] = []
    if measurement.frames_used < limits.fewest_frames:
        reasons.append(
            f"only {measurement.frames_used} tracker frames, {limits.fewest_frames} are needed"
        )
    total = measurement.frames_used + measurement.frames_dropped
    if measurement.frames_dropped > limits.most_dropped * total:
        reasons.append(f"{measurement.frames_dropped} of {total} frames lacked a marker")
    age_s = exposed_s - measurement.last_s
    if not age_s <= limits.oldest_s:
        reasons.append(f"the newest tracker frame is {age_s:.2f} s old")
    if not measurement.arm_drift_m * 1e3 <= limits.drift_mm:
        reasons.append(f"the arm moved {measurement.arm_drift_m * 1e3:.2f} mm while measured")
    return reasons
