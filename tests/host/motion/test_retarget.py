"""Another goal in mid-motion: joined without a step, within limits, together, and straight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from guidearm.errors import LimitError, MotionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm, load_arm
from guidearm.motion import (
    Changeable,
    JointCourses,
    MotionState,
    PathMotion,
    hermite_segments,
    joint_move,
    retarget,
    state_at,
)

GUIDE6 = load_arm("guide6")
ROUNDING = 1e-14  # of differences of angles, where a motion is over almost at once
HALF_COUNT = 2.0 * np.pi / 409600 / 2.0
postures = st.lists(st.floats(-2.9, 2.9), min_size=6, max_size=6).map(np.array)
steps = st.lists(st.floats(-0.3, 0.3), min_size=6, max_size=6).map(np.array)
shares = st.floats(0.0, 1.0)
feeds = st.floats(0.01, 1.0)
few = settings(max_examples=40)  # of many samples each
interruptions = st.lists(st.tuples(steps, shares), min_size=1, max_size=6)


def assert_limits(motion: Changeable, arm: Arm = GUIDE6) -> None:
    """Check speed, acceleration and jerk of every joint, by samples and by their differences."""
    if motion.duration_s < 1e-3:
        return
    t, dt = np.linspace(0.0, motion.duration_s, 601, retstep=True)
    q, qd = motion.sample(t)
    qdd = motion.acceleration(t)
    assert np.all(np.abs(qd) <= arm.velocity * (1 + 1e-9))
    assert np.all(np.abs(qdd) <= arm.acceleration * (1 + 1e-9))
    assert np.all(np.abs(np.diff(q, axis=0)) <= arm.velocity * dt * (1 + 1e-9))
    assert np.all(np.abs(np.diff(qd, axis=0)) <= arm.acceleration * dt * (1 + 1e-9))
    assert np.all(np.abs(np.diff(qdd, axis=0)) <= arm.jerk * dt * (1 + 1e-6))
    # each is the derivative of the one before
    travel, change = 0.5 * dt * (qd[1:] + qd[:-1]), 0.5 * dt * (qdd[1:] + qdd[:-1])
    assert_allclose(np.diff(q, axis=0), travel, atol=20.0 * dt**3 + ROUNDING)
    assert_allclose(np.diff(qd, axis=0), change, atol=20.0 * dt**2 + ROUNDING)


def assert_joined(before: MotionState, motion: Changeable) -> None:
    after = state_at(motion, 0.0)
    assert_allclose(after.position, before.position, atol=1e-12)
    assert_allclose(after.velocity, before.velocity, atol=1e-8)
    assert_allclose(after.acceleration, before.acceleration, atol=1e-8)


def assert_ends(motion: Changeable, goal: Array) -> None:
    q, qd = motion.sample(np.array([motion.duration_s]))
    assert_allclose(q[0], goal, atol=1e-12)
    assert not np.any(qd)


def half_way() -> MotionState:
    move = joint_move(GUIDE6.home, GUIDE6.home + np.array([0.5, -0.3, 0.4, -0.2, 0.6, 0.1]), GUIDE6)
    return state_at(move, 0.4 * move.duration_s)


@few
@given(postures, postures, st.floats(0.3, 1.0), interruptions)
def test_limits_hold_through_any_sequence_of_interruptions(
    q0: Array, q1: Array, speed: float, changes: list[tuple[Array, float]]
) -> None:
    motion: Changeable = joint_move(q0, q1, GUIDE6, speed)
    for step, share in changes:
        state = state_at(motion, share * motion.duration_s)
        goal = np.clip(state.position + step, GUIDE6.lower, GUIDE6.upper)
        motion = retarget(state, goal, GUIDE6)
        assert_joined(state, motion)
        assert_ends(motion, goal)
        assert_limits(motion)


@few
@given(postures, interruptions, st.floats(0.002, 0.05))
def test_a_stream_of_goals_keeps_the_limits(
    q0: Array, changes: list[tuple[Array, float]], period_s: float
) -> None:
    """Each goal is replaced after one period, long before it is reached."""
    state = MotionState(q0, np.zeros(6), np.zeros(6))
    motion, goal = retarget(state, q0, GUIDE6), q0
    for step, time in changes:
        goal = np.clip(q0 + step, GUIDE6.lower, GUIDE6.upper)
        motion = retarget(state, goal, GUIDE6, at_least_s=time)
        assert_joined(state, motion)
        assert motion.duration_s >= time * (1 - 1e-12)
        assert_limits(motion)
        state = state_at(motion, period_s)
    assert_ends(motion, goal)


def test_all_joints_end_together_and_the_slowest_sets_the_time() -> None:
    state = half_way()
    goal = state.position + np.array([0.5, 0.01, -0.2, 0.0, 0.05, 0.3])
    motion = retarget(state, goal, GUIDE6)
    assert isinstance(motion, JointCourses)
    assert_allclose([joint.duration_s for joint in motion.joints], motion.duration_s, rtol=1e-12)
    alone: list[float] = []
    for joint in range(6):
        only = MotionState(
            *(np.eye(6)[joint] * x for x in (state.position, state.velocity, state.acceleration))
        )
        target = np.eye(6)[joint] * goal
        alone.append(retarget(only, target, GUIDE6).duration_s)
    assert_allclose(motion.duration_s, max(alone), rtol=1e-9)


@given(postures, postures)
def test_from_rest_it_is_the_joint_move(q0: Array, q1: Array) -> None:
    motion = retarget(MotionState(q0, np.zeros(6), np.zeros(6)), q1, GUIDE6)
    move = joint_move(q0, q1, GUIDE6)
    assert_allclose(motion.duration_s, move.duration_s, atol=1e-9)
    t = np.linspace(0.0, move.duration_s, 50)
    assert_allclose(motion.sample(t)[0], move.sample(t)[0], atol=1e-9)


@pytest.mark.parametrize("way", [2.0, 0.5, 0.1, -1.0])
def test_a_goal_further_on_nearer_or_behind_on_the_line_keeps_the_arm_on_it(way: float) -> None:
    start, step = GUIDE6.home, np.array([0.5, -0.3, 0.4, -0.2, 0.6, 0.1])
    move = joint_move(start, start + step, GUIDE6)
    state = state_at(move, 0.45 * move.duration_s)
    motion = retarget(state, start + way * step, GUIDE6)
    assert isinstance(motion, PathMotion)
    assert_joined(state, motion)
    assert_limits(motion)
    assert_ends(motion, start + way * step)
    off = motion.sample(np.linspace(0.0, motion.duration_s, 300))[0] - start
    along = off @ step / (step @ step)
    assert np.max(np.abs(off - np.outer(along, step))) < 1e-12


def test_a_goal_ahead_is_not_overshot_whatever_time_is_given() -> None:
    state = half_way()
    stop = retarget(state, state.position, GUIDE6)
    ahead = np.max(np.abs(stop.sample(np.linspace(0, stop.duration_s, 99))[0] - state.position), 0)
    goal = state.position + np.sign(state.velocity) * (ahead + 0.05)
    for time in (0.0, 2.0, 10.0):
        motion = retarget(state, goal, GUIDE6, at_least_s=time)
        q = motion.sample(np.linspace(0.0, motion.duration_s, 500))[0]
        travelled = (q - state.position) * np.sign(state.velocity)
        assert np.all(np.diff(travelled, axis=0) >= -1e-12)


def test_more_time_is_used_to_go_gently() -> None:
    q0, goal = GUIDE6.home, GUIDE6.home + np.array([0.01, 0.02, -0.01, 0.0, 0.005, 0.0])
    rest = MotionState(q0, np.zeros(6), np.zeros(6))
    hasty, calm = retarget(rest, goal, GUIDE6), retarget(rest, goal, GUIDE6, at_least_s=1.0)
    assert hasty.duration_s < 0.3
    assert_allclose(calm.duration_s, 1.0, rtol=1e-12)
    t = np.linspace(0.0, 1.0, 300)
    calm_peak, hasty_peak = (np.max(np.abs(m.acceleration(t))) for m in (calm, hasty))
    assert calm_peak < 0.1 * hasty_peak


def test_a_limit_that_was_lowered_under_way_is_kept_as_soon_as_possible() -> None:
    state = half_way()
    goal = state.position + 0.8 * np.sign(state.velocity)
    motion = retarget(state, goal, GUIDE6, speed=0.2)
    assert_joined(state, motion)
    t = np.linspace(0.0, motion.duration_s, 2000)
    speeds = np.max(np.abs(motion.sample(t)[1]) / (0.2 * GUIDE6.velocity), axis=1)
    assert speeds[0] > 1.5
    peak = int(np.argmax(speeds))
    assert t[peak] <= np.max(np.abs(state.acceleration) / GUIDE6.jerk), "as the acceleration ends"
    beyond = speeds[peak:] > 1.0
    assert np.all(np.diff(speeds[peak:][beyond]) <= 1e-9), "straight back to the limit"
    assert not np.any(np.diff(beyond.astype(int)) > 0), "and never beyond again"
    assert_ends(motion, goal)


@few
@given(postures, postures, feeds, feeds, shares)
def test_feed_changes_the_pace_and_not_the_line(
    q0: Array, q1: Array, first: float, second: float, when: float
) -> None:
    """At 0 it stops on the line and goes on from there."""
    move = joint_move(q0, q1, GUIDE6)
    motion: Changeable = move
    for share in (first, second, 0.0, 1.0):
        state = state_at(motion, when * motion.duration_s)
        motion = motion.at_feed(when * motion.duration_s, share)
        assert_joined(state, motion)
        assert_limits(motion)
        q, _ = motion.sample(np.linspace(0.0, motion.duration_s, 60))
        off = q - q0
        step = q1 - q0
        along = off @ step / max(step @ step, 1e-300)
        assert np.max(np.abs(off - np.outer(along, step))) < 1e-11
        assert np.all(np.diff(along) >= -1e-9), "never back"
    assert_ends(motion, q1)


@few
@given(feeds, shares)
def test_feed_of_joints_that_are_on_no_line(share: float, when: float) -> None:
    state = half_way()
    goal = state.position + np.array([0.5, 0.1, -0.2, 0.1, 0.05, 0.3])
    motion = retarget(state, goal, GUIDE6)
    assert isinstance(motion, JointCourses)
    t = when * motion.duration_s
    slower = motion.at_feed(t, share)
    assert_joined(state_at(motion, t), slower)
    assert_ends(slower, goal)
    assert_limits(slower)
    stop = slower.at_feed(0.5 * slower.duration_s, 0.0)
    assert_limits(stop)
    assert not np.any(stop.sample(np.array([stop.duration_s]))[1])
    assert_ends(stop.at_feed(stop.duration_s + 1.0, 1.0), goal)


def test_its_segments_stay_within_half_a_motor_count() -> None:
    rng = np.random.default_rng(3)
    state = half_way()
    for _ in range(40):
        motion = retarget(state, state.position + rng.uniform(-0.2, 0.2, 6), GUIDE6)
        for period_s in (0.01, 0.02):
            segments = hermite_segments(motion, period_s)
            assert segments.start_velocity.tolist() == state.velocity.tolist()
            t_us = np.linspace(0.0, segments.total_us, 23 * len(segments))
            off = segments.evaluate(t_us)[0] - motion.sample(t_us * 1e-6)[0]
            assert np.max(np.abs(off)) < HALF_COUNT
        state = state_at(motion, rng.uniform(0.1, 0.9) * motion.duration_s)


def test_a_goal_or_a_way_to_stop_outside_the_range_is_refused() -> None:
    state = half_way()
    outside = state.position.copy()
    outside[2] = GUIDE6.upper[2] + 0.1
    with pytest.raises(LimitError, match="retarget: joint 3 would go to"):
        retarget(state, outside, GUIDE6)
    near = state.position.copy()
    near[2] = GUIDE6.upper[2] - 0.001
    fast = MotionState(near, np.array([0, 0, 1.0, 0, 0, 0]), np.zeros(6))
    with pytest.raises(LimitError, match="retarget: joint 3 would go to 18"):
        retarget(fast, near, GUIDE6)
    beyond = MotionState(outside, np.zeros(6), np.zeros(6))
    assert_ends(retarget(beyond, GUIDE6.home, GUIDE6), GUIDE6.home)


@pytest.mark.parametrize(
    ("speed", "feed", "at_least_s", "message"),
    [
        (0.0, 1.0, 0.0, "speed 0 is not above 0"),
        (1.1, 1.0, 0.0, r"speed 1\.1"),
        (1.0, 0.0, 0.0, r"feed 0 is not 0\.01 to 1"),
        (1.0, 1.0, -1.0, "-1 s is no time"),
        (1.0, 1.0, np.inf, "inf s is no time"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    speed: float, feed: float, at_least_s: float, message: str
) -> None:
    with pytest.raises(MotionError, match=message):
        retarget(half_way(), GUIDE6.home, GUIDE6, speed, feed, at_least_s)


def test_a_state_or_a_goal_that_is_none_is_refused() -> None:
    state = half_way()
    with pytest.raises(MotionError, match="goal is not a posture"):
        retarget(state, [0.0] * 5, GUIDE6)
    with pytest.raises(MotionError, match="velocity at the start is not a posture"):
        retarget(MotionState(state.position, np.full(6, np.nan), np.zeros(6)), GUIDE6.home, GUIDE6)
    with pytest.raises(MotionError, match=r"feed 150 %"):
        joint_move(GUIDE6.home, GUIDE6.home + 0.1, GUIDE6).at_feed(0.0, 1.5)
