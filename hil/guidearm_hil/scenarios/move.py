"""Moves: every joint by itself and all together, and where they really end."""

from __future__ import annotations

import math

import numpy as np

from guidearm.arm import Robot
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import CALM_S, counts, demand, read_parameter

SETTLED_COUNTS = 2
FOLLOWING_SHARE = 0.5  # of the limit at which it is a fault
LEAST_COUNTS = 100  # below, a test of travel tests nothing
LINK_DEG = 0.05  # backlash, transmission error and wind-up of a good gear


@scenario(Offer.BUS, moves=True)
def move_and_return(rig: Rig, report: Report) -> None:
    """Each joint moves by its excursion and comes back, one after the other, then all together."""
    with rig.robot() as robot:
        robot.enable()
        start = demand(robot)
        following = np.zeros(len(start))
        off = others = 0
        for index in range(len(start)):
            goal = start.copy()
            goal[index] += rig.excursion[index]
            record = robot.move_joints(goal)
            following = np.maximum(following, record.following_error)
            errors = [abs(joint.following_error) for joint in robot.state.joints]
            off = max(off, errors[index])
            others = max(others, *errors[:index], *errors[index + 1 :], 0)
            following = np.maximum(following, robot.move_joints(start).following_error)
        for goal in (start + rig.excursion, start):
            following = np.maximum(following, robot.move_joints(goal).following_error)
        report.at_most("settled off its goal, counts", off, SETTLED_COUNTS)
        report.at_most("others off their places then, counts", others, SETTLED_COUNTS)
        share = _share(robot, following)
        report.at_most("following error, share of its limit", share, FOLLOWING_SHARE)
        back = np.abs(np.degrees(robot.state.q - start)).max()
        step = 360 / min(identity.counts_per_turn for identity in robot.identities)
        report.at_most("back where it began, deg off", back, (SETTLED_COUNTS + 1) * step)
        robot.disable()


@scenario(Offer.BUS | Offer.TRUTH, moves=True)
def position_is_true(rig: Rig, report: Report) -> None:
    """What a joint reports of its motion is what its motor did, count for count, at rest."""
    with rig.robot() as robot:
        before = _both(rig, robot)
        links = [rig.truth(number).link_rad for number in robot.numbers]
        robot.enable()
        start = demand(robot)
        robot.disable()
        off = link_off = 0.0
        least = math.inf
        for share in (0.5, 1.0, 0.0):
            robot.enable()
            robot.move_joints(start + share * rig.excursion)
            robot.disable()
            robot.clock.sleep_until(robot.clock.now() + CALM_S)
            reported, true = _both(rig, robot) - before
            off = max(off, float(np.abs(reported - true).max()))
            moved = [rig.truth(number).link_rad for number in robot.numbers]
            beside = np.subtract(moved, links) - reported * 2 * np.pi / _turns(robot)
            link_off = max(link_off, float(np.degrees(np.abs(beside).max())))
            if share:
                least = min(least, float(np.abs(true).min()))
        report.at_most("travel reported beside the motor's, counts off", off, 0)
        report.at_least("smallest travel of a motor, counts", least, LEAST_COUNTS)
        report.at_most("travel reported beside the link's, deg off", link_off, LINK_DEG)


def _both(rig: Rig, robot: Robot) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return reported and true positions (2, n) in counts."""
    told = [counts(robot, joint) for joint in robot.poll().joints]
    true = [rig.truth(number).motor_counts for number in robot.numbers]
    return np.array([told, true], dtype=np.int64)


def _turns(robot: Robot) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([identity.counts_per_turn for identity in robot.identities], dtype=np.float64)


def _share(robot: Robot, following: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the largest following error (n,) rad in shares of the joints' limits."""
    limits = [read_parameter(robot, number, "following_error") for number in robot.numbers]
    return float(np.max(following * _turns(robot) / (2 * np.pi) / limits))
