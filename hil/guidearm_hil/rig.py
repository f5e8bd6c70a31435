"""The virtual arm: six joint processes on one bus, in virtual time or paced by the wall clock."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np

from guidearm.errors import OptionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm, load_arm
from guidearm.link.port import Connection
from guidearm_hil.bus import VirtualBus
from guidearm_hil.closing import Closing
from guidearm_hil.exchange import JointProcess, JointSetup
from guidearm_hil.gravity import Gravity
from guidearm_hil.injections import WATCHDOG, WORDS, plant_changes
from guidearm_hil.joint_design import flash_image, plant_words, servo_parameters
from guidearm_hil.noise import Noise, Wire
from guidearm_protocol.messages import TIME_MODULUS
from guidearm_tools.image import build_image
from guidearm_tools.micropython import Interpreter, find_interpreter

BAUD = 1_000_000
CLOCK_PPM = 100  # joint clocks are off by up to this
_STREAM = 20  # of the seed; the world's subjects use others


class RigClock:
    """The host's time on the virtual bus: it passes only where the host waits."""

    def __init__(self, bus: VirtualBus) -> None:
        """Tell the time of `bus`."""
        self._bus = bus

    def now(self) -> float:
        """Return the host's instant in s."""
        return self._bus.host_us * 1e-6

    def sleep_until(self, instant: float) -> None:
        """Let the host's time pass."""
        self._bus.host_us = max(self._bus.host_us, round(instant * 1e6))


class RigPort:
    """The host's port on the virtual bus."""

    slack_s = 0.0

    def __init__(self, bus: VirtualBus, name: str) -> None:
        """Speak on `bus`; messages call the port `name`."""
        self._bus = bus
        self.name = name

    @property
    def baud(self) -> int:
        """Bits per second the port is set to; joints garble at another rate than theirs."""
        return self._bus.host_baud

    def set_baud(self, baud: int) -> None:
        """Set the port's rate."""
        self._bus.host_baud = baud

    def write(self, data: bytes) -> float:
        """Send `data`; return the instant (s) at which its last byte leaves the wire."""
        return self._bus.transmit(data) * 1e-6

    def read(self, deadline: float) -> bytes:
        """Return received bytes as soon as there are any, or b"" at the instant `deadline` (s)."""
        return self._bus.receive(round(deadline * 1e6))

    def discard_input(self) -> None:
        """Forget everything received and not read yet."""
        self._bus.discard()

    def close(self) -> None:
        """Leave the bus to its rig."""


def build_virtual_image(folder: Path) -> dict[str, bytes]:
    """Write the image of a virtual joint into a folder that is empty or new; return its files."""
    with as_file(files("guidearm_hil") / "virtual_board") as board:
        modules = [board / name for name in ("flash.py", "plant.py", "times.py")]
        return build_image(folder, board / "board.py", modules)


