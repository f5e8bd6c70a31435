"""The true motion of the virtual arm against the plan, through any sequence of changes.

The truth is the plants': what rotors and links did, which no encoder and no host has rounded.
"""

from __future__ import annotations

import numpy as np
import pytest
from planned_motion import Plan, Script, noted, starts_of, true_error

from guidearm.arm import Robot
from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.motion import course, joint_move
from guidearm_hil.rig import VirtualArm

# A rotor follows its set-point, a link its rotor but for backlash and its own give. Largest seen in
# these sequences: 0.03 and 0.06 deg.
ROTOR_RAD, LINK_RAD = np.radians(0.04), np.radians(0.08)
COUNT_RAD = 2 * np.pi / 409600


def goals(rng: np.random.Generator, arm: Arm) -> Array:
    return arm.home + np.radians(rng.uniform(-25.0, 25.0, 6))


def interruptions(rng: np.random.Generator, arm: Arm) -> list[tuple[float, object]]:
    """Draw what happens on the way: another goal, another feed, a stop; at the end it is fed."""
    steps: list[tuple[float, object]] = []
    t = 0.0
    for _ in range(int(rng.integers(3, 8))):
        t += float(rng.uniform(0.05, 0.7))
        if rng.random() < 0.5:
            steps.append((t, goals(rng, arm)))
        else:
            steps.append((t, float(rng.choice([0.0, 0.05, 0.3, 1.0]))))
    return [*steps, (t + 0.3, 1.0)]


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_planned_one_whatever_happens_on_the_way(
    virtual_arm: VirtualArm, robot: Robot, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    arm = virtual_arm.arm
    start = robot.enable().q_demand
    speed = float(rng.uniform(0.4, 1.0))
    move = joint_move(start, arm.home + np.radians([20, 15, 12, 12, -25, 30]), arm, speed)
    plan, motion = noted(course(move, arm, speed))
    script = Script(robot, interruptions(rng, arm), goes_on=True)
    starts = starts_of(robot)
    record = robot.execute(motion, script)
    off_rotor, off_link = true_error(virtual_arm, plan, starts, record.end)
    assert not script.steps
    assert len(plan.pieces) > 3
    assert len(script.refused) < 3
    assert np.max(np.abs(off_rotor)) < ROTOR_RAD
    assert np.max(np.abs(off_link)) < LINK_RAD
    end = plan.pieces[-1][1]
    assert np.max(np.abs(robot.state.q - end.position[-1])) <= 3 * COUNT_RAD


def test_a_motion_that_is_not_the_planned_one_is_seen(
    virtual_arm: VirtualArm, robot: Robot
) -> None:
    """A plan that forgets one change of the feed, or begins a centisecond late."""
    arm = virtual_arm.arm
    start = robot.enable().q_demand
    goal = arm.home + np.radians([20, 15, 12, 12, -25, 30])
    plan, motion = noted(course(joint_move(start, goal, arm), arm))
    starts = starts_of(robot)
    record = robot.execute(motion, Script(robot, [(0.0, 0.1)]))
    assert len(plan.pieces) == 2
    assert np.max(np.abs(true_error(virtual_arm, plan, starts, record.end)[0])) < ROTOR_RAD
    for wrong, late_s in ((Plan(plan.pieces[:1]), 0.0), (plan, 0.01)):
        others = [instant + late_s for instant in starts]
        off_rotor, _ = true_error(virtual_arm, wrong, others, record.end)
        assert np.max(np.abs(off_rotor)) > 2 * ROTOR_RAD
