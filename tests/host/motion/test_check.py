"""What a whole motion is judged by: every finding seen good, and seen bad."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guidearm.errors import MotionError
from guidearm.kinematics import Arm, load_arm
from guidearm.kinematics.clearance import Rod, Room
from guidearm.motion import joint_move, line_move
from guidearm.motion.check import Finding, check_motion, refuse_unless_good


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("guide6")


def found(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if name in finding.name)


def test_a_move_at_full_speed_uses_what_the_joints_have_and_no_more(arm: Arm) -> None:
    goal = arm.home + np.radians([80.0, 10.0, -10.0, 5.0, 5.0, 20.0])
    findings = check_motion(joint_move(arm.home, goal, arm, 1.0), arm)
    assert all(finding.ok for finding in findings)
    assert found(findings, "speed").measured == pytest.approx(1.0, abs=2e-3)
    assert found(findings, "speed").detail.startswith("joint 1,")
    assert found(findings, "acceleration").measured == pytest.approx(1.0, abs=0.02)
    refuse_unless_good(findings)


def test_weaker_joints_are_found(arm: Arm) -> None:
    move = joint_move(arm.home, arm.home + np.radians([60.0, 0, 0, 0, 0, 0]), arm, 1.0)
    slow = replace(arm, velocity=arm.velocity / 2)
    assert not found(check_motion(move, slow), "speed").ok
    weak = replace(arm, torque=np.array([80.0, 8.0, 80.0, 20.0, 20.0, 20.0]))
    torque = found(check_motion(move, weak), "torque")
    assert not torque.ok
    assert torque.detail.startswith("joint 2,")
    narrow = replace(arm, upper=arm.home + np.radians(30.0))
    assert found(check_motion(move, narrow), "range").measured == pytest.approx(-30.0)


def test_a_thin_rod_in_the_way_is_not_stepped_over(arm: Arm) -> None:
    """A rod 2 mm across, in a fast move: what a coarse sampling would miss."""
    goal = arm.home + np.radians([120.0, 0, 0, 0, 0, 0])
    move = joint_move(arm.home, goal, arm, 1.0)
    q, _ = move.sample(np.array([0.437 * move.duration_s]))
    tip = (arm.forward(q[0]) @ arm.T_flange_guide)[:3, 3]
    rod = Rod("needle", tip - [0, 0, 0.05], tip - [0, 0, 0.01], 0.001)
    findings = check_motion(move, arm, Room((rod,)))
    clearance = found(findings, "clearance")
    assert not clearance.ok
    assert "needle" in clearance.detail
    with pytest.raises(MotionError, match=r"clearance is .* mm \(sleeve from needle"):
        refuse_unless_good(findings)


def test_a_straight_motion_keeps_branch_and_distance(arm: Arm) -> None:
    start = arm.forward(arm.home) @ arm.T_flange_guide
    end = start.copy()
    end[2, 3] -= 0.05
    line = line_move(arm, arm.T_flange_guide, start, end, arm.home, 0.02)
    findings = check_motion(line, arm, straight=True)
    assert found(findings, "singularity").measured > 0.05
    assert found(findings, "branch").measured == 0.0
    through = joint_move(arm.home, arm.home * [1, 1, 1, 1, -1, 1], arm)
    findings = check_motion(through, arm, straight=True)
    assert found(findings, "branch").measured >= 1.0
    assert not found(findings, "singularity").ok


def test_no_motion_is_judged_too(arm: Arm) -> None:
    findings = check_motion(joint_move(arm.home, arm.home, arm), arm)
    assert all(finding.ok for finding in findings)
    row = findings[0].as_dict()
    assert set(row) == {"name", "measured", "bound", "ok", "unit", "detail"}
