"""The way of captures to the joints of a robot in this process."""

from __future__ import annotations

from collections.abc import Mapping

from guidearm.arm.robot import Robot
from guidearm.errors import RefusedError
from guidearm.link import deferred_interrupt, refusal_text
from guidearm.link.clock_sync import DRIFT_UNIT
from guidearm_protocol import body, messages

PAUSE_S = 0.01
_HALF_TIME = messages.TIME_MODULUS // 2


class RobotLink:
    """Captures by a robot's own bus; faults are left for others to raise."""

    def __init__(self, robot: Robot) -> None:
        """Use the robot's bus, between its own exchanges."""
        self._robot = robot

    def counts_per_turn(self, joint: int) -> int:
        """Motor counts in a turn of the joint's output."""
        return self._robot.identities[joint - 1].counts_per_turn

    def ask(
        self, joint: int, message: int, values: Mapping[str, body.Value] | None = None
    ) -> Mapping[str, body.Value]:
        """Return the reply's values; raises RefusedError or LinkError."""
        reply = self._robot.bus.exchange(joint, message, values)
        if reply.result != messages.OK:
            raise RefusedError(refusal_text(joint, message, reply))
        return reply.values

    def host_instant(self, joint: int, joint_us: int) -> float:
        """Return an instant of a joint's clock, up to 500 s ago, in s of the host's."""
        sync = self._robot.sync
        while not sync.ready:
            self.watch(pause=True)
        line = sync.values()[joint]
        since = _signed(joint_us - line.joint_us)
        host_us = line.master_us + since * (1 + line.drift * DRIFT_UNIT)
        now_us = self.now() * 1e6
        away = (host_us - now_us + _HALF_TIME) % messages.TIME_MODULUS - _HALF_TIME
        return (now_us + away) * 1e-6

    def now(self) -> float:
        """Return the host's clock, s."""
        return self._robot.clock.now()

    def watch(self, pause: bool) -> None:
        """Ask all joints once; with `pause`, let a cycle's time pass."""
        self._robot.poll()
        if pause:
            with deferred_interrupt():
                self._robot.clock.sleep_until(self.now() + PAUSE_S)


def _signed(us: int) -> int:
    return (us + _HALF_TIME) % messages.TIME_MODULUS - _HALF_TIME
