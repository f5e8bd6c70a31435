"""A changed motion as a whole: each change from where it takes effect, no step in between."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from guidearm.errors import MotionError
from guidearm.kinematics import load_arm
from guidearm.motion import ChangedMotion, course, joint_move

ARM = load_arm("guide6")
GOAL = ARM.home + np.radians([30.0, 10.0, 12.0, 15.0, -20.0, 40.0])
OTHER = ARM.home + np.radians([-12.0, -3.0, -16.0, -5.0, 13.0, 20.0])


def begun() -> ChangedMotion:
    return ChangedMotion.of(course(joint_move(ARM.home, GOAL, ARM), ARM))


def test_unchanged_it_is_the_motion_itself() -> None:
    motion = begun()
    t = np.linspace(0.0, motion.duration_s, 50)
    assert motion.duration_s == motion.course.motion.duration_s
    assert np.array_equal(motion.sample(t)[0], motion.course.motion.sample(t)[0])
    assert motion.label == "joint move"


def test_changes_follow_each_other_within_all_limits_and_without_a_step() -> None:
    motion = begun().at_feed(0.2, 0.4).retargeted(0.5, OTHER).retargeted(1.0, GOAL)
    begins = [begin for begin, _ in motion.parts]
    assert begins[0] == 0.0
    assert_allclose(begins[1:], [0.2, 0.5, 1.0], atol=0.01)
    assert min(np.subtract(begins[1:], [0.2, 0.5, 1.0])) >= -1e-9, "never before it was asked for"
    t, dt = np.linspace(0.0, motion.duration_s, 8001, retstep=True)
    q, qd = motion.sample(t)
    qdd = motion.acceleration(t)
    assert_allclose(q[0], ARM.home)
    assert_allclose(q[-1], GOAL)
    assert np.all(np.abs(qd) <= ARM.velocity * (1 + 1e-9))
    assert np.all(np.abs(qdd) <= ARM.acceleration * (1 + 1e-9))
    assert np.all(np.abs(np.diff(qdd, axis=0)) <= ARM.jerk * dt * (1 + 1e-6))
    assert_allclose(np.gradient(q, t, axis=0)[1:-1], qd[1:-1], atol=1e-5)


def test_after_its_end_it_waits_for_the_next_goal() -> None:
    motion = begun().retargeted(3.0, ARM.home)
    q, qd = motion.sample(np.array([2.0, 3.0]))
    assert_allclose(q, [GOAL, GOAL])
    assert not np.any(qd)
    assert motion.parts[1][0] == 3.0
    assert_allclose(motion.sample(np.array([motion.duration_s]))[0][0], ARM.home)


def test_what_a_course_refuses_it_refuses() -> None:
    with pytest.raises(MotionError, match="clearance"):
        begun().retargeted(0.3, ARM.home + np.radians([0.0, -40.0, 0.0, 0.0, 0.0, 0.0]))
