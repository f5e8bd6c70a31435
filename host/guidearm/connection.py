"""From a port's URL to an arm that can be moved: ties arm, kinematics and motion together."""

from __future__ import annotations

from pathlib import Path

from guidearm.arm import Holder, JointModel, Robot
from guidearm.errors import SilentBusError
from guidearm.geometry import Array
from guidearm.kinematics import Arm, load_arm
from guidearm.kinematics.clearance import Room
from guidearm.link import DEFAULT_BAUD, Connection, find_baud, open_port
from guidearm.motion import Course, check_way, course, joint_move


def connect(
    url: str,
    arm: str | Path | JointModel = "guide6",
    baud: int = DEFAULT_BAUD,
    room: Room | None = None,
) -> Robot:
    """Open the port `url`, identify the joints of `arm` and return the robot.

    `arm` is the name of a description, a description file, or the joints themselves; `room` is what
    stands about it, beside what its description tells: no joint move goes through it. Raises
    PortError, SilentJointError, VersionMismatchError or ArmDescriptionError; the port is then
    closed again.
    """
    model = load_arm(arm) if isinstance(arm, str | Path) else arm
    return robot_on(open_port(url, baud), model, url, room)


def robot_on(
    connection: Connection, model: JointModel, url: str = "", room: Room | None = None
) -> Robot:
    """Return the robot on an open connection; a physical port is served to other shells.

    If nobody answers at the port's baud rate, others are tried.
    """

    def plan_move(start: Array, goal: Array, speed: float) -> Course:
        move = joint_move(start, goal, model, speed)
        if isinstance(model, Arm):
            check_way(move, model, room)
        return course(move, model, speed, room)

    served: Holder | None = None
    try:
        if connection.physical:
            served = Holder(url)
        try:
            return Robot(connection, model, plan_move, served)
        except SilentBusError:
            if not find_baud(connection):
                raise
            return Robot(connection, model, plan_move, served)
    except BaseException:
        if served is not None:
            served.close()
        connection.port.close()
        raise
