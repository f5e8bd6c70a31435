"""What the host believes of the joints' clocks, against their true clocks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from guidearm.arm import Robot
from guidearm.connection import robot_on
from guidearm.kinematics import load_arm
from guidearm.link.clock_sync import DRIFT_UNIT
from guidearm_hil import rig as rigs
from guidearm_hil.exchange import JointSetup
from guidearm_hil.noise import Noise
from guidearm_hil.rig import VirtualArm
from guidearm_protocol.messages import TIME_MODULUS

ARM = load_arm("guide6")
BOUND_US = 50.0
LONG_MOVE_S = 5.0


@pytest.fixture(autouse=True)
def extreme_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have joint clocks off by +100 and -100 ppm in turn."""
    ppm = itertools.cycle((100, -100))

    def setup(**fields: Any) -> JointSetup:  # noqa: ANN401 passed on
        return replace(JointSetup(**fields), ppm=next(ppm))

    monkeypatch.setattr(rigs, "JointSetup", setup)


def synchronised(arm: VirtualArm) -> Robot:
    """Connect and cycle at rest until the clocks are first known."""
    robot = robot_on(arm.connection(), ARM)
    while not robot.sync.ready:
        state = robot.poll()
        arm.clock.sleep_until(state.time + 0.01)
    return robot


def errors_us(arm: VirtualArm, robot: Robot, instant: float) -> list[float]:
    """Return by how much each joint's host time would be wrong at an instant (s)."""
    errors: list[float] = []
    for number, told in robot.sync.values().items():
        local = arm.joint_clock_us(number, instant)
        host = told.master_us + wrapped(local - told.joint_us) * (1 + told.drift * DRIFT_UNIT)
        errors.append(wrapped(host - instant * 1e6))
    return errors


def wrapped(us: float) -> float:
    return (us + TIME_MODULUS / 2) % TIME_MODULUS - TIME_MODULUS / 2


@pytest.mark.parametrize("noise", [Noise(), Noise(corrupt=0.03, drop=0.03)])
@pytest.mark.parametrize("seed", range(4))
def test_estimates_hold_over_a_long_move_though_exchanges_are_lost(seed: int, noise: Noise) -> None:
    with VirtualArm(ARM, seed, noise=noise) as arm:
        robot = synchronised(arm)
        now = arm.clock.now()
        drifts = [told.drift_ppm for told in robot.sync.values().values()]
        # host per joint: a fast joint has a slow host
        assert all(abs(d - true) < 10 for d, true in zip(drifts, [-100, 100] * 3, strict=True))
        assert max(map(abs, errors_us(arm, robot, now))) < BOUND_US / 5
        assert max(map(abs, errors_us(arm, robot, now + LONG_MOVE_S))) < BOUND_US


@pytest.mark.parametrize("seed", range(4))
def test_frames_that_leave_late_move_all_joints_alike(seed: int) -> None:
    """The host does not know that its frame was late, but every joint heard the same one."""
    with VirtualArm(ARM, seed, noise=Noise(corrupt=0.03, drop=0.03, late=0.05)) as arm:
        robot = synchronised(arm)
        errors = errors_us(arm, robot, arm.clock.now())
        assert max(map(abs, errors)) < BOUND_US
        assert max(errors) - min(errors) < BOUND_US / 5


def test_uncorrected_the_clocks_part_by_a_millisecond() -> None:
    with VirtualArm(ARM, 1) as arm:
        start = [arm.joint_clock_us(number, 0.0) for number in (1, 2)]
        later = [arm.joint_clock_us(number, LONG_MOVE_S) for number in (1, 2)]
        elapsed = [wrapped(b - a) for a, b in zip(start, later, strict=True)]
        assert abs(elapsed[0] - elapsed[1] - 1000) < 1
        robot = synchronised(arm)
        for number, state in robot.bus.cycle(0b111111).states.items():
            now = arm.joint_clock_us(number, arm.clock.now())
            assert -3000 < wrapped(state.received_us - now) < 0  # the rig's truth is its clock
