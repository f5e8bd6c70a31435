"""A host that falls silent in mid-move: the joints stop by themselves and say who was late."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

from guidearm.arm import Robot
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import (
    changed,
    first_cause,
    in_mid_move,
    judge_enabled,
    judge_latch,
    judge_rest,
)
from guidearm_protocol import messages

TIMEOUT_US = 100_000  # below the 0.3 s that joints have queued
PATIENT_US = 2_000_000  # beyond what they have queued
LATE_MS = 10  # a supervisor that looks every eighth tick, and the frame's own way
SILENCE_S = 1.2
MOVE_S = 1.5
LOOK_S = 0.02


@scenario(Offer.BUS, moves=True)
def silence_in_motion(rig: Rig, report: Report) -> None:
    """Silence beyond the link timeout is a controlled stop with the fault link timeout."""
    with rig.robot() as robot, _link_timeout(robot, TIMEOUT_US):
        robot.enable()
        ended = in_mid_move(rig, robot, _silence(rig, robot, report, TIMEOUT_US * 1e-6), MOVE_S)
        report.ends(ended, "link timeout")
        judge_rest(rig, robot, report)
        first = first_cause(robot)
        report.exactly("first cause", first.fault, messages.LINK_TIMEOUT)
        beyond_ms = first.late_s * 1e3 - TIMEOUT_US * 1e-3
        report.at_least("noticed beyond the timeout, ms", beyond_ms, 0)
        report.at_most("noticed beyond the timeout, ms", beyond_ms, LATE_MS)
        judge_latch(robot, report)
        judge_enabled(robot, report)


@scenario(Offer.BUS, moves=True)
def underrun(rig: Rig, report: Report) -> None:
    """A queue that runs empty in mid-move is a controlled stop that says that the host was late."""
    with rig.robot() as robot, _link_timeout(robot, PATIENT_US):
        robot.enable()
        ended = in_mid_move(rig, robot, _silence(rig, robot, report, SILENCE_S / 2), MOVE_S)
        report.ends(ended, "the host was late")
        judge_rest(rig, robot, report)
        report.exactly("first cause", first_cause(robot).fault, messages.UNDERRUN)
        judge_latch(robot, report)
        judge_enabled(robot, report)


@contextmanager
def _link_timeout(robot: Robot, us: int) -> Generator[None]:
    with ExitStack() as stack:
        for number in robot.numbers:
            stack.enter_context(changed(robot, number, link_timeout=us))
        yield


def _silence(rig: Rig, robot: Robot, report: Report, until_s: float) -> Callable[[], None]:
    """Return what says nothing for a while; where truth is known, motors rest before its end."""

    def keep_silent() -> None:
        began = robot.clock.now()
        rested = began
        if Offer.TRUTH in rig.offers:
            last = [rig.truth(number).motor_counts for number in robot.numbers]
            while robot.clock.now() < began + SILENCE_S:
                robot.clock.sleep_until(robot.clock.now() + LOOK_S)
                now = [rig.truth(number).motor_counts for number in robot.numbers]
                if now != last:
                    rested = robot.clock.now()
                last = now
            report.at_most("motors truly at rest after, s", rested - began, until_s + STOPPING_S)
        robot.clock.sleep_until(began + SILENCE_S)

    return keep_silent


STOPPING_S = 0.4  # to slow down, to close the brake, and for the motor to give under it
