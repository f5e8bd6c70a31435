"""The guide's straight line, judged on what the joints follow: the Hermite segments."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import ArrayLike

from guidearm.errors import LimitError, MotionError, SingularityError, UnreachableError
from guidearm.geometry import (
    Array,
    angle_between,
    exp_so3,
    inverse,
    log_so3,
    perturbation,
    pose_difference,
    transform,
)
from guidearm.kinematics import Arm, guide_candidates
from guidearm.motion import (
    Changeable,
    LineMove,
    PathMotion,
    concatenate,
    hermite_segments,
    joint_move,
    line_move,
    state_at,
)


def guide(arm: Arm, q: ArrayLike) -> Array:
    """Return T_base_guide."""
    return arm.forward(q) @ arm.T_flange_guide


def along(T_base_guide: Array, distance: float) -> Array:
    """Return the pose `distance` further along the guide's own axis."""
    return T_base_guide @ transform(np.eye(3), [0.0, 0.0, distance])


def approach(arm: Arm, q0: Array, distance: float, speed_m_s: float = 0.05) -> LineMove:
    T_base_guide = guide(arm, q0)
    end = along(T_base_guide, distance)
    return line_move(arm, arm.T_flange_guide, T_base_guide, end, q0, speed_m_s)


def as_followed(arm: Arm, move: LineMove, period_s: float = 0.01) -> Array:
    """Return T_base_guide at dense instants of the segments, off the knots too."""
    segments = hermite_segments(move, period_s)
    t_us = np.linspace(0.0, segments.total_us, 7 * len(segments) + 3)
    return guide(arm, segments.evaluate(t_us)[0])


def safe_postures(arm: Arm, count: int, seed: int) -> Array:
    """Draw postures with room around them, before full stretch above all, for a line of 50 mm."""
    draws = np.random.default_rng(seed).uniform(-2.5, 2.5, (400, 6))
    shoulder, elbow, wrist = np.abs(np.moveaxis(arm.singularity_factors(draws), -1, 0))
    return draws[(shoulder > 0.35) & (elbow > 0.7) & (wrist > 0.35)][:count]


def test_the_guide_stays_on_the_line(arm: Arm) -> None:
    """Under 10 um and 0.01 deg, at any speed allowed, from the segments of 10 ms."""
    for q0 in safe_postures(arm, 6, seed=1):
        for speed in (0.02, 0.25):
            move = approach(arm, q0, 0.05, speed)
            off = inverse(guide(arm, q0)) @ as_followed(arm, move)
            assert np.max(np.linalg.norm(off[:, :2, 3], axis=-1)) < 10e-6
            assert np.max(np.linalg.norm(log_so3(off[:, :3, :3]), axis=-1)) < np.radians(0.01)
            assert np.min(np.diff(off[:, 2, 3])) > -1e-9, "the guide went back"
            assert_allclose(off[-1, :3, 3], [0.0, 0.0, 0.05], atol=1e-9)


def test_the_length_follows_the_s_curve(guide6: Arm) -> None:
    move = approach(guide6, guide6.home, 0.08)
    t = np.linspace(0.0, move.duration_s, 300)
    depth = (inverse(guide(guide6, guide6.home)) @ guide(guide6, move.sample(t)[0]))[:, 2, 3]
    assert_allclose(depth, 0.08 * move.curve.sample(t)[0], atol=1e-9)
    assert_allclose(move.speed_m_s, 0.05, rtol=1e-9)
    assert_allclose(np.max(np.gradient(depth, t)), 0.05, rtol=1e-4)


def test_velocity_is_the_derivative_of_position(arm: Arm) -> None:
    move = approach(arm, arm.home, 0.05, 0.1)
    t = np.linspace(0.01, move.duration_s - 0.01, 500)
    dt = 1e-5
    slope = (move.sample(t + dt)[0] - move.sample(t - dt)[0]) / (2.0 * dt)
    assert_allclose(move.sample(t)[1], slope, atol=1e-7)


