"""The S-curve: ends, limits, integrals, and least time against an independent optimum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from guidearm.geometry import Array
from guidearm.motion import SCurve, plan_scurve

positive = st.floats(1e-3, 1e3)
distances = st.floats(1e-9, 1e3)


def knots(curve: SCurve) -> Array:
    """Return the eight instants between which the jerk is constant."""
    jerk_s, hold_s = curve.jerk_s, curve.hold_s
    parts = [jerk_s, hold_s, jerk_s, curve.cruise_s, jerk_s, hold_s, jerk_s]
    return np.concatenate([[0.0], np.cumsum(parts)])


@pytest.mark.parametrize(
    ("distance", "velocity", "acceleration", "jerk", "durations"),
    [
        # All seven segments: the ramps take 4 s each and 12 of the distance.
        (30.0, 3.0, 1.0, 1.0, (1.0, 2.0, 6.0)),
        # No cruise: the peak velocity solves v (v / a + a / j) = d.
        (6.0, 9.0, 1.0, 1.0, (1.0, 1.0, 0.0)),
        # No constant acceleration, with cruise.
        (10.0, 1.0, 9.0, 1.0, (1.0, 0.0, 8.0)),
        # Jerk segments only.
        (2.0, 9.0, 9.0, 1.0, (1.0, 0.0, 0.0)),
    ],
)
def test_durations_by_hand(
    distance: float,
    velocity: float,
    acceleration: float,
    jerk: float,
    durations: tuple[float, float, float],
) -> None:
    curve = plan_scurve(distance, velocity, acceleration, jerk)
    assert_allclose((curve.jerk_s, curve.hold_s, curve.cruise_s), durations, atol=1e-12)


def test_no_distance_takes_no_time() -> None:
    curve = plan_scurve(0.0, 1.0, 1.0, 1.0)
    assert curve.duration_s == 0.0
    assert_allclose(curve.sample(np.array([-1.0, 0.0, 1.0])), np.zeros((3, 3)))


@given(distances, positive, positive, positive)
def test_starts_and_ends_exactly_at_rest(
    distance: float, velocity: float, acceleration: float, jerk: float
) -> None:
    curve = plan_scurve(distance, velocity, acceleration, jerk)
    x, v, a = curve.sample(np.array([-1.0, 0.0, curve.duration_s, curve.duration_s + 1.0]))
    assert x.tolist() == [0.0, 0.0, distance, distance]
    assert v.tolist() == [0.0] * 4
    assert a.tolist() == [0.0] * 4


@given(distances, positive, positive, positive)
def test_keeps_the_limits(
    distance: float, velocity: float, acceleration: float, jerk: float
) -> None:
    curve = plan_scurve(distance, velocity, acceleration, jerk)
    assert curve.jerk <= jerk * (1 + 1e-9)
    _, v, a = curve.sample(np.linspace(0.0, curve.duration_s, 301))
    assert np.all(v >= 0.0)
    assert np.max(v) <= velocity * (1 + 1e-9)
    assert np.max(np.abs(a)) <= acceleration * (1 + 1e-9)
    assert_allclose(np.max(v), curve.peak_velocity, rtol=2e-2)


@given(distances, positive, positive, positive)
def test_each_piece_integrates_the_next_derivative(
    distance: float, velocity: float, acceleration: float, jerk: float
) -> None:
    """Between knots a is linear, so v and x follow from trapezoid and Simpson without error."""
    curve = plan_scurve(distance, velocity, acceleration, jerk)
    ends = knots(curve)
    middle = 0.5 * (ends[1:] + ends[:-1])
    dt = np.diff(ends)
    x, v, a = curve.sample(ends)
    _, v_middle, a_middle = curve.sample(middle)
    tolerance = 1e-9
    assert_allclose(np.diff(v), dt * a_middle, atol=tolerance * curve.peak_velocity)
    step = dt * (v[1:] + 4.0 * v_middle + v[:-1]) / 6.0
    assert_allclose(np.diff(x), step, atol=tolerance * distance)
    assert np.max(np.abs(np.diff(a))) <= curve.peak_acceleration * (1 + 1e-9)


@given(distances, positive, positive, positive)
def test_some_limit_is_reached_in_every_segment(
    distance: float, velocity: float, acceleration: float, jerk: float
) -> None:
    curve = plan_scurve(distance, velocity, acceleration, jerk)
    assert_allclose(curve.jerk, jerk, rtol=1e-6)
    if curve.hold_s > 1e-9 * curve.duration_s:
        assert_allclose(curve.peak_acceleration, acceleration, rtol=1e-6)
    if curve.cruise_s > 1e-9 * curve.duration_s:
        assert_allclose(curve.peak_velocity, velocity, rtol=1e-6)


@given(distances, positive, positive, positive)
def test_no_other_peaks_are_faster(
    distance: float, velocity: float, acceleration: float, jerk: float
) -> None:
    """Seven segments with peaks v and a take d/v + v/a + a/j, if none of them is negative."""
    share = np.geomspace(1e-3, 1.0, 200)
    v, a = np.meshgrid(velocity * share, acceleration * share)
    exists = (v / a >= a / jerk) & (distance / v >= v / a + a / jerk)
    fastest = np.min(np.where(exists, distance / v + v / a + a / jerk, np.inf))
    assert plan_scurve(distance, velocity, acceleration, jerk).duration_s <= fastest * (1 + 1e-9)


@given(distances, positive, positive, positive, st.floats(1.0, 20.0))
def test_slowed_is_the_same_path_at_another_pace(
    distance: float, velocity: float, acceleration: float, jerk: float, factor: float
) -> None:
    curve = plan_scurve(distance, velocity, acceleration, jerk)
    slow = curve.slowed(factor)
    t = np.linspace(0.0, curve.duration_s, 50)
    x, v, a = curve.sample(t)
    x_slow, v_slow, a_slow = slow.sample(t * factor)
    assert_allclose(x_slow, x, atol=1e-9 * distance)
    assert_allclose(v_slow * factor, v, atol=1e-9 * curve.peak_velocity)
    assert_allclose(a_slow * factor**2, a, atol=1e-6 * curve.peak_acceleration)


def test_shape_of_the_times_is_kept() -> None:
    curve = plan_scurve(1.0, 1.0, 1.0, 1.0)
    assert curve.sample(0.3)[0].shape == ()
    assert curve.sample(np.zeros((2, 3)))[1].shape == (2, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        (-1.0, 1.0, 1.0, 1.0),
        (np.nan, 1.0, 1.0, 1.0),
        (np.inf, 1.0, 1.0, 1.0),
        (1.0, 0.0, 1.0, 1.0),
        (1.0, 1.0, -1.0, 1.0),
        (1.0, 1.0, 1.0, np.nan),
    ],
)
def test_impossible_arguments_are_refused(arguments: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="no S-curve"):
        plan_scurve(*arguments)
