"""The drive's states, as CiA 402 has them: enabling, disabling, silence at rest."""

from __future__ import annotations

from guidearm.arm import Robot
from guidearm.errors import RefusedError
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import read_parameter
from guidearm_protocol import messages

ENABLE_S = 0.5  # brake test, brake, and what the host's cycles add
LOOK_S = 0.01


@scenario(Offer.BUS)
def enable_disable(rig: Rig, report: Report) -> None:
    """Joints go from switch on disabled to operation enabled and back, and no other way."""
    with rig.robot() as robot:
        count = len(robot.numbers)
        report.exactly("disabled at first", _in(robot, messages.SWITCH_ON_DISABLED), count)
        report.exactly("resuming is refused", _refused(robot), True)
        began = robot.clock.now()
        robot.enable()
        took = robot.clock.now() - began
        report.exactly("enabled", _in(robot, messages.OPERATION_ENABLED), count)
        allowed = ENABLE_S + count * (LOOK_S + 2 * robot.slack_s)
        report.at_most("time to enable all, s", took, allowed)
        brakes = [j for j in robot.state.joints if j.flags & messages.FLAG_BRAKE_RELEASED]
        report.exactly("brakes released", len(brakes), count)
        robot.disable()
        report.exactly("disabled again", _in(robot, messages.SWITCH_ON_DISABLED), count)
        report.exactly("still authorised", _authorised(robot), 0)
        report.exactly("resuming is refused again", _refused(robot), True)


@scenario(Offer.BUS)
def silence_at_rest(rig: Rig, report: Report) -> None:
    """A host that falls silent at rest finds brakes closed, no fault, and may go on."""
    with rig.robot() as robot:
        count = len(robot.numbers)
        timeout = max(read_parameter(robot, n, "link_timeout") for n in robot.numbers) * 1e-6
        robot.enable()
        robot.clock.sleep_until(robot.clock.now() + timeout + ENABLE_S)
        robot.poll()
        report.exactly("switched on, brake closed", _in(robot, messages.SWITCHED_ON), count)
        report.exactly("joints in fault", len(robot.state.faulted), 0)
        report.exactly("still authorised", _authorised(robot), count)
        robot.resume()
        report.exactly("enabled again", _in(robot, messages.OPERATION_ENABLED), count)
        robot.stop()
        report.exactly("authorised after STOP", _authorised(robot), 0)
        report.exactly("disabled by STOP", _in(robot, messages.SWITCH_ON_DISABLED), count)


def _in(robot: Robot, state: int) -> int:
    return sum(joint.state == state for joint in robot.poll().joints)


def _authorised(robot: Robot) -> int:
    return sum(joint.authorised for joint in robot.poll().joints)


def _refused(robot: Robot) -> bool:
    try:
        robot.resume()
    except RefusedError:
        return True
    return False
