"""One emulated Pico on a bench: scripts at its prompt, its pins in hand.

The board's own file is tested here, a subject at a time; whole joints are the rig's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guidearm_firmware.boards import rp2_pins as pins
from guidearm_hil.closing import Closing
from guidearm_hil.pico.process import Emulator, PicoError

_SCRIPT_S = 5.0  # of the board's time


@dataclass(frozen=True)
class Edge:
    """A pin has taken a level at an instant of the board's time, in ns."""

    signal: str
    level: int
    nanos: float


class Bench(Closing):
    """A running board at its prompt, the maintenance jumper taken off; a context manager.

    Signals are named as in `rp2_pins`. At first the safety contacts are closed, the stop line is
    high, the motor without current, at 25 degC, on 24 V.
    """

    def __init__(self) -> None:
        """Boot. Raises RigSetUpError without the rig, PicoError if it does not come up."""
        self._emulator = Emulator("bench.mjs")
        try:
            self._ask(maintenance=pins.GPIO["maintenance"])
            self.wire()
            self.drive("maintenance", 1)
        except PicoError:
            self.close()
            raise

    def close(self) -> None:
        """Switch it off."""
        self._emulator.close()

    # ---- what the board does

    def run(self, script: str, seconds: float = _SCRIPT_S) -> str:
        """Run a script for at most so many seconds of the board's time; return what it printed.

        Raises PicoError with the end of its traceback.
        """
        answer = self._ask(op="run", script=script, seconds=seconds)
        if answer["error"]:
            raise PicoError(answer["error"].strip())
        printed: str = answer["printed"]
        return printed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._ask(op="advance", seconds=seconds)

    def reboots(self, within: float) -> bool:
        """Let time pass until the watchdog has reset the board; tell whether it has."""
        reset: bool = self._ask(op="advance", seconds=within)["reset"]
        return reset

    def enter(self) -> None:
        """Enter the prompt of a board that has been reset, with the jumper set meanwhile."""
        self.drive("maintenance", 0)
        self._ask(op="enter")
        self.drive("maintenance", 1)

    def power_cycle(self) -> None:
        """Take the power and give it back; the flash keeps what it holds."""
        self.drive("maintenance", 0)
        self._ask(op="power")
        self.drive("maintenance", 1)

    # ---- what is done to it

    def wire(self) -> None:
        """Put all as it was at first, but for the motor encoder's count."""
        for signal in ("emergency_stop", "limit_lower", "limit_upper"):
            self.drive(signal, 0)
        self.drive("stop_line", 1)
        self.drive("brake_open", None)
        self.analog()
        self.turn(0, 1.0)

    def drive(self, signal: str, level: int | None) -> None:
        """Drive a pin to a level, or leave it to its resistor: None."""
        self._ask(op="drive", pad=pins.GPIO[signal], level=level)

    def pulse(self, signal: str, level: int, at: float, nanos: float) -> None:
        """Put a level on a pin for so long, from an instant on."""
        self._ask(op="pulse", pad=pins.GPIO[signal], level=level, at=at, nanos=nanos)

    def analog(self, current: float = 0.0, temperature: float = 25.0, supply: float = 24.0) -> None:
        """Set the motor's current (A), temperature (degC) and supply (V)."""
        millivolts = [
            pins.CURRENT_ZERO_MV + current * pins.CURRENT_UV_PER_MA,
            pins.TEMPERATURE_ZERO_MV + temperature * pins.TEMPERATURE_UV_PER_STEP / 100,
            supply * 1000 / pins.SUPPLY_DIVIDER,
        ]
        self._ask(op="analog", millivolts=millivolts)

    def turn(self, counts: int, rate: float) -> float:
        """Begin to turn the motor encoder, `rate` counts a second; return when it will be done."""
        pads = [pins.GPIO["motor_a"], pins.GPIO["motor_b"]]
        until: float = self._ask(op="turn", counts=counts, rate=rate, pads=pads)["until"]
        return until

    def encoder(
        self, angle: int, spoilt: int = 0, garbled: int = 0, silent: bool = False
    ) -> list[int]:
        """Set the output encoder's angle, how many answers and commands lose a bit, a cut line.

        Returns the commands that it got since the last time.
        """
        answer = self._ask(op="encoder", angle=angle, spoilt=spoilt, garbled=garbled, silent=silent)
        commands: list[int] = answer["commands"]
        return commands

    def hear(self, data: bytes, at: float, baud: int = pins.BAUD) -> list[float]:
        """Have bytes come over the bus, one behind the other; return when each has ended."""
        ends: list[float] = self._ask(op="hear", data=data.hex(), at=at, baud=baud)["ends"]
        return ends

    # ---- what is seen of it

    def record(self, *signals: str) -> list[Edge]:
        """Watch pins; return what those watched before have done since."""
        names = {number: name for name, number in pins.GPIO.items()}
        edges = self._ask(op="record", pads=[pins.GPIO[name] for name in signals])["edges"]
        return [Edge(names[pad], level, nanos) for pad, level, nanos in edges]

    def pwm(self, signal: str) -> tuple[float, float]:
        """Return the share of time for which a pin is high, and its frequency."""
        answer = self._ask(op="pwm", pad=pins.GPIO[signal])
        return answer["duty"], answer["hertz"]

    def level(self, signal: str) -> int:
        """Return the level of a pin."""
        level: int = self.state()["levels"][pins.GPIO[signal]]
        return level

    @property
    def now(self) -> float:
        """The board's time, in ns."""
        nanos: float = self.state()["nanos"]
        return nanos

    def state(self) -> dict[str, Any]:
        """Return its time, instructions, boots and levels."""
        return self._ask(op="state")

    def _ask(self, **request: object) -> dict[str, Any]:
        return self._emulator.ask(**request)
