"""The simulated operating room itself: what it promises about noise, truth and faults."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import guidearm_hil
from guidearm.errors import TrackingError
from guidearm.geometry import Array, apply, inverse, log_so3
from guidearm.kinematics import load_arm
from guidearm.mapping import read_registration
from guidearm.planning import read_plan
from guidearm.tracking import ARM_MARKER, PATIENT, MarkerStatus, default_spheres
from guidearm_hil.judge import Judge
from guidearm_hil.optics import CORRELATION_M, StaticField, fit_poses
from guidearm_hil.tracker import VirtualTracker
from guidearm_hil.world import Faults, World

DATA = Path(str(guidearm_hil.__file__)).parent / "data"
ARM = load_arm("guide6")
HOME = np.asarray(ARM.home, dtype=np.float64)
REGISTRATION = read_registration(DATA / "registration.json")
PLAN = read_plan(DATA / "plan.mrk.json")


def world(
    seed: int = 1, *, tracker_noise_m: float | None = None, faults: Faults | None = None
) -> World:
    return World(ARM, seed, REGISTRATION, PLAN, tracker_noise_m=tracker_noise_m, faults=faults)


def tracker(of: World, now: Callable[[], float] = lambda: 0.0) -> VirtualTracker:
    return VirtualTracker(of, lambda _: HOME, now)


def test_demo_plan_is_a_pedicle_and_its_reference_is_139_mm_away() -> None:
    REGISTRATION.check_image(PLAN.image_uid)
    assert 1e3 * PLAN.depth_m == pytest.approx(45.0, abs=0.1)
    left, posterior, _ = PLAN.direction
    # A left pedicle: towards the midline (to the right) and forwards.
    assert left < 0.0 and posterior < 0.0
    assert math.degrees(math.atan2(-left, -posterior)) == pytest.approx(17.0, abs=0.2)
    target_patient = apply(REGISTRATION.T_patient_image, PLAN.target_image)
    assert 1e3 * float(np.linalg.norm(target_patient)) == pytest.approx(139.0, abs=0.2)
    assert REGISTRATION.residual_m == pytest.approx(0.1e-3)


def test_same_seed_same_frames_however_they_are_asked_for() -> None:
    one = tracker(world(5)).frames(range(40, 140))
    two = [
        f for k in range(40, 140, 7) for f in tracker(world(5)).frames(range(k, min(k + 7, 140)))
    ]
    for a, b in zip(one, two, strict=True):
        assert (a.number, a.time_s) == (b.number, b.time_s)
        for name in (PATIENT, ARM_MARKER):
            np.testing.assert_allclose(a.transform(name), b.transform(name), atol=1e-14)
    other = tracker(world(6)).frames(range(40, 41))[0]
    assert not np.allclose(other.transform(PATIENT), one[0].transform(PATIENT))


def test_frames_come_one_latency_late_and_once() -> None:
    now = [0.0]
    seen = tracker(world(), lambda: now[0])
    assert seen.poll() == []
    now[0] = 0.06
    assert [f.number for f in seen.poll()] == [0]
    assert seen.poll() == []
    now[0] = 0.06 + 10.5 / 60
    assert [f.number for f in seen.poll()] == list(range(1, 11))
    now[0] = 100.0
    backlog = seen.poll()
    assert len(backlog) == 1200
    assert backlog[-1].time_s <= 100.0 - 0.06
    seen.close()
    with pytest.raises(TrackingError, match="closed"):
        seen.poll()


def test_a_hidden_marker_is_missing_for_just_that_time() -> None:
    seen = tracker(world())
    seen.hide(PATIENT, 1.0, 2.0)
    for frame in seen.frames(range(0, 180)):
        expected = MarkerStatus.MISSING if 1.0 <= frame.time_s < 2.0 else MarkerStatus.VALID
        assert frame.status(PATIENT) is expected
        assert frame.sees(ARM_MARKER)


def test_static_field_has_its_size_and_correlation() -> None:
    rms_m = 0.09e-3
    start = np.tile([0.1, 0.2, 1.4], (4, 1))
    near, far = start + np.array([[CORRELATION_M, 0.0, 0.0]]), start + np.array([[0.0, 0.2, 0.0]])
    here: list[Array] = []
    products: list[list[float]] = []
    for seed in range(300):
        field = StaticField(np.random.default_rng(seed), 4, rms_m)
        a = field.at(start)
        here.append(a)
        products.append([float(np.sum(a * field.at(p))) for p in (near, far)])
    total = float(np.sum(np.stack(here) ** 2)) / (300 * 4)
    assert math.sqrt(total) == pytest.approx(rms_m, rel=0.05)
    at_one_length, far_away = np.mean(products, axis=0) / (4 * total)
    assert at_one_length == pytest.approx(math.exp(-0.5), abs=0.07)
    assert far_away == pytest.approx(0.0, abs=0.07)


def test_static_error_stays_and_white_error_is_what_is_declared() -> None:
    room = world(3)
    frames = tracker(room).frames(range(0, 600))
    spheres = room.data_sheet.spheres(ARM_MARKER)
    seen = np.stack([apply(f.transform(ARM_MARKER), spheres) for f in frames])
    true = apply(inverse(room.T_base_camera(0.0)) @ room.T_base_arm_marker(HOME), spheres)
    # A rigid fit keeps 6 of the 12 degrees of freedom of four spheres' noise.
    white = math.sqrt(float(np.sum((seen - seen.mean(axis=0)) ** 2)) / (600 * 4) * 2.0)
    assert white == pytest.approx(room.data_sheet.fle_white_m, rel=0.03)
    bias = float(np.linalg.norm(seen.mean(axis=0) - true)) / 2.0
    assert 0.02e-3 < bias < 0.15e-3


def test_fit_undoes_a_pose() -> None:
    room = world()
    spheres = default_spheres(PATIENT)
    poses = np.stack([room.T_base_camera(0.0), room.patient.T_base_patient(0.0)])
    found = fit_poses(spheres, apply(poses[:, None], spheres))
    np.testing.assert_allclose(found, poses, atol=1e-12)


def test_what_the_host_is_told_is_off_by_what_it_is_told() -> None:
    squares = np.zeros(4)
    count = 150
    for seed in range(count):
        room = world(seed)
        hand_eye = inverse(room.T_flange_arm_marker) @ room.hand_eye.T_flange_arm_marker
        guide = inverse(room.T_arm_marker_guide) @ room.guide.T_arm_marker_guide
        for k, error in enumerate((hand_eye, guide)):
            squares[k] += float(error[:3, 3] @ error[:3, 3]) / count
            squares[k + 2] += float(np.sum(log_so3(error[:3, :3]) ** 2)) / count
    hand_eye_m, guide_m, hand_eye_rad, guide_rad = np.sqrt(squares)
    assert hand_eye_m == pytest.approx(0.1e-3, rel=0.1)
    assert hand_eye_rad == pytest.approx(0.67e-3, rel=0.1)
    # The sleeve's seat adds 0.05 mm and 0.3 mrad to the guide's.
    assert guide_m == pytest.approx(math.hypot(0.1, 0.05) * 1e-3, rel=0.1)
    assert guide_rad == pytest.approx(math.hypot(0.67, 0.3) * 1e-3, rel=0.1)


def test_marker_and_vertebra_breathe_together_by_0_3_mm() -> None:
    patient = world().patient
    times = np.arange(0.0, 4.0, 0.01)
    entry = apply(patient.T_base_vertebra(times), PLAN.entry_image)
    about = entry - entry.mean(axis=0)
    assert float(np.max(np.linalg.norm(about, axis=1))) == pytest.approx(0.3e-3, rel=0.01)
    # Prone: mostly up and down.
    assert float(np.ptp(about[:, 2])) > 0.85 * 0.6e-3
    relative = inverse(patient.T_base_patient(times)) @ patient.T_base_vertebra(times)
    np.testing.assert_allclose(relative, np.broadcast_to(relative[0], relative.shape), atol=1e-12)


def test_a_fault_changes_nothing_else_in_the_world() -> None:
    plain = world(4)
    bumped = world(4, faults=Faults(camera_m=2e-3, camera_at_s=1.0))
    np.testing.assert_array_equal(plain.T_base_camera(0.5), bumped.T_base_camera(0.5))
    moved = bumped.T_base_camera(1.0)[:3, 3] - plain.T_base_camera(1.0)[:3, 3]
    assert float(np.linalg.norm(moved)) == pytest.approx(2e-3)
    wrong = world(4, faults=Faults(flange_marker_m=2e-3))
    shift = wrong.hand_eye.T_flange_arm_marker - plain.hand_eye.T_flange_arm_marker
    assert float(np.linalg.norm(shift)) == pytest.approx(2e-3)
    turned = world(4, faults=Faults(joint_2_rad=4e-3))
    q = HOME + np.array([0.0, 4e-3, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(turned.T_base_guide(HOME), plain.T_base_guide(q), atol=1e-12)
    for other in (bumped, wrong, turned):
        np.testing.assert_array_equal(
            other.patient.T_base_patient(2.0), plain.patient.T_base_patient(2.0)
        )
        np.testing.assert_array_equal(
            other.guide.T_arm_marker_guide, plain.guide.T_arm_marker_guide
        )


def test_the_judge_sees_no_error_where_there_is_none() -> None:
    """The judge against a guide put on the true line by another route, and shifted off it."""
    room = world(2)
    mean = 0.5 * (room.patient.T_base_vertebra(0.0) + room.patient.T_base_vertebra(2.0))
    entry, target = apply(mean, PLAN.entry_image), apply(mean, PLAN.target_image)
    axis = (target - entry) / np.linalg.norm(target - entry)
    aside = np.cross(axis, [0.0, 1.0, 0.0])
    aside /= np.linalg.norm(aside)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([aside, np.cross(axis, aside), axis], axis=1)
    pose[:3, 3] = entry - 0.01 * axis
    room.T_base_guide = lambda q: pose
    on_line = Judge(room).error(HOME)
    assert on_line.worst_mm < 1e-9
    assert on_line.angle_deg < 1e-9
    assert on_line.depth_mm == pytest.approx(-10.0)
    pose[:3, 3] += 0.4e-3 * aside
    shifted = Judge(room).error(HOME)
    assert shifted.entry_mm == pytest.approx(0.4)
    assert shifted.target_mm == pytest.approx(0.4)
