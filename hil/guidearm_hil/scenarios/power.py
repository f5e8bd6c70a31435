"""A joint that loses power in mid-move: named, the others at rest, and it never rejoins."""

from __future__ import annotations

from guidearm.arm import Robot
from guidearm.errors import GuideArmError
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import in_mid_move, judge_enabled, judge_rest, middle_joint
from guidearm_protocol import messages


@scenario(Offer.BUS | Offer.POWER, joints=2, moves=True)
def restart_in_mid_move(rig: Rig, report: Report) -> None:
    """A joint that restarts is named, the others stop, and only a new session brings it back."""
    number = middle_joint(rig)
    with rig.robot() as robot:
        robot.enable()
        ended = in_mid_move(rig, robot, lambda: rig.power_cycle(number))
        report.ends(ended, f"joint {number} restarted")
        report.exactly("enabling is refused", _refused(robot), True)
    with rig.robot() as robot:
        judge_rest(rig, robot, report)
        # without power a joint pulls the stop line, where there is one of wire
        faults = {joint.fault for joint in robot.poll().joints} - {0, messages.STOP_LINE}
        report.exactly("faults but the stop line's", len(faults), 0)
        robot.reset_fault()
        judge_enabled(robot, report)


def _refused(robot: Robot) -> bool:
    try:
        robot.enable()
    except GuideArmError:
        return True
    return False
