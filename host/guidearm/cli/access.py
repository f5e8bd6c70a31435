"""The way to the arm: by opening its port, or through the process that holds it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from guidearm.cli.output import complain, remark
from guidearm.errors import GuideArmError, PortError, PortInUseError

if TYPE_CHECKING:
    from guidearm.arm import HolderClient, Robot
    from guidearm.cli.options import Settings

TRIES = 5
BUSY_S = 1.0
BUSY_PERIOD_S = 0.05

T = TypeVar("T")


def patiently(action: Callable[[], T]) -> T:
    """Return what `action` does, tried again while the port is in use, for at most a second.

    A `status` from another shell has it for a third of that.
    """
    from guidearm.link import SystemClock

    clock = SystemClock()
    deadline = clock.now() + BUSY_S
    while True:
        try:
            return action()
        except PortInUseError:
            if clock.now() >= deadline:
                raise
            clock.sleep_until(clock.now() + BUSY_PERIOD_S)


@contextmanager
def opened(settings: Settings) -> Generator[Robot]:
    """Open the port and identify the joints; raises what `guidearm.connect` raises.

    Whatever ends the block stops the arm before the port is given back; an interrupt says so.
    """
    import guidearm

    robot = patiently(lambda: guidearm.connect(settings.port, settings.arm))
    try:
        with robot:
            try:
                yield robot
            except GuideArmError as error:
                complain(error)  # now: some ports take a while to be given back
                raise
    except KeyboardInterrupt:
        live = [joint.number for joint in robot.state.joints if joint.enabled or joint.moving]
        raise KeyboardInterrupt(
            "interrupted; stop was sent but not confirmed: look at guidearm status"
            if live
            else "stopped by Ctrl-C; the arm is at rest"
        ) from None


def authorise(robot: Robot) -> None:
    """Enable an arm that lives in this process: nobody can have given `enable` before."""
    if not robot.physical:
        robot.enable()
        remark(f"{robot.port_name} begins and ends with this command: enabled for it")


def ask_holder(
    settings: Settings, ask: Callable[[HolderClient], dict[str, Any]] | None = None
) -> dict[str, Any] | None:
    """Return what the process holding the port tells, None if nobody holds it.

    `ask` puts the question, by default for the arm's state. A holder that ends while it is asked
    counts as nobody. Raises PortError if it lives and does not answer.
    """
    from guidearm.arm import attach

    for _ in range(TRIES):
        holder = attach(settings.port)
        if holder is None:
            return None
        try:
            return holder.state() if ask is None else ask(holder)
        except PortError:
            if attach(settings.port) is not None:
                raise
    return None
