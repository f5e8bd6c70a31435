from __future__ import annotations

import numpy as np
import pytest

from guidearm.errors import MotionError, SingularityError, UnreachableError
from guidearm.geometry import Array, frame_along, inverse, transform
from guidearm.kinematics import Arm, load_arm
from guidearm.kinematics.clearance import Floor, Rod, Room
from guidearm.motion import LineMove
from guidearm.procedure import path
from guidearm.procedure.path import APPROACH_M, APPROACH_M_S, plan_path, straight

LINE = transform(
    np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]), np.array([0.42, 0.05, 0.2])
)


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("guide6")


def guide_at(arm: Arm, q: Array) -> Array:
    return arm.forward(q) @ arm.T_flange_guide


def test_the_way_ends_on_the_line_and_comes_along_it(arm: Arm) -> None:
    planned = plan_path(arm, arm.T_flange_guide, LINE, arm.home, speed=0.5)
    transfer, approach = planned.transfer, planned.approach
    first, _ = transfer.sample(np.array([0.0, transfer.duration_s]))
    assert np.allclose(first[0], arm.home, atol=1e-12)
    assert np.allclose(first[1], planned.candidate.q, atol=1e-12)
    t = np.linspace(0.0, approach.duration_s, 200)
    q, qd = approach.sample(t)
    assert np.allclose(q[0], planned.candidate.q, atol=1e-12)
    assert np.allclose(qd[[0, -1]], 0.0, atol=1e-9)
    seen = inverse(LINE) @ guide_at(arm, q)
    # the guide's axis is the line's all the way, and its end comes down from 60 mm before
    assert np.max(np.abs(seen[:, :2, 3])) < 10e-6
    assert np.min(seen[:, 2, 2]) > np.cos(np.radians(0.01))
    assert np.all(np.diff(seen[:, 2, 3]) > -1e-9)
    assert seen[0, 2, 3] == pytest.approx(-APPROACH_M, abs=1e-6)
    assert seen[-1, 2, 3] == pytest.approx(0.0, abs=1e-6)
    assert np.allclose(seen[-1], inverse(LINE) @ planned.T_base_guide, atol=1e-6)
    assert approach.speed_m_s <= APPROACH_M_S * (1 + 1e-9)
    assert planned.duration_s == transfer.duration_s + approach.duration_s
    assert planned.refused == 0


def test_speed_scales_the_joint_move_and_not_the_approach(arm: Arm) -> None:
    slow, fast = (
        plan_path(arm, arm.T_flange_guide, LINE, arm.home, speed=speed) for speed in (0.25, 1.0)
    )
    assert slow.transfer.duration_s > 1.5 * fast.transfer.duration_s
    assert slow.approach.duration_s == fast.approach.duration_s


def test_a_posture_that_cannot_take_the_approach_is_passed_over(
    arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = plan_path(arm, arm.T_flange_guide, LINE, arm.home, speed=0.5)
    refusals = [SingularityError("the first cannot"), SingularityError("nor the second")]

    def choosy(
        arm: Arm, guide: Array, T_base_guide: Array, q: Array, speed_m_s: float, label: str
    ) -> LineMove:
        if refusals:
            raise refusals.pop(0)
        return straight(arm, guide, T_base_guide, q, speed_m_s, label)

    monkeypatch.setattr(path, "straight", choosy)
    second = plan_path(arm, arm.T_flange_guide, LINE, arm.home, speed=0.5)
    assert second.refused == 2
    assert np.max(np.abs(second.candidate.q - best.candidate.q)) > np.radians(5)
    assert second.candidate.cost >= best.candidate.cost
    assert np.allclose(second.T_base_guide[:3, 2:], LINE[:3, 2:], atol=1e-9)


def test_if_none_can_the_reason_of_the_best_is_told(
    arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Array] = []

    def never(_arm: Arm, _guide: Array, _end: Array, q: Array, _speed: float, _label: str) -> None:
        tried.append(q)
        raise SingularityError(f"posture {len(tried)}")

    monkeypatch.setattr(path, "straight", never)
    with pytest.raises(SingularityError, match=r"^posture 1$"):
        plan_path(arm, arm.T_flange_guide, LINE, arm.home, speed=0.5)
    assert 1 < len(tried) <= 24
    apart = [np.max(np.abs(a - b)) for i, a in enumerate(tried) for b in tried[:i]]
    assert min(apart) > np.radians(5)


def test_a_line_out_of_reach_has_no_way(arm: Arm) -> None:
    far = frame_along(np.array([1.2, 0.0, 0.3]), np.array([1.0, 0.0, 0.0]))
    with pytest.raises(UnreachableError, match="2880 out of reach"):
        plan_path(arm, arm.T_flange_guide, far, arm.home, speed=0.5)


def test_a_posture_that_meets_the_room_is_passed_over(arm: Arm) -> None:
    free = plan_path(arm, arm.T_flange_guide, LINE, arm.home, speed=0.5)
    marker = (arm.forward(free.candidate.q) @ arm.T_flange_arm_marker)[:3, 3]
    lamp = Rod("lamp", marker, marker + np.array([0.0, 0.0, 0.5]), 0.01)
    around = plan_path(arm, arm.T_flange_guide, LINE, arm.home, speed=0.5, room=Room((lamp,)))
    assert all(finding.ok for finding in around.findings)
    t = np.linspace(0.0, around.approach.duration_s, 200)
    assert arm.clearances(around.approach.sample(t)[0], Room((lamp,))).least.min() > 0.002


def test_a_plan_within_a_keep_out_names_who_meets_what(arm: Arm) -> None:
    wall = Floor("ceiling", np.array([0.0, 0.0, 0.3]), np.array([0.0, 0.0, -1.0]))
    with pytest.raises(MotionError, match=r"none of \d+ postures is clear.* meets"):
        plan_path(arm, arm.T_flange_guide, LINE, arm.home, speed=0.5, room=Room((wall,)))
