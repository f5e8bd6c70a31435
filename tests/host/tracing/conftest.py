"""Recordings of a virtual arm, made once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from guidearm.arm import ArmState, Robot, RobotLink
from guidearm.connection import robot_on
from guidearm.kinematics import load_arm
from guidearm.link import SegmentPoint
from guidearm.tracing.recording import (
    Recording,
    event_capture,
    event_recording,
    record_move,
    record_sine,
    record_step,
)
from guidearm_hil.rig import VirtualArm

PUSH_NM_S = 150.0  # how fast somebody pushes
PUSH_NM = 110.0  # what the shoulder's motor holds no more, and its brake does


class Pushed:
    """A robot whose second joint somebody pushes, more and more, from an instant on."""

    def __init__(self, robot: Robot, arm: VirtualArm, after_s: float) -> None:
        """Begin pushing `after_s` from now."""
        self._poll = robot.poll
        self._robot = robot
        self._arm = arm
        self._from_s = robot.clock.now() + after_s

    def poll(self, segment: SegmentPoint | None = None) -> ArmState:
        """Push, then ask all joints."""
        since_s = max(self._robot.clock.now() - self._from_s, 0.0)
        self._arm.inject(2, extra_load_nm=-min(PUSH_NM_S * since_s, PUSH_NM))
        return self._poll(segment)


def event(
    robot: Robot, joints: tuple[int, ...], trigger: str, duration_s: float, before_s: float
) -> Recording:
    """Record an event that comes within 20 s."""
    capture = event_capture(RobotLink(robot), joints, trigger, duration_s, before_s)
    return event_recording(capture.finish(20.0), capture.setup, trigger)


@pytest.fixture(scope="session")
def recordings() -> Iterator[tuple[Robot, dict[str, Recording]]]:
    """Return a robot and its recordings: step, sine, move, now, fault."""
    with (
        VirtualArm(load_arm("guide6"), 3) as arm,
        robot_on(arm.connection(), arm.arm) as robot,
    ):
        robot.enable()
        made = {
            "step": record_step(robot, 2, np.radians(-1.0)),
            "sine": record_sine(robot, 2, np.radians(0.5), 2.0),
            "move": record_move(robot, arm.arm.home + np.radians([10, 10, -10, 10, -10, 15])),
            "now": event(robot, (3,), "now", 0.2, 0.1),
        }
        robot.poll = Pushed(robot, arm, 0.6).poll
        made["fault"] = event(robot, robot.numbers, "fault", 0.6, 0.4)
        yield robot, made
