"""Joints of the virtual arm on emulated Picos, in virtual time.

The mechanics, parameters and loads are those of the virtual rig; here they drive the pins of boards
with the genuine image. Time passes where the host waits, and the same seed gives the same run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import crcmod  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from guidearm.errors import OptionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm, load_arm
from guidearm.link.port import Connection
from guidearm_firmware.boards import rp2_pins as pins
from guidearm_hil.closing import Closing
from guidearm_hil.gravity import Gravity
from guidearm_hil.injections import WORDS, plant_changes
from guidearm_hil.joint_design import (
    FLASH_BYTES,
    RAD_PER_COUNT,
    flash_image,
    plant_words,
    servo_parameters,
)
from guidearm_hil.noise import at_another_baud
from guidearm_hil.pico.process import Emulator, firmware

HOST = -1
"""The sender of bytes that come from the host; joints are counted from 0."""
_SECOND_STAGE_BYTES = 256  # of the boot, with which a program begins; its CRC is at their end
boot_crc = crcmod.mkCrcFun(0x104C11DB7, initCrc=0xFFFFFFFF, rev=False)
"""The checksum of the second stage of the boot: CRC-32/MPEG-2."""
BOOT_S = 0.4  # until a joint answers, with time to spare
PARAMETERS_AT = 0xA0000 - 3 * 4096  # below MicroPython's file system, where rp2_flash puts them
CLOCK_PPM = 100  # joint clocks are off by up to this
_GRAVITY_STEP_NS = 5_000_000
_SUB_COUNTS = 1024  # of a motor count, in which the plant tells positions
_STREAM = 21  # of the seed
_HELD = {pins.UP: 1, pins.DOWN: 0}


@dataclass(frozen=True, slots=True)
class SentByte:
    """A byte on the wire: sender, value, first edge and end (ns), and whether it got through."""

    sender: int
    value: int
    start_ns: int
    end_ns: int
    whole: bool


@dataclass(frozen=True, slots=True)
class PinEdge:
    """A joint's direction pin took a level at an instant (ns)."""

    joint: int
    level: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class JointTruth:
    """What a joint's plant does: true motor (counts) and link (rad), brake and power stage."""

    motor_counts: int
    link_rad: float
    brake_open: bool
    powered: bool


class PicoClock:
    """The host's time: it passes only where the host waits."""

    def __init__(self, arm: PicoArm) -> None:
        """Tell the time of `arm`."""
        self._arm = arm

    def now(self) -> float:
        """Return the host's instant in s."""
        return self._arm.host_ns * 1e-9

    def sleep_until(self, instant: float) -> None:
        """Let the host's time pass."""
        self._arm.host_ns = max(self._arm.host_ns, round(instant * 1e9))


@dataclass(frozen=True)
class Spent:
    """How often an exception came, and what it took at most.

    Instructions until it read the register, instructions and cycles until it returned, entry and
    return included.
    """

    times: int
    to_register: int
    instructions: int
    cycles: int


class PicoPort:
    """The host's port on the emulated wire."""

    slack_s = 0.0

    def __init__(self, arm: PicoArm, name: str) -> None:
        """Speak to `arm`; messages call the port `name`."""
        self._arm = arm
        self.name = name
        self._baud = arm.baud

    @property
    def baud(self) -> int:
        """Bits per second the port is set to; joints garble at another rate than theirs."""
        return self._baud

    def set_baud(self, baud: int) -> None:
        """Set the port's rate."""
        self._baud = baud

    def write(self, data: bytes) -> float:
        """Send `data`; return the instant (s) at which its last byte leaves the wire."""
        return self._arm.transmit(data, self._baud) * 1e-9

    def read(self, deadline: float) -> bytes:
        """Return received bytes as soon as there are any, or b"" at the instant `deadline` (s)."""
        heard = self._arm.receive(round(deadline * 1e9))
        own = self._arm.baud
        return heard if self._baud == own else at_another_baud(heard, own, self._baud)

    def discard_input(self) -> None:
        """Forget everything received and not read yet."""
        self._arm.discard()

    def close(self) -> None:
        """Leave the joints to their rig."""


