"""The whole positioning chain over the simulated world with ideal joints: no firmware, no bus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import guidearm_hil
from guidearm.calibration import tool
from guidearm.geometry import Array, inverse, rotation_z, transform
from guidearm.kinematics import Arm, load_arm
from guidearm.mapping import Registration, read_registration
from guidearm.planning import Plan, read_plan
from guidearm.positioning import (
    Correction,
    CorrectionLimits,
    GateVerdict,
    GuideMeasurement,
    contributions,
    correct,
    judge,
    locate_camera,
    measure_guide,
    planned_line,
    registration_error,
)
from guidearm.tracking import TrackerFrame
from guidearm_hil.judge import Judge, TrueError
from guidearm_hil.tracker import VirtualTracker
from guidearm_hil.world import Faults, World

DATA = Path(guidearm_hil.__file__).parent / "data"
STANDOFF_M = 0.010
LOCATE_S = 2.0
MEASURE_S = 8.5


def demo_inputs() -> tuple[Arm, Registration, Plan]:
    return (
        load_arm("guide6"),
        read_registration(DATA / "registration.json"),
        read_plan(DATA / "plan.mrk.json"),
    )


@dataclass(frozen=True)
class Outcome:
    correction: Correction
    verdict: GateVerdict
    uncorrected: TrueError
    truth: TrueError


class IdealArm:
    """Joints that are at once where they are sent."""

    def __init__(self, world: World) -> None:
        self.now_s = 0.0
        self.world = world
        self.q = np.array(world.arm.home)
        self.tracker = VirtualTracker(world, lambda _: self.q, lambda: self.now_s)
        self.T_flange_guide = tool(world.hand_eye, world.guide)

    def watch(self, duration_s: float) -> list[TrackerFrame]:
        """Frames exposed while the arm rests from now on for a while."""
        since_s = self.now_s
        self.now_s += duration_s + self.world.data_sheet.latency_s
        return [frame for frame in self.tracker.poll() if frame.time_s >= since_s]

    def go(self, T_base_guide: Array) -> None:
        """Move to a pose of the guide, roll as given, nearest posture."""
        T_base_flange = T_base_guide @ inverse(self.T_flange_guide)
        self.q = self.world.arm.nearest(T_base_flange, self.q)
        self.now_s += 1.0

    def best_roll(self, T_base_line: Array) -> Array:
        """Turn a pose about its axis until the arm is far from singularities."""
        arm = self.world.arm
        best, found = T_base_line, -1.0
        for roll in np.linspace(0.0, 2.0 * math.pi, 72, endpoint=False):
            pose = T_base_line @ transform(rotation_z(roll), np.zeros(3))
            for q in arm.inverse(pose @ inverse(self.T_flange_guide)):
                score = float(arm.singularity(q)) - 0.1 * float(np.max(np.abs(q - self.q)))
                if score > found:
                    best, found = pose, score
        return best


def run(
    seed: int,
    *,
    tracker_noise_m: float | None = None,
    faults: Faults | None = None,
    limits: CorrectionLimits | None = None,
) -> Outcome:
    arm, registration, plan = demo_inputs()
    world = World(arm, seed, registration, plan, tracker_noise_m=tracker_noise_m, faults=faults)
    rig = IdealArm(world)
    line = planned_line(plan, registration)

    T_base_camera = locate_camera(arm.forward(rig.q), world.hand_eye, rig.watch(LOCATE_S))
    T_camera_patient = measure_guide(rig.watch(MEASURE_S), line, world.guide).T_camera_patient
    command = rig.best_roll(T_base_camera @ T_camera_patient @ line.pose(STANDOFF_M))
    rig.go(command)
    uncorrected = Judge(world).error(rig.q)

    def measure() -> GuideMeasurement:
        return measure_guide(rig.watch(MEASURE_S), line, world.guide, standoff_m=STANDOFF_M)

    correction = correct(line, command, T_base_camera, measure=measure, move=rig.go, limits=limits)
    table = contributions(
        line,
        correction.final,
        world.data_sheet,
        world.guide,
        world.mount,
        registration_error(registration, 0.999),
    )
    verdict = judge(
        correction.final,
        table,
        now_s=rig.now_s,
        latency_s=world.data_sheet.latency_s,
        markers_visible=True,
        arm_at_rest=True,
    )
    return Outcome(correction, verdict, uncorrected, Judge(world).error(rig.q))


@pytest.fixture(scope="module")
def plain() -> list[Outcome]:
    return [run(seed) for seed in range(1, 21)]


def test_true_errors_meet_the_budget(plain: list[Outcome]) -> None:
    worst = [outcome.truth.worst_mm for outcome in plain]
    assert float(np.median(worst)) <= 0.30
    assert sum(w <= 0.5 for w in worst) >= 19
    assert max(worst) <= 0.7
    assert max(outcome.truth.angle_deg for outcome in plain) <= 0.5
    assert all(outcome.correction.converged for outcome in plain)
    for outcome in plain:
        assert outcome.truth.depth_mm == pytest.approx(-STANDOFF_M * 1e3, abs=0.5)


def test_the_bound_is_under_the_limit_and_over_the_truth(plain: list[Outcome]) -> None:
    for outcome in plain:
        assert outcome.verdict.passed
        assert outcome.truth.entry_mm < outcome.verdict.entry_mm < 1.0
        assert outcome.truth.target_mm < outcome.verdict.target_mm < 1.0
        assert outcome.verdict.bound95_mm < outcome.verdict.bound_mm


def test_declared_uncertainty_is_neither_too_small_nor_too_large(plain: list[Outcome]) -> None:
    """Squared true errors, in units of the declared covariance, have mean 1: here 40 of them."""
    moving = ("residual motion", "latency")  # Not in the truth, a mean over a breath.
    ratios: list[float] = []
    for outcome in plain:
        table = [c for c in outcome.verdict.contributions if c.name not in moving]
        ratios.append(outcome.truth.entry_mm**2 / sum(c.entry_mm**2 for c in table))
        ratios.append(outcome.truth.target_mm**2 / sum(c.target_mm**2 for c in table))
    # The scatter of a mean of 20 independent ratios of two degrees of freedom is 0.22.
    assert 0.4 < float(np.mean(ratios)) < 1.7


def test_correcting_is_better_than_not(plain: list[Outcome]) -> None:
    before = np.median([outcome.uncorrected.worst_mm for outcome in plain])
    after = np.median([outcome.truth.worst_mm for outcome in plain])
    assert after < 0.6 * before


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_tracker_of_0_6_mm_is_not_released(seed: int) -> None:
    outcome = run(seed, tracker_noise_m=0.6e-3)
    assert not outcome.verdict.passed
    assert len(outcome.verdict.reasons) == 1
    assert "with 99.9 % confidence, 1 mm is allowed" in outcome.verdict.reasons[0]


@pytest.mark.parametrize(
    "faults",
    [
        # Joint 2 is half a metre from the tip.
        Faults(joint_2_rad=2e-3 / 0.5),
        Faults(flange_marker_m=2e-3),
        # Between locating the camera and looking at the patient.
        Faults(camera_m=2e-3, camera_at_s=LOCATE_S + 0.05),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_errors_the_tracker_sees_are_corrected_before_a_release(seed: int, faults: Faults) -> None:
    outcome = run(seed, faults=faults)
    assert outcome.verdict.passed
    assert outcome.truth.worst_mm < 0.7


def test_without_correction_a_camera_2_mm_off_is_not_released() -> None:
    faults = Faults(camera_m=2e-3, camera_at_s=LOCATE_S + 0.05)
    never = CorrectionLimits(iterations=0)
    outcomes = [run(seed, faults=faults, limits=never) for seed in range(1, 5)]
    over = [outcome for outcome in outcomes if outcome.truth.worst_mm > 1.0]
    assert len(over) >= 2
    assert not any(outcome.verdict.passed for outcome in over)
    for outcome in outcomes:
        assert outcome.truth == outcome.uncorrected
        assert outcome.truth.worst_mm < outcome.verdict.bound_mm