class VirtualArm(Closing):
    """Six joints of an arm on a virtual bus, from a seed. A context manager that ends them."""

    def __init__(
        self,
        arm: Arm,
        seed: int,
        *,
        q: Array | None = None,
        baud: int = BAUD,
        clock_ppm: int = CLOCK_PPM,
        interpreter: Interpreter | None = None,
        images: Mapping[int, Path] | None = None,
        addresses: Mapping[int, int] | None = None,
        arm_ids: Mapping[int, int] | None = None,
        noise: Noise | None = None,
    ) -> None:
        """Start the joints at true link angles q (6,) rad, by default the arm's home.

        Joint clocks are off by up to `clock_ppm`. Of joints by number from 1, `images` has the
        folders of those that run another firmware than the one built here, `addresses` and
        `arm_ids` what others than their number and the arm's they were given. `noise` spoils the
        bus.
        """
        self.arm = arm
        self.seed = seed
        self.interpreter = find_interpreter() if interpreter is None else interpreter
        self._rng = rng = np.random.default_rng([seed, _STREAM])
        start = np.array(arm.home if q is None else q, dtype=np.float64)
        gravity = Gravity(arm)
        others = images or {}
        address_of = [(addresses or {}).get(joint + 1, joint + 1) for joint in range(len(start))]
        load = gravity(start)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guidearm-")))
            image = folder / "image"
            self.image = build_virtual_image(image)
            self._errors = stack.enter_context((folder / "errors.txt").open("w+b"))
            self._images = [others.get(joint + 1, image) for joint in range(len(start))]
            self._setups: list[JointSetup] = []
            self._booted_us = [0] * len(start)
            self.joints: list[JointProcess] = []
            stack.callback(self._end_joints)
            for joint in range(len(start)):
                flash = folder / f"flash{joint + 1}"
                arm_id = (arm_ids or {}).get(joint + 1, arm.arm_id)
                values = servo_parameters(arm, joint, address_of[joint], arm_id)
                flash.write_bytes(flash_image(values))
                setup = JointSetup(
                    plant=plant_words(
                        arm, joint, start[joint], load[joint], int(rng.integers(-100000, 100000))
                    ),
                    flash=flash,
                    boot_count=int(rng.integers(1, 60000)),
                    ppm=int(rng.integers(-CLOCK_PPM, CLOCK_PPM + 1)) * clock_ppm // CLOCK_PPM,
                    tick_phase_us=int(rng.integers(0, 1000)),
                    clock_us=int(rng.integers(0, 1 << 30)),
                    unique_id=rng.bytes(8),
                )
                self._setups.append(setup)
                self.joints.append(self._start(joint))
            self._closing = stack.pop_all()
        self.wire = None if noise is None else Wire(noise, seed, address_of)
        self.bus = VirtualBus(self.joints, start, gravity, baud, self.wire)
        self.clock = RigClock(self.bus)
        self.port = RigPort(self.bus, f"virtual:seed={seed}")

    def _start(self, joint: int) -> JointProcess:
        return JointProcess(
            self.interpreter, self._images[joint], self._setups[joint], self._errors
        )

    def _end_joints(self) -> None:
        for process in self.joints:
            process.close()

    def flash(self, number: int) -> Path:
        """Return the file that is the flash of a joint, counted from 1."""
        return self._setups[number - 1].flash

    def inject(self, number: int, **values: float) -> None:
        """Have something go wrong in a joint, counted from 1, from the coming advance on.

        Names and units are those of `injections.WORDS`; each lasts until it is set back. Raises
        InputError for a name that is none.
        """
        for word, value in plant_changes(values):
            self.joints[number - 1].inject(word, value)

    def heal(self, number: int) -> None:
        """Set back everything that was injected into a joint, counted from 1."""
        plant = self._setups[number - 1].plant
        for word, _ in WORDS.values():
            self.joints[number - 1].inject(word, plant[word])

    def reboot(self, number: int, *, power_cut_after: int = -1, by_watchdog: bool = False) -> None:
        """Cut the power of a joint, counted from 1, and give it back.

        It boots with the flash it has, its boot count one up, at rest where its link is. Its power
        fails again when it has erased and programmed `power_cut_after` bytes of flash. With
        `by_watchdog` it finds that its watchdog was the reason.
        """
        joint = number - 1
        self.joints[joint].kill()
        self.joints[joint].close()
        q = self.bus.true_joints(self.bus.time_us)[joint]
        load = self.bus.load_nm(joint)
        setup = self._setups[joint]
        self._setups[joint] = replace(
            setup,
            plant=plant_words(self.arm, joint, q, load, int(self._rng.integers(-100000, 100000))),
            boot_count=(setup.boot_count + 1) & 0xFFFF,
            tick_phase_us=int(self._rng.integers(0, 1000)),
            clock_us=int(self._rng.integers(0, 1 << 30)),
            power_cut_after=power_cut_after,
        )
        self._booted_us[joint] = self.bus.time_us
        if by_watchdog:
            plant = list(self._setups[joint].plant)
            for word, value in plant_changes({"inputs": WATCHDOG}):
                plant[word] = value
            self._setups[joint] = replace(self._setups[joint], plant=plant)
        self.joints[joint] = self._start(joint)
        self.bus.reconnect(joint, self.joints[joint])

    def connection(self) -> Connection:
        """Return the host's connection in virtual time."""
        return Connection(self.port, self.clock)

    def joint_clock_us(self, number: int, t: float) -> float:
        """Return the true clock of a joint, by number from 1, at instant t (s), in us."""
        setup = self._setups[number - 1]
        since = t - self._booted_us[number - 1] * 1e-6
        return (setup.clock_us + since * (1e6 + setup.ppm)) % TIME_MODULUS

    def true_joints(self, t: float) -> Array:
        """Return the true link angles (6,) rad at instant t (s)."""
        return self.bus.true_joints(t * 1e6)

    def close(self) -> None:
        """End the joints and remove their image."""
        self._closing.close()


class _OwningPort(RigPort):
    """A port that ends its virtual arm when it is closed."""

    def __init__(self, arm: VirtualArm) -> None:
        super().__init__(arm.bus, arm.port.name)
        self._arm = arm

    def close(self) -> None:
        self._arm.close()


def open_virtual(url: str, host_baud: int = BAUD) -> Connection:
    """Open `virtual:`, `virtual:seed=N`, `virtual:seed=N&arm=NAME&baud=B` in virtual time.

    A comma may stand for the &, which shells want quoted. `baud` is what the joints speak,
    `host_baud` what the host's port is set to. Raises OptionError naming the
    first option that is unknown or not a number.
    """
    seed, baud, name = 0, BAUD, "guide6"
    options = url.partition(":")[2].replace(",", "&")
    for key, value in parse_qsl(options, keep_blank_values=True):
        try:
            if key == "seed":
                seed = int(value)
            elif key == "baud":
                baud = int(value)
            elif key == "arm":
                name = value
            else:
                raise OptionError(
                    f"{url}: unknown option {key!r}: use seed, arm or baud, a comma between them"
                )
        except ValueError:
            raise OptionError(f"{url}: {key}={value} is not a whole number") from None
    arm = VirtualArm(load_arm(name), seed, baud=baud)
    arm.port.set_baud(host_baud)
    return Connection(_OwningPort(arm), arm.clock)
