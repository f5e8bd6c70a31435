"""Stopping in mid-move: under control, in the time it takes to slow down, and for good."""

from __future__ import annotations

import math

import numpy as np

from guidearm.arm import Capture, JointTrace, Robot, RobotLink, capture_setup
from guidearm.arm.capture import Trigger
from guidearm.errors import RefusedError
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import EnoughError, in_mid_move, judge_rest, read_parameter
from guidearm_protocol import messages

REST_RAD = math.radians(0.05)  # of where it stays, counts as rest
FOLLOWING_MS = 20  # that jerk limits and the servo add to speed / deceleration
OBEYS_MS = 3  # the frame's way and a tick
BEFORE_S = 0.02
AFTER_S = 0.2  # beyond the time to slow down from full speed
READ_S = 10.0
LEAST_SPEED = math.radians(1)
RAMP = Trigger(messages.CAPTURE_BECOMING, "mode", messages.MODES.index("ramp"))


@scenario(Offer.BUS, moves=True)
def stop_in_mid_move(rig: Rig, report: Report) -> None:
    """STOP in mid-move brings every joint to rest under control, and it stays there."""
    with rig.robot() as robot:
        slowing = [_deceleration(robot, number) for number in robot.numbers]
        longest_s = float(np.max(robot.model.velocity / slowing))
        setup = capture_setup(
            ("position", "set_speed", "mode"), BEFORE_S + longest_s + AFTER_S, BEFORE_S, RAMP
        )
        capture = Capture(RobotLink(robot), robot.numbers, setup)
        stopped: list[float] = []

        def stop() -> None:
            capture.arm()
            stopped.append(robot.bus.broadcast(messages.STOP, times=3))
            robot.stop()
            raise EnoughError("stopped")

        robot.enable()
        in_mid_move(rig, robot, stop)
        traces = capture.finish(READ_S)
        speeds = [abs(float(trace.values["set_speed"][trace.trigger])) for trace in traces]
        report.at_least(
            "speed when stopped, deg/s", math.degrees(max(speeds)), math.degrees(LEAST_SPEED)
        )
        beyond = [
            rest_s(trace) - speed / deceleration
            for trace, speed, deceleration in zip(traces, speeds, slowing, strict=True)
        ]
        report.at_most("rest after speed / deceleration, ms", max(beyond) * 1e3, FOLLOWING_MS)
        if robot.slack_s == 0:  # else the host cannot tell when its frame was on the wire
            begun = max(trace.trigger_s for trace in traces) - stopped[0]
            report.at_most("slowing down after STOP, ms", begun * 1e3, OBEYS_MS)
        report.exactly("joints in fault", len(robot.poll().faulted), 0)
        judge_rest(rig, robot, report)
        report.exactly("a further move is refused", _refused(robot), True)


def rest_s(trace: JointTrace) -> float:
    """Return how long after the trigger a joint came to where it stays."""
    position = trace.values["position"]
    away = np.flatnonzero(np.abs(position - position[-1]) > REST_RAD)
    last = int(away[-1]) if len(away) else 0
    return float(trace.time_s[last] - trace.trigger_s)


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
