"""The arms under test."""

from __future__ import annotations

import pytest

from guidearm.kinematics import Arm, arm_names, load_arm


@pytest.fixture(params=arm_names())
def arm(request: pytest.FixtureRequest) -> Arm:
    """Every arm that ships, in turn."""
    return load_arm(str(request.param))
