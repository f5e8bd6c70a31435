"""What a rig is: joints to test, and what can be done to them and seen of them besides talking.

A rig says what it `offers`, a scenario what it needs; where the two do not meet the scenario is
skipped with the reason. A rig overrides the methods of what it offers and leaves the others.

Numbers are bus addresses. Instants are seconds of the clock that `connection` comes with, unless
they say otherwise.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, Flag, auto
from types import TracebackType

from guidearm.arm import Robot
from guidearm.connection import robot_on
from guidearm.geometry import Array
from guidearm.link import Connection
from guidearm_hil.closing import Closing
from guidearm_hil.errors import RigError

HOST = 0
"""The sender of bytes that come from the host."""


class Offer(Flag):
    """What a rig can do; each names the methods that go with it."""

    BUS = auto()
    """The host talks to the joints: `connection`, `robot`."""
    TRUTH = auto()
    """What motor, link, brake and power stage really do: `truth`."""
    POWER = auto()
    """A joint's power goes off and on: `power_cycle`."""
    POWER_CUT = auto()
    """Its power fails in the middle of a flash operation: `power_cycle` with `fails_after`."""
    INPUTS = auto()
    """Stop line, emergency button and limit switches: `set_input`; `inputs` says which."""
    INJECT = auto()
    """Faults inside a joint, by the names of `injections.WORDS`: `inject`, `heal`; `injections`."""
    WIRE = auto()
    """When each byte was on the wire: `take_wire`."""
    DIRECTION = auto()
    """When each joint's direction pin changed: `take_wire`."""
    BAUD = auto()
    """The joints speak at another rate: `set_baud`."""
    SCRIPT = auto()
    """Scripts run on the target, beside the frozen firmware: `run`."""
    BUDGET = auto()
    """The target counts its instructions exactly."""


class Input(Enum):
    """A digital input of a joint; the first two are one wire for all joints."""

    STOP_LINE = "stop line"
    EMERGENCY_STOP = "emergency button"
    LIMIT_LOWER = "lower limit switch"
    LIMIT_UPPER = "upper limit switch"


@dataclass(frozen=True, eq=False)
class Joints:
    """The joints of a rig that need not be an arm; a `guidearm.arm.JointModel`.

    `arm_id` is the arm they have to be marked with, None if any will do. Limits are (n,) arrays in
    the order of `numbers`, ascending: rad, rad/s, rad/s^2, rad/s^3.
    """

    name: str
    numbers: tuple[int, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    jerk: Array
    arm_id: int | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """What a joint really does at `instant` (s).

    `motor_counts` is what an ideal motor encoder reads, in whole counts of the output
    (`counts_per_turn`) from an arbitrary zero that stays while the joint has power; `link_rad` the
    angle of the link; `brake_open` whether the brake has let go; `powered` whether the power stage
    puts current into the motor.
    """

    instant: float
    motor_counts: int
    link_rad: float
    brake_open: bool
    powered: bool


@dataclass(frozen=True, slots=True)
class WireByte:
    """A byte on the wire: first edge of its start bit and end of its stop bit, ns of the rig."""

    sender: int
    value: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class DirectionEdge:
    """A joint's direction pin changed: it drives the wire from `at_ns` on, or lets go of it."""

    joint: int
    driving: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class Wire:
    """What went over the bus: bytes in order of their start, direction edges in order of time.

    Both are on one clock in ns, which need not be the host's.
    """

    sent: tuple[WireByte, ...]
    edges: tuple[DirectionEdge, ...] = ()


class Rig(Closing):
    """Joints to test. A context manager that leaves them safe.

    Attributes: `name` as it was asked for; `offers`; `joints` with the range and pace that
    scenarios may use; `excursion` (n,) rad, how far a scenario takes each joint from where it
    stands and back; `inputs` and `injections` that it can set.
    """

    name: str
    offers: Offer
    joints: Joints
    excursion: Array
    inputs: frozenset[Input] = frozenset()
    injections: frozenset[str] = frozenset()
    physical: bool = False
    """Whether something real moves: then somebody has to permit it first."""
    reaction_s: float = 0.0
    """What it may take until an input is set: a person's time."""

    # ---- always

    def permit(self, scenarios: Sequence[str], yes: bool) -> None:
        """Have somebody agree to what these scenarios will move; `yes` says that they have.

        Raises RigError if nobody does. Where nothing real moves nobody is asked.
        """
        if self.physical:
            raise RigError(f"rig {self.name} has no way to ask for permission")

    @abstractmethod
    def make_safe(self) -> None:
        """Bring every joint to rest with torque off, whatever a scenario left behind.

        Inputs and injections go back to normal, latched faults are reset and parameters are those
        that the rig began with, so that the next scenario finds what the first one did. Raises
        RigError if that cannot be had; a rig that can start its joints anew does just that.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Make safe, whatever happened, then close."""
        try:
            self.make_safe()
        finally:
            self.close()

    # ---- BUS

    def connection(self) -> Connection:
        """Open the host's port; whoever opened it closes it before it is opened again."""
        raise self._not_offered(Offer.BUS)

    @contextmanager
    def robot(self) -> Generator[Robot]:
        """Connect to the joints as any program does; leaving by an exception stops them first."""
        with robot_on(self.connection(), self.joints, self.name) as robot:
            yield robot

    # ---- TRUTH

    def truth(self, number: int) -> Truth:
        """Return what a joint really does now. Raises RigError for a rig without truth."""
        raise self._not_offered(Offer.TRUTH)

    # ---- POWER, POWER_CUT

    def power_cycle(self, number: int, fails_after: int | None = None) -> None:
        """Cut a joint's power and give it back.

        Its power fails once more, for good, when from then on `fails_after` bytes of flash have
        been erased and programmed; another call brings it back.
        """
        raise self._not_offered(Offer.POWER)

    # ---- INPUTS

    def set_input(self, which: Input, active: bool, number: int | None = None) -> None:
        """Set an input, of a joint or, where it is one wire for all, without a number."""
        raise self._not_offered(Offer.INPUTS)

    # ---- INJECT

    def inject(self, number: int, **values: float) -> None:
        """Have something go wrong in a joint; names and units are those of `injections.WORDS`."""
        raise self._not_offered(Offer.INJECT)

    def heal(self, number: int) -> None:
        """Take everything back that was injected into a joint."""
        raise self._not_offered(Offer.INJECT)

    # ---- WIRE, DIRECTION

    def take_wire(self) -> Wire:
        """Return what went over the bus since the last call, and forget it."""
        raise self._not_offered(Offer.WIRE)

    # ---- BAUD

    def set_baud(self, baud: int) -> None:
        """Have joints and the next connection speak at another rate; the joints restart."""
        raise self._not_offered(Offer.BAUD)

    # ---- SCRIPT

    def run(self, script: str) -> str:
        """Run a script on the target and return what it printed."""
        raise self._not_offered(Offer.SCRIPT)

    def _not_offered(self, what: Offer) -> RigError:
        return RigError(f"rig {self.name} has no {what.name}: the scenario has to say it needs it")
