from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.errors import GateError
from guidearm.geometry import Array
from guidearm.positioning import Contribution, GateVerdict, GuideMeasurement, LineError, judge
from guidearm.positioning.gate import radius

GOOD = GuideMeasurement(
    T_patient_guide=np.eye(4),
    T_camera_patient=np.eye(4),
    T_camera_arm_marker=np.eye(4),
    error=LineError(np.zeros(2), np.array([0.03e-3, 0.04e-3]), np.zeros(()), np.zeros(())),
    standoff_m=0.0,
    breathing=None,
    motion_entry=np.zeros((2, 2)),
    motion_target=np.zeros((2, 2)),
    arm_drift_m=0.0,
    frames_used=480,
    frames_dropped=0,
    first_s=0.0,
    last_s=8.0,
)
TABLE = [
    Contribution("arm marker, static", (0.1e-3) ** 2 * np.eye(2), (0.06e-3) ** 2 * np.eye(2)),
    Contribution("registration", np.zeros((2, 2)), (0.08e-3) ** 2 * np.eye(2)),
]
WIDE = (0.4e-3) ** 2 * np.eye(2)


def verdict(
    measurement: GuideMeasurement = GOOD,
    table: list[Contribution] = TABLE,
    *,
    now_s: float = 8.1,
    visible: bool = True,
    at_rest: bool = True,
) -> GateVerdict:
    return judge(
        measurement,
        table,
        now_s=now_s,
        latency_s=0.06,
        markers_visible=visible,
        arm_at_rest=at_rest,
    )


@given(sigma=st.floats(1e-6, 1.0), confidence=st.sampled_from([0.5, 0.95, 0.999, 0.99999]))
def test_radius_of_an_isotropic_error_is_that_of_rayleigh(sigma: float, confidence: float) -> None:
    expected = sigma * math.sqrt(-2.0 * math.log(1.0 - confidence))
    assert radius(sigma**2 * np.eye(2), confidence) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("confidence", "normal"), [(0.95, 1.9599640), (0.999, 3.2905267)])
def test_radius_on_a_line_is_that_of_a_two_sided_normal(confidence: float, normal: float) -> None:
    line = np.outer([0.6, 0.8], [0.6, 0.8])
    assert radius(line, confidence) == pytest.approx(normal, rel=1e-5)
    assert radius(np.zeros((2, 2)), confidence) == 0.0


@pytest.mark.parametrize("ratio", [0.9, 0.5, 0.2, 0.05])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_radius_holds_the_share_it_says(ratio: float, confidence: float) -> None:
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    covariance = turn @ np.diag([1.0, ratio**2]) @ turn.T
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(2), covariance, 400_000)
    beyond = np.linalg.norm(draws, axis=1) > radius(covariance, confidence)
    outside = np.count_nonzero(beyond) / len(draws)
    spread = math.sqrt((1.0 - confidence) * confidence / len(draws))
    assert abs(outside - (1.0 - confidence)) < 4.0 * spread


@given(
    a=st.floats(0.0, 1.0), b=st.floats(0.0, 1.0), angle=st.floats(0.0, math.pi),
    more=st.floats(0.0, 1.0),
)  # fmt: skip
def test_more_uncertainty_never_shrinks_the_bound(
    a: float, b: float, angle: float, more: float
) -> None:
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    covariance: Array = turn @ np.diag([a, b]) @ turn.T
    one = radius(covariance, 0.999)
    two = radius(covariance + np.diag([more, 0.0]), 0.999)
    assert two >= one * (1.0 - 1e-8)


def test_bound_is_offset_plus_radius_at_the_worse_end() -> None:
    found = verdict()
    ray = math.sqrt(-2.0 * math.log(0.001))
    assert found.passed
    assert found.reasons == ()
    assert found.entry_mm == pytest.approx(0.1 * ray, rel=1e-6)
    assert found.target_mm == pytest.approx(0.05 + 0.1 * ray, rel=1e-6)
    assert found.bound_mm == found.target_mm
    assert found.bound95_mm == pytest.approx(0.05 + 0.1 * math.sqrt(-2.0 * math.log(0.05)))
    assert found.confidence == 0.999
    found.require()


def off(entry_mm: float = 0.0, depth_mm: float = 0.0, angle_deg: float = 0.0) -> GuideMeasurement:
    error = LineError(
        np.array([entry_mm * 1e-3, 0.0]),
        np.zeros(2),
        np.array(depth_mm * 1e-3),
        np.array(math.radians(angle_deg)),
    )
    return replace(GOOD, error=error)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (lambda: verdict(off(entry_mm=0.7)), r"under 1\.07 mm with 99\.9 % confidence"),
        (lambda: verdict(off(entry_mm=math.nan)), "under nan mm"),
        (lambda: verdict(off(depth_mm=-1.2)), r"-1\.20 mm off in depth"),
        (lambda: verdict(off(angle_deg=0.6)), r"tilted by 0\.60 deg"),
        (lambda: verdict(visible=False), "a marker is not in view"),
        (lambda: verdict(at_rest=False), "the arm is not at rest"),
        (lambda: verdict(now_s=9.0), r"newest tracker frame is 0\.94 s old"),
        (lambda: verdict(replace(GOOD, frames_used=100)), "only 100 tracker frames"),
        (lambda: verdict(replace(GOOD, frames_dropped=200)), "200 of 680 frames lacked a marker"),
        (lambda: verdict(replace(GOOD, arm_drift_m=0.3e-3)), r"the arm moved 0\.30 mm"),
    ],
)
def test_each_reason_alone_keeps_the_gate_shut(found: object, reason: str) -> None:
    assert callable(found)
    shut = found()
    assert isinstance(shut, GateVerdict)
    assert not shut.passed
    assert len(shut.reasons) == 1
    with pytest.raises(GateError, match=reason):
        shut.require()


@pytest.mark.parametrize(
    ("found", "ending"),
    [
        (
            lambda: verdict(table=[Contribution("registration", np.zeros((2, 2)), WIDE), *TABLE]),
            "1 mm is allowed; most comes from the registration (0.57 mm): register again, with "
            "more fiducials around the line",
        ),
        (
            lambda: verdict(table=[*TABLE, Contribution("arm marker, static", WIDE, WIDE)]),
            "most comes from the arm marker's static error (0.57 mm): a tracker with a smaller "
            "error, or the arm's marker closer to the guide",
        ),
        (
            lambda: verdict(off(entry_mm=0.7)),
            "most comes from the measured offset (0.70 mm): correct it again",
        ),
    ],
)
def test_a_bound_too_large_says_where_it_comes_from(
    found: Callable[[], GateVerdict], ending: str
) -> None:
    (reason,) = found().reasons
    assert reason.endswith(ending)


def test_an_uncertainty_that_is_no_number_cannot_be_judged() -> None:
    with pytest.raises(GateError, match="not a finite number"):
        verdict(table=[Contribution("latency", np.full((2, 2), np.nan), np.eye(2))])
