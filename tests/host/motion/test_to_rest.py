"""From any state to rest: ends, limits, least time, and back from beyond a limit."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from guidearm.motion import Limits, Profile, State, lasting, plan_scurve, quickest, quickest_stop
from guidearm.motion.profile import after

sizes = st.floats(-1.0, 2.0).map(lambda power: 10.0**power)
limits_drawn = st.builds(Limits, sizes, sizes, sizes)
shares = st.floats(-1.0, 1.0)


def _either_way(size: float, forward: bool) -> float:
    return size if forward else -size


goals = st.builds(_either_way, st.floats(-5.0, 2.0).map(lambda power: 10.0**power), st.booleans())


@dataclass(frozen=True)
class Problem:
    """A start within limits, that need not leave them, and a goal."""

    start: State
    goal: float
    limits: Limits


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    limits = draw(limits_drawn)
    a = draw(shares) * limits.acceleration
    reserve = a * a / (2.0 * limits.jerk)
    # what the velocity comes to while the acceleration falls to zero has to be within limits too
    v = draw(shares) * limits.velocity
    assume(abs(v + np.copysign(reserve, a)) <= limits.velocity)
    return Problem(State(draw(st.floats(-10.0, 10.0)), v, a), draw(goals), limits)


def peaks(profile: Profile) -> Limits:
    """Return the largest velocity, acceleration and jerk, exactly: at knots and turning points."""
    v, a, j = [0.0], [0.0], [0.0]
    for state, (duration, jerk) in zip(profile.knots, profile.pieces, strict=False):
        turn = -state.acceleration / jerk if jerk else 0.0
        for t in (0.0, min(max(turn, 0.0), duration), duration):
            then = after(state, (t, jerk))
            v.append(abs(then.velocity))
            a.append(abs(then.acceleration))
        j.append(abs(jerk))
    return Limits(max(v), max(a), max(j))


def assert_within(profile: Profile, limits: Limits) -> None:
    for found, limit in zip(peaks(profile), limits, strict=True):
        assert found <= limit * (1 + 1e-9)


def assert_ends(profile: Profile, goal: float, limits: Limits) -> None:
    """Check that the pieces add up to rest at the goal, and that it then is exactly there."""
    end = profile.knots[-1]
    way = abs(profile.start.position) + abs(goal) + limits.velocity * profile.duration_s
    assert_allclose(end.position, goal, atol=1e-12 * (1.0 + way))
    assert_allclose(end.velocity, 0.0, atol=1e-12 * limits.velocity)
    assert_allclose(end.acceleration, 0.0, atol=1e-12 * limits.acceleration)
    x, v, a = profile.sample(np.array([profile.duration_s, profile.duration_s + 1.0]))
    assert x.tolist() == [goal] * 2
    assert v.tolist() == a.tolist() == [0.0] * 2


@given(problems())
def test_the_quickest_way_ends_at_the_goal_within_limits(problem: Problem) -> None:
    profile = quickest(problem.start, problem.goal, problem.limits)
    assert_ends(profile, problem.goal, problem.limits)
    assert_within(profile, problem.limits)


@given(problems(), st.floats(0.0, 1.0))
def test_whoever_is_on_the_quickest_way_has_just_the_rest_of_it_to_go(
    problem: Problem, share: float
) -> None:
    """Bellman's principle: a way is only the quickest if each rest of it is."""
    whole = quickest(problem.start, problem.goal, problem.limits)
    t = share * whole.duration_s
    on_the_way = State(*(float(value) for value in whole.sample(t)))
    rest = quickest(on_the_way, problem.goal, problem.limits)
    assert_allclose(t + rest.duration_s, whole.duration_s, rtol=1e-5, atol=1e-6)


@given(problems(), st.lists(st.tuples(goals, st.floats(0.0, 1.0)), min_size=1, max_size=3))
def test_no_detour_is_quicker(problem: Problem, detour: list[tuple[float, float]]) -> None:
    state, spent_s = problem.start, 0.0
    for goal, share in detour:
        part = quickest(state, goal, problem.limits)
        t = share * part.duration_s
        state, spent_s = State(*(float(value) for value in part.sample(t))), spent_s + t
    spent_s += quickest(state, problem.goal, problem.limits).duration_s
    assert quickest(problem.start, problem.goal, problem.limits).duration_s <= spent_s * (1 + 1e-6)


@given(limits_drawn, goals)
def test_from_rest_it_is_the_s_curve(limits: Limits, goal: float) -> None:
    profile = quickest(State(0.0), goal, limits)
    curve = plan_scurve(abs(goal), *limits)
    assert_allclose(profile.duration_s, curve.duration_s, rtol=1e-9)
    t = np.linspace(0.0, curve.duration_s, 40)
    assert_allclose(profile.sample(t)[0], np.sign(goal) * curve.sample(t)[0], atol=1e-9 * abs(goal))


@given(problems())
def test_a_mirrored_problem_has_the_mirrored_answer(problem: Problem) -> None:
    mirrored = State(*(-value for value in problem.start))
    one = quickest(problem.start, problem.goal, problem.limits)
    other = quickest(mirrored, -problem.goal, problem.limits)
    assert [(d, -j) for d, j in one.pieces] == list(other.pieces)


@given(problems())
def test_a_stop_is_the_quickest_way_to_where_it_ends(problem: Problem) -> None:
    stop = quickest_stop(problem.start, problem.limits)
    assert_ends(stop, stop.end, problem.limits)
    assert_within(stop, problem.limits)
    anywhere = quickest(problem.start, problem.goal, problem.limits)
    assert stop.duration_s <= anywhere.duration_s * (1 + 1e-9)