def test_starts_at_the_posture_given_and_ends_at_rest(arm: Arm) -> None:
    move = approach(arm, arm.home, 0.05)
    q, qd = move.sample(np.array([0.0, move.duration_s]))
    assert q[0].tolist() == arm.home.tolist()
    assert not np.any(qd)
    assert_allclose(guide(arm, q[1]), along(guide(arm, arm.home), 0.05), atol=1e-9)


def test_the_branch_is_held(arm: Arm) -> None:
    for q0 in safe_postures(arm, 6, seed=2):
        move = approach(arm, q0, -0.05)
        q, _ = move.sample(np.linspace(0.0, move.duration_s, 200))
        factors = arm.singularity_factors(q)
        assert np.all(np.sign(factors) == np.sign(factors[0]))
        assert np.max(np.abs(np.diff(q, axis=0))) < 0.02


def test_a_posture_of_the_guide_axis_search_starts_a_line(guide6: Arm) -> None:
    """As a procedure goes: joint move to a stand-off on the plan's line, then along it."""
    line = guide(guide6, guide6.home) @ perturbation([0.03, -0.02, 0.0], [0.1, -0.2, 0.0])
    stand_off = along(line, -0.04)
    best = guide_candidates(guide6, guide6.T_flange_guide, stand_off, guide6.home)[0]
    T_base_guide = guide(guide6, best.q)
    approaching = line_move(
        guide6, guide6.T_flange_guide, T_base_guide, along(T_base_guide, 0.04), best.q, 0.03
    )
    whole = concatenate(joint_move(guide6.home, best.q, guide6), approaching)
    q, qd = whole.sample(np.array([whole.duration_s]))
    assert_allclose(guide(guide6, q[0])[:3, 2:], line[:3, 2:], atol=1e-9)
    assert not np.any(qd)


def test_a_correction_turns_about_one_axis_with_a_straight_origin(arm: Arm) -> None:
    start = guide(arm, arm.home)
    shift, turn = np.array([0.002, -0.001, 0.0005]), np.array([0.01, -0.03, 0.02])
    end = transform(exp_so3(turn) @ start[:3, :3], start[:3, 3] + shift)
    move = line_move(arm, arm.T_flange_guide, start, end, arm.home, 0.01)
    followed = as_followed(arm, move)
    way = followed[:, :3, 3] - start[:3, 3]
    sideways = way - np.outer(way @ shift, shift) / np.dot(shift, shift)
    assert np.max(np.abs(sideways)) < 1e-6
    turned = log_so3(followed[:, :3, :3] @ start[:3, :3].T)
    some = np.linalg.norm(turned, axis=-1) > 1e-3
    assert np.max(angle_between(turned[some], turn)) < np.radians(0.01)
    assert_allclose(followed[-1], end, atol=1e-9)


def test_a_pure_rotation_counts_as_way(guide6: Arm) -> None:
    start = guide(guide6, guide6.home)
    end = start @ perturbation(np.zeros(3), [0.1, 0.0, 0.0])
    move = line_move(guide6, guide6.T_flange_guide, start, end, guide6.home, 0.01)
    assert_allclose(move.length_m, 0.01, rtol=1e-9)
    assert move.duration_s > 1.0
    assert np.max(np.abs(as_followed(guide6, move)[:, :3, 3] - start[:3, 3])) < 1e-6


def test_no_way_takes_no_time(guide6: Arm) -> None:
    move = approach(guide6, guide6.home, 0.0)
    assert move.duration_s == 0.0
    assert move.sample(np.array([0.0, 1.0]))[0].tolist() == [guide6.home.tolist()] * 2
    assert len(hermite_segments(move)) == 0


