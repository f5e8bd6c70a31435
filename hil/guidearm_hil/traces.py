"""One step of a joint, recorded on several rigs: the same shape, in one picture."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from guidearm.arm import JointTrace
from guidearm.errors import InputError
from guidearm.geometry import Array
from guidearm.tracing.files import new_stem, write_table
from guidearm.tracing.picture import Words, draw_together
from guidearm.tracing.recording import record_step
from guidearm_hil.rigs import Rig, open_rig
from guidearm_tools.bench.rows import Row, at_most

SHARE_APART = 0.02  # of the step, in travel
ERROR_SHARE = 0.02  # of the step, in following its set-point
_LIMITS = ("velocity", "acceleration", "jerk")


@dataclass(frozen=True, eq=False)
class Step:
    """A step on a rig: what the joint did, and what `guidearm.tracing` says of it."""

    rig: str
    trace: JointTrace
    response: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the response in rad and s."""
        return {"rig": self.rig, "joint": self.trace.number, "response": self.response}


def record_steps(
    names: Sequence[str],
    joint: int | None,
    size: float,
    yes: bool,
    say: Callable[[str], None],
) -> list[Step]:
    """Record a step of `size` (rad) on each rig, at the pace that all of them allow.

    Raises InputError for a joint that not all rigs have, and what moving a joint raises.
    """
    limits = [_look(name, joint) for name in names]
    number = limits[0][0] if joint is None else joint
    if any(found[0] != number for found in limits):
        raise InputError("these rigs have no first joint in common: name one with --joint")
    slowest = np.min([found[1] for found in limits], axis=0)
    steps: list[Step] = []
    for name in names:
        with open_rig(name) as rig:
            rig.permit([f"a step of joint {number} by {math.degrees(size):g} deg"], yes)
            _slow_down(rig, number, slowest)
            with rig.robot() as robot:
                robot.enable()
                say(f"on {name}:")
                recording = record_step(robot, number, size, say=say)
                if recording.failure is not None:
                    raise recording.failure
                robot.disable()
        steps.append(Step(name, recording.traces[0], recording.notes["response"]))
    return steps


def save_together(steps: Sequence[Step], folder: Path) -> tuple[list[Row], list[Path]]:
    """Write a table for each rig and a picture of all; return what was judged, and the files.

    Each rig is compared with the first one. Raises InputError if the folder does not take them.
    """
    stem = new_stem(folder, f"step-joint{steps[0].trace.number}")
    size = abs(steps[0].response["size"])
    rows: list[Row] = []
    for step in steps:
        error = float(np.max(np.abs(step.trace.values["following_error"])))
        rows.append(at_most(f"{step.rig}: following error, share", error / size, ERROR_SHARE))
    for step in steps[1:]:
        apart = travel_apart(steps[0].trace, step.trace) / size
        name = f"{step.rig}: travel apart from {steps[0].rig}, share"
        rows.append(at_most(name, apart, SHARE_APART))
    picture = stem.with_name(stem.name + ".png")
    draw_together(
        picture, [(step.rig, step.trace) for step in steps], _words(steps, rows), "set-point"
    )
    files = [picture]
    for step in steps:
        table = stem.with_name(f"{stem.name}-{re.sub('[^a-z0-9.]+', '-', step.rig)}.csv")
        try:
            write_table(table, [step.trace])
        except OSError as error:
            raise InputError(f"{table} cannot be written ({error.strerror})") from None
        files.append(table)
    return rows, files


def travel_apart(one: JointTrace, other: JointTrace) -> float:
    """Return by how much (rad) two joints' travels differ at most, time from their triggers."""
    time_s = one.time_s - one.trigger_s
    there = other.time_s - other.trigger_s
    both = (time_s >= there[0]) & (time_s <= there[-1])
    here = np.interp(time_s[both], there, _travel(other))
    return float(np.max(np.abs(_travel(one)[both] - here)))


def _travel(trace: JointTrace) -> Array:
    position = trace.values["position"]
    return np.asarray(position - position[0], dtype=np.float64)


def _look(name: str, joint: int | None) -> tuple[int, Array]:
    """Return the joint's number on a rig, and its limits of speed, acceleration, jerk."""
    with open_rig(name) as rig:
        numbers = rig.joints.numbers
        number = numbers[0] if joint is None else joint
        if number not in numbers:
            raise InputError(f"{name} has no joint {number}: it has {', '.join(map(str, numbers))}")
        place = numbers.index(number)
        return number, np.array([getattr(rig.joints, limit)[place] for limit in _LIMITS])


def _slow_down(rig: Rig, number: int, slowest: Array) -> None:
    place = rig.joints.numbers.index(number)
    limits: dict[str, Array] = {}
    for limit, value in zip(_LIMITS, slowest, strict=True):
        limits[limit] = getattr(rig.joints, limit).copy()
        limits[limit][place] = value
    rig.joints = replace(rig.joints, **limits)


def _words(steps: Sequence[Step], rows: Sequence[Row]) -> Words:
    first = steps[0]
    degrees = f"{math.degrees(first.response['size']):.3g}".replace("-", "\u2212")
    rigs = " and on ".join(step.rig for step in steps)
    said = [
        f"{step.rig}: rise {step.response['rise_s'] * 1e3:.1f} ms, overshoot "
        f"{math.degrees(step.response['overshoot']):.3f}\u00b0, following error at most "
        f"{math.degrees(step.response['peak_error']):.3f}\u00b0."
        for step in steps
    ]
    apart = [row.measured for row in rows if "travel apart" in row.name]
    if apart:
        said.append(f"Travel differs by at most {100 * max(apart):.2f} % of the step.")
    return Words(
        f"Step of joint {first.trace.number} by {degrees}\u00b0 on {rigs}",
        " ".join(said),
        "The set-point is a move within limits of speed, acceleration and jerk that all of them "
        "allow.",
        bad=not all(row.ok for row in rows),
    )
