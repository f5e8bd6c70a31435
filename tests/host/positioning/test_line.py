from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import guidearm_hil
from guidearm.errors import PlanError
from guidearm.geometry import apply, inverse, perturbation
from guidearm.mapping import Registration, read_registration
from guidearm.planning import Plan, read_plan
from guidearm.positioning import Line, line_error, planned_line

DATA = Path(guidearm_hil.__file__).parent / "data"
LINE = Line(np.array([0.01, 0.02, 0.03]), np.array([0.02, -0.01, -0.01]))
small = st.floats(-0.05, 0.05)


def test_a_guide_on_the_line_has_no_error() -> None:
    error = line_error(LINE, LINE.pose(0.01), standoff_m=0.01)
    np.testing.assert_allclose(error.entry, 0.0, atol=1e-15)
    np.testing.assert_allclose(error.target, 0.0, atol=1e-15)
    assert float(error.depth_m) == pytest.approx(0.0, abs=1e-15)
    assert float(error.angle_rad) == pytest.approx(0.0, abs=1e-12)


def test_depth_alone_is_no_lateral_error() -> None:
    error = line_error(LINE, LINE.pose(0.02), standoff_m=0.01)
    assert float(error.depth_m) == pytest.approx(-0.01)
    assert error.worst_m < 1e-15


@given(x=small, y=small, roll=st.floats(-3.0, 3.0))
def test_lateral_error_is_the_shift_whatever_the_roll(x: float, y: float, roll: float) -> None:
    shift = perturbation(np.zeros(3), np.zeros(3))
    shift[:3, 3] = np.array([x, y]) @ LINE.plane
    guide = shift @ LINE.pose() @ perturbation(np.zeros(3), [0.0, 0.0, roll])
    error = line_error(LINE, guide)
    np.testing.assert_allclose(error.entry, [x, y], atol=1e-12)
    np.testing.assert_allclose(error.target, [x, y], atol=1e-12)


@given(tilt=st.floats(-0.3, 0.3), standoff=st.floats(0.0, 0.05))
def test_tilt_about_the_end_is_seen_where_the_axis_pierces_the_planes(
    tilt: float, standoff: float
) -> None:
    guide = LINE.pose(standoff) @ perturbation(np.zeros(3), [tilt, 0.0, 0.0])
    error = line_error(LINE, guide, standoff)
    length = float(np.linalg.norm(LINE.target - LINE.entry))
    assert float(np.linalg.norm(error.entry)) == pytest.approx(
        standoff * abs(math.tan(tilt)), abs=1e-12
    )
    assert float(np.linalg.norm(error.target)) == pytest.approx(
        (standoff + length) * abs(math.tan(tilt)), abs=1e-12
    )
    assert float(error.angle_rad) == pytest.approx(abs(tilt), abs=1e-12)


def test_poses_may_come_in_batches() -> None:
    one = LINE.pose() @ perturbation([1e-3, 2e-3, 3e-3], [0.01, 0.02, 0.0])
    many = line_error(LINE, np.stack([LINE.pose(), one]))
    single = line_error(LINE, one)
    np.testing.assert_allclose(many.entry[1], single.entry)
    np.testing.assert_allclose(many.target[1], single.target)
    assert many.depth_m.shape == many.angle_rad.shape == (2,)


# ---- from the plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_plan(DATA / "plan.mrk.json")


@pytest.fixture(scope="module")
def registration() -> Registration:
    return read_registration(DATA / "registration.json")


def swapped(plan: Plan) -> Plan:
    return replace(plan, entry_image=plan.target_image, target_image=plan.entry_image)


def test_a_plan_is_brought_into_the_patients_frame(plan: Plan, registration: Registration) -> None:
    line = planned_line(plan, registration)
    T_image_patient = inverse(registration.T_patient_image)
    np.testing.assert_allclose(apply(T_image_patient, line.entry), plan.entry_image, atol=1e-12)
    np.testing.assert_allclose(apply(T_image_patient, line.target), plan.target_image, atol=1e-12)


def test_a_plan_with_its_ends_swapped_is_refused(plan: Plan, registration: Registration) -> None:
    with pytest.raises(PlanError) as told:
        planned_line(swapped(plan), registration)
    assert str(told.value) == (
        'the plan "L3 left pedicle" would be approached from the side away from the reference '
        "marker: are entry and target swapped?"
    )


def test_a_plan_in_the_wrong_axes_is_refused(plan: Plan, registration: Registration) -> None:
    flip = np.array([-1.0, -1.0, 1.0])
    mislabelled = replace(
        plan, entry_image=flip * plan.entry_image, target_image=flip * plan.target_image
    )
    with pytest.raises(PlanError) as told:
        planned_line(mislabelled, registration)
    assert str(told.value) == (
        'the plan "L3 left pedicle" has its entry 138 mm from the centre of the registration\'s '
        "fiducials, 116 mm is allowed: are its coordinates LPS or RAS as the file says, and is it "
        "on this patient's image?"
    )


def test_entry_and_target_both_lie_among_the_fiducials(
    plan: Plan, registration: Registration
) -> None:
    """Up to twice their radius from their centre, in any direction."""
    centroid = registration.fiducials_image.mean(axis=0)
    spread = registration.fiducials_image - centroid
    radius_m = float(np.linalg.norm(spread)) / math.sqrt(len(spread))
    far = centroid + 2.0 * radius_m * plan.direction
    near = far - 0.04 * plan.direction
    planned_line(
        replace(plan, entry_image=near, target_image=far - 1e-6 * plan.direction), registration
    )
    beyond = far + 1e-3 * plan.direction
    with pytest.raises(PlanError, match="has its target 117 mm from"):
        planned_line(replace(plan, entry_image=near, target_image=beyond), registration)


@given(marker=st.tuples(small, small, small))
def test_of_a_plan_and_its_swap_one_at_most_is_taken(
    marker: tuple[float, float, float], plan: Plan, registration: Registration
) -> None:
    """Wherever the marker stands."""
    shift = perturbation(np.array(marker), np.zeros(3))
    moved = replace(registration, T_patient_image=shift @ registration.T_patient_image)
    refused: list[PlanError] = []
    for candidate in (plan, swapped(plan)):
        try:
            planned_line(candidate, moved)
        except PlanError as error:
            refused.append(error)
    assert refused
