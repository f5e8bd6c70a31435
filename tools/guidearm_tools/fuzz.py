"""Coverage-guided fuzzing of everything on the host that decodes what it did not write itself.

`python -m guidearm_tools.fuzz [--seconds N] [TARGET ...]` gives each target its share of N seconds,
in a process of its own. An input that raises anything but the errors its decoder promises, or
breaks what a target checks, ends it with exit code 1 and stays in the working folder. Needs
atheris, which has wheels for Linux on x86-64 and Python below 3.13.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from guidearm.calibration.store import GUIDE_FILE, HAND_EYE_FILE, read_guide, read_hand_eye
from guidearm.errors import GuideArmError, TrackingError
from guidearm.kinematics import load_arm
from guidearm.mapping import read_registration
from guidearm.planning import read_plan
from guidearm.tracking import igtl
from guidearm.tracking.datasheet import read_data_sheet
from guidearm_protocol import body, messages
from guidearm_protocol.errors import ProtocolError
from guidearm_protocol.frame import decode_frame, encode_frame
from guidearm_protocol.stream import StreamParser
from guidearm_protocol.vectors import VECTORS

Target = Callable[[bytes], None]


def frames(data: bytes) -> None:
    """Feed a stream in two pieces; what is accepted must encode to what was received."""
    parser, cut = StreamParser(), len(data) // 2
    for frame in parser.feed(data[:cut]) + parser.feed(data[cut:]):
        encoded = encode_frame(frame)
        if decode_frame(encoded[:-1]) != frame or encoded[:-1] not in data:
            raise AssertionError(f"{frame} was accepted and does not encode to itself")
        try:
            if frame.from_joint:
                body.unpack_reply(frame.message, frame.body)
            elif frame.message == messages.CYCLE:
                body.unpack_cycle(frame.body)
            else:
                body.unpack_request(frame.message, frame.body)
        except ProtocolError:
            continue


def bodies(data: bytes) -> None:
    """Take the first byte as a message and the rest as a body, both ways."""
    message, content = data[:1], data[1:]
    for decode in (body.unpack_reply, body.unpack_request):
        try:
            decode(message[0] if message else 0, content)
        except ProtocolError:
            continue
    try:
        cycle = body.unpack_cycle(content)
    except ProtocolError:
        return
    if body.pack_cycle(cycle) != content:
        raise AssertionError(f"{cycle} does not pack to what it came from")


def openigtlink(data: bytes) -> None:
    """Feed a tracker's stream, and decode what its messages carry."""
    reader = igtl.MessageReader()
    try:
        for message in reader.feed(data):
            if message.type == "TDATA":
                igtl.decode_tdata(message.content)
            elif message.type == "STATUS":
                igtl.decode_status(message.content)
    except TrackingError:
        pass
    for decode in (igtl.decode_tdata, igtl.decode_status):
        try:
            decode(data)
        except TrackingError:
            continue


def _file(name: str, read: Callable[[Path], object]) -> Target:
    """Return a target that reads a file of the input's bytes."""
    folder = Path(tempfile.mkdtemp(prefix="guidearm-fuzz-"))

    def target(data: bytes) -> None:
        (folder / name).write_bytes(data)
        try:
            read(folder / name)
        except GuideArmError as error:
            if "\n" in str(error):
                raise AssertionError(f"not one line: {error}") from error

    return target


TARGETS: dict[str, Callable[[], Target]] = {
    "frames": lambda: frames,
    "bodies": lambda: bodies,
    "openigtlink": lambda: openigtlink,
    "plan": lambda: _file("plan.mrk.json", read_plan),
    "registration": lambda: _file("registration.json", read_registration),
    "hand_eye": lambda: _file(HAND_EYE_FILE, lambda path: read_hand_eye(path.parent)),
    "guide": lambda: _file(GUIDE_FILE, lambda path: read_guide(path.parent)),
    "data_sheet": lambda: _file("data_sheet.json", read_data_sheet),
    "arm": lambda: _file("arm.toml", load_arm),
}


def seeds(target: str, examples: Sequence[Path]) -> Iterator[bytes]:
    """Yield inputs to begin with: vectors, arms, and whatever of `examples` has the right name."""
    vectors: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    if target == "frames":
        yield from (bytes.fromhex(entry["bytes"]) for entry in vectors["streams"])
        yield from (bytes.fromhex(entry["encoded"]) for entry in vectors["frames"])
    elif target == "bodies":
        for entry in vectors["frames"]:
            yield bytes((entry["message"],)) + bytes.fromhex(entry["body"])
    elif target == "openigtlink":
        status = igtl.encode_status(1, "ok", "ready")
        for version in (1, 2):
            yield igtl.encode("STATUS", status, device="t", time_s=1.0, version=version)
            yield igtl.encode("TDATA", b"", device="t", time_s=1.0, version=version)
    elif target == "arm":
        for entry in (files("guidearm.kinematics") / "arms").iterdir():
            yield entry.read_bytes()
    for path in examples:
        if path.name.startswith(target):
            yield path.read_bytes()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the targets one after the other; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m guidearm_tools.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=120, help="for all together  [120]")
    parser.add_argument("--examples", type=Path, nargs="*", default=[], help="files to begin with")
    told = parser.parse_args(arguments)
    chosen: list[str] = told.targets or list(TARGETS)
    if unknown := sorted(set(chosen) - set(TARGETS)):
        parser.error(f"there is no target {', '.join(unknown)}")
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: skipped, there is no atheris for this Python and computer", file=sys.stderr)
        return 0
    failed: list[str] = []
    share = max(1, told.seconds // len(chosen))
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="guidearm-corpus-") as folder:
            for number, seed in enumerate(seeds(name, told.examples)):
                (Path(folder) / f"seed{number}").write_bytes(seed)
            child = [sys.executable, "-m", "guidearm_tools.fuzz_child", name, str(share), folder]
            ended = subprocess.run(child, capture_output=True, text=True, check=False)
        runs = [line.split()[-1] for line in ended.stderr.splitlines() if "number_of_exec" in line]
        if ended.returncode:
            failed.append(name)
            print(ended.stdout[-2000:] + ended.stderr[-4000:], file=sys.stderr)
        verdict = "FAILED" if ended.returncode else "ok"
        count = runs[0] if runs else "?"
        print(f"{name:<14}{count:>10} inputs in {share} s  {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