def test_joint_limits_slow_the_whole_move(guide6: Arm) -> None:
    q0 = guide6.home
    asked = approach(guide6, q0, 0.1, 0.2)
    peak = np.max(np.abs(asked.sample(np.linspace(0.0, asked.duration_s, 2000))[1]), axis=0)
    tight = replace(guide6, velocity=np.where(peak > 1e-3, peak / 3.0, guide6.velocity))
    slow = approach(tight, q0, 0.1, 0.2)
    t = np.linspace(0.0, slow.duration_s, 20001)
    q, qd = slow.sample(t)
    assert np.all(np.max(np.abs(qd), axis=0) <= tight.velocity)
    _, slope, _ = slow.path.at(np.linspace(0.0, 1.0, 2000))
    fastest = np.max(np.abs(slope) * slow.limits.velocity / tight.velocity)
    assert_allclose(fastest, 0.99, atol=1e-4, err_msg="reached where the joint is quickest")
    off = inverse(guide(guide6, q0)) @ guide(guide6, q)
    assert np.max(np.abs(off[:, :2, 3])) < 1e-6, "slower, but on the same line"


@pytest.mark.parametrize("which", ["acceleration", "jerk"])
def test_acceleration_and_jerk_limits_are_kept(guide6: Arm, which: str) -> None:
    tight = replace(guide6, **{which: getattr(guide6, which) / 100.0})
    move = approach(tight, guide6.home, 0.1, 0.2)
    t, dt = np.linspace(0.0, move.duration_s, 2001, retstep=True)
    acceleration = np.gradient(move.sample(t)[1], float(dt), axis=0)
    measured = {
        "acceleration": acceleration,
        "jerk": np.diff(acceleration[5:-5], axis=0) / float(dt),
    }[which]
    share = np.max(np.abs(measured) / getattr(tight, which))
    assert 0.5 < share < 1.01
    assert approach(guide6, guide6.home, 0.1, 0.2).duration_s < 0.9 * move.duration_s


def test_a_line_out_of_reach_is_refused_as_a_whole(guide6: Arm) -> None:
    """Outwards from home: the last 0.2 mm before full stretch lie between two knots."""
    start = guide(guide6, guide6.home)
    end = start.copy()
    end[:3, 3] += [0.5, 0.0, 0.4]
    with pytest.raises(UnreachableError, match=r"mm along the line the arm cannot follow"):
        line_move(guide6, guide6.T_flange_guide, start, end, guide6.home, 0.05)


def test_a_line_across_the_wrist_singularity_is_refused(guide6: Arm) -> None:
    """The end is reachable and far from singular, the way there is not."""
    q0 = guide6.home.copy()
    q0[4] = 0.15
    start = guide(guide6, q0)
    q1 = q0.copy()
    q1[4] = -0.15
    end = guide(guide6, q1)
    with pytest.raises(SingularityError):
        line_move(guide6, guide6.T_flange_guide, start, end, q0, 0.05)


def test_a_line_that_starts_too_near_a_singularity_is_refused(guide6: Arm) -> None:
    q0 = guide6.home.copy()
    q0[4] = 0.04
    with pytest.raises(SingularityError, match=r"0\.0 mm along the line"):
        approach(guide6, q0, 0.01)


def test_a_joint_that_would_leave_its_range_is_named(guide6: Arm) -> None:
    move = approach(guide6, guide6.home, 0.1)
    end = move.sample(np.array([move.duration_s]))[0][0]
    joint = int(np.argmax(np.abs(end - guide6.home)))
    half_way = 0.5 * (end + guide6.home)
    upper, lower = guide6.upper.copy(), guide6.lower.copy()
    if end[joint] > guide6.home[joint]:
        upper[joint] = half_way[joint]
    else:
        lower[joint] = half_way[joint]
    with pytest.raises(LimitError, match=rf"line move: joint {joint + 1} would go to "):
        approach(replace(guide6, upper=upper, lower=lower), guide6.home, 0.1)


