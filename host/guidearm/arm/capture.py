"""Servo signals as the joints recorded them, at tick rate, in SI units and the host's time.

A joint records by itself once it is set up (protocol/README.md, "Capture"); the host asks how far
it is and reads in chunks, one exchange at a time, between the cycles of a move or at rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from guidearm.errors import InputError, LinkError, MotionError
from guidearm.geometry import Array
from guidearm_protocol import body, messages

TICK_S = messages.TICK_US * 1e-6
WATCH_S = 0.01  # reading leaves the other joints unasked no longer
SIGNALS = tuple(name for name, _, _ in messages.CAPTURE_SIGNALS)


@dataclass(frozen=True, slots=True)
class Trigger:
    """What a joint waits for: `kind` of CAPTURE_TRIGGERS, a signal and its level in SI units."""

    kind: int
    signal: str = "mode"
    level: float = 0.0


AT_ONCE = Trigger(messages.CAPTURE_AT_ONCE)
START_OF_MOVE = Trigger(messages.CAPTURE_BECOMING, "mode", messages.MODES.index("run"))
FAULT = Trigger(messages.CAPTURE_RISING, "fault", 1)


@dataclass(frozen=True, slots=True)
class CaptureSetup:
    """What to record: signals by name, samples of `divider` ticks, of them `before` the trigger."""

    signals: tuple[str, ...]
    samples: int
    before: int = 0
    divider: int = 1
    trigger: Trigger = AT_ONCE

    @property
    def period_s(self) -> float:
        """Time from sample to sample, by the joint's clock."""
        return self.divider * TICK_S


