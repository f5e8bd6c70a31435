"""The stop line: one wire by which a fault in one joint stops them all."""

from __future__ import annotations

import math

from guidearm.arm import Robot
from guidearm.link.clock_sync import master_us
from guidearm_hil.rigs import Input, Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import (
    changed,
    counts,
    in_mid_move,
    judge_enabled,
    judge_latch,
    judge_rest,
    middle_joint,
    refuses_to_enable,
    until_set,
)
from guidearm_protocol import messages

TWO_TICKS_US = 2 * messages.TICK_US
CLOCKS_US = 20  # that clocks of joints, told apart, may be wrong


@scenario(Offer.BUS, joints=2, moves=True)
def stop_line(rig: Rig, report: Report) -> None:
    """A fault in one joint stops all others within two ticks."""
    with rig.robot() as robot:
        number = middle_joint(rig)
        way = float(rig.excursion[robot.index(number)])
        turn = robot.identity(number).counts_per_turn
        here = counts(robot, robot.state.joints[robot.index(number)])
        trip = here + round(0.6 * way * turn / (2 * math.pi))
        with changed(robot, number, **{"upper_trip" if way > 0 else "lower_trip": trip}):
            robot.enable()
            ended = in_mid_move(rig, robot, lambda: None)
            report.ends(ended, f"joint {number}: soft limit")
            after_us = _after_the_cause(robot, number)
            report.exactly("other joints that followed", len(after_us), len(robot.numbers) - 1)
            report.at_least(
                "first of them after the cause, us", min(after_us, default=math.inf), -CLOCKS_US
            )
            report.at_most(
                "last of them after the cause, us",
                max(after_us, default=math.inf),
                TWO_TICKS_US + CLOCKS_US,
            )
            judge_rest(rig, robot, report)
            judge_latch(robot, report)
        judge_enabled(robot, report)


@scenario(Offer.BUS, inputs=(Input.STOP_LINE,), moves=True)
def stop_line_from_outside(rig: Rig, report: Report) -> None:
    """The line pulled by something else stops every joint and keeps it from being enabled."""
    with rig.robot() as robot:
        robot.enable()
        ended = in_mid_move(
            rig, robot, lambda: rig.set_input(Input.STOP_LINE, True), until_set(rig)
        )
        report.ends(ended, "the stop line was pulled")
        judge_rest(rig, robot, report)
        own = [joint for joint in robot.poll().joints if joint.fault == messages.STOP_LINE]
        report.exactly("joints with the fault", len(own), len(robot.numbers))
        robot.reset_fault()
        report.exactly("ENABLE is refused while it is pulled", refuses_to_enable(robot), True)
        rig.set_input(Input.STOP_LINE, False)
        judge_enabled(robot, report)


def _after_the_cause(robot: Robot, number: int) -> list[float]:
    """Return when the other joints' faults came after this joint's, in us."""
    clocks = robot.sync.values()
    now = master_us(robot.clock.now())
    instants: dict[int, float] = {}
    for joint in robot.numbers:
        told = robot.bus.request(joint, messages.FAULT)
        if joint != number and told["fault"] != messages.STOP_LINE:
            continue
        clock = clocks[joint]
        since = _signed(told["time_us"] - clock.joint_us)
        at = clock.master_us + since * (1 + clock.drift_ppm * 1e-6)
        instants[joint] = _signed(at - now)
    cause = instants.pop(number)
    return [instant - cause for instant in instants.values()]


def _signed(difference_us: float) -> float:
    half = messages.TIME_MODULUS / 2
    return (difference_us + half) % messages.TIME_MODULUS - half
