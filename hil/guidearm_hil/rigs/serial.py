"""The rig `serial:FILE`: boards on a desk, and the guard that leaves them safe.

Nothing is asked of a joint but who it is and how it stands until somebody has agreed to what will
move. After each scenario, and whatever ended the last one, the joints are stopped, seen to be at
rest with torque off, freed of faults, and given back the parameters they had.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from guidearm.arm import Capture, Robot, RobotLink, capture_setup
from guidearm.arm.config import ArmConfig, differences, read_config, read_store
from guidearm.cli.access import patiently
from guidearm.cli.output import remark, table
from guidearm.connection import robot_on
from guidearm.errors import GuideArmError, OptionError
from guidearm.link import Clock, Connection, SystemClock, deferred_interrupt, open_port
from guidearm_hil.errors import RigError
from guidearm_hil.rigs.desk import Desk, DeskJoint, ModemLine, Wiring, read_desk
from guidearm_hil.rigs.rig import Input, Joints, Offer, Rig
from guidearm_hil.rigs.switches import Adapters, PersonSwitch, Switch, agree
from guidearm_protocol import messages
from guidearm_protocol.parameters import NAMES

SUPPLY_SHARE = 0.1
MARGIN_RAD = math.radians(0.5)  # beyond the excursion: brakes give, joints settle
JERK_PER_ACCELERATION = 10.0  # 1/s: full acceleration after a tenth of a second
WATCH_S = 0.3
REST_COUNTS = 1
OFF_S = 0.2  # without power; joints have 0.3 s of a move queued
BOOT_S = 3.0
REACTION_S = 20.0  # of a person, until a button is pressed
READ_S = 5.0


def open_rig(options: str) -> SerialRig:
    """Open the desk that a file describes; raises DeskError, RigError or what connecting raises."""
    if not options:
        raise OptionError("serial: needs the file that describes the desk: serial:FILE")
    return SerialRig(read_desk(Path(options)), attended=sys.stdin.isatty())


class SerialRig(Rig):
    """Boards on a desk; they are looked at when it is opened, and move once that is permitted."""

    physical = True

    def __init__(
        self,
        desk: Desk,
        attended: bool,
        connect: Callable[[str, int], Connection] = open_port,
        clock: Clock | None = None,
    ) -> None:
        """Identify the boards and see that they are as the desk's file says; nothing moves.

        `attended` tells whether a person is there to be asked. `connect` opens the desk's port at
        its rate, `clock` is the one that connections come with.
        """
        self.name = f"serial:{desk.name}"
        self.desk = desk
        self._attended = attended
        self._connect = connect
        self._clock: Clock = SystemClock() if clock is None else clock
        self._ready_at = 0.0  # when every joint has booted
        self._permitted = False
        self._used = False
        self._config: ArmConfig | None = None
        self.joints = self._within(
            [joint.lower for joint in desk.joints], [joint.upper for joint in desk.joints]
        )
        self._adapters = Adapters(_modem_lines(desk))
        self._power = {
            joint.address: self._adapters.switch(joint.power)
            for joint in desk.joints
            if joint.power is not None
        }
        if self._power:
            self._ready_at = self._clock.now() + BOOT_S
        self._lines = self._switches(desk.lines, "")
        self._switches_of = {
            joint.address: self._switches(joint.switches, f" of joint {joint.address}")
            for joint in desk.joints
        }
        try:
            self._plan()
        except BaseException:
            self._adapters.close()
            raise
        every = [set(switches) for switches in self._switches_of.values()]
        self.inputs = frozenset(self._lines) | frozenset(set[Input].intersection(*every))
        self.offers = Offer.BUS
        if self.inputs:
            self.offers |= Offer.INPUTS
        if len(self._power) == len(desk.joints):
            self.offers |= Offer.POWER
        if any(isinstance(switch, PersonSwitch) for switch in self._all_switches()):
            self.reaction_s = REACTION_S

    # ---- before anything moves

    def permit(self, scenarios: Sequence[str], yes: bool) -> None:
        """Say what will move and how far, and ask; with `yes` somebody has agreed before.

        Raises RigError if nobody agrees, or nobody is there to.
        """
        joints = self.desk.joints
        rows = [
            (
                str(joint.address),
                joint.unique_id,
                f"{math.degrees(here):.2f}",
                f"{math.degrees(lower):.2f} .. {math.degrees(upper):.2f}",
                f"{math.degrees(joint.velocity):g}",
            )
            for joint, here, lower, upper in zip(
                joints, self._home, self.joints.lower, self.joints.upper, strict=True
            )
        ]
        remark(f"On {self.desk.port} these joints will move, again and again (degrees):")
        remark(table(("joint", "board", "from", "within", "deg/s at most"), rows, "r rrr"))
        remark(f"Scenarios: {', '.join(scenarios)}.")
        remark("Torque goes on and brakes open. Keep clear, with a hand on the emergency button.")
        if not yes:
            if not self._attended:
                raise RigError(
                    f"{self.name}: nobody is here to agree to that: run it on a terminal, or with "
                    "--yes if the desk is safe unattended"
                )
            if not agree("Go on?"):
                raise RigError(f"{self.name}: nothing was moved")
        self._permitted = True

    def _plan(self) -> None:
        """See that the boards are those of the desk and at rest; plan where they may move."""
        with self._looking() as robot:
            self._check_boards(robot)
            state = robot.poll()
            for joint in state.joints:
                if joint.enabled or joint.moving:
                    raise RigError(f"joint {joint.number} is enabled: guidearm disable first")
                if joint.fault:
                    raise RigError(
                        f"joint {joint.number} has the fault {joint.fault_name}: find its cause, "
                        "then guidearm reset-fault"
                    )
                if not joint.homed:
                    raise RigError(f"joint {joint.number} is not homed: guidearm home first")
                if read_store(robot.bus, joint.number).unsaved:
                    raise RigError(
                        f"joint {joint.number} uses parameters that it has not stored: switch it "
                        "off and on first"
                    )
            self._config = read_config(robot)
            self._check_ranges(self._config)
            self._check_supply(robot)
        self._home = state.q
        ends = [
            _end(joint, float(here)) for joint, here in zip(self.desk.joints, state.q, strict=True)
        ]
        self._ends = np.array(ends)
        self.joints = self._within(
            (np.minimum(self._home, self._ends) - MARGIN_RAD).tolist(),
            (np.maximum(self._home, self._ends) + MARGIN_RAD).tolist(),
        )
        self.excursion = self._ends - self._home

    def _check_boards(self, robot: Robot) -> None:
        for joint in self.desk.joints:
            found = robot.identity(joint.address).unique_id
            if found != joint.unique_id:
                raise RigError(
                    f"{self.desk.name}: joint {joint.address} is board {found}, not "
                    f"{joint.unique_id}: is it another desk's file?"
                )

    def _check_ranges(self, config: ArmConfig) -> None:
        for joint, told in zip(self.desk.joints, config.joints, strict=True):
            unit = 2 * math.pi / messages.ANGLE_UNITS_PER_TURN
            lower, upper = told.values["lower_limit"] * unit, told.values["upper_limit"] * unit
            if joint.lower < lower or joint.upper > upper:
                raise RigError(
                    f"{self.desk.name}: joint {joint.address} may move "
                    f"{math.degrees(lower):.1f} to {math.degrees(upper):.1f} deg by its own "
                    "parameters: make lower_deg and upper_deg no wider"
                )

    def _check_supply(self, robot: Robot) -> None:
        setup = capture_setup(("supply",), messages.TICK_US * 1e-6)
        capture = Capture(RobotLink(robot), robot.numbers, setup)
        capture.arm()
        for trace in capture.finish(READ_S):
            found = float(trace.values["supply"][-1])
            if abs(found - self.desk.supply_v) > SUPPLY_SHARE * self.desk.supply_v:
                raise RigError(
                    f"joint {trace.number} measures a supply of {found:.1f} V, "
                    f"{self.desk.name} says {self.desk.supply_v:g}: check the supply"
                )

    # ---- what the rig offers

    def connection(self) -> Connection:
        """Open the port, once that is permitted and joints that lost power have booted."""
        if not self._permitted:
            raise RigError(f"{self.name}: nobody has agreed to what will move")
        self._used = True
        return self._open()

    @contextmanager
    def robot(self) -> Generator[Robot]:
        """Connect to the joints; other shells can stop them by the port's name."""
        with robot_on(self.connection(), self.joints, self.desk.port) as robot:
            yield robot

    def set_input(self, which: Input, active: bool, number: int | None = None) -> None:
        """Switch what is wired to the input, or ask the person to."""
        switches = self._lines if number is None else self._switches_of[number]
        if which not in switches:
            raise RigError(f"{self.name}: nothing is wired to the {which.value}")
        switches[which].set(active)

    def power_cycle(self, number: int, fails_after: int | None = None) -> None:
        """Cut a joint's power and give it back; the next connection waits until it has booted."""
        if fails_after is not None or number not in self._power:
            raise self._not_offered(Offer.POWER_CUT)
        self._power[number].set(False)
        self._clock.sleep_until(self._clock.now() + OFF_S)
        self._power[number].set(True)
        self._ready_at = self._clock.now() + BOOT_S

    # ---- leaving it safe

    def make_safe(self) -> None:
        """Stop, see that every joint rests, clear faults, restore parameters."""
        if not self._used:
            return  # nothing was ever asked of a joint
        people = [switch for switch in self._all_switches() if isinstance(switch, PersonSwitch)]
        try:
            for switch in self._all_switches():
                if switch not in people:
                    switch.set(False)
            for switch in self._power.values():
                switch.set(True)
            with deferred_interrupt(), self._looking() as robot:
                robot.stop()
                self._see_rest(robot)
            for switch in people:
                switch.set(False)
            with deferred_interrupt(), self._looking() as robot:
                robot.reset_fault()
                self._restore(robot)
                here = robot.poll().q
        except GuideArmError as error:
            raise RigError(
                f"{self.name} is not known to be safe: {error}. Look at it, switch it off if it "
                "moves"
            ) from error
        # where a scenario left them: from there to the farther end of what was agreed to
        back = np.abs(here - self._home) > np.abs(here - self._ends)
        self.excursion = np.where(back, self._home, self._ends) - here

    def _see_rest(self, robot: Robot) -> None:
        first = robot.poll()
        until = self._clock.now() + WATCH_S
        while self._clock.now() < until:
            self._clock.sleep_until(self._clock.now() + WATCH_S / 10)
            last = robot.poll()
            for before, now in zip(first.joints, last.joints, strict=True):
                turn = robot.identity(now.number).counts_per_turn
                moved = abs(now.position - before.position) * turn / (2 * math.pi)
                if moved > REST_COUNTS or now.enabled or now.moving:
                    raise RigError(f"joint {now.number} moves by {moved:.0f} counts after STOP")

    def _restore(self, robot: Robot) -> None:
        assert self._config is not None
        for found in differences(read_config(robot), self._config):
            values = {"index": NAMES.index(found.name), "value": found.after}
            robot.bus.request(found.joint, messages.SET_PARAMETER, values)
        for number in robot.numbers:
            if read_store(robot.bus, number).unsaved:  # a scenario has stored others
                robot.bus.request(number, messages.COMMIT_PARAMETERS)

    def close(self) -> None:
        """Let go of the adapters."""
        self._adapters.close()

    # ---- helpers

    @contextmanager
    def _looking(self) -> Generator[Robot]:
        with robot_on(self._open(), self.joints, self.desk.port) as robot:
            yield robot

    def _open(self) -> Connection:
        self._clock.sleep_until(self._ready_at)
        return patiently(lambda: self._connect(self.desk.port, self.desk.baud))

    def _within(self, lower: Sequence[float], upper: Sequence[float]) -> Joints:
        joints = self.desk.joints
        acceleration = np.array([joint.acceleration for joint in joints])
        return Joints(
            name=self.desk.name,
            numbers=tuple(joint.address for joint in joints),
            lower=np.array(lower),
            upper=np.array(upper),
            velocity=np.array([joint.velocity for joint in joints]),
            acceleration=acceleration,
            jerk=acceleration * JERK_PER_ACCELERATION,
        )

    def _all_switches(self) -> list[Switch]:
        of_joints = [list(switches.values()) for switches in self._switches_of.values()]
        return [*self._lines.values(), *chain(*of_joints)]

    def _switches(self, wired: dict[Input, Wiring], of: str) -> dict[Input, Switch]:
        found: dict[Input, Switch] = {}
        for which, wiring in wired.items():
            if isinstance(wiring, ModemLine):
                found[which] = self._adapters.switch(wiring)
            elif self._attended:
                found[which] = PersonSwitch(f"the {which.value}{of}")
        return found


def _modem_lines(desk: Desk) -> list[tuple[ModemLine, bool]]:
    """Return every modem line with what it is to be at first: joints powered, inputs released."""
    powers = [joint.power for joint in desk.joints if joint.power is not None]
    wirings = [*desk.lines.values(), *chain(*(j.switches.values() for j in desk.joints))]
    released = [(wiring, False) for wiring in wirings if isinstance(wiring, ModemLine)]
    return [*((line, True) for line in powers), *released]


def _end(joint: DeskJoint, here: float) -> float:
    """Return where a joint's excursion ends: upwards if there is room, else downwards."""
    for end in (here + joint.excursion, here - joint.excursion):
        if joint.lower <= min(here, end) and max(here, end) <= joint.upper:
            return end
    raise RigError(
        f"joint {joint.address} stands at {math.degrees(here):.2f} deg: there is no room for an "
        f"excursion of {math.degrees(joint.excursion):g} within {math.degrees(joint.lower):g} to "
        f"{math.degrees(joint.upper):g}: move it first"
    )
