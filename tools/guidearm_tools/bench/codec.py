"""Corrupted frames through both codecs: none accepted wrongly, no crash, the next one found.

A case is a good frame mauled, a delimiter, and in every `GOOD_EVERY`th case the same frame whole.
Accepting anything but that very frame is wrong; not finding the whole one is a miss. Both codecs
take the same cases, the joint's on genuine MicroPython, between guard bytes.
"""

from __future__ import annotations

import json
import random
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from guidearm_protocol import messages
from guidearm_protocol.frame import (
    DELIMITER,
    MAX_ENCODED_BYTES,
    Frame,
    encode_frame,
    reply_frame,
    request_frame,
)
from guidearm_protocol.stream import StreamParser
from guidearm_tools.bench.rows import Row, at_most
from guidearm_tools.image import build_image
from guidearm_tools.micropython import Interpreter, find_interpreter
from guidearm_tools.spoil import maul

BATCH = 50_000
GOOD_EVERY = 10
MAX_CASE_BYTES = 1024
ADDRESS = 3
_CASE = struct.Struct("<H")
_BODIES = (0, 0, 1, 4, 8, 24, 56, 56, 120, messages.MAX_BODY_BYTES)


@dataclass
class Counts:
    """What became of the cases; `whole` are good frames that the damage had left as they were."""

    cases: int = 0
    wrong: int = 0
    whole: int = 0
    good: int = 0
    missed: int = 0
    crashes: int = 0

    def rows(self, codec: str) -> list[Row]:
        """Return the promises."""
        return [
            at_most(f"{codec}: accepted wrongly of {self.cases} corrupted frames", self.wrong, 0),
            at_most(f"{codec}: crashes", self.crashes, 0),
            at_most(f"{codec}: missed of {self.good} good frames in between", self.missed, 0),
        ]

    def judge(self, accepted: list[bytes], original: bytes, followed: bool) -> None:
        """Count one case by the contents that a codec accepted."""
        right = sum(content == original for content in accepted)
        self.cases += 1
        self.good += followed
        self.wrong += len(accepted) - right
        self.missed += followed and not right
        self.whole += max(0, right - followed)


@dataclass(frozen=True)
class Case:
    """Bytes that arrive, the content of the frame they were, whether it follows whole."""

    data: bytes
    content: bytes
    followed: bool


def make_cases(number: int, seed: int) -> Iterator[Case]:
    """Yield cases for the joint at `ADDRESS`, from a seed."""
    rng = random.Random(seed)
    for index in range(number):
        frame = _frame(rng)
        encoded = encode_frame(frame)
        mauled = encoded
        while mauled == encoded:
            mauled = maul(encoded, rng)[: MAX_CASE_BYTES - MAX_ENCODED_BYTES - 2]
        followed = index % GOOD_EVERY == 0
        yield Case(mauled + DELIMITER + (encoded if followed else b""), content_of(frame), followed)


def _frame(rng: random.Random) -> Frame:
    size = rng.choice(_BODIES)
    body = bytes(size) if rng.random() < 0.2 else rng.randbytes(size)
    message = rng.choice(messages.MESSAGES)[0]
    return request_frame(
        rng.choice((ADDRESS, messages.BROADCAST)), rng.randrange(1 << 16), message, body
    )


def content_of(frame: Frame) -> bytes:
    """Return header and body as they stand in front of the checksum."""
    header = struct.pack("<BBHB", frame.flags, frame.address, frame.sequence, frame.message)
    return header + frame.body


def bench_host(number: int, seed: int) -> Counts:
    """Return what the host's codec makes of `number` cases, half of them sent by joints."""
    counts = Counts()
    for index, case in enumerate(make_cases(number, seed)):
        if index % 2:
            case = _from_joint(case, index)
        parser = StreamParser()
        try:
            accepted = [content_of(frame) for frame in parser.feed(case.data)]
        except Exception:  # counted: whatever it is, a codec must not raise it
            counts.crashes += 1
            accepted = []
        counts.judge(accepted, case.content, case.followed)
    return counts


def _from_joint(case: Case, index: int) -> Case:
    rng = random.Random(index)
    _, _, sequence, message = struct.unpack_from("<BBHB", case.content)
    frame = reply_frame(ADDRESS, sequence, message, case.content[messages.HEADER_BYTES :])
    encoded = encode_frame(frame)
    mauled = encoded
    while mauled == encoded:
        mauled = maul(encoded, rng)
    follower = encoded if case.followed else b""
    return Case(mauled + DELIMITER + follower, content_of(frame), case.followed)


def bench_joint(number: int, seed: int, interpreter: Interpreter | None = None) -> Counts:
    """Return what the firmware's codec makes of `number` cases, on MicroPython.

    A write outside its buffers counts as a crash. Raises MicroPythonError if there is none.
    """
    chosen = interpreter or find_interpreter()
    counts = Counts()
    with (
        tempfile.TemporaryDirectory(prefix="guidearm-codec-") as name,
        as_file(files("guidearm_tools") / "bench" / "codec_on_joint.py") as script,
    ):
        folder = Path(name)
        build_image(folder / "image", script)  # it stands in the board's place
        cases = make_cases(number, seed)
        for size in _batches(number):
            batch = [next(cases) for _ in range(size)]
            path = folder / "cases"
            path.write_bytes(b"".join(_CASE.pack(len(case.data)) + case.data for case in batch))
            accepted = _run(chosen, folder / "image", path)
            if accepted is None:
                counts.crashes += 1
                accepted = {}
            for index, case in enumerate(batch):
                counts.judge(accepted.get(index, []), case.content, case.followed)
    return counts


def _batches(number: int) -> list[int]:
    whole, rest = divmod(number, BATCH)
    return [BATCH] * whole + [rest] * (rest > 0)


def _run(interpreter: Interpreter, image: Path, path: Path) -> dict[int, list[bytes]] | None:
    """Return the accepted contents by case; None if it crashed or wrote outside its buffers."""
    ended = subprocess.run(
        [interpreter.path, "-X", "heapsize=32m", image / "board.py", path, str(ADDRESS)],
        env=interpreter.environment(image),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        return None
    told: dict[str, Any] = json.loads(ended.stdout)
    if told["broken"]:
        return None
    accepted: dict[int, list[bytes]] = {}
    for index, content in told["accepted"]:
        accepted.setdefault(index, []).append(bytes.fromhex(content))
    return accepted
