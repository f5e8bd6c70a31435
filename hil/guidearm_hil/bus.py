"""The virtual half-duplex bus: bytes at the baud rate, the stop line, and joints kept in step.

Joints advance lazily. A joint transmits only in answer to the host and never sooner than the
turnaround after the request's last byte; so once every joint has been advanced to just before
that instant, all transmissions are known until the host speaks again, and the host's clock may
run ahead of the joints'. A joint that breaks this rule is caught, not tolerated.

Time is whole microseconds of the bus since it was switched on.
"""

from __future__ import annotations

import hashlib
import math
import struct
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from guidearm.geometry import Array
from guidearm_hil.errors import RigError
from guidearm_hil.exchange import POWERED, PULLING, Answer
from guidearm_hil.joint_design import RAD_PER_COUNT
from guidearm_hil.noise import HOST, Wire, at_another_baud
from guidearm_protocol.messages import TURNAROUND_US

MOVING_STEP_US = 2000  # two servo ticks: how late the stop line may reach another joint
RESTING_STEP_US = 25000
GRAVITY_STEP_US = 5000
_INPUT_STOP_LINE = 1
_INPUT_EMERGENCY_STOP = 2
_BITS_PER_BYTE = 10
_STIR = 64  # 1/16 motor count: less than this in a step is standing still


class Joint(Protocol):
    """One member of the bus, as `exchange.JointProcess` is."""

    def send(
        self, advance_us: int, load_mnm: int, inputs: int, runs: list[tuple[int, bytes]]
    ) -> None:
        """Ask for an advance."""
        ...

    def receive(self) -> Answer:
        """Return the answer."""
        ...


@dataclass
class Transmission:
    """Bytes on the wire from `start` to `end` (us) at `baud`; the sender may be HOST.

    `said` is what it sent, `data` what a collision left of it.
    """

    start: int
    end: int
    sender: int
    said: bytes
    data: bytes
    baud: int


