"""A virtual joint's process, and the two messages it lives by.

The rig says `advance by dt, under this load, with these inputs, having received these bytes`; the
joint answers with what it transmits and where its plant is. `virtual_board/board.py` has the other
end. Little-endian, over two pipes; the joint's own stdout stays free for its errors.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from guidearm_hil.errors import RigError
from guidearm_tools.micropython import Interpreter

_HEADER = struct.Struct("<iiHHi")
_INJECTION = struct.Struct("<ii")
_RUN = struct.Struct("<iH")
_ANSWER = struct.Struct("<HHii")
_TRANSMISSION = struct.Struct("<iH")
_SETUP = struct.Struct("<HHhiIi8s12s")

PULLING = 1
POWERED = 2
BRAKE_OPEN = 4


@dataclass(frozen=True)
class JointSetup:
    """What makes a joint process this joint.

    Fields: plant words; file of its flash; boot count; ppm its clock runs fast; phase of its first
    tick and its clock at boot, us; unique id (8 bytes); board name (<= 12); bytes of flash it may
    erase or program before its power fails, -1 for ever.
    """

    plant: Sequence[int]
    flash: Path
    boot_count: int
    ppm: int
    tick_phase_us: int
    clock_us: int
    unique_id: bytes
    board: bytes = b"virtual"
    power_cut_after: int = -1

    def encode(self) -> bytes:
        """Return the bytes the board reads first."""
        return _SETUP.pack(
            len(self.plant),
            self.boot_count,
            self.ppm,
            self.tick_phase_us,
            self.clock_us,
            self.power_cut_after,
            self.unique_id,
            self.board,
        ) + struct.pack(f"<{len(self.plant)}i", *self.plant)


@dataclass(frozen=True)
class Answer:
    """Where a joint has got to.

    Fields: flags PULLING, POWERED and BRAKE_OPEN; link and motor position at the advance's end in
    1/1024 motor count; transmissions as (start in us after the advance's end, bytes).
    """

    flags: int
    link: int
    motor: int
    transmissions: list[tuple[int, bytes]]


class JointProcess:
    """The firmware image of one joint in a MicroPython process."""

    def __init__(
        self, interpreter: Interpreter, image: Path, setup: JointSetup, errors: BinaryIO
    ) -> None:
        """Start the process in a session of its own, so that Ctrl-C does not reach it."""
        to_joint, self._to = os.pipe()
        self._from, from_joint = os.pipe()
        self._process = subprocess.Popen(
            [
                interpreter.path,
                *("-X", "heapsize=1m"),
                *(image / "main.py", str(to_joint), str(from_joint), setup.flash),
            ],
            env=interpreter.environment(image),
            pass_fds=(to_joint, from_joint),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
        os.close(to_joint)
        os.close(from_joint)
        self._buffer = b""
        self._injections: list[tuple[int, int]] = []
        self._errors = errors
        try:
            self._write(setup.encode())
            self.receive()  # the joint reports where it stands before the first advance
        except RigError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def inject(self, word: int, value: int) -> None:
        """Have a word of the plant (`virtual_board.plant`) changed at the coming advance."""
        self._injections.append((word, value))

    def send(
        self, advance_us: int, load_mnm: int, inputs: int, runs: list[tuple[int, bytes]]
    ) -> None:
        """Ask for an advance; `runs` are (us after its start of the last byte, bytes)."""
        payload = b"".join([_RUN.pack(at, len(data)) + data for at, data in runs])
        injections = b"".join([_INJECTION.pack(*change) for change in self._injections])
        header = _HEADER.pack(advance_us, load_mnm, inputs, len(payload), len(self._injections))
        self._injections.clear()
        self._write(header + injections + payload)

    def receive(self) -> Answer:
        """Return the answer to the advance asked for. Raises RigError when the process is gone."""
        flags, size, link, motor = _ANSWER.unpack(self._read(_ANSWER.size))
        transmissions: list[tuple[int, bytes]] = []
        if size:
            data = self._read(size)
            start = 0
            while start < size:
                at, n = _TRANSMISSION.unpack_from(data, start)
                start += _TRANSMISSION.size
                transmissions.append((at, data[start : start + n]))
                start += n
        return Answer(flags, link, motor, transmissions)

    def close(self) -> None:
        """End the process: it exits when its pipe closes."""
        for descriptor in (self._to, self._from):
            os.close(descriptor)
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._to, data)
        except BrokenPipeError:
            raise self._ended() from None

    def _read(self, n: int) -> bytes:
        while len(self._buffer) < n:
            data = os.read(self._from, 4096)
            if not data:
                raise self._ended()
            self._buffer += data
        data, self._buffer = self._buffer[:n], self._buffer[n:]
        return data

    def _ended(self) -> RigError:
        """Return the error that says what the process said last."""
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        why = f" ({said[-1]})" if said else ""
        return RigError(f"joint process {self.pid} has ended{why}")
