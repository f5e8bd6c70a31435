"""A virtual arm and its robot, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from guidearm.arm import Robot
from guidearm.connection import robot_on
from guidearm.kinematics import load_arm
from guidearm_hil.rig import VirtualArm


@pytest.fixture
def virtual_arm() -> Iterator[VirtualArm]:
    """Start six joints of the project's arm at home; seed 3."""
    with VirtualArm(load_arm("guide6"), 3) as arm:
        yield arm


@pytest.fixture
def robot(virtual_arm: VirtualArm) -> Robot:
    """Connect to `virtual_arm`: identified and not enabled."""
    return robot_on(virtual_arm.connection(), virtual_arm.arm)


@pytest.fixture
def goal(virtual_arm: VirtualArm) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return a joint position some tens of degrees from home."""
    return virtual_arm.arm.home + np.radians([20, 15, -18, 12, -25, 30])