def test_a_start_elsewhere_is_refused(guide6: Arm) -> None:
    start = guide(guide6, guide6.home)
    begin = along(start, 0.001)
    with pytest.raises(MotionError, match=r"the tool stands 1\.000 mm and 0\.000 deg from"):
        line_move(guide6, guide6.T_flange_guide, begin, along(start, 0.02), guide6.home, 0.05)


def test_a_large_turn_is_refused(guide6: Arm) -> None:
    start = guide(guide6, guide6.home)
    end = start @ perturbation(np.zeros(3), [0.0, 0.0, np.radians(31.0)])
    with pytest.raises(MotionError, match=r"would turn by 31\.0 deg"):
        line_move(guide6, guide6.T_flange_guide, start, end, guide6.home, 0.05)


@pytest.mark.parametrize("speed", [0.0, -0.01, 0.251, np.nan, np.inf])
def test_a_speed_out_of_range_is_refused(guide6: Arm, speed: float) -> None:
    with pytest.raises(MotionError, match=re.escape("not above 0 and at most 250 mm/s")):
        approach(guide6, guide6.home, 0.01, speed)


@dataclass(frozen=True)
class Doctored:
    """An arm whose Jacobian is the true one times a factor, a fault the checks must find.

    With `jump`, it leads Newton's method straight to that posture.
    """

    nominal: Arm
    factor: float
    jump: Array | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        return self.nominal.numbers

    @property
    def lower(self) -> Array:
        return self.nominal.lower

    @property
    def upper(self) -> Array:
        return self.nominal.upper

    @property
    def velocity(self) -> Array:
        return self.nominal.velocity

    @property
    def acceleration(self) -> Array:
        return self.nominal.acceleration

    @property
    def jerk(self) -> Array:
        return self.nominal.jerk

    def forward(self, q: ArrayLike) -> Array:
        return self.nominal.forward(q)

    def jacobian(self, q: ArrayLike) -> Array:
        J = self.nominal.jacobian(q) * self.factor
        if self.jump is None or J.ndim > 2:
            return J
        off = pose_difference(self.nominal.forward(self.jump), self.nominal.forward(q))
        step = self.jump - np.asarray(q)
        along = np.outer(step, step) / np.dot(step, step)
        return J @ (np.eye(6) - along) + np.outer(off, step) / np.dot(step, step)

    def singularity(self, q: ArrayLike) -> Array:
        return self.nominal.singularity(q)


def test_a_path_that_leaves_the_line_between_knots_is_refused(guide6: Arm) -> None:
    start = guide(guide6, guide6.home)
    end = along(start, 0.05)
    doctored = Doctored(guide6, 0.95)
    with pytest.raises(MotionError, match="between its knots the joint path leaves the line by"):
        line_move(doctored, guide6.T_flange_guide, start, end, guide6.home, 0.05)


def test_a_change_of_branch_is_refused(guide6: Arm) -> None:
    """Newton's method is led to another posture that reaches the second knot just as well."""
    start = guide(guide6, guide6.home)
    end = along(start, 0.008)
    second = along(start, 0.001) @ inverse(guide6.T_flange_guide)
    others = guide6.inverse(second, guide6.home)
    far = others[np.argmax(np.linalg.norm(others - guide6.home, axis=-1))]
    assert guide6.singularity(far) > 0.3
    with pytest.raises(MotionError, match="between its knots the joint path leaves the line by"):
        line_move(Doctored(guide6, 1.0, far), guide6.T_flange_guide, start, end, guide6.home, 0.05)


def test_no_convergence_is_unreachable(guide6: Arm) -> None:
    start = guide(guide6, guide6.home)
    end = along(start, 0.05)
    with pytest.raises(UnreachableError, match=r"1\.0 mm along the line the arm cannot follow"):
        line_move(Doctored(guide6, -1.0), guide6.T_flange_guide, start, end, guide6.home, 0.05)


