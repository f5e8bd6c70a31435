"""The firmware's codec, on MicroPython, held to the same vectors as the host's."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from guidearm_protocol import messages
from guidearm_protocol.errors import FrameError
from guidearm_protocol.frame import Frame, decode_frame, encode_frame, reply_frame, request_frame
from guidearm_protocol.stream import StreamParser
from guidearm_protocol.vectors import VECTORS

ROOT = Path(__file__).parents[2]
STORED: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))


def micropython() -> str:
    """Return the interpreter that tools/setup provides, or the one named or on the PATH."""
    own = ROOT / ".micropython" / "micropython"
    found = os.environ.get("GUIDEARM_MICROPYTHON") or (
        str(own) if own.exists() else shutil.which("micropython")
    )
    assert found, "no MicroPython: run tools/setup"
    return found


def ask(lines: list[str]) -> list[str]:
    """Return what the firmware's codec answers to each line."""
    path = os.pathsep.join(str(ROOT / part) for part in ("firmware/guidearm_firmware", "protocol"))
    result = subprocess.run(
        [micropython(), str(Path(__file__).with_name("firmware_codec.py"))],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "MICROPYPATH": path},
    )
    assert result.returncode == 0, result.stderr
    answers = result.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


def content(entry: dict[str, Any]) -> str:
    header = bytes((entry["flags"], entry["address"], entry["sequence"] & 255))
    header += bytes((entry["sequence"] >> 8, entry["message"]))
    return (header + bytes.fromhex(entry["body"])).hex()


def test_table_hash() -> None:
    assert ask(["hash"]) == [str(STORED["table_hash"])]


def test_valid_frames_are_sealed_alike() -> None:
    frames = STORED["frames"]
    answers = ask([f"seal {content(entry)}" for entry in frames])
    assert answers == [entry["encoded"] for entry in frames]


def test_requests_are_opened_and_everything_else_is_left_to_others() -> None:
    requests = [entry for entry in STORED["frames"] if not entry["flags"] & messages.FROM_JOINT]
    replies = [entry for entry in STORED["frames"] if entry["flags"] & messages.FROM_JOINT]
    mine = [f"open {min(e['address'], 12)} {e['encoded'][:-2]}" for e in requests]
    assert ask(mine) == [content(entry) for entry in requests]
    addressed = [e for e in requests if e["address"] != messages.BROADCAST]
    others = [f"open {e['address'] % 12 + 1} {e['encoded'][:-2]}" for e in addressed]
    others += [f"open {e['address']} {e['encoded'][:-2]}" for e in replies]
    assert set(ask(others)) == {"0"}


def test_invalid_frames_are_refused() -> None:
    entries = STORED["invalid_frames"]
    answers = ask([f"open 3 {entry['encoded'][:-2]}" for entry in entries])
    for entry, answer in zip(entries, answers, strict=True):
        # 0 where flags or address alone tell that it concerns nobody here
        assert answer in ("0", "-1"), entry["name"]


def test_streams_give_the_same_frames() -> None:
    entries = STORED["streams"]
    for address in (1, 2):
        answers = ask([f"stream {address} {entry['bytes']}" for entry in entries])
        for entry, answer in zip(entries, answers, strict=True):
            expected = [
                decode_frame(bytes.fromhex(encoded)[:-1])
                for encoded in entry["frames"]
                if bytes.fromhex(encoded)[2] in (address, messages.BROADCAST)
            ]
            found = answer.split()[1:]
            assert found == [_content(frame) for frame in expected], entry["name"]


def _content(frame: Frame) -> str:
    return bytes.fromhex(
        f"{frame.flags:02x}{frame.address:02x}{frame.sequence & 255:02x}"
        f"{frame.sequence >> 8:02x}{frame.message:02x}{frame.body.hex()}"
    ).hex()


def test_random_and_corrupted_frames_are_judged_alike() -> None:
    """Seeded: whole frames, and frames with bytes flipped, dropped, doubled or cut."""
    rng = random.Random(20)
    cases: list[bytes] = []
    for _ in range(600):
        body = rng.randbytes(rng.choice((0, 1, 4, 30, 200, messages.MAX_BODY_BYTES)))
        if rng.random() < 0.5:
            body = bytes(len(body))
        frame = request_frame(rng.choice((3, 3, 255, 4)), rng.randrange(65536), 16, body)
        if rng.random() < 0.1:
            frame = reply_frame(3, 7, 16, body)
        cases.append(damage(rng, encode_frame(frame)[:-1]))
    answers = ask([f"open 3 {case.hex()}" for case in cases])
    accepted = 0
    for case, answer in zip(cases, answers, strict=True):
        try:
            frame = decode_frame(case)
        except FrameError:
            assert answer in ("0", "-1")
            continue
        mine = not frame.from_joint and frame.address in (3, messages.BROADCAST)
        assert answer == (_content(frame) if mine else "0")
        accepted += mine
    assert 150 < accepted < 450


def damage(rng: random.Random, data: bytes) -> bytes:
    kind = rng.randrange(8)
    at = rng.randrange(len(data))
    wrong = rng.choice([b for b in range(1, 256) if b != data[at]])
    if kind == 0:
        return data[:at] + bytes((wrong,)) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[at + 1 :]
    if kind == 2:
        return data[: at + 1] + data[at:]
    if kind == 3:
        return data[: at + 1]
    return data


def test_a_stream_with_damage_gives_the_hosts_frames() -> None:
    rng = random.Random(21)
    data = b""
    for _ in range(300):
        frame = request_frame(3, rng.randrange(65536), 16, rng.randbytes(rng.randrange(60)))
        data += damage(rng, encode_frame(frame)[:-1]) + b"\x00"
    expected = [
        _content(frame)
        for frame in StreamParser().feed(data)
        if frame.address in (3, messages.BROADCAST) and not frame.from_joint
    ]
    assert len(expected) > 100
    assert ask([f"stream 3 {data.hex()}"])[0].split()[1:] == expected


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_no_single_bit_flip_is_accepted_by_a_joint(bit: int) -> None:
    good = encode_frame(request_frame(3, 77, messages.CYCLE, bytes(range(24))))[:-1]
    flips = [good[:i] + bytes((good[i] ^ 1 << bit,)) + good[i + 1 :] for i in range(len(good))]
    assert set(ask([f"open 3 {flip.hex()}" for flip in flips])) <= {"0", "-1"}
