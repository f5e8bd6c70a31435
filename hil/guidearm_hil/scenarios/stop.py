"""Stopping in mid-move: under control, in the time it takes to slow down, and for good."""

from __future__ import annotations

import math

import numpy as np

from guidearm.arm import Robot
from guidearm.errors import RefusedError
from guidearm.geometry import Array
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import EnoughError, in_mid_move, judge_rest, read_parameter
from guidearm_protocol import messages

REST_RAD = math.radians(0.05)  # of where it stays, counts as rest
FOLLOWING_MS = 20  # that jerk limits and the servo add to speed / deceleration
PATIENCE_S = 3.0
SPEED_S = 0.01  # over which speed is measured
LEAST_SPEED = math.radians(1)


@scenario(Offer.BUS, moves=True)
def stop_in_mid_move(rig: Rig, report: Report) -> None:
    """STOP in mid-move brings every joint to rest under control, and it stays there."""
    with rig.robot() as robot:
        course = _Course(robot)
        robot.enable()
        in_mid_move(rig, robot, course.stop)
        beyond_ms, speed = course.beyond_deceleration_ms()
        report.at_least("speed when stopped, deg/s", math.degrees(speed), math.degrees(LEAST_SPEED))
        report.at_most("rest after speed / deceleration, ms", beyond_ms, FOLLOWING_MS)
        report.exactly("joints in fault", len(robot.poll().faulted), 0)
        judge_rest(rig, robot, report)
        report.exactly("a further move is refused", _refused(robot), True)


class _Course:
    """What the joints report from STOP to rest."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.stopped = 0.0
        self.speed: Array = np.zeros(len(robot.numbers))
        self.time_s: list[float] = []
        self.q: list[Array] = []
        slowing = [_deceleration(robot, number) for number in robot.numbers]
        self.deceleration = np.array(slowing)

    def stop(self) -> None:
        """Measure the speed, send STOP, follow the joints until they are off."""
        robot = self.robot
        first = robot.state
        robot.clock.sleep_until(first.time + SPEED_S)
        last = robot.poll()
        self.speed = np.abs(last.q - first.q) / (last.time - first.time)
        self.stopped = robot.bus.broadcast(messages.STOP, times=3)
        while robot.clock.now() < self.stopped + PATIENCE_S:
            state = robot.poll()
            self.time_s.append(state.time - self.stopped)
            self.q.append(state.q)
            if not any(joint.enabled or joint.moving for joint in state.joints):
                break
        raise EnoughError("stopped")

    def beyond_deceleration_ms(self) -> tuple[float, float]:
        """Return the largest time to rest beyond speed / deceleration, and the largest speed."""
        away = np.abs(np.array(self.q) - self.q[-1]) > REST_RAD
        time_s = np.array(self.time_s)
        rest_s = np.array([time_s[column].max(initial=0.0) for column in away.T])
        beyond = rest_s - self.speed / self.deceleration
        return float(beyond.max()) * 1e3, float(self.speed.max())


def _deceleration(robot: Robot, number: int) -> float:
    """Return a joint's deceleration in rad/s^2, from counts per tick^2 in Q16."""
    turn = robot.identity(number).counts_per_turn
    counts = read_parameter(robot, number, "deceleration") / 65536
    return counts * 2 * math.pi / turn * (1e6 / messages.TICK_US) ** 2


def _refused(robot: Robot) -> bool:
    try:
        robot.move_joints(robot.state.q)
    except RefusedError:
        return True
    return False
