from __future__ import annotations

import math

import numpy as np
import pytest

from guidearm.errors import MarkerLostError
from guidearm.geometry import Array, perturbation
from guidearm.positioning import MarkerSupervisor, Vision
from guidearm.tracking import (
    ARM_MARKER,
    PATIENT,
    DataSheet,
    MarkerPose,
    MarkerStatus,
    TrackerFrame,
)

SHEET = DataSheet()
POSES = {
    PATIENT: perturbation([0.1, -0.05, 1.4], [0.3, 2.0, -0.4]),
    ARM_MARKER: perturbation([-0.1, 0.05, 1.3], [0.0, 1.0, 0.2]),
}


class Scene:
    """Frames at 60 Hz, late by the latency; markers covered and displaced as told."""

    def __init__(self, supervisor: MarkerSupervisor | None = None) -> None:
        self.supervisor = supervisor or MarkerSupervisor(SHEET, start_s=0.0)
        self.covered: dict[str, tuple[float, float]] = {}
        self.displaced: dict[str, Array] = {}
        self.silent_from_s = math.inf
        self.noise = np.random.default_rng(2)
        self.number = 0

    def run(self, until_s: float) -> list[tuple[float, Vision]]:
        """Record what the supervisor says as each frame arrives, until a host time."""
        said: list[tuple[float, Vision]] = []
        while (now_s := self.number / 60 + SHEET.latency_s) <= until_s:
            silent = self.number / 60 >= self.silent_from_s
            said.append((now_s, self.supervisor.update(now_s, [] if silent else [self.frame()])))
            self.number += 1
        return said

    def frame(self) -> TrackerFrame:
        time_s = self.number / 60
        markers: dict[str, MarkerPose] = {}
        for name, pose in POSES.items():
            start_s, end_s = self.covered.get(name, (math.inf, math.inf))
            if start_s <= time_s < end_s:
                markers[name] = MarkerPose(MarkerStatus.MISSING)
                continue
            moved = self.displaced.get(name, np.eye(4)) if time_s >= end_s else np.eye(4)
            jitter = perturbation(self.noise.normal(0.0, 0.03e-3, 3), np.zeros(3))
            markers[name] = MarkerPose(MarkerStatus.VALID, pose @ moved @ jitter)
        return TrackerFrame(self.number, time_s, markers)


def first(said: list[tuple[float, Vision]], vision: Vision) -> float:
    return next(now_s for now_s, v in said if v is vision)


def test_clear_sight_stays_clear() -> None:
    assert {v for _, v in Scene().run(3.0)} == {Vision.CLEAR}


def test_gate_off_at_once_hold_after_100_ms_resume_on_agreement() -> None:
    scene = Scene()
    scene.covered[PATIENT] = (1.0, 2.0)
    said = scene.run(4.0)
    # The first frame without the marker arrives one latency after its exposure.
    assert first(said, Vision.BLIND) == pytest.approx(1.0 + SHEET.latency_s)
    assert first(said, Vision.HOLD) == pytest.approx(1.1, abs=1 / 60)
    resumed = max(now_s for now_s, v in said if v is Vision.HOLD)
    # Five frames of agreement are asked for after a hold.
    assert resumed == pytest.approx(2.0 + SHEET.latency_s + 3 / 60, abs=1 / 60)
    assert said[-1][1] is Vision.CLEAR


def test_a_single_missed_frame_neither_holds_nor_lasts() -> None:
    scene = Scene()
    scene.covered[ARM_MARKER] = (1.0, 1.0 + 1 / 60)
    said = scene.run(2.0)
    assert [v for _, v in said].count(Vision.BLIND) == 1
    assert Vision.HOLD not in {v for _, v in said}


def test_a_marker_that_stays_away_is_given_up_by_name_and_time() -> None:
    scene = Scene()
    scene.covered[PATIENT] = (1.0, 10.0)
    with pytest.raises(MarkerLostError, match=r"'patient' was lost for 2\.0 s: the arm holds"):
        scene.run(5.0)
    assert scene.supervisor.lost == (PATIENT,)
    assert scene.number / 60 + SHEET.latency_s == pytest.approx(3.0, abs=2 / 60)


@pytest.mark.parametrize(
    "moved", [perturbation([3e-3, 0, 0], np.zeros(3)), perturbation(np.zeros(3), [0, 0, 0.04])]
)
def test_a_marker_that_comes_back_elsewhere_is_not_believed(moved: Array) -> None:
    scene = Scene()
    scene.covered[PATIENT] = (1.0, 1.5)
    scene.displaced[PATIENT] = moved
    with pytest.raises(MarkerLostError, match=r"came back \d\.\d mm from where it was"):
        scene.run(5.0)


def test_a_jump_behind_a_blink_holds_too() -> None:
    scene = Scene()
    scene.covered[PATIENT] = (1.0, 1.0 + 1 / 60)
    scene.displaced[PATIENT] = perturbation([5e-3, 0, 0], np.zeros(3))
    assert scene.run(1.5)[-1][1] is Vision.HOLD


def test_breathing_meanwhile_is_no_displacement() -> None:
    scene = Scene()
    scene.covered[PATIENT] = (1.0, 2.0)
    scene.displaced[PATIENT] = perturbation([0.6e-3, 0, 0], np.zeros(3))
    assert scene.run(3.0)[-1][1] is Vision.CLEAR


def test_a_silent_tracker_is_a_loss_of_every_marker() -> None:
    scene = Scene()
    scene.silent_from_s = 1.0
    said = scene.run(2.0)
    # Four periods without a frame that should have come, and the last one is over 100 ms old.
    assert first(said, Vision.HOLD) == pytest.approx(1.0 + SHEET.latency_s + 4 / 60, abs=2 / 60)
    assert scene.supervisor.lost == (PATIENT, ARM_MARKER)
    with pytest.raises(MarkerLostError, match=r"lost for 2\.0 s"):
        scene.run(4.0)


def test_silence_from_the_start_is_a_loss() -> None:
    supervisor = MarkerSupervisor(SHEET, start_s=5.0)
    assert supervisor.update(5.05, []) is Vision.CLEAR
    assert supervisor.update(5.2, []) is Vision.HOLD


def test_a_moving_arm_is_compared_with_where_the_joints_say() -> None:
    # The arm marker travels 20 mm while it is hidden, as the joints report.
    def shift(time_s: float) -> Array:
        return perturbation([0.02 if time_s >= 1.0 else 0.0, 0.0, 0.0], np.zeros(3))

    def expected(name: str, time_s: float) -> Array | None:
        return POSES[name] @ shift(time_s) if name == ARM_MARKER else None

    for supervisor, last in (
        (MarkerSupervisor(SHEET, start_s=0.0, expected=expected), Vision.CLEAR),
        (MarkerSupervisor(SHEET, start_s=0.0), Vision.HOLD),
    ):
        scene = Scene(supervisor)
        scene.covered[ARM_MARKER] = (1.0, 1.3)
        scene.displaced[ARM_MARKER] = shift(2.0)
        assert scene.run(2.5)[-1][1] is last