class PicoArm(Closing):
    """The first joints of an arm, each an emulated Pico, from a seed. A context manager."""

    def __init__(
        self,
        model: Arm,
        joints: int,
        seed: int,
        *,
        q: Array | None = None,
        baud: int = pins.BAUD,
        image: Path | None = None,
    ) -> None:
        """Boot at true link angles q (6,) rad, by default the arm's home.

        `baud` is one of `image.BAUDS`; the image is by default that of the rig with this rate.
        Raises RigSetUpError without the rig.
        """
        self.model = model
        self.baud = baud
        self.joints = joints
        self.host_ns = 0
        self.now_ns = 0  # up to which the joints have come
        self.sent: list[SentByte] = []  # on the wire, since somebody took them
        self.edges: list[PinEdge] = []
        self._heard: list[SentByte] = []  # by the host, not read
        self._words: list[list[int]] = []  # of each plant, at first
        self._q = np.array(model.home if q is None else q, dtype=np.float64)
        self._gravity = Gravity(model)
        self._gravity_due_ns = _GRAVITY_STEP_NS
        self._loads: list[int] | None = None  # that the joints are yet to get
        self._emulator = Emulator("server.mjs", image or firmware(baud))
        try:
            self._emulator.ask(**self._set_up(seed))
            self.advance(round(BOOT_S * 1e9))
        except BaseException:
            self.close()
            raise
        self.host_ns = self.now_ns
        self.clock = PicoClock(self)
        self.port = PicoPort(self, f"pico:joints={joints},seed={seed}")

    def _set_up(self, seed: int) -> dict[str, Any]:
        rng = np.random.default_rng([seed, _STREAM])
        model = self.model
        load = self._gravity(self._q)
        boards: list[dict[str, Any]] = []
        for joint in range(self.joints):
            offset = int(rng.integers(-100000, 100000))
            values = servo_parameters(model, joint, joint + 1, model.arm_id)
            words = plant_words(model, joint, self._q[joint], load[joint], offset)
            self._words.append(words)
            boards.append(
                {
                    "words": words,
                    "flash": [[PARAMETERS_AT, flash_image(values).hex()]],
                    "uniqueId": rng.bytes(8).hex(),
                    "ppm": int(rng.integers(-CLOCK_PPM, CLOCK_PPM + 1)),
                    "seed": int(rng.integers(1, 1 << 30)),
                }
            )
        return {
            "baud": self.baud,
            "pins": pins.GPIO,
            "held": {row[1]: _HELD[row[3]] for row in pins.PINS if row[3] in _HELD},
            "analogue": {
                "reference": pins.REFERENCE_MV,
                "steps": pins.CONVERTER_STEPS,
                "current": {
                    "zero": pins.CURRENT_ZERO_MV,
                    "perMilliampere": pins.CURRENT_UV_PER_MA / 1000,
                },
                "temperature": {
                    "zero": pins.TEMPERATURE_ZERO_MV,
                    "perStep": pins.TEMPERATURE_UV_PER_STEP / 1000,
                },
                "supply": {"divider": pins.SUPPLY_DIVIDER},
            },
            "joints": boards,
        }

    # ---- the host's side

    def connection(self) -> Connection:
        """Return the host's connection in virtual time."""
        return Connection(self.port, self.clock)

    def transmit(self, data: bytes, baud: int) -> int:
        """Put the host's bytes on the wire behind its last ones; return their end (ns)."""
        self.advance(self.host_ns)
        answer = self._emulator.ask(op="send", data=data.hex(), at=self.host_ns, baud=baud)
        return round(answer["end"])

    def receive(self, deadline_ns: int) -> bytes:
        """Let the host wait for bytes until a deadline; b"" when none came."""
        if not self._heard:
            self._advance(deadline_ns, until_heard=True)
        due = [byte for byte in self._heard if byte.end_ns <= max(deadline_ns, self.host_ns)]
        if not due:
            self.host_ns = max(self.host_ns, deadline_ns)
            return b""
        self._heard = self._heard[len(due) :]
        self.host_ns = max(self.host_ns, due[-1].end_ns)
        # one that did not get through whole is another, or none: it spoils its frame either way
        return bytes(byte.value if byte.whole else byte.value ^ 0x55 for byte in due)

    def discard(self) -> None:
        """Forget what has reached the host and was not read."""
        self.advance(self.host_ns)
        self._heard = [byte for byte in self._heard if byte.end_ns > self.host_ns]

    # ---- time

    def advance(self, until_ns: int) -> None:
        """Advance all joints to an instant, if they are not past it."""
        self._advance(until_ns, until_heard=False)

    def _advance(self, until_ns: int, until_heard: bool) -> None:
        while self.now_ns < until_ns and not (until_heard and self._heard):
            until = min(until_ns, self._gravity_due_ns)
            answer = self._emulator.ask(
                op="advance", until=until, untilHeard=until_heard, loads=self._loads
            )
            self._loads = None
            self.now_ns = round(answer["now"])
            for sender, value, start, end, whole in answer["sent"]:
                byte = SentByte(sender, value, round(start), round(end), bool(whole))
                self.sent.append(byte)
                if sender != HOST:
                    self._heard.append(byte)
            self.edges += [PinEdge(joint, int(on), round(at)) for joint, on, at in answer["edges"]]
            if self.now_ns >= self._gravity_due_ns:
                self._load(answer["links"])

    def _load(self, links: list[int]) -> None:
        """Have gravity act from now on on the links as they stand, in the plants' units."""
        self._gravity_due_ns = self.now_ns + _GRAVITY_STEP_NS
        self._q[: self.joints] = [link / _SUB_COUNTS * RAD_PER_COUNT for link in links]
        self._loads = [round(load * 1e3) for load in self._gravity(self._q)[: self.joints]]

    # ---- what is not the host's

    def _truth(self) -> list[JointTruth]:
        return [
            JointTruth(
                motor_counts=told["motor"] // _SUB_COUNTS,
                link_rad=told["link"] / _SUB_COUNTS * RAD_PER_COUNT,
                brake_open=told["brakeOpen"],
                powered=told["powered"],
            )
            for told in self._emulator.ask(op="truth")["joints"]
        ]

    def truth(self, number: int) -> JointTruth:
        """Return what a joint, counted from 1, truly does at the host's instant."""
        self.advance(self.host_ns)
        return self._truth()[number - 1]

    def inject(self, number: int, **values: float) -> None:
        """Have something go wrong in a joint, counted from 1, from the host's instant on.

        Names and units are those of `injections.WORDS`; each lasts until it is set back. Raises
        InputError for a name that is none.
        """
        self.advance(self.host_ns)
        words = plant_changes(values)
        self._emulator.ask(op="words", joint=number - 1, words=words)

    def heal(self, number: int) -> None:
        """Set back everything that was injected into a joint, counted from 1."""
        self.advance(self.host_ns)
        first = self._words[number - 1]
        words = [[word, first[word]] for word, _ in WORDS.values()]
        self._emulator.ask(op="words", joint=number - 1, words=words)

    def set_lines(self, *, stop_line: bool, emergency: bool) -> None:
        """Pull the stop line from outside or let go of it; press the emergency button or not."""
        self.advance(self.host_ns)
        self._emulator.ask(op="lines", stopLine=stop_line, emergency=emergency)

    def power_cycle(self, number: int, fails_after: int | None = None) -> None:
        """Cut the power of a joint, counted from 1, and give it back; wait until it has booted.

        Its power fails for good when from then on `fails_after` bytes of flash were erased and
        programmed.
        """
        self.advance(self.host_ns)
        self._emulator.ask(op="power", joint=number - 1)
        self.host_ns += round(BOOT_S * 1e9)
        self.advance(self.host_ns)
        if fails_after is not None:
            self._emulator.ask(op="cut", joint=number - 1, after=fails_after)

    def flash(self, number: int) -> bytes:
        """Return both copies of a joint's parameters as its flash holds them."""
        answer = self._emulator.ask(
            op="flash", joint=number - 1, address=PARAMETERS_AT, count=FLASH_BYTES
        )
        return bytes.fromhex(answer["data"])

    def boards(self) -> dict[str, Any]:
        """Return what each board counted, and the collisions on the wire."""
        return self._emulator.ask(op="boards")

    def watch(self, number: int, exception: int, address: int) -> None:
        """Count what an exception takes until it reads a register, and in all; joints from 1."""
        self._emulator.ask(op="watch", joint=number - 1, exception=exception, address=address)

    def watched(self, number: int) -> Spent:
        """Return what that was since `watch`."""
        told = self._emulator.ask(op="watched", joint=number - 1)
        return Spent(told["times"], told["toRegister"], told["instructions"], told["cycles"])

    def close(self) -> None:
        """Switch everything off; a second call does nothing."""
        self._emulator.close()


