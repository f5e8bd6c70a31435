"""The way of captures to the joints: by a robot in this process, or through the one that has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from guidearm.errors import LinkError, RefusedError
from guidearm.link import Clock, deferred_interrupt, refusal_text
from guidearm.link.clock_sync import DRIFT_UNIT
from guidearm_protocol import body, messages
from guidearm_protocol.errors import BodyError

if TYPE_CHECKING:
    from guidearm.arm.holder import HolderClient
    from guidearm.arm.robot import Robot

PAUSE_S = 0.01
CLOCK_TRIES = 500  # a holder asks its joints within tens of milliseconds
_HALF_TIME = messages.TIME_MODULUS // 2
_MESSAGES = (messages.CAPTURE_SETUP, messages.CAPTURE_STATE, messages.CAPTURE_READ)


class RobotLink:
    """Captures by a robot's own bus; faults are left for others to raise."""

    def __init__(self, robot: Robot) -> None:
        """Use the robot's bus, between its own exchanges."""
        self._robot = robot

    def counts_per_turn(self, joint: int) -> int:
        """Motor counts in a turn of the joint's output."""
        return self._robot.identity(joint).counts_per_turn

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
        while not self._robot.sync.ready:
            self.watch(pause=True)
        return _host_instant(joint_us, clock_line(self._robot, joint) or (0, 0, 0), self.now())

    def now(self) -> float:
        """Return the host's clock, s."""
        return self._robot.clock.now()

    def watch(self, pause: bool) -> None:
        """Ask all joints once; with `pause`, let a cycle's time pass."""
        self._robot.poll()
        if pause:
            with deferred_interrupt():
                self._robot.clock.sleep_until(self.now() + PAUSE_S)


class HolderLink:
    """Captures through the process that holds the port, which makes the exchanges."""

    def __init__(self, client: HolderClient, clock: Clock) -> None:
        """Ask the holder; `clock` is this computer's, which the holder goes by too."""
        self._client = client
        self._clock = clock
        self._told: dict[int, dict[str, Any]] = {}

    def counts_per_turn(self, joint: int) -> int:
        """Motor counts in a turn of the joint's output."""
        if joint not in self._told:
            self.ask(joint, messages.CAPTURE_STATE)
        return int(self._told[joint]["counts_per_turn"])

    def ask(
        self, joint: int, message: int, values: Mapping[str, body.Value] | None = None
    ) -> Mapping[str, body.Value]:
        """Return the reply's values; raises PortError with what the holder says."""
        told = self._client.capture(joint, message, body.pack_request(message, values))
        self._told[joint] = told
        return body.unpack(body.reply_fields(message) or (), bytes.fromhex(told["reply"]))

    def host_instant(self, joint: int, joint_us: int) -> float:
        """Return an instant of a joint's clock, up to 500 s ago, in s of the host's."""
        for _ in range(CLOCK_TRIES):
            line = self._told[joint]["clock"]
            if line is not None:
                return _host_instant(joint_us, (line[0], line[1], line[2]), self.now())
            self.watch(pause=True)
            self.ask(joint, messages.CAPTURE_STATE)
        raise LinkError("the program that holds the port does not know the joints' clocks")

    def now(self) -> float:
        """Return the host's clock, s."""
        return self._clock.now()

    def watch(self, pause: bool) -> None:
        """Let a cycle's time pass; keeping the link alive is the holder's."""
        if pause:
            self._clock.sleep_until(self.now() + PAUSE_S)


def serve_capture(robot: Robot, request: str) -> dict[str, Any]:
    """Make one exchange of a capture for another shell, from its request's words.

    Returns `reply` (hex), the joint's `counts_per_turn`, and `clock` as `clock_line` gives it; or
    `error`, which is the asking shell's trouble.
    """
    try:
        _, number, kind, *content = request.split(" ")
        joint, message = int(number), int(kind)
        if joint not in robot.numbers or message not in _MESSAGES:
            return {"error": "there is no such joint, or it is no message of a capture"}
        values = body.unpack_request(message, bytes.fromhex("".join(content)))
        reply = RobotLink(robot).ask(joint, message, values)
    except (LinkError, RefusedError) as error:
        return {"error": str(error)}
    except (ValueError, BodyError) as error:
        return {"error": f"that is no request of a capture: {error}"}
    return {
        "reply": body.pack(body.reply_fields(message) or (), reply).hex(),
        "counts_per_turn": robot.identity(joint).counts_per_turn,
        "clock": clock_line(robot, joint),
    }


def clock_line(robot: Robot, joint: int) -> tuple[int, int, int] | None:
    """Return joint_us, master_us and drift of a joint as in SET_CLOCK; None if not yet known."""
    if not robot.sync.ready:
        return None
    line = robot.sync.values()[joint]
    return line.joint_us, line.master_us, line.drift


def _host_instant(joint_us: int, line: tuple[int, int, int], now_s: float) -> float:
    line_joint_us, master_us, drift = line
    host_us = master_us + _signed(joint_us - line_joint_us) * (1 + drift * DRIFT_UNIT)
    away_us = (host_us - now_s * 1e6 + _HALF_TIME) % messages.TIME_MODULUS - _HALF_TIME
    return now_s + away_us * 1e-6


def _signed(us: int) -> int:
    return (us + _HALF_TIME) % messages.TIME_MODULUS - _HALF_TIME