def on_the_line(arm: Arm, q0: Array, motion: Changeable) -> tuple[float, float]:
    """Return the greatest deviation of the guide from its line at q0, m and rad, as followed."""
    segments = hermite_segments(motion)
    t_us = np.linspace(0.0, segments.total_us, 7 * len(segments) + 3)
    off = inverse(guide(arm, q0)) @ guide(arm, segments.evaluate(t_us)[0])
    turned = np.linalg.norm(log_so3(off[:, :3, :3]), axis=-1)
    return float(np.max(np.linalg.norm(off[:, :2, 3], axis=-1))), float(np.max(turned))


def test_feed_stop_and_resume_stay_on_the_line(arm: Arm) -> None:
    """Every change in mid-motion: slower, stopped, on again, back, and on again."""
    rng = np.random.default_rng(7)
    for q0 in safe_postures(arm, 4, seed=1):
        whole = approach(arm, q0, 0.05, 0.1)
        motion: PathMotion = whole
        for share in (0.5, 0.1, 0.0, 1.0, 0.7):
            t = rng.uniform(0.2, 0.6) * motion.duration_s
            state = state_at(motion, t)
            to = 0.0 if share == 0.7 else 1.0
            motion = motion.at_feed(t, share, to)
            joined = state_at(motion, 0.0)
            assert_allclose(joined.velocity, state.velocity, atol=1e-12)
            assert_allclose(joined.acceleration, state.acceleration, atol=1e-9)
            deviation_m, deviation_rad = on_the_line(arm, q0, motion)
            assert deviation_m < 10e-6
            assert deviation_rad < np.radians(0.01)
        q, qd = motion.sample(np.array([motion.duration_s]))
        assert_allclose(q[0], q0, atol=1e-12, err_msg="retreated to where it began")
        assert not np.any(qd)


def test_a_stop_on_the_line_is_the_quickest_within_the_limits(guide6: Arm) -> None:
    move = approach(guide6, guide6.home, 0.08, 0.05)
    t = 0.5 * move.duration_s
    stop = move.at_feed(t, 0.0)
    v, a, j = move.limits
    assert_allclose(stop.duration_s, v / a + a / j, rtol=1e-9)
    way_m = (stop.curve.sample(stop.duration_s)[0] - move.curve.sample(t)[0]) * move.length_m
    assert_allclose(way_m, 0.5 * stop.duration_s * 0.05, rtol=1e-9)


@pytest.mark.parametrize("which", ["velocity", "acceleration", "jerk"])
def test_whatever_the_feed_the_joints_limits_hold(guide6: Arm, which: str) -> None:
    """Changes are made where they ask the most: while the pace itself is changing."""
    tight = replace(
        guide6, **{which: getattr(guide6, which) / (4.0 if which == "velocity" else 100)}
    )
    motion: PathMotion = approach(tight, guide6.home, 0.1, 0.2)
    for share in (0.3, 1.0, 0.0, 1.0):
        motion = motion.at_feed(0.3 * motion.duration_s, share)
        t, dt = np.linspace(0.0, motion.duration_s, 2001, retstep=True)
        qdd = motion.acceleration(t)
        shares = {
            "velocity": np.abs(motion.sample(t)[1]) / tight.velocity,
            "acceleration": np.abs(qdd) / tight.acceleration,
            "jerk": np.abs(np.diff(qdd, axis=0)) / float(dt) / tight.jerk,
        }
        for share_of_limit in shares.values():
            assert np.max(share_of_limit) < 1.01


def test_a_feed_that_is_none_is_refused(guide6: Arm) -> None:
    move = approach(guide6, guide6.home, 0.05)
    for share in (-0.1, 0.005, 1.01, np.nan):
        with pytest.raises(MotionError, match="is neither 0 nor"):
            move.at_feed(0.1, share)
    with pytest.raises(MotionError, match="there is no 2 of the way"):
        move.at_feed(0.1, 1.0, to=2.0)
    nothing = approach(guide6, guide6.home, 0.0)
    assert nothing.at_feed(0.0, 0.5).duration_s == 0.0
