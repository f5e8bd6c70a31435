"""One joint's real firmware on a bench: genuine MicroPython, the rig's plant, and no bus.

`play` runs steps in a MicroPython process (`on_joint/player.py`) and returns the answers and the
recorded words of the servo, one row a tick. `run` runs another script of `on_joint`.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from guidearm.kinematics import load_arm
from guidearm.motion import hermite_segments, joint_move
from guidearm_firmware.joint import parameters
from guidearm_hil.joint_design import COUNTS_PER_TURN, plant_words, servo_parameters
from guidearm_protocol import messages
from guidearm_protocol.parameters import NAMES
from guidearm_tools.image import build_image
from guidearm_tools.micropython import Interpreter, find_interpreter

ROOT = Path(__file__).parents[2]
ON_JOINT = Path(__file__).with_name("on_joint")
PLANT = ROOT / "hil" / "guidearm_hil" / "virtual_board" / "plant.py"
SECOND_INTERPRETER = ROOT / ".micropython64" / "micropython"
UNITS_PER_RAD = messages.ANGLE_UNITS_PER_TURN / (2 * np.pi)
RECORD = (
    "NOW", "STATE", "MODE", "FAULT", "POSITION", "SET_POINT", "SET_SPEED", "SET_ACCELERATION",
    "SPEED", "ERROR", "BRAKE", "BRIDGE", "DUTY", "PULL_LINE", "AUTHORISED", "INTEGRAL",
)  # fmt: skip

Step = Sequence[Any]


@cache
def interpreter() -> Interpreter:
    """Return the MicroPython that everything runs on."""
    return find_interpreter()


@cache
def _true_image() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="guidearm-bench-")
    write_image(Path(folder.name) / "image")
    return folder


def write_image(folder: Path) -> None:
    """Build the joint's image with the bench's board, the rig's plant and flash, the scripts."""
    scripts = [path for path in sorted(ON_JOINT.glob("*.py")) if path.name != "board.py"]
    build_image(folder, ON_JOINT / "board.py", [PLANT, PLANT.with_name("flash.py"), *scripts])


_other_image: ContextVar[Path | None] = ContextVar("other_image", default=None)


@contextmanager
def other_image(folder: Path) -> Generator[None]:
    """Have everything in the block run from another image."""
    token = _other_image.set(folder)
    try:
        yield
    finally:
        _other_image.reset(token)


def assert_bug_found(
    folder: Path, file: str, text: str, planted: str, check: Callable[[], None]
) -> None:
    """Have a check fail in an image, built in `folder`, whose file has other text in one place."""
    write_image(folder)
    source = (folder / file).read_text()
    assert source.count(text) == 1, "the text is not there any more: plant the bug anew"
    (folder / file).write_text(source.replace(text, planted))
    with other_image(folder), pytest.raises(AssertionError) as caught:
        check()
    # found by what it does, not because it cannot be compiled
    assert "SyntaxError" not in str(caught.value)


def run(script: str, argument: object, *, on: Interpreter | None = None) -> Any:  # noqa: ANN401 whatever JSON the script prints
    """Run a script of `on_joint` with an argument."""
    folder = _other_image.get() or Path(_true_image().name) / "image"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(argument, file)
        file.flush()
        chosen = on or interpreter()
        result = subprocess.run(
            [chosen.path, "-X", "heapsize=32m", folder / script, file.name],
            env=chosen.environment(folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 0, result.stdout[-500:] + result.stderr[-2000:]
    return json.loads(result.stdout)


@dataclass(frozen=True)
class Trace:
    """What a joint did: the answer of each step, and recorded words by name, one per tick."""

    answers: list[Any]
    words: dict[str, NDArray[np.int64]]
    crc: int
    state: list[int]

    def __getitem__(self, name: str) -> NDArray[np.int64]:
        """Return a word's course."""
        return self.words[name]

    def last(self, name: str) -> int:
        """Return a word after the last tick."""
        return int(self.words[name][-1])

    def first(self, name: str, value: int) -> int:
        """Return the first tick at which a word has a value."""
        found = np.flatnonzero(self.words[name] == value)
        assert found.size, f"{name} is never {value}"
        return int(found[0])


def play(
    steps: Sequence[Step],
    *,
    joint: int = 0,
    at_rad: float = 0.0,
    load_nm: float = 0.0,
    record: Sequence[str] = RECORD,
    parameter_values: dict[str, int] | None = None,
    plant_values: dict[str, int] | None = None,
    digest: bool = False,
    damaged: bool = False,
    booted: bool = True,
    on: Interpreter | None = None,
) -> Trace:
    """Play steps on joint 0..5 of guide6, booted at rest; the first tick references it.

    `plant_values` are words of the plant from before that tick; without `booted` it is left to the
    steps. `digest` has every tick's state and plant in `crc`, `damaged` the stored parameters
    damaged.
    """
    script = make_script(
        steps, joint, at_rad, load_nm, record, parameter_values, plant_values, damaged, booted
    )
    return play_scripts([{**script, "digest": digest}], on)[0]


def make_script(
    steps: Sequence[Step],
    joint: int = 0,
    at_rad: float = 0.0,
    load_nm: float = 0.0,
    record: Sequence[str] = RECORD,
    parameter_values: dict[str, int] | None = None,
    plant_values: dict[str, int] | None = None,
    damaged: bool = False,
    booted: bool = True,
) -> dict[str, Any]:
    """Return what the player plays; the arguments are those of `play`."""
    arm = load_arm("guide6")
    values = dict(zip(NAMES, servo_parameters(arm, joint, joint + 1, 0), strict=True))
    stored = bytearray(parameters.encode(list((values | (parameter_values or {})).values())))
    stored[-1] ^= damaged
    first: list[Step] = [["load", name, value] for name, value in (plant_values or {}).items()]
    if booted:
        first.append(["run", 1])
    return {
        "parameters": stored.hex(),
        "plant": plant_words(arm, joint, at_rad, load_nm, 777),
        "record": list(record),
        "digest": False,
        "steps": [*first, *steps],
        "first": len(first),
    }


def play_scripts(scripts: Sequence[dict[str, Any]], on: Interpreter | None = None) -> list[Trace]:
    """Play scripts one after the other in one process."""
    traces: list[Trace] = []
    for script, told in zip(scripts, run("player.py", list(scripts), on=on), strict=True):
        names = script["record"]
        rows = np.array(told["rows"], dtype=np.int64).reshape(-1, len(names))
        words = {name: rows[:, column] for column, name in enumerate(names)}
        answers = told["answers"][script["first"] :]
        traces.append(Trace(answers, words, told["crc"], told["state"]))
    return traces


def move_segments(
    joint: int, start_rad: float, end_rad: float, speed: float = 1.0
) -> list[list[int]]:
    """Return a host's segments for one joint: position, velocity (wire units), duration (us)."""
    arm = load_arm("guide6")
    q0, q1 = np.zeros(6), np.zeros(6)
    q0[joint], q1[joint] = start_rad, end_rad
    segments = hermite_segments(joint_move(q0, q1, arm, speed))
    positions = np.rint(segments.position[:, joint] * UNITS_PER_RAD).astype(int).tolist()
    velocities = np.rint(segments.velocity[:, joint] * UNITS_PER_RAD).astype(int).tolist()
    rows = zip(positions, velocities, segments.duration_us.tolist(), strict=True)
    return [list(row) for row in rows]


def counts(rad: float) -> float:
    """Return motor counts of an angle."""
    return rad / (2 * np.pi) * COUNTS_PER_TURN
