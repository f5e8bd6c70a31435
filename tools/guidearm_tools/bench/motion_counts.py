"""How far the set-points that joints make of a plan are from the plan, in motor counts.

A plan goes the way that it goes in use: cut into segments, those behind some instant replaced where
it is changed, rounded to the wire's units, and through the queue and the tick of the firmware, on
genuine MicroPython. Clocks agree here.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guidearm.arm.segments import wire_points
from guidearm.geometry import Array, transform
from guidearm.kinematics import Arm, load_arm
from guidearm.kinematics.clearance import Bodies, Room
from guidearm.motion import Course, course, joint_move, line_move
from guidearm_protocol import messages
from guidearm_tools.bench.motion_measure import ARMS, open_postures
from guidearm_tools.image import build_image
from guidearm_tools.micropython import Interpreter, MicroPythonError, find_interpreter

COUNTS_PER_TURN = 409_600
TICK_US = 1000
_Q8 = 256
_TURN = 2.0 * np.pi
# Ticks of different cases fall on different instants; so many microseconds later in each.
_PHASE_US = 373


@dataclass(frozen=True, eq=False)
class Case:
    """A motion as the joints get it: a course, and another behind `used` of its segments, if any.

    `stands` (n,) are the set-points before, Q8 counts; `kind` says what it is.
    """

    kind: str
    arm: Arm
    stands: NDArray[np.int64]
    course: Course
    used: int = -1
    then: Course | None = None

    def chains(self) -> Iterator[list[tuple[int, int, int]]]:
        """Give position, velocity and duration of each segment on the wire, joint by joint."""
        points = wire_points(self.course.segments, self.arm)
        if self.then is not None:
            points = points[: self.used] + wire_points(self.then.segments, self.arm)
        for joint in range(len(self.arm.numbers)):
            yield [(*point.set_points[joint], point.duration_us) for point in points]

    def planned(self, t_us: NDArray[np.int64], joint: int) -> Array:
        """Return where a joint is planned to be (m,) rad at times (m,) us from the start."""
        q, _ = self.course.motion.sample(t_us * 1e-6)
        if self.then is not None:
            since_us = t_us - self.course.segments.knots_us[self.used]
            changed = since_us >= 0
            q[changed] = self.then.motion.sample(since_us[changed] * 1e-6)[0]
        return q[:, joint]


def measure_counts(
    seed: int, motions: int, interpreter: Interpreter | None = None
) -> dict[str, float]:
    """Return the largest distance, motor counts, by kind of motion, of `motions` of each.

    Raises MicroPythonError if there is no MicroPython, or if the joint does not take a plan.
    """
    cases = list(_cases(np.random.default_rng(seed), motions))
    worst = dict.fromkeys((case.kind for case in cases), 0.0)
    followed = _followed(cases, interpreter or find_interpreter())
    for number, case in enumerate(cases):
        for joint in range(len(case.arm.numbers)):
            counts = next(followed) / _Q8
            t_us = _phase_us(number) + TICK_US * np.arange(len(counts))
            off = counts - case.planned(t_us, joint) * COUNTS_PER_TURN / _TURN
            worst[case.kind] = max(worst[case.kind], float(np.max(np.abs(off))))
    return worst


def _phase_us(number: int) -> int:
    return number * _PHASE_US % TICK_US


def _cases(rng: np.random.Generator, motions: int) -> Iterator[Case]:
    """Draw motions of every kind, from 0.01 deg to 100 deg long, at up to full speed."""
    for number in range(motions):
        # arithmetic alone: nothing is in the way of any motion
        arm = replace(load_arm(ARMS[number % len(ARMS)]), bodies=Bodies(), room=Room())
        stands, q = _standing(rng.uniform(-2.5, 2.5, 6))
        size = 10.0 ** rng.uniform(-4.0, 0.3)
        goal = np.clip(q + rng.uniform(-size, size, 6), arm.lower, arm.upper)
        before = course(joint_move(q, goal, arm), arm)
        yield Case("joint move", arm, stands, before)
        used = int(rng.integers(1, len(before.segments) + 1))
        other = np.clip(goal + rng.uniform(-size, size, 6), arm.lower, arm.upper)
        yield Case(
            "another goal in mid-move", arm, stands, before, used, before.retargeted(used, other)
        )
        stands, q = _standing(open_postures(arm, rng, 1)[0])
        start = arm.forward(q) @ arm.T_flange_guide
        end = start @ transform(np.eye(3), [0.0, 0.0, rng.uniform(-0.05, 0.05)])
        line = line_move(arm, arm.T_flange_guide, start, end, q, rng.choice([0.02, 0.1, 0.25]))
        before = course(line, arm)
        yield Case("straight line of the guide", arm, stands, before)
        used = int(rng.integers(1, len(before.segments) + 1))
        share = float(rng.choice([0.0, 0.1, 0.5]))
        yield Case(
            "another feed in mid-move", arm, stands, before, used, before.at_feed(used, share)
        )


def _standing(q: Array) -> tuple[NDArray[np.int64], Array]:
    """Return set-points (6,) in Q8 counts near a posture, and the angles (rad) they report."""
    stands = np.rint(q * _Q8 * COUNTS_PER_TURN / _TURN).astype(np.int64)
    units = stands * messages.ANGLE_UNITS_PER_TURN // (_Q8 * COUNTS_PER_TURN)
    return stands, units * _TURN / messages.ANGLE_UNITS_PER_TURN


def _followed(cases: list[Case], interpreter: Interpreter) -> Iterator[NDArray[np.int32]]:
    """Give the set-points (Q8 counts) at every tick, of the joints of each case in turn."""
    with (
        tempfile.TemporaryDirectory(prefix="guidearm-motion-") as name,
        as_file(files("guidearm_tools") / "bench" / "motion_on_joint.py") as script,
    ):
        folder = Path(name)
        image = folder / "image"
        build_image(image, script)  # it stands in the board's place
        with (folder / "chains").open("w") as file:
            for number, case in enumerate(cases):
                for stand, chain in zip(case.stands.tolist(), case.chains(), strict=True):
                    line = [stand, COUNTS_PER_TURN, _phase_us(number), chain]
                    file.write(json.dumps(line) + "\n")
        told = folder / "told"
        ended = subprocess.run(
            [interpreter.path, "-X", "heapsize=32m", image / "board.py", folder / "chains", told],
            env=interpreter.environment(image),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            lines = (ended.stdout + ended.stderr).strip().splitlines() or ["it told nothing"]
            raise MicroPythonError(f"the joint's segments on {interpreter} failed: {lines[-1]}")
        words = np.fromfile(told, dtype=np.int32)
    place = 0
    while place < len(words):
        count = int(words[place])
        yield words[place + 1 : place + 1 + count]
        place += 1 + count
