"""What several scenarios do: moves with something happening in their middle, waits, parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager

import numpy as np

from guidearm.arm import ArmState, JointState, Robot
from guidearm.arm.faults import FaultReport, read_faults
from guidearm.errors import GuideArmError, MotionError, RefusedError
from guidearm.geometry import Array
from guidearm.motion import hermite_segments, joint_move
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report
from guidearm_protocol import messages, parameters

CALM_S = 0.3  # for what a motion leaves: integrators, links on their gears
MIDDLE = 0.4  # of a move's way, where things happen to it
RESTLESS_COUNTS = 2  # a joint that holds its position may dither by so much


class EnoughError(MotionError):
    """The scenario has seen what it wanted of a move and ends it."""


def in_mid_move(
    rig: Rig, robot: Robot, act: Callable[[], None], lasting_s: float = 0.0
) -> GuideArmError | None:
    """Move every joint by its excursion and have `act` happen once on the way.

    The move is slowed down to take `lasting_s`. Returns what ended it, None if it came to its end.
    """
    start = robot.state.q_demand
    way = rig.excursion
    longest = int(np.argmax(np.abs(way)))
    happened: list[float] = []

    def on_state(state: ArmState) -> None:
        share = (state.joints[longest].position - start[longest]) / way[longest]
        if not happened and share > MIDDLE:
            happened.append(state.time)
            act()

    plan = joint_move(start, start + way, robot.model)
    if plan.duration_s < lasting_s:
        plan = joint_move(start, start + way, robot.model, plan.duration_s / lasting_s)
    try:
        robot.execute(hermite_segments(plan), on_state)
    except GuideArmError as error:
        return error
    if not happened:
        raise MotionError("the move was over before anything could happen to it")
    return None


def until_set(rig: Rig) -> float:
    """Return how long (s) a move has to last for an input to be set in its middle."""
    return rig.reaction_s / (1 - MIDDLE)


def counts(robot: Robot, joint: JointState) -> int:
    """Return the position that a joint reports, in motor counts."""
    turn = robot.identity(joint.number).counts_per_turn
    return round(joint.position * turn / (2 * math.pi))


def dither(robot: Robot, duration_s: float) -> int:
    """Return the most that any joint's reported position changes over a time, in motor counts."""
    seen: list[list[int]] = []
    until = robot.clock.now() + duration_s
    while robot.clock.now() < until:
        seen.append([counts(robot, joint) for joint in robot.poll().joints])
        robot.clock.sleep_until(robot.clock.now() + 0.02)
    return int(np.ptp(np.array(seen), axis=0).max())


def judge_rest(rig: Rig, robot: Robot, report: Report) -> None:
    """Note that every joint is off and stays where it is, in truth too where the rig knows it."""
    robot.clock.sleep_until(robot.clock.now() + CALM_S)
    state = robot.poll()
    off = [joint for joint in state.joints if not joint.enabled and not joint.moving]
    report.exactly("joints at rest with torque off", len(off), len(state.joints))
    truth = Offer.TRUTH in rig.offers
    before = [rig.truth(number).motor_counts for number in robot.numbers] if truth else []
    report.at_most("they move while watched, counts", dither(robot, CALM_S), 0)
    if truth:
        after = [rig.truth(number) for number in robot.numbers]
        moved = max(abs(a.motor_counts - b) for a, b in zip(after, before, strict=True))
        report.at_most("they truly move while watched, counts", moved, 0)
        shut = [now for now in after if not now.brake_open and not now.powered]
        report.exactly("brakes truly shut and motors without current", len(shut), len(after))


def judge_fault(
    robot: Robot, report: Report, error: GuideArmError | None, number: int, fault: int
) -> None:
    """Note that a move ended by this fault of this joint, which all others followed, and latched.

    The cause has to be gone by now; then the fault still stands until it is reset.
    """
    name = messages.FAULTS[fault][1]
    report.ends(error, f"joint {number}: {name}")
    reports = read_faults(robot.bus, robot.numbers)
    own = [told.fault for told in reports if told.joint == number]
    report.exactly(f"latched first cause of joint {number}", own[0] if own else 0, fault)
    followed = [told for told in reports if told.fault == messages.STOP_LINE]
    report.exactly("other joints stopped by the stop line", len(followed), len(robot.numbers) - 1)
    judge_latch(robot, report)


def refuses_to_enable(robot: Robot) -> bool:
    """Tell whether a joint refuses ENABLE; the others are stopped again."""
    try:
        for number in robot.numbers:
            robot.bus.request(number, messages.ENABLE, {"resume": 0})
    except RefusedError:
        return True
    finally:
        robot.stop()
    return False


def first_cause(robot: Robot) -> FaultReport:
    """Return the fault that came first; raises MotionError if none is latched."""
    reports = read_faults(robot.bus, robot.numbers)
    if not reports:
        raise MotionError("no joint has latched a fault")
    return reports[0]


def judge_latch(robot: Robot, report: Report) -> None:
    """Note that faults stay until they are reset, and that the arm can be enabled after that."""
    report.exactly("joints still in fault", len(robot.poll().faulted), len(robot.numbers))
    report.exactly("ENABLE is refused", refuses_to_enable(robot), True)
    robot.reset_fault()
    report.exactly("joints in fault after the reset", len(robot.poll().faulted), 0)
    report.exactly("joints enabled by the reset", _enabled(robot.poll()), 0)


def judge_enabled(robot: Robot, report: Report) -> None:
    """Note that all joints can be enabled and disabled."""
    report.exactly("joints enabled afterwards", _enabled(robot.enable()), len(robot.numbers))
    robot.disable()


def _enabled(state: ArmState) -> int:
    return sum(joint.enabled for joint in state.joints)


# ---- parameters


def read_parameter(robot: Robot, number: int, name: str) -> int:
    """Return a parameter that a joint has in use."""
    index = parameters.NAMES.index(name)
    return robot.bus.request(number, messages.GET_PARAMETER, {"index": index})["value"]


def set_parameter(robot: Robot, number: int, name: str, value: int) -> None:
    """Set a parameter until the next power-on; the joint has to be disabled."""
    index = parameters.NAMES.index(name)
    robot.bus.request(number, messages.SET_PARAMETER, {"index": index, "value": value})


@contextmanager
def changed(robot: Robot, number: int, **values: int) -> Generator[None]:
    """Change parameters of a joint, and give it the old ones back at the end."""
    before = {name: read_parameter(robot, number, name) for name in values}
    for name, value in values.items():
        set_parameter(robot, number, name, value)
    try:
        yield
    finally:
        robot.stop()
        for name, value in before.items():
            set_parameter(robot, number, name, value)


def middle_joint(rig: Rig) -> int:
    """Return the joint to which something happens: one that has others on both sides, if any."""
    return rig.joints.numbers[(len(rig.joints.numbers) - 1) // 2]


def demand(robot: Robot) -> Array:
    """Return the set-points (n,) rad, after what a motion leaves has died down."""
    return robot.hold(robot.clock.now() + CALM_S).q_demand
