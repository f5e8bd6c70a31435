"""The rig `virtual`: the virtual arm, started anew for each scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np

from guidearm.errors import OptionError
from guidearm.kinematics import load_arm
from guidearm.link import Connection
from guidearm_hil.errors import RigError
from guidearm_hil.exchange import BRAKE_OPEN, POWERED
from guidearm_hil.injections import LIMIT_LOWER, LIMIT_UPPER, WORDS
from guidearm_hil.joint_design import RAD_PER_COUNT
from guidearm_hil.noise import HOST as BUS_HOST
from guidearm_hil.noise import Noise
from guidearm_hil.rig import BAUD, VirtualArm
from guidearm_hil.rigs.rig import HOST, Input, Joints, Offer, Rig, Truth, Wire, WireByte

ARM = "guide6"
TICK_US = 1000  # a step of the bus in motion: the stop line is no later than its own wire
EXCURSION_DEG = (20.0, 15.0, 20.0, 20.0, -20.0, 20.0)  # from home, within every limit
BITS_PER_BYTE = 10
_SUB_COUNTS = 1024  # of a motor count, in which a plant tells its position
_LIMITS = {Input.LIMIT_LOWER: LIMIT_LOWER, Input.LIMIT_UPPER: LIMIT_UPPER}


def open_rig(options: str) -> VirtualRig:
    """Open `seed=N`, by default seed 0. Raises OptionError for anything else."""
    seed = 0
    for key, value in parse_qsl(options, keep_blank_values=True):
        if key != "seed" or not value.isdecimal():
            raise OptionError(f"virtual:{options}: use virtual or virtual:seed=N")
        seed = int(value)
    return VirtualRig(seed)


class VirtualRig(Rig):
    """Six joints of the project's arm from a seed, at home."""

    offers = (
        Offer.BUS
        | Offer.TRUTH
        | Offer.POWER
        | Offer.POWER_CUT
        | Offer.INPUTS
        | Offer.INJECT
        | Offer.WIRE
        | Offer.BAUD
    )
    inputs = frozenset(Input)
    injections = frozenset(WORDS)

    def __init__(
        self,
        seed: int,
        *,
        images: Mapping[int, Path] | None = None,
        noise: Noise | None = None,
        planted: Mapping[int, Mapping[str, float]] | None = None,
    ) -> None:
        """Start nothing yet: the arm starts when it is first used.

        To have the arm broken on purpose: `images` and `noise` as `VirtualArm` takes them, and by
        joint what is `planted` from its start on, as `inject` takes it.
        """
        self.name = f"virtual:seed={seed}"
        self.seed = seed
        model = load_arm(ARM)
        self.joints = Joints(
            name=model.name,
            numbers=model.numbers,
            lower=model.lower,
            upper=model.upper,
            velocity=model.velocity,
            acceleration=model.acceleration,
            jerk=model.jerk,
            arm_id=model.arm_id,
        )
        self.excursion = np.radians(EXCURSION_DEG)
        self._model = model
        self._images = images
        self._noise = noise
        self._planted = planted or {}
        self._baud = BAUD
        self._running: VirtualArm | None = None
        self._forced: dict[int, int] = {}  # inputs by joint

    @property
    def arm(self) -> VirtualArm:
        """The arm that runs now."""
        if self._running is None:
            self._running = VirtualArm(
                self._model, self.seed, baud=self._baud, images=self._images, noise=self._noise
            )
            self._running.port.set_baud(self._baud)
            self._running.bus.moving_step_us = TICK_US
            self._running.bus.log = []
            for number, values in self._planted.items():
                self._running.inject(number, **values)
        return self._running

    def make_safe(self) -> None:
        """End the arm; the next one starts as this one did."""
        self.close()
        self._baud = BAUD

    def close(self) -> None:
        """End the arm."""
        if self._running is not None:
            self._running.close()
            self._running = None
            self._forced.clear()

    def connection(self) -> Connection:
        """Return the host's connection in virtual time."""
        return self.arm.connection()

    def truth(self, number: int) -> Truth:
        """Return what the joint's plant says."""
        arm = self.arm
        answer = arm.bus.answer(number - 1)
        return Truth(
            instant=arm.clock.now(),
            motor_counts=answer.motor // _SUB_COUNTS,
            link_rad=answer.link / _SUB_COUNTS * RAD_PER_COUNT,
            brake_open=bool(answer.flags & BRAKE_OPEN),
            powered=bool(answer.flags & POWERED),
        )

    def power_cycle(self, number: int, fails_after: int | None = None) -> None:
        """End the joint's process and start another on the same flash."""
        self.arm.reboot(number, power_cut_after=-1 if fails_after is None else fails_after)
        self._forced.pop(number, None)

    def set_input(self, which: Input, active: bool, number: int | None = None) -> None:
        """Set a line of the bus, or an input of one joint's plant."""
        if which is Input.STOP_LINE:
            self.arm.bus.stop_line = active
        elif which is Input.EMERGENCY_STOP:
            self.arm.bus.emergency_stop = active
        elif number is None:
            raise RigError(f"the {which.value} is an input of one joint: say of which")
        else:
            bit = _LIMITS[which]
            forced = self._forced.get(number, 0)
            self._forced[number] = forced | bit if active else forced & ~bit
            self.arm.inject(number, inputs=self._forced[number])

    def inject(self, number: int, **values: float) -> None:
        """Change words of the joint's plant."""
        self.arm.inject(number, **values)

    def heal(self, number: int) -> None:
        """Give every word its first value again, but for inputs, which `set_input` has set."""
        self.arm.heal(number)
        self.arm.inject(number, inputs=self._forced.get(number, 0))

    def take_wire(self) -> Wire:
        """Return the bytes that went over the virtual bus; it has no direction pins."""
        log = self.arm.bus.log or []
        self.arm.bus.log = []
        sent: list[WireByte] = []
        for said in log:
            sender = HOST if said.sender == BUS_HOST else said.sender + 1
            byte_ns = BITS_PER_BYTE * 1e9 / said.baud
            for index, value in enumerate(said.said):
                start = said.start * 1000 + round(index * byte_ns)
                end = said.start * 1000 + round((index + 1) * byte_ns)
                sent.append(WireByte(sender, value, start, end))
        return Wire(tuple(sorted(sent, key=lambda byte: byte.start_ns)))

    def set_baud(self, baud: int) -> None:
        """Start the arm anew at another rate."""
        self.close()
        self._baud = baud
