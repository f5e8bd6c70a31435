"""Segments: whole microseconds, exact ends, and the curve between the knots."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import ArrayLike

from guidearm.errors import MotionError
from guidearm.geometry import Array, transform
from guidearm.kinematics import Arm, load_arm
from guidearm.motion import Segments, Trajectory, hermite_segments, joint_move, line_move

HALF_COUNT = 2.0 * np.pi / 409600 / 2.0
GUIDE6 = load_arm("guide6")


def deviation(trajectory: Trajectory, segments: Segments) -> float:
    t_us = np.linspace(0.0, segments.total_us, 23 * len(segments) + 5)
    return float(np.max(np.abs(segments.evaluate(t_us)[0] - trajectory.sample(t_us * 1e-6)[0])))


@given(
    st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6),
    st.floats(0.05, 1.0),
    st.floats(0.001, 0.020),
)
def test_every_motion_is_cut_cleanly(goal: list[float], speed: float, period_s: float) -> None:
    move = joint_move(GUIDE6.home, goal, GUIDE6, speed)
    segments = hermite_segments(move, period_s)
    assert segments.duration_us.dtype == np.int64
    assert np.all(segments.duration_us > 0)
    assert np.all(segments.duration_us <= round(period_s * 1e6))
    assert np.ptp(segments.duration_us) <= 1
    assert 0 <= segments.total_us - move.duration_s * 1e6 + 1e-3 < max(1.0, period_s * 1e6)
    assert segments.start.tolist() == GUIDE6.home.tolist()
    assert segments.position[-1].tolist() == goal
    assert segments.velocity[-1].tolist() == [0.0] * 6
    assert segments.position.shape == segments.velocity.shape == (len(segments), 6)


@pytest.mark.parametrize("period_s", [0.010, 0.020])
def test_joint_moves_stay_within_half_a_motor_count(arm: Arm, period_s: float) -> None:
    """Short and long moves at full speed: jerk steps fall anywhere in the segments."""
    rng = np.random.default_rng(5)
    for size in (1e-4, 1e-3, 1e-2, 0.1, 1.0):
        for step in rng.uniform(-size, size, (6, 6)):
            move = joint_move(arm.home, arm.home + step, arm)
            assert deviation(move, hermite_segments(move, period_s)) < HALF_COUNT


def test_line_moves_stay_within_half_a_motor_count(arm: Arm) -> None:
    start = arm.forward(arm.home) @ arm.T_flange_guide
    end = start @ transform(np.eye(3), [0.0, 0.0, 0.08])
    for speed in (0.01, 0.05, 0.25):
        move = line_move(arm, arm.T_flange_guide, start, end, arm.home, speed)
        for period_s in (0.010, 0.020):
            assert deviation(move, hermite_segments(move, period_s)) < HALF_COUNT


def test_the_end_is_exact_whatever_the_last_instant_rounds_to() -> None:
    class Ramp:
        """A steady 1 rad/s that stops a hair after a whole microsecond."""

        label = "ramp"
        duration_s = 0.05 + 1e-10

        def sample(self, t: ArrayLike) -> tuple[Array, Array]:
            time = np.asarray(t, dtype=np.float64)[:, None] * np.ones(6)
            moving = (time > 0.0) & (time < self.duration_s)
            return np.clip(time, 0.0, self.duration_s), moving.astype(np.float64)

    segments = hermite_segments(Ramp(), 0.01)
    assert segments.duration_us.tolist() == [10000] * 5
    assert segments.position[-1].tolist() == [0.05 + 1e-10] * 6
    assert segments.velocity.tolist() == [[1.0] * 6] * 4 + [[0.0] * 6]


def test_the_bound_for_a_step_of_the_jerk_is_sharp() -> None:
    """J h^3 / 192, reached when the step falls in the middle of a segment."""

    class Kinked:
        """At rest until 15 ms, then a constant jerk of 100 rad/s^3."""

        label = "kinked"
        duration_s = 0.03

        def sample(self, t: ArrayLike) -> tuple[Array, Array]:
            late = np.maximum(np.asarray(t, dtype=np.float64)[:, None] - 0.015, 0.0) * np.ones(6)
            return 100.0 * late**3 / 6.0, 100.0 * late**2 / 2.0

    kinked = Kinked()
    segments = hermite_segments(kinked, 0.01)
    t_us = np.linspace(10000.0, 20000.0, 1001)
    worst = np.max(np.abs(segments.evaluate(t_us)[0] - kinked.sample(t_us * 1e-6)[0]))
    assert_allclose(worst, 100.0 * 0.01**3 / 192.0, rtol=1e-6)


def test_evaluation_runs_through_the_knots_and_holds_the_ends() -> None:
    move = joint_move(GUIDE6.home, GUIDE6.home + 0.3, GUIDE6)
    segments = hermite_segments(move)
    q, qd = segments.evaluate(np.cumsum(segments.duration_us))
    assert_allclose(q, segments.position, atol=0.0)
    assert_allclose(qd, segments.velocity, atol=0.0)
    q, qd = segments.evaluate(np.array([-5.0, 0.0, segments.total_us + 7.0]))
    assert q.tolist() == [segments.start.tolist()] * 2 + [segments.position[-1].tolist()]
    assert not np.any(qd)


def test_evaluated_velocity_is_the_derivative() -> None:
    segments = hermite_segments(joint_move(GUIDE6.home, GUIDE6.home + 0.3, GUIDE6), 0.02)
    t_us = np.linspace(10.0, segments.total_us - 10.0, 777)
    slope = (segments.evaluate(t_us + 1.0)[0] - segments.evaluate(t_us - 1.0)[0]) / 2e-6
    assert_allclose(segments.evaluate(t_us)[1], slope, atol=1e-6)


def test_no_motion_has_no_segments() -> None:
    segments = hermite_segments(joint_move(GUIDE6.home, GUIDE6.home, GUIDE6))
    assert len(segments) == segments.total_us == 0
    assert segments.position.shape == (0, 6)
    q, qd = segments.evaluate(np.array([0.0, 5.0]))
    assert q.tolist() == [GUIDE6.home.tolist()] * 2
    assert not np.any(qd)


def test_a_sliver_takes_one_whole_period() -> None:
    move = joint_move(GUIDE6.home, GUIDE6.home + 1e-9, GUIDE6)
    assert move.duration_s < 0.002
    segments = hermite_segments(move, 0.01)
    assert segments.duration_us.tolist() == [10000]
    assert segments.position[-1].tolist() == (GUIDE6.home + 1e-9).tolist()


@pytest.mark.parametrize("period_s", [0.0, -0.01, 0.0009, 0.0201, np.nan])
def test_a_period_out_of_range_is_refused(period_s: float) -> None:
    move = joint_move(GUIDE6.home, GUIDE6.home + 0.1, GUIDE6)
    with pytest.raises(MotionError, match="is not 1 to 20 ms"):
        hermite_segments(move, period_s)
