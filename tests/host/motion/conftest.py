"""Arms and guide poses that the motion tests share."""

import pytest

from guidearm.kinematics import Arm, load_arm


@pytest.fixture(scope="session", params=["guide6", "ur5"])
def arm(request: pytest.FixtureRequest) -> Arm:
    return load_arm(request.param)


@pytest.fixture(scope="session")
def guide6() -> Arm:
    return load_arm("guide6")
