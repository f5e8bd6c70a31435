"""Courses: what replaces the rest of a motion begins where that segment begins, without a step."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from guidearm.errors import LimitError, MotionError
from guidearm.geometry import Array
from guidearm.kinematics import load_arm
from guidearm.kinematics.clearance import Bodies, Rod, Room
from guidearm.motion import Course, course, joint_move

GUIDE6 = load_arm("guide6")
ARM = replace(GUIDE6, bodies=Bodies(), room=Room())  # nothing in the way of any goal
START = ARM.home
GOAL = ARM.home + np.array([0.5, -0.3, 0.4, -0.2, 0.6, 0.1])
steps = st.lists(st.floats(-0.2, 0.2), min_size=6, max_size=6).map(np.array)


def whole(speed: float = 1.0) -> Course:
    return course(joint_move(START, GOAL, ARM, speed), ARM, speed)


def assert_joined(before: Course, first: int, after: Course) -> None:
    """Check position and velocity at the seam, and that the acceleration of the joints is one."""
    segments = before.segments
    assert_allclose(after.segments.start, segments.position[first - 1], atol=1e-12)
    assert_allclose(after.segments.start_velocity, segments.velocity[first - 1], atol=1e-9)
    h_us = 1e-3
    knot = segments.knots_us[first]
    left = (segments.evaluate([knot])[1] - segments.evaluate([knot - h_us])[1]) / (h_us * 1e-6)
    right = after.segments.evaluate([h_us])[1] - after.segments.evaluate([0.0])[1]
    # a segment's own acceleration is off by a sixth of the jerk's step over it
    slack = 2.0 * ARM.jerk * 0.01 / 3.0
    assert np.all(np.abs(left - right / (h_us * 1e-6))[0] < slack)


@settings(max_examples=30)
@given(st.integers(1, 80), steps, st.floats(0.3, 1.0))
def test_another_goal_from_any_segment_on(first: int, step: Array, speed: float) -> None:
    before = whole(speed)
    first = min(first, len(before.segments))
    goal = GOAL + step
    after = before.retargeted(first, goal)
    assert_joined(before, first, after)
    assert after.segments.position[-1].tolist() == goal.tolist()
    assert after.speed == speed


def test_the_feed_stays_what_it_is_for_the_next_goal() -> None:
    slow = whole().at_feed(20, 0.3)
    assert_joined(whole(), 20, slow)
    other = slow.retargeted(10, GOAL - 0.4)
    assert_joined(slow, 10, other)
    assert other.feed == 0.3
    t = np.linspace(0.0, other.motion.duration_s, 500)[100:]
    assert np.max(np.abs(other.motion.sample(t)[1]) / ARM.velocity) < 0.3 * (1 + 1e-9)
    full = other.at_feed(60, 1.0)
    assert np.max(np.abs(full.motion.sample(t)[1]) / ARM.velocity) > 0.31


def test_stopped_it_remembers_where_to_go() -> None:
    stopped = whole().at_feed(30, 0.0)
    end = stopped.segments.position[-1]
    assert 0.1 < np.linalg.norm(end - START) / np.linalg.norm(GOAL - START) < 0.9
    assert stopped.at_feed(1000, 1.0).segments.position[-1].tolist() == GOAL.tolist()
    other = START + 0.1
    waiting = stopped.retargeted(5, other)
    assert waiting.segments.position[-1].tolist() == end.tolist()
    still = waiting.at_feed(3, 0.0)
    resumed = still.at_feed(1000, 0.5)
    assert resumed.segments.position[-1].tolist() == other.tolist()
    assert_allclose(resumed.segments.start, end, atol=1e-12)
    assert resumed.goal is None
    with pytest.raises(LimitError, match="joint 3 would go to"):
        stopped.retargeted(5, np.where(np.arange(6) == 2, 9.0, START))
    with pytest.raises(MotionError, match="goal is not a posture"):
        stopped.retargeted(5, [0.0])


def test_behind_the_last_segment_it_begins_at_rest() -> None:
    for first in (len(whole().segments), 10_000):
        after = whole().retargeted(first, START)
        assert after.segments.start.tolist() == GOAL.tolist()
        assert not np.any(after.segments.start_velocity)


# ---- what is in the way

LOW = GUIDE6.home + np.radians([0.0, -40.0, 0.0, 0.0, 0.0, 0.0])  # the guide would be in the table
ASIDE = GUIDE6.home + np.radians([20.0, 10.0, -10.0, 12.0, -20.0, 15.0])
POST = Room((Rod("post", np.array([0.3, 0.25, 0.0]), np.array([0.3, 0.25, 0.8]), 0.03),))
BEHIND = GUIDE6.home + np.radians([75.0, 0.0, 0.0, 0.0, 0.0, 0.0])  # of the post


def among(room: Room | None = None) -> Course:
    return course(joint_move(GUIDE6.home, ASIDE, GUIDE6), GUIDE6, room=room)


def test_no_way_leads_through_the_arm_itself_its_own_room_or_what_else_stands_there() -> None:
    assert among().retargeted(20, BEHIND).segments.position[-1].tolist() == BEHIND.tolist()
    with pytest.raises(MotionError, match=r"joint move: clearance is .* from post, .* allowed"):
        among(POST).retargeted(20, BEHIND)
    with pytest.raises(MotionError, match=r"joint move: clearance is .* from table, "):
        among().retargeted(20, LOW)
    folded = GUIDE6.home + np.radians([0.0, 0.0, 0.0, 0.0, 90.0, 0.0])
    with pytest.raises(MotionError, match=r"clearance is .* from forearm"):
        among().retargeted(20, folded)


def test_a_torque_that_a_joint_has_not_is_refused() -> None:
    weak = replace(ARM, torque=np.array([80.0, 21.0, 80.0, 20.0, 20.0, 20.0]))
    slow = course(joint_move(START, START + 0.2 * np.eye(6)[0], weak), weak)
    with pytest.raises(MotionError, match="torque, share of what the joint has is"):
        slow.retargeted(10, START + 0.2 * np.eye(6)[1])


def test_stopped_it_refuses_at_once_what_it_could_not_go_to() -> None:
    stopped = among(POST).at_feed(20, 0.0)
    with pytest.raises(MotionError, match="from post"):
        stopped.retargeted(5, BEHIND)
    assert stopped.retargeted(5, GUIDE6.home).goal is not None


def test_a_stop_is_never_refused_and_another_pace_of_joints_that_are_on_no_line_is_judged() -> None:
    """What lies in the way here was put there after the motion had been judged."""
    before = among().retargeted(20, BEHIND)
    blocked = replace(before, room=POST)
    stopped = blocked.at_feed(30, 0.0)
    assert not np.any(stopped.segments.velocity[-1])
    with pytest.raises(MotionError, match="from post"):
        blocked.at_feed(30, 0.5)
    with pytest.raises(MotionError, match="from post"):
        stopped.at_feed(1000, 1.0)
    assert before.at_feed(30, 0.5).segments.position[-1].tolist() == BEHIND.tolist()