@given(problems(), st.floats(0.0, 5.0))
def test_any_longer_time_can_be_taken_too(problem: Problem, more: float) -> None:
    best = quickest(problem.start, problem.goal, problem.limits)
    duration_s = best.duration_s * (1.0 + more)
    profile = lasting(problem.start, problem.goal, problem.limits, duration_s)
    assert_allclose(profile.duration_s, duration_s, rtol=1e-9)
    assert_within(profile, problem.limits)
    end = profile.knots[-1]
    way = abs(problem.start.position) + problem.limits.velocity * duration_s
    assert_allclose(end.position, problem.goal, atol=1e-11 * (1.0 + way))
    assert_allclose(end.velocity, 0.0, atol=1e-11 * problem.limits.velocity)


def test_from_rest_more_time_means_less_of_everything() -> None:
    limits = Limits(1.0, 4.0, 40.0)
    best = quickest(State(0.0), 0.7, limits)
    slow = lasting(State(0.0), 0.7, limits, 4.0 * best.duration_s)
    for found, limit in zip(peaks(slow), limits, strict=True):
        assert found < 0.3 * limit
    t = np.linspace(0.0, slow.duration_s, 200)
    assert np.all(np.diff(slow.sample(t)[0]) >= 0.0), "straight there"


@given(problems(), st.floats(1.0, 5.0), st.sampled_from([-1.0, 1.0]), st.floats(1.0, 3.0))
def test_a_start_beyond_the_limits_is_brought_back_and_kept(
    problem: Problem, times: float, side: float, more: float
) -> None:
    limits = problem.limits
    # a limit of acceleration far beyond what the velocity lets a motion reach is none
    assume(limits.acceleration**2 / limits.jerk <= 2.0 * limits.velocity)
    start = problem.start._replace(acceleration=side * times * limits.acceleration)
    best = quickest(start, problem.goal, limits)
    for profile in (best, lasting(start, problem.goal, limits, more * best.duration_s)):
        assert_ends(best, problem.goal, limits)
        recovery_s = (abs(start.acceleration) - limits.acceleration) / limits.jerk
        t = np.linspace(0.0, profile.duration_s, 500)
        _, v, a = profile.sample(t)
        assert np.all(np.abs(np.diff(a)) <= limits.jerk * t[1] * (1 + 1e-6))
        allowed = np.maximum(np.abs(start.acceleration) - limits.jerk * t, limits.acceleration)
        assert np.all(np.abs(a) <= allowed * (1 + 1e-9)), "never further beyond"
        # the velocity goes on beyond only as long as the acceleration takes to come back
        carried = start.velocity + side * start.acceleration**2 / (2.0 * limits.jerk)
        fastest = max(limits.velocity, abs(carried), abs(start.velocity))
        assert np.max(np.abs(v)) <= fastest * (1 + 1e-9)
        late = (
            t > recovery_s + fastest / limits.acceleration + 3 * limits.acceleration / limits.jerk
        )
        assert np.all(np.abs(v[late]) <= limits.velocity * (1 + 1e-9))


def test_a_start_that_is_too_fast_slows_down_to_the_limit_and_no_further() -> None:
    profile = quickest(State(0.0, 2.0, 0.0), 50.0, Limits(1.0, 4.0, 40.0))
    t = np.linspace(0.0, profile.duration_s - 1.0, 500)
    _, v, _ = profile.sample(t)
    assert np.all(np.diff(v[:200]) <= 1e-12)
    assert_allclose(np.min(v), 1.0, atol=1e-12)


def test_a_goal_where_the_stop_ends_is_reached_by_the_stop() -> None:
    limits = Limits(1.0, 4.0, 40.0)
    start = State(0.0, 0.8, 1.0)
    stop = quickest_stop(start, limits)
    for near in (0.0, 1e-13, -1e-13):
        assert quickest(start, stop.end + near, limits).pieces == stop.pieces
    beyond = quickest(start, stop.end + 1e-9, limits)
    assert beyond.duration_s > stop.duration_s
    assert_ends(beyond, stop.end + 1e-9, limits)


def test_nothing_to_do_takes_no_time_or_is_waited_for() -> None:
    limits = Limits(1.0, 1.0, 1.0)
    none = quickest(State(0.3), 0.3, limits)
    assert none.duration_s == 0.0
    assert none.extremes() == (0.3, 0.3)
    assert_allclose(none.sample(np.array([-1.0, 0.0, 1.0])), [[0.3] * 3, [0.0] * 3, [0.0] * 3])
    assert lasting(State(0.3), 0.3, limits, 2.0).duration_s == 2.0


@given(problems())
def test_extremes_hold_every_position_on_the_way(problem: Problem) -> None:
    profile = quickest(problem.start, problem.goal, problem.limits)
    low, high = profile.extremes()
    x = profile.sample(np.linspace(0.0, profile.duration_s, 400))[0]
    slack = 1e-9 * (1.0 + high - low)
    assert low - slack <= np.min(x)
    assert np.max(x) <= high + slack
    # between two of 400 samples next to a turning point lies no more than this
    step_s = profile.duration_s / 399
    near = problem.limits.acceleration * step_s**2 / 2.0 + slack
    assert_allclose([np.min(x), np.max(x)], [low, high], atol=near)


@pytest.mark.parametrize("before", [-0.5, 0.0])
def test_before_the_start_it_is_in_its_first_state(before: float) -> None:
    profile = quickest(State(1.0, 0.5, 0.2), 2.0, Limits(1.0, 4.0, 40.0))
    assert [float(value) for value in profile.sample(before)] == [1.0, 0.5, 0.2]
