"""What takes its time is waited for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guidearm.arm import Robot
from guidearm.connection import robot_on
from guidearm.kinematics import load_arm
from guidearm_hil.rig import VirtualArm


@pytest.fixture(scope="module")
def robot() -> Iterator[Robot]:
    with VirtualArm(load_arm("guide6"), 8) as arm:
        yield robot_on(arm.connection(), arm.arm)


@pytest.mark.parametrize("silence_ms", range(480, 600, 10))
def test_resume_while_the_brakes_close(robot: Robot, silence_ms: int) -> None:
    """Joints close their brakes after 500 ms of silence, and refuse all else meanwhile."""
    robot.enable()
    robot.clock.sleep_until(robot.clock.now() + silence_ms * 1e-3)
    assert robot.resume().enabled