class VirtualBus:
    """Joints, wire and stop line. `host_us` is the host's own time, never behind the joints'."""

    def __init__(
        self,
        joints: Sequence[Joint],
        q: Array,
        gravity: Callable[[Array], list[float]],
        baud: int,
        wire: Wire | None = None,
    ) -> None:
        """Connect joints at true link angles q (n,) rad; `gravity(q)` (n,) Nm holds them.

        The joints speak at `baud`; without a `wire` nothing is spoilt on the way.
        """
        self.baud = baud
        self.host_baud = baud  # what the host's port is set to
        self.wire = wire
        self.moving_step_us = MOVING_STEP_US
        self.time_us = 0  # up to which the joints were advanced
        self.host_us = 0
        self.frames = 0
        self.collisions = 0
        self.emergency_stop = False
        self.stop_line = False  # pulled by something that is none of the joints
        self.log: list[Transmission] | None = None  # of all that is said, once it is a list
        self.alive = [True] * len(joints)
        self._joints = list(joints)
        self._gravity = gravity
        self._load = [round(load * 1e3) for load in gravity(q)]
        self._gravity_due = GRAVITY_STEP_US
        self._pulls = [False] * len(joints)
        self._motor = [0] * len(joints)
        self._answers: dict[int, Answer] = {}
        self._moving = False
        self._hear_by: list[int] = []  # instants before which joints cannot answer yet
        self._to_joints: list[Transmission] = []
        self._to_host: list[Transmission] = []
        self._sha = hashlib.sha256()
        self._log_us: list[int] = [0]
        self._log_q: list[Array] = [np.array(q, dtype=np.float64)]
        self._log_rotor: list[Array] = [np.array(q, dtype=np.float64)]

    @property
    def sha256(self) -> str:
        """Digest of all traffic: start, sender and bytes of each transmission."""
        return self._sha.hexdigest()

    # ---- the host's side

    def transmit(self, data: bytes) -> int:
        """Put the host's bytes on the wire as soon as its last ones have left; return the end."""
        start = self.host_us
        for other in self._to_joints:
            if other.sender == HOST:
                start = max(start, other.end)
        sent = self._put(start, HOST, data, self.host_baud)
        self._hear_by.append(sent.end + TURNAROUND_US - 1)
        return start + sent.end - sent.start  # the host does not know when it was late

    def receive(self, deadline_us: int) -> bytes:
        """Let the host wait for bytes until a deadline; b"" when none came."""
        while self._hear_by and self._hear_by[0] <= deadline_us:
            self.advance(self._hear_by[0])
        while self._to_host and self._to_host[0].end <= max(deadline_us, self.host_us):
            heard = self._to_host.pop(0)
            self.host_us = max(self.host_us, heard.end)
            if data := self._hear(HOST, heard):
                return data
        self.host_us = max(self.host_us, deadline_us)
        return b""

    def discard(self) -> None:
        """Forget what has reached the host and was not read."""
        self._to_host = [t for t in self._to_host if t.end > self.host_us]

    @property
    def quiet(self) -> bool:
        """Whether nothing is on the wire for the host, nor can be until it speaks again."""
        return not self._hear_by and not self._to_host

    @property
    def due_us(self) -> int | None:
        """When the joints will have heard the host, or all they said will have reached it."""
        if self._hear_by:
            return self._hear_by[0]
        return self._to_host[-1].end if self._to_host else None

    # ---- the joints' side

    def advance(self, until_us: int) -> None:
        """Advance all joints to an instant, step by step."""
        while self.time_us < until_us:
            step = self.moving_step_us if self._moving else RESTING_STEP_US
            until = min(until_us, self.time_us + step)
            if self._hear_by:
                until = min(until, self._hear_by[0])
            self._exchange(until)
            if self._hear_by and self._hear_by[0] <= until:
                self._hear_by.pop(0)

    def true_joints(self, time_us: float) -> Array:
        """Return the true link angles (n,) rad at an instant, between the two steps around it.

        For an instant to come, time passes until then, for the host too.
        """
        self.advance(math.ceil(time_us))
        self.host_us = max(self.host_us, self.time_us)
        after = bisect_left(self._log_us, time_us)
        if after == 0:
            return self._log_q[0]
        t0, t1 = self._log_us[after - 1], self._log_us[after]
        share = (time_us - t0) / (t1 - t0)
        return self._log_q[after - 1] * (1 - share) + self._log_q[after] * share

    def true_motion(self) -> tuple[Array, Array, Array]:
        """Return all remembered steps: instants (m,) s, true link and rotor angles (m, n) rad.

        A rotor's angle is seen at the output: divided by the gear ratio.
        """
        return np.array(self._log_us) * 1e-6, np.array(self._log_q), np.array(self._log_rotor)

    def answer(self, index: int) -> Answer:
        """Return where a joint, by its index, stands at the host's instant."""
        self.advance(max(self.host_us, self.time_us + (index not in self._answers)))
        self.host_us = max(self.host_us, self.time_us)
        return self._answers[index]

    def forget(self, before_us: int) -> None:
        """Drop the true motion before an instant, which nobody will ask for again."""
        kept = bisect_left(self._log_us, before_us) - 1
        if kept > 0:
            del self._log_us[:kept], self._log_q[:kept], self._log_rotor[:kept]

    def _exchange(self, until: int) -> None:
        start = self.time_us
        due = [t for t in self._to_joints if t.end <= until]
        self._to_joints = [t for t in self._to_joints if t.end > until]
        if until >= self._gravity_due:
            self._gravity_due = until + GRAVITY_STEP_US
            self._load = [round(load * 1e3) for load in self._gravity(self._log_q[-1])]
        inputs = _INPUT_EMERGENCY_STOP if self.emergency_stop else 0
        if self.stop_line or any(self._pulls):
            inputs |= _INPUT_STOP_LINE
        for index, joint in enumerate(self._joints):
            if self.alive[index]:
                heard = [(t.end - start, self._hear(index, t)) for t in due if t.sender != index]
                runs = [(at, data) for at, data in heard if data]
                try:
                    joint.send(until - start, self._load[index], inputs, runs)
                except RigError:
                    self._lose(index)
        q = self._log_q[-1].copy()
        rotor = self._log_rotor[-1].copy()
        moving = False
        self.time_us = until
        for index, joint in enumerate(self._joints):
            if not self.alive[index]:
                continue
            try:
                answer = joint.receive()
            except RigError:
                self._lose(index)
                continue
            self._answers[index] = answer
            q[index] = answer.link * (RAD_PER_COUNT / 1024)
            rotor[index] = answer.motor * (RAD_PER_COUNT / 1024)
            self._pulls[index] = bool(answer.flags & PULLING)
            if answer.flags & POWERED and abs(answer.motor - self._motor[index]) > _STIR:
                moving = True
            self._motor[index] = answer.motor
            for after, data in answer.transmissions:
                if after < 0:
                    raise RigError(
                        f"joint {index + 1} transmitted {-after} us before it could have heard the "
                        "request: its board broke the turnaround"
                    )
                self._put(until + after, index, data, self.baud)
        self._moving = moving
        self._log_us.append(until)
        self._log_q.append(q)
        self._log_rotor.append(rotor)

    def reconnect(self, index: int, joint: Joint) -> None:
        """Put a joint, started anew, in the place of one."""
        self._joints[index] = joint
        self._pulls[index] = False
        self.alive[index] = True

    def load_nm(self, index: int) -> float:
        """Return the torque that holds a link now."""
        return self._load[index] * 1e-3

    def _lose(self, index: int) -> None:
        """Go on without a joint whose process has ended: it is silent, its pull is let go."""
        self.alive[index] = False
        self._pulls[index] = False

    def _hear(self, listener: int, transmission: Transmission) -> bytes:
        """Return what a transmission is to a joint, by its index, or to the HOST."""
        data = transmission.data
        own = self.host_baud if listener == HOST else self.baud
        if transmission.baud != own:
            data = at_another_baud(data, transmission.baud, own)
        if self.wire is None:
            return data
        return self.wire.hear(listener, transmission.sender, transmission.said, data)

    def _put(self, start: int, sender: int, data: bytes, baud: int) -> Transmission:
        if self.wire:
            start += self.wire.delay_us()
        end = start + math.ceil(len(data) * _BITS_PER_BYTE * 1e6 / baud)
        sent = Transmission(start, end, sender, data, data, baud)
        self._sha.update(struct.pack("<qqh", start, end, sender) + data)
        if self.log is not None:
            self.log.append(sent)
        self.frames += 1
        for other in self._to_joints:
            if other.start < end and start < other.end:
                # two drivers at once: neither gets through
                self.collisions += 1
                for spoilt in (other, sent):
                    spoilt.data = bytes(byte | 0x55 for byte in spoilt.data)
        insort(self._to_joints, sent, key=_by_end)
        if sender != HOST:
            insort(self._to_host, sent, key=_by_end)
        return sent


def _by_end(transmission: Transmission) -> int:
    return transmission.end
