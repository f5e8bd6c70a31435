"""Joint moves: straight, synchronised, within limits, and refusals that name the joint."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from guidearm.errors import LimitError, MotionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm, load_arm
from guidearm.motion import concatenate, joint_move
from guidearm_hil.rigs.rig import Joints

GUIDE6 = load_arm("guide6")
postures = st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6).map(np.array)


def finite_differences(q: Array, dt: float) -> tuple[Array, Array, Array]:
    speed = np.diff(q, axis=0) / dt
    acceleration = np.diff(speed, axis=0) / dt
    return speed, acceleration, np.diff(acceleration, axis=0) / dt


@given(postures, postures)
def test_is_straight_and_ends_exactly(q0: Array, q1: Array) -> None:
    move = joint_move(q0, q1, GUIDE6)
    q, qd = move.sample(np.array([0.0, 0.3 * move.duration_s, move.duration_s]))
    assert_allclose(q[0], q0, atol=1e-12 if move.duration_s == 0.0 else 0.0)
    assert q[2].tolist() == q1.tolist()
    assert not np.any(qd[[0, 2]])
    step = q1 - q0
    along = np.dot(q[1] - q0, step) / max(np.dot(step, step), 1e-300)
    assert_allclose(q[1] - q0, along * step, atol=1e-12)


@given(postures, postures)
def test_keeps_every_joints_limits(q0: Array, q1: Array) -> None:
    move = joint_move(q0, q1, GUIDE6)
    t = np.linspace(0.0, move.duration_s, 4001)
    dt = t[1]
    if move.duration_s < 0.1:
        return
    q, qd = move.sample(t)
    speed, acceleration, jerk = finite_differences(q, dt)
    assert_allclose(np.gradient(q, dt, axis=0)[1:-1], qd[1:-1], atol=20.0 * dt**2)
    assert np.all(np.max(np.abs(speed), axis=0) <= GUIDE6.velocity * (1 + 1e-6))
    assert np.all(np.max(np.abs(acceleration), axis=0) <= GUIDE6.acceleration * (1 + 1e-4))
    # The third difference carries rounding of about 1e-15 rad / dt^3.
    assert np.all(np.max(np.abs(jerk), axis=0) <= GUIDE6.jerk * (1 + 1e-3) + 1e-14 / dt**3)


def test_a_limit_of_the_slowest_joint_is_reached(arm: Arm) -> None:
    """A long swing of joint 1 alone takes as long as its velocity limit makes it."""
    step = np.array([3.0, 0.0, 0.0, 0.0, 0.0, 0.1])
    move = joint_move(arm.home, arm.home + step, arm)
    _, qd = move.sample(np.linspace(0.0, move.duration_s, 999))
    v, a, j = arm.velocity[0], arm.acceleration[0], arm.jerk[0]
    assert_allclose(np.max(qd[:, 0]), v, rtol=1e-9)
    assert_allclose(move.duration_s, 3.0 / v + v / a + a / j, rtol=1e-9)


def test_speed_stretches_time_and_nothing_else(guide6: Arm) -> None:
    goal = guide6.home + 0.5
    full, half = joint_move(guide6.home, goal, guide6), joint_move(guide6.home, goal, guide6, 0.5)
    assert_allclose(half.duration_s, 2.0 * full.duration_s, rtol=1e-12)
    t = np.linspace(0.0, full.duration_s, 40)
    assert_allclose(half.sample(2.0 * t)[0], full.sample(t)[0], atol=1e-12)


def test_a_single_joint_that_makes_no_arm_is_planned_alike(guide6: Arm) -> None:
    names = ("lower", "upper", "velocity", "acceleration", "jerk")
    one = Joints("one", (4,), **{name: getattr(guide6, name)[3:4] for name in names})
    move = joint_move(np.zeros(1), np.full(1, 0.5), one)
    assert move.sample(np.array([move.duration_s]))[0].tolist() == [[0.5]]
    with pytest.raises(LimitError, match="joint 4 would go to"):
        joint_move(np.zeros(1), np.full(1, 9.0), one)


def test_a_move_to_where_the_arm_is_takes_no_time(guide6: Arm) -> None:
    move = joint_move(guide6.home, guide6.home, guide6)
    assert move.duration_s == 0.0
    q, qd = move.sample(np.array([0.0, 1.0]))
    assert_allclose(q, [guide6.home] * 2, atol=0.0)
    assert not np.any(qd)


def test_a_step_of_rounding_takes_no_time(guide6: Arm) -> None:
    goal = guide6.home.copy()
    goal[0] = 1e-308
    move = joint_move(guide6.home, goal, guide6)
    assert move.duration_s == 0.0
    assert move.sample(np.array([move.duration_s]))[0][0].tolist() == goal.tolist()


@pytest.mark.parametrize(("sign", "value"), [(1, "365.00"), (-1, "-365.00")])
def test_a_goal_outside_the_range_is_refused_with_the_joint(
    guide6: Arm, sign: int, value: str
) -> None:
    goal = guide6.home.copy()
    goal[4] = sign * np.radians(365.0)
    expected = rf"to entry: joint 5 would go to {value} deg, its range is -360.00 to 360.00 deg"
    with pytest.raises(LimitError, match=expected):
        joint_move(guide6.home, goal, guide6, label="to entry")


def test_the_joint_furthest_outside_is_named(guide6: Arm) -> None:
    goal = guide6.home.copy()
    goal[0], goal[2] = np.radians(361.0), np.radians(-190.0)
    with pytest.raises(LimitError, match=r"joint 3 would go to -190\.00 deg"):
        joint_move(guide6.home, goal, guide6)


def test_a_goal_on_the_limit_is_allowed(guide6: Arm) -> None:
    goal = np.where(np.arange(6) == 2, guide6.upper, guide6.home)
    assert joint_move(guide6.home, goal, guide6).sample(np.array([9e9]))[0][0, 2] == goal[2]


def test_an_arm_outside_its_range_can_come_back(guide6: Arm) -> None:
    outside = guide6.home.copy()
    outside[2] = guide6.upper[2] + 0.01
    assert joint_move(outside, guide6.home, guide6).duration_s > 0.0


@pytest.mark.parametrize("bad", [[0.0] * 5, [np.nan] * 6, [[0.0] * 6]])
def test_what_is_no_posture_is_refused(guide6: Arm, bad: list[float]) -> None:
    with pytest.raises(MotionError, match="goal is not a posture: 6 finite joint angles"):
        joint_move(guide6.home, bad, guide6)
    with pytest.raises(MotionError, match="start is not a posture"):
        joint_move(bad, guide6.home, guide6)


@pytest.mark.parametrize("speed", [0.0, -0.5, 1.01, np.nan])
def test_a_speed_outside_0_to_1_is_refused(guide6: Arm, speed: float) -> None:
    with pytest.raises(MotionError, match="not above 0 and at most 1"):
        joint_move(guide6.home, guide6.home + 0.1, guide6, speed)


def test_joined_motions_follow_each_other(guide6: Arm) -> None:
    a, b = guide6.home, guide6.home + 0.2
    out, back = joint_move(a, b, guide6, label="out"), joint_move(b, a, guide6, 0.5, label="back")
    both = concatenate(out, back)
    assert both.label == "out, back"
    assert_allclose(both.duration_s, 3.0 * out.duration_s, rtol=1e-12)
    t = np.array([0.0, 0.4, 1.0, 2.0, 3.0]) * out.duration_s
    q, _ = both.sample(t)
    assert_allclose(q[:3], out.sample(t[:3])[0], atol=1e-12)
    assert_allclose(q[3:], back.sample(t[3:] - out.duration_s)[0], atol=1e-12)
    assert concatenate(out, back, label="there and back").label == "there and back"


def test_motions_with_a_gap_are_not_joined(guide6: Arm) -> None:
    a, b = guide6.home, guide6.home + 0.2
    b_off = b.copy()
    b_off[3] += np.radians(0.01)
    with pytest.raises(MotionError, match=r'"back" begins 0\.0100 deg \(joint 4\) from where'):
        concatenate(joint_move(a, b, guide6), joint_move(b_off, a, guide6, label="back"))
    with pytest.raises(MotionError, match="no motion to join"):
        concatenate()