INJECTIONS = frozenset(WORDS)
"""Names of what `PicoArm.inject` takes."""


class _OwningPort(PicoPort):
    """A port that switches its joints off when it is closed."""

    def __init__(self, arm: PicoArm) -> None:
        super().__init__(arm, arm.port.name)
        self._arm_of_its_own = arm

    def close(self) -> None:
        self._arm_of_its_own.close()


@dataclass(frozen=True)
class Options:
    """Which emulated Picos: how many joints, from which seed, with which image if not the rig's."""

    joints: int
    seed: int = 0
    image: Path | None = None


def read_options(text: str, usage: str, joints: int, most: int) -> Options:
    """Return what `joints=N,seed=S,image=FILE` says; each may be left out, `joints` by default.

    A & may stand for the comma. Raises OptionError that begins with `usage`.
    """
    seed, image = 0, None
    for key, value in parse_qsl(text.replace(",", "&"), keep_blank_values=True):
        if key == "image":
            image = _image(Path(value), usage)
        elif key not in ("joints", "seed") or not value.isdecimal():
            raise OptionError(
                f"{usage}: use pico:joints=N,seed=S,image=FILE, both N and S whole numbers"
            )
        elif key == "joints":
            joints = int(value)
        else:
            seed = int(value)
    if not 1 <= joints <= most:
        raise OptionError(f"{usage}: joints={joints} is not 1 to {most}")
    return Options(joints, seed, image)


def _image(path: Path, usage: str) -> Path:
    """Return the path of a program as it lies in flash. Raises OptionError if it is not one."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            begin = file.read(_SECOND_STAGE_BYTES)
    except OSError as error:
        raise OptionError(f"{usage}: {path}: {error.strerror}") from None
    # as the boot ROM does, which runs nothing without it (RP2040 datasheet, 2.8.1.3)
    sealed = boot_crc(begin[:-4]) == int.from_bytes(begin[-4:], "little")
    if not sealed or not _SECOND_STAGE_BYTES < size <= PARAMETERS_AT:
        raise OptionError(f"{usage}: {path} is no program as it lies in flash: name firmware.bin")
    return path


def open_pico(url: str, host_baud: int = pins.BAUD) -> Connection:
    """Open `pico:`, `pico:joints=N,seed=S,image=FILE`, in virtual time, at the host's rate.

    Raises OptionError for an option that is none, RigSetUpError without the rig.
    """
    model = load_arm("guide6")
    most = len(model.numbers)
    options = read_options(url.partition(":")[2], url, most, most)
    arm = PicoArm(model, options.joints, options.seed, image=options.image)
    port = _OwningPort(arm)
    port.set_baud(host_baud)
    return Connection(port, arm.clock)
