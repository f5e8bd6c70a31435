"""Parameters: what was committed survives loss of power, at any instant of the commit too."""

from __future__ import annotations

from contextlib import suppress

from guidearm.arm.config import read_store
from guidearm.errors import LinkError, SilentJointError
from guidearm_firmware.joint.parameters import encode
from guidearm_hil.joint_design import FLASH_BYTES
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import middle_joint, read_parameter, set_parameter
from guidearm_protocol import messages
from guidearm_protocol.parameters import DEFAULTS

NAME = "stall_ticks"
SECTOR_BYTES = FLASH_BYTES // 2
IMAGE_BYTES = len(encode(list(DEFAULTS), 0))
# bytes erased and programmed before power fails: over the erasing, the programming, and past both
CUTS = (
    0,
    SECTOR_BYTES // 2,
    *(SECTOR_BYTES + IMAGE_BYTES * sixth // 6 for sixth in range(7)),
    SECTOR_BYTES + IMAGE_BYTES - 1,
)


@scenario(Offer.BUS | Offer.POWER)
def parameters_survive_power(rig: Rig, report: Report) -> None:
    """A committed parameter is there after a power cycle, one that was only set is not."""
    number = middle_joint(rig)
    with rig.robot() as robot:
        before = read_parameter(robot, number, NAME)
        boots = robot.identity(number).boot_count
        set_parameter(robot, number, NAME, before + 1)
        report.exactly("unsaved before the commit", read_store(robot.bus, number).unsaved, 1)
        robot.bus.request(number, messages.COMMIT_PARAMETERS)
        set_parameter(robot, number, NAME, before + 2)
    try:
        rig.power_cycle(number)
        with rig.robot() as robot:
            restarted = robot.identity(number).boot_count != boots
            report.exactly("the joint restarted", restarted, True)
            now = read_parameter(robot, number, NAME)
            report.exactly("the committed value is there", now - before, 1)
            report.exactly("unsaved after the start", read_store(robot.bus, number).unsaved, 0)
            report.exactly("joints in fault", len(robot.poll().faulted), 0)
    finally:
        with rig.robot() as robot:
            set_parameter(robot, number, NAME, before)
            robot.bus.request(number, messages.COMMIT_PARAMETERS)


@scenario(Offer.BUS | Offer.POWER | Offer.POWER_CUT)
def power_cut_in_commit(rig: Rig, report: Report) -> None:
    """Power lost anywhere in a commit leaves the old parameters or the new ones."""
    number = middle_joint(rig)
    old = new = neither = 0
    for cut in CUTS:
        with rig.robot() as robot:
            before = read_parameter(robot, number, NAME)
        rig.power_cycle(number, fails_after=cut)
        with rig.robot() as robot:
            set_parameter(robot, number, NAME, before + 1)
            with suppress(SilentJointError):
                robot.bus.request(number, messages.COMMIT_PARAMETERS)
        rig.power_cycle(number)
        found = _found(rig, number)
        old += found == before
        new += found == before + 1
        neither += found not in (before, before + 1)
        if found is None:
            break  # it has lost its parameters, its address with them
    report.at_least("cuts that left the old parameters", old, 1)
    report.at_least("cuts that left the new ones", new, 1)
    report.exactly("cuts that left neither", neither, 0)


def _found(rig: Rig, number: int) -> int | None:
    """Return the parameter that a joint has kept, None if it has kept none in good order."""
    try:
        with rig.robot() as robot:
            store = read_store(robot.bus, number)
            whole = store.valid and store.unsaved == 0 and not robot.poll().faulted
            return read_parameter(robot, number, NAME) if whole else None
    except LinkError:
        return None
