"""A sine from rest to rest, inside the joint's limits."""

from __future__ import annotations

import numpy as np
import pytest

from guidearm.errors import LimitError, MotionError
from guidearm.kinematics import load_arm
from guidearm.motion import hermite_segments, sine_move

ARM = load_arm("guide6")
HOME = ARM.home


@pytest.mark.parametrize(("frequency", "fade"), [(0.5, 1), (2.0, 1), (2.0, 3), (4.3, 2)])
def test_it_swells_is_pure_and_fades(frequency: float, fade: int) -> None:
    move = sine_move(HOME, 1, np.radians(0.05), frequency, ARM, periods=3, fade=fade)
    t = np.linspace(0, move.duration_s, 20001)
    q, qd = move.sample(t)
    assert move.duration_s == pytest.approx((3 + 2 * fade) / frequency)
    assert np.array_equal(q[0], HOME)
    assert np.allclose(q[-1], HOME, atol=1e-12)
    assert np.allclose(qd[[0, -1]], 0, atol=1e-9)
    assert np.array_equal(np.delete(q, 1, 1), np.delete(np.broadcast_to(HOME, q.shape), 1, 1))
    step_s = t[1] - t[0]
    assert np.allclose(np.gradient(q[:, 1], step_s)[1:-1], qd[1:-1, 1], atol=2e-4)
    acceleration = np.gradient(qd[:, 1], step_s)
    told = move.acceleration(t)
    assert np.allclose(told[1:-1, 1], acceleration[1:-1], atol=1e-3)
    assert not np.any(np.delete(told, 1, 1))
    assert np.max(np.abs(np.diff(acceleration))) < np.radians(2000) * step_s * 1.1
    begin, end = move.steady_s
    steady = (t > begin) & (t < end)
    pure = HOME[1] + np.radians(0.05) * np.sin(2 * np.pi * frequency * t[steady])
    assert np.allclose(q[steady, 1], pure, atol=1e-12)


def test_its_segments_are_the_sine_to_half_a_count() -> None:
    move = sine_move(HOME, 2, np.radians(0.5), 2.0, ARM)
    segments = hermite_segments(move)
    t = np.arange(0, move.duration_s, 0.0007)
    assert np.max(np.abs(segments.evaluate(t * 1e6)[0] - move.sample(t)[0])) < np.pi / 409600


@pytest.mark.parametrize(
    ("amplitude_deg", "frequency", "what"),
    [
        (0.5, 20.0, "speed"),
        (5.0, 1.5, "acceleration"),
        (0.02, 15.0, "jerk"),
        (300.0, 0.01, "would go to -395"),
    ],
)
def test_more_than_the_joint_has_is_refused(
    amplitude_deg: float, frequency: float, what: str
) -> None:
    with pytest.raises(LimitError, match=what):
        sine_move(HOME, 1, np.radians(amplitude_deg), frequency, ARM)


@pytest.mark.parametrize("bad", [(0.0, 1.0), (0.1, 0.0), (0.1, -1.0), (float("nan"), 1.0)])
def test_what_makes_no_sine_is_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(MotionError, match="have to be positive"):
        sine_move(HOME, 1, *bad, ARM)
    with pytest.raises(MotionError, match="have to be positive"):
        sine_move(HOME, 1, 0.01, 1.0, ARM, periods=0)
