"""The holding brake: nothing moves before it is released, and torque holds until it is shut."""

from __future__ import annotations

import math
from collections.abc import Callable

from guidearm.arm import Robot
from guidearm.errors import GuideArmError
from guidearm_hil.rigs import Offer, Rig, Truth
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import judge_rest, middle_joint, read_parameter
from guidearm_protocol import messages

LOOK_S = 0.001
GIVES_COUNTS = 16  # that a good brake may give under its test
SAGS_DEG = 0.05  # when it opens or closes under load
LONGEST_TICKS = 150  # beside three times the brake's own time
TICK_S = messages.TICK_US * 1e-6


@scenario(Offer.BUS | Offer.TRUTH)
def brake_order(rig: Rig, report: Report) -> None:
    """Torque is on before the brake opens and stays until it is shut; both ways it holds."""
    with rig.robot() as robot:
        number = middle_joint(rig)
        at_first = rig.truth(number)
        report.exactly("shut and without current at first", _is_off(at_first), True)
        opening = _watch(rig, robot, number, lambda truth: truth.brake_open, messages.ENABLE)
        robot.cycle()
        state = robot.state.joints[robot.index(number)]
        report.exactly("enabled", state.enabled, True)
        report.exactly("opened", opening[-1].brake_open, True)
        closing = _watch(rig, robot, number, lambda truth: not truth.powered, messages.DISABLE)
        report.exactly("shut and without current at last", _is_off(closing[-1]), True)
        seen = [*opening, *closing]
        unheld = [truth for truth in seen if truth.brake_open and not truth.powered]
        report.exactly("looks at an open brake without torque", len(unheld), 0)
        held = [truth.motor_counts for truth in opening if not truth.brake_open]
        gives = max(held) - min(held)
        report.at_most("the motor gives under the brake's test, counts", gives, GIVES_COUNTS)
        links = [math.degrees(truth.link_rad - at_first.link_rad) for truth in seen]
        report.at_most("the link moves meanwhile, deg", max(map(abs, links)), SAGS_DEG)
        judge_rest(rig, robot, report)


@scenario(Offer.BUS | Offer.TRUTH, injections=("brake_jammed",))
def brake_that_does_not_open(rig: Rig, report: Report) -> None:
    """A brake that stays shut is a fault, and the motor does not pull it through."""
    with rig.robot() as robot:
        number = middle_joint(rig)
        before = rig.truth(number).motor_counts
        rig.inject(number, brake_jammed=1)
        ended = _enable(robot)
        report.exactly("enabling ends by the fault", f"joint {number}: brake" in ended, True)
        judge_rest(rig, robot, report)
        moved = abs(rig.truth(number).motor_counts - before)
        report.at_most("the motor moved, counts", moved, GIVES_COUNTS)
        rig.heal(number)
        robot.reset_fault()
        report.exactly("enabled once it opens again", robot.enable().enabled, True)
        robot.disable()


def _is_off(truth: Truth) -> bool:
    return not truth.brake_open and not truth.powered


def _watch(
    rig: Rig, robot: Robot, number: int, done: Callable[[Truth], bool], message: int
) -> list[Truth]:
    """Ask for ENABLE or DISABLE and look at the joint until it has done so, and a little longer."""
    ticks = LONGEST_TICKS + 3 * read_parameter(robot, number, "brake_ticks")
    request = {"resume": 0} if message == messages.ENABLE else None
    robot.bus.request(number, message, request)
    seen = [rig.truth(number)]
    until = math.inf
    deadline = robot.clock.now() + ticks * TICK_S
    while robot.clock.now() < min(until, deadline):
        robot.clock.sleep_until(robot.clock.now() + LOOK_S)
        seen.append(rig.truth(number))
        if done(seen[-1]):
            until = min(until, robot.clock.now() + 3 * robot.slack_s + 30 * TICK_S)
    return seen


def _enable(robot: Robot) -> str:
    try:
        robot.enable()
    except GuideArmError as error:
        return str(error)
    return ""
