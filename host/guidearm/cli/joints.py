"""Commands on the joints' drives: status, enable, disable, feed, stop, reset-fault, home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from guidearm.cli.access import ask_holder, opened, patiently
from guidearm.cli.link import show_link
from guidearm.cli.options import Settings, with_settings
from guidearm.cli.output import remark, show_state, show_way_out
from guidearm.errors import GuideArmError, RefusedError, SilentJointError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guidearm.arm import ArmState, Robot


@click.command()
@click.option("--link", is_flag=True, help="Show what became of the frames sent to each joint.")
@with_settings
def status(settings: Settings, link: bool) -> None:
    """Show every joint.

    If another guidearm holds the port, it is asked; nothing is disturbed.
    """
    if link:
        show_link(settings)
        return
    patiently(lambda: _look(settings))


def _look(settings: Settings) -> None:
    import guidearm
    from guidearm.arm.faults import read_fault

    told = ask_holder(settings)
    if told is not None:
        show_state(settings, told, held=True)
        show_way_out(told["joints"])
        return
    try:
        with guidearm.connect(settings.port, settings.arm) as robot:
            state = robot.poll()
            causes = [str(read_fault(robot.bus, number)) for number in state.faulted]
    except SilentJointError:
        _show_survey(settings)
        raise
    show_state(settings, {"port": settings.port, **state.as_dict()}, held=False, causes=causes)
    for cause in causes:
        remark(cause)
    show_way_out(state.as_dict()["joints"])


@click.command()
@with_settings
def enable(settings: Settings) -> None:
    """Put torque on and allow moves.

    The arm holds its position; moves are allowed until disable or stop.

    Half a second after this command has ended the brakes close; the next move opens them again.
    """
    _do(settings, lambda robot: robot.enable(), "enabled; moves are authorised")


@click.command()
@with_settings
def disable(settings: Settings) -> None:
    """Close brakes, take torque off, allow no move."""
    _do(settings, lambda robot: robot.disable(), "disabled")


@click.command("reset-fault")
@with_settings
def reset_fault(settings: Settings) -> None:
    """Clear latched faults; the joints stay off."""
    with opened(settings) as robot:
        latched = [f"joint {j.number}: {j.fault_name}" for j in robot.state.joints if j.fault]
        state = robot.reset_fault()
    show_state(settings, {"port": settings.port, **state.as_dict()})
    remark(f"cleared {'; '.join(latched)}" if latched else "no fault is latched")


@click.command()
@with_settings
def home(settings: Settings) -> None:
    """Take positions from the absolute encoders.

    The arm must be disabled.
    """
    _do(settings, lambda robot: robot.home(), "homed")


@click.command()
@with_settings
def stop(settings: Settings) -> None:
    """Stop every joint, brakes on.

    If another guidearm holds the port, it does so at once.
    """
    joints = patiently(lambda: _stop(settings))
    remark("stopped; all joints are at rest")
    show_way_out(joints)


@click.command()
@click.argument("percent", type=click.FloatRange(0, 100))
@with_settings
def feed(settings: Settings, percent: float) -> None:
    """Have the move that runs go on at a share of its speed.

    At 0 it stops on its path, torque on, and waits for more. Asks the guidearm that moves the arm,
    from another shell. For a stop with the brakes on use stop.
    """
    told = ask_holder(settings, lambda holder: holder.feed(percent * 1e-2))
    if told is None:
        raise RefusedError(f"nothing moves: no guidearm holds {settings.port}")
    show_state(settings, told, held=True)
    remark(f"feed {percent:g} %")


def _stop(settings: Settings) -> list[dict[str, Any]]:
    told = ask_holder(settings, lambda holder: holder.stop())
    held = told is not None
    state: dict[str, Any] = _stop_ourselves(settings).as_dict() if told is None else told
    show_state(settings, {"port": settings.port, **state}, held=held)
    return state["joints"]


def _stop_ourselves(settings: Settings) -> ArmState:
    """Send STOP before anything else is asked, then see that it was obeyed."""
    from guidearm.connection import robot_on
    from guidearm.kinematics import load_arm
    from guidearm.link import JointBus, open_port
    from guidearm_protocol import messages

    connection = open_port(settings.port)
    JointBus(connection).broadcast(messages.STOP, times=3)
    try:
        with robot_on(connection, load_arm(settings.arm), settings.port) as robot:
            return robot.stop()
    except GuideArmError as error:
        connection.port.close()
        if isinstance(error, SilentJointError):
            _show_survey(settings)
        raise type(error)(f"stop was sent; {error}") from error


def _show_survey(settings: Settings) -> None:
    """Show the joints of an arm that is not whole; those that are missing, as silent."""
    from guidearm.cli.survey import survey
    from guidearm.kinematics import load_arm

    count = len(load_arm(settings.arm).lower)
    found = survey(settings.port, count)
    if found.identities:
        state = {"port": settings.port, "joints": found.as_dicts(count)}
        show_state(settings, state, held=False)


def _do(settings: Settings, action: Callable[[Robot], ArmState], done: str) -> None:
    with opened(settings) as robot:
        state = action(robot)
    show_state(settings, {"port": settings.port, **state.as_dict()})
    remark(done)