def capture_setup(
    signals: Sequence[str],
    duration_s: float,
    before_s: float = 0.0,
    trigger: Trigger = AT_ONCE,
) -> CaptureSetup:
    """Set up a capture that lasts `duration_s` in all, `before_s` of it before the trigger.

    At every tick if the joints' memory allows it, else as often as it does. Signals keep the order
    of the message table. Raises InputError for unknown signals or times without a sample.
    """
    unknown = sorted({*signals, trigger.signal} - {*SIGNALS})
    if unknown or not signals:
        raise InputError(
            f"no signal {', '.join(unknown) or 'given'}: a joint has {', '.join(SIGNALS)}"
        )
    chosen = tuple(name for name in SIGNALS if name in signals)
    if not 0 <= before_s < duration_s or not math.isfinite(duration_s):
        raise InputError(
            f"a capture of {duration_s:g} s cannot have {before_s:g} s before its trigger"
        )
    ticks = max(math.ceil(duration_s / TICK_S - 1e-9), 1)
    divider = math.ceil(ticks / (messages.CAPTURE_WORDS // len(chosen)))
    _, _, _, lowest, highest = body.request_fields(messages.CAPTURE_SETUP)[1]
    if not lowest <= divider <= highest:
        raise InputError(f"a capture of {duration_s:g} s is too long: record fewer signals")
    samples = math.ceil(ticks / divider)
    before = min(math.ceil(before_s / TICK_S / divider - 1e-9), samples - 1)
    return CaptureSetup(chosen, samples, before, divider, trigger)


@dataclass(frozen=True, eq=False)
class JointTrace:
    """What one joint recorded: `time_s` (n,) s of the host's clock, `values` (n,) by signal.

    `trigger` is the index of the sample that had the trigger.
    """

    number: int
    time_s: Array
    trigger: int
    values: dict[str, Array]

    @property
    def trigger_s(self) -> float:
        """Instant of the trigger's sample, s of the host's clock."""
        return float(self.time_s[self.trigger])


class CaptureLink(Protocol):
    """A way to the joints that captures are set up and read by."""

    def counts_per_turn(self, joint: int) -> int:
        """Motor counts in a turn of the joint's output."""
        ...

    def ask(
        self, joint: int, message: int, values: Mapping[str, body.Value] | None = None
    ) -> Mapping[str, body.Value]:
        """Return the reply's values; raises RefusedError or LinkError."""
        ...

    def host_instant(self, joint: int, joint_us: int) -> float:
        """Return an instant of a joint's clock in s of the host's."""
        ...

    def now(self) -> float:
        """Return the host's clock, s."""
        ...

    def watch(self, pause: bool) -> None:
        """Keep the link alive and learn the clocks; with `pause`, let a cycle's time pass."""
        ...


def si_scale(signal: str, counts_per_turn: int) -> tuple[float, str]:
    """Return what one step of a signal's word is in SI units, and the unit ("" for codes)."""
    unit, bits = next(entry[1:] for entry in messages.CAPTURE_SIGNALS if entry[0] == signal)
    count = 2 * math.pi / counts_per_turn
    scale, name = {
        "motor count": (count, "rad"),
        "motor count/tick": (count / TICK_S, "rad/s"),
        "motor count/tick^2": (count / TICK_S**2, "rad/s^2"),
        "turn/2^14": (2 * math.pi / (1 << 14), "rad"),
        "mA": (1e-3, "A"),
        "mV": (1e-3, "V"),
        "supply/32767": (1 / 32767, "of supply"),
        "0.1 degC": (0.1, "degC"),
        "us, joint clock": (1e-6, "s"),
    }.get(unit, (1.0, ""))
    return scale / (1 << bits), name


@dataclass
class _Progress:
    """How far one joint is: the number of its set-up, its state once complete, words read."""

    number: int
    state: dict[str, int] | None = None
    words: bytearray = field(default_factory=bytearray)


class Capture:
    """One capture on some joints. `follow` may be given to a move as its `on_state`."""

    def __init__(self, link: CaptureLink, joints: Sequence[int], setup: CaptureSetup) -> None:
        """Prepare a capture on joints by number; nothing is sent."""
        self.setup = setup
        self.joints = tuple(joints)
        self._link = link
        self._progress: dict[int, _Progress] = {}
        self._turn = 0

    def use(self, link: CaptureLink) -> None:
        """Go on by another link, where the first has ended: nothing read is lost."""
        self._link = link

    def arm(self) -> None:
        """Set the joints up: from here on they record. Raises RefusedError or LinkError."""
        setup, trigger = self.setup, self.setup.trigger
        for joint in self.joints:
            scale, _ = si_scale(trigger.signal, self._link.counts_per_turn(joint))
            told = self._link.ask(
                joint,
                messages.CAPTURE_SETUP,
                {
                    "signals": sum(1 << SIGNALS.index(name) for name in setup.signals),
                    "divider": setup.divider,
                    "samples": setup.samples,
                    "before": setup.before,
                    "trigger": trigger.kind,
                    "signal": SIGNALS.index(trigger.signal),
                    "level": round(trigger.level / scale),
                },
            )
            self._progress[joint] = _Progress(body.integers(told)["capture"])

    @property
    def done(self) -> bool:
        """Whether everything has been read from every joint."""
        read = [self._whole(progress) for progress in self._progress.values()]
        return bool(read) and all(read)

    @property
    def triggered(self) -> tuple[int, ...]:
        """The joints that have recorded everything."""
        return tuple(joint for joint, p in self._progress.items() if p.state is not None)

    def _whole(self, progress: _Progress) -> bool:
        state = progress.state
        return state is not None and len(progress.words) >= self._size(state)

    def _size(self, state: Mapping[str, int]) -> int:
        return 4 * state["samples"] * len(self.setup.signals)

    def follow(self, _state: object = None) -> None:
        """Make one exchange with the joint whose turn it is: see how far it is, or read a chunk.

        Raises LinkError if another capture was set up on a joint meanwhile, or it restarted.
        """
        pending = [joint for joint, p in self._progress.items() if not self._whole(p)]
        if pending:
            self._turn += 1
            joint = pending[self._turn % len(pending)]
            progress = self._progress[joint]
            if progress.state is None:
                self._look(joint, progress)
            else:
                self._read(joint, progress)

    def _look(self, joint: int, progress: _Progress) -> None:
        state = body.integers(self._link.ask(joint, messages.CAPTURE_STATE))
        self._check(joint, progress, state["capture"])
        if state["phase"] == messages.CAPTURE_COMPLETE:
            progress.state = state

    def _read(self, joint: int, progress: _Progress) -> None:
        first = len(progress.words) // 4
        told = self._link.ask(joint, messages.CAPTURE_READ, {"first": first})
        self._check(joint, progress, body.integers(told)["capture"])
        words = told["words"]
        assert isinstance(words, bytes) and progress.state is not None
        progress.words += words
        del progress.words[self._size(progress.state) :]

    def _check(self, joint: int, progress: _Progress, number: int) -> None:
        if number != progress.number:
            raise LinkError(
                f"joint {joint} has lost its capture: it restarted, or another was set up on it"
            )

    def finish(self, timeout_s: float) -> tuple[JointTrace, ...]:
        """Wait for the joints, read what is left and return the traces.

        Raises MotionError naming the joints whose trigger did not come in time; what the others
        have stays, and `finish` may be called again.
        """
        deadline = self._link.now() + timeout_s
        watched = self._link.now()
        while not self.done:
            pending = [p for p in self._progress.values() if not self._whole(p)]
            waiting = all(progress.state is None for progress in pending)
            if waiting or self._link.now() > watched + WATCH_S:
                self._link.watch(pause=waiting)
                watched = self._link.now()
            self.follow()
            if waiting and self._link.now() > deadline:
                late = [joint for joint in self.joints if joint not in self.triggered]
                raise MotionError(
                    f"nothing triggered the capture on joint {', '.join(map(str, late))} "
                    f"in {timeout_s:g} s"
                )
        return tuple(self._trace(joint) for joint in self.joints)

    def _trace(self, joint: int) -> JointTrace:
        progress = self._progress[joint]
        assert progress.state is not None
        state, names = progress.state, self.setup.signals
        table = np.frombuffer(bytes(progress.words), dtype="<i4").reshape(-1, len(names))
        before, samples = state["before"], state["samples"]
        # the joint counts ticks; its clock tells how long they were
        index = np.arange(samples) - before
        period_us = float(self.setup.divider * messages.TICK_US)
        span = (state["last_us"] - state["trigger_us"]) % messages.TIME_MODULUS
        if index[-1] > 0:
            period_us = span / int(index[-1])
        start = self._link.host_instant(joint, state["trigger_us"])
        end = self._link.host_instant(joint, state["last_us"])
        rate = (end - start) / (span * 1e-6) if span else 1.0
        values: dict[str, Array] = {}
        for column, name in enumerate(names):
            scale, _ = si_scale(name, self._link.counts_per_turn(joint))
            values[name] = table[:, column] * scale
        time_s = np.asarray(start + index * (period_us * rate * 1e-6), dtype=np.float64)
        return JointTrace(joint, time_s, before, values)
