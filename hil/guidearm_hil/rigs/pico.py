"""The rig `pico`: joints on emulated Picos, booted anew for each scenario."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guidearm.kinematics import load_arm
from guidearm.link import Connection
from guidearm_firmware.boards import rp2_pins as pins
from guidearm_hil.errors import RigError
from guidearm_hil.injections import LIMIT_LOWER, LIMIT_UPPER
from guidearm_hil.pico.arm import HOST as ARM_HOST
from guidearm_hil.pico.arm import INJECTIONS, PicoArm, read_options
from guidearm_hil.pico.image import BAUDS
from guidearm_hil.pico.process import firmware
from guidearm_hil.rigs.rig import (
    HOST,
    DirectionEdge,
    Input,
    Joints,
    Offer,
    Rig,
    Truth,
    Wire,
    WireByte,
)

ARM = "guide6"
JOINTS = 2
EXCURSION_DEG = (12.0, 8.0, 12.0, 12.0, -12.0, 12.0)  # from home; every second of it takes long
_LIMITS = {Input.LIMIT_LOWER: LIMIT_LOWER, Input.LIMIT_UPPER: LIMIT_UPPER}


def open_rig(options: str) -> PicoRig:
    """Open `joints=N,seed=S,image=FILE`, by default two joints, seed 0 and the rig's own image.

    Raises OptionError for anything else, RigSetUpError when the rig is not set up.
    """
    usage = f"pico:{options}" if options else "pico"
    asked = read_options(options, usage, JOINTS, len(EXCURSION_DEG))
    firmware()
    return PicoRig(asked.joints, asked.seed, asked.image)


class PicoRig(Rig):
    """The first joints of the project's arm from a seed, at home; the image may be another."""

    offers = (
        Offer.BUS
        | Offer.TRUTH
        | Offer.POWER
        | Offer.POWER_CUT
        | Offer.INPUTS
        | Offer.INJECT
        | Offer.WIRE
        | Offer.DIRECTION
        | Offer.BAUD
    )
    inputs = frozenset(Input)
    injections = INJECTIONS

    def __init__(self, joints: int, seed: int, image: Path | None = None) -> None:
        """Start nothing yet: the joints boot when they are first used."""
        self.name = f"pico:joints={joints},seed={seed}"
        if image is not None:
            self.name += f",image={image}"
        self._model = model = load_arm(ARM)
        self.joints = Joints(
            name=f"{model.name}, joints 1 to {joints}",
            numbers=model.numbers[:joints],
            lower=model.lower[:joints],
            upper=model.upper[:joints],
            velocity=model.velocity[:joints],
            acceleration=model.acceleration[:joints],
            jerk=model.jerk[:joints],
            arm_id=model.arm_id,
        )
        self.excursion = np.radians(EXCURSION_DEG[:joints])
        self._seed = seed
        self._image = image
        if image is not None:
            self.offers &= ~Offer.BAUD  # its rate is in it
        self._baud = pins.BAUD
        self._running: PicoArm | None = None
        self._forced: dict[int, int] = {}  # inputs by joint
        self._stop_line = self._emergency = False

    @property
    def arm(self) -> PicoArm:
        """The joints that run now."""
        if self._running is None:
            count = len(self.joints.numbers)
            self._running = PicoArm(
                self._model, count, self._seed, baud=self._baud, image=self._image
            )
        return self._running

    def make_safe(self) -> None:
        """Switch everything off; it starts again as it did."""
        self.close()
        self._baud = pins.BAUD

    def close(self) -> None:
        """Switch everything off."""
        if self._running is not None:
            self._running.close()
            self._running = None
        self._forced.clear()
        self._stop_line = self._emergency = False

    def connection(self) -> Connection:
        """Return the host's connection in virtual time."""
        return self.arm.connection()

    def truth(self, number: int) -> Truth:
        """Return what the joint's plant says."""
        truth = self.arm.truth(number)
        return Truth(
            instant=self.arm.clock.now(),
            motor_counts=truth.motor_counts,
            link_rad=truth.link_rad,
            brake_open=truth.brake_open,
            powered=truth.powered,
        )

    def power_cycle(self, number: int, fails_after: int | None = None) -> None:
        """Take a joint's power and give it back, and wait until it has booted."""
        self.arm.power_cycle(number, fails_after)

    def set_input(self, which: Input, active: bool, number: int | None = None) -> None:
        """Set a line of all joints, or a switch of one."""
        if which is Input.STOP_LINE:
            self._stop_line = active
        elif which is Input.EMERGENCY_STOP:
            self._emergency = active
        elif number is None:
            raise RigError(f"the {which.value} is an input of one joint: say of which")
        else:
            bit = _LIMITS[which]
            forced = self._forced.get(number, 0)
            self._forced[number] = forced | bit if active else forced & ~bit
            self.arm.inject(number, inputs=self._forced[number])
            return
        self.arm.set_lines(stop_line=self._stop_line, emergency=self._emergency)

    def inject(self, number: int, **values: float) -> None:
        """Change words of the joint's plant."""
        self.arm.inject(number, **values)

    def heal(self, number: int) -> None:
        """Give every word its first value again, but for inputs, which `set_input` has set."""
        self.arm.heal(number)
        self.arm.inject(number, inputs=self._forced.get(number, 0))

    def take_wire(self) -> Wire:
        """Return the bytes on the wire and the edges of the direction pins."""
        arm = self.arm
        arm.advance(arm.host_ns)
        sent = [
            WireByte(
                HOST if byte.sender == ARM_HOST else byte.sender + 1,
                byte.value,
                byte.start_ns,
                byte.end_ns,
            )
            for byte in sorted(arm.sent, key=lambda byte: byte.start_ns)
        ]
        edges = [DirectionEdge(edge.joint + 1, edge.level == 1, edge.at_ns) for edge in arm.edges]
        arm.sent, arm.edges = [], []
        return Wire(tuple(sent), tuple(edges))

    def set_baud(self, baud: int) -> None:
        """Boot anew with the image for another rate. Raises RigError if there is none."""
        if baud not in BAUDS:
            raise RigError(f"the rig pico has no image for {baud} baud, only for {BAUDS}")
        self.close()
        self._baud = baud
