"""What a procedure came to, as plain values for `summary.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from guidearm.arm import Robot
from guidearm.positioning import GateVerdict, LineError
from guidearm.procedure.tools import Task

if TYPE_CHECKING:
    from guidearm.procedure.steps import Motion, Outcome

DECIMALS = 6
"""Of every number: nanometres, microdegrees, microseconds."""


def summarize(outcome: Outcome, robot: Robot, task: Task) -> dict[str, Any]:
    """Return decision, measurements, motions and joints; no wall time and no folder is in it.

    Units are in the names. Reads what `robot` knows already: nothing goes over the wire, and the
    port may be closed.
    """
    summary: dict[str, Any] = {
        "passed": outcome.released,
        "gate": _gate(outcome.verdict),
        "measured": _deviation(outcome.measurement.error),
        "uncorrected": _deviation(outcome.correction.measurements[0].error),
        "corrections": len(outcome.correction.measurements) - 1,
        **_circumstances(robot, task, outcome.motions),
    }
    return cast("dict[str, Any]", _rounded(summary))


def summarize_failure(
    reason: str, robot: Robot, task: Task, motions: Sequence[Motion]
) -> dict[str, Any]:
    """Return the summary of a procedure that came to no verdict; `motions` were carried out."""
    summary: dict[str, Any] = {
        "passed": False,
        "reason": reason,
        **_circumstances(robot, task, motions),
    }
    return cast("dict[str, Any]", _rounded(summary))


def _circumstances(robot: Robot, task: Task, motions: Sequence[Motion]) -> dict[str, Any]:
    plan, registration = task.plan, task.registration
    return {
        "arm": robot.model.name,
        "port": robot.port_name,
        "plan": {
            "name": plan.name,
            "depth_mm": plan.depth_m * 1e3,
            "image_uid": plan.image_uid,
            "file": _file(plan.path),
        },
        "registration": {
            "residual_mm": registration.residual_m * 1e3,
            "date": registration.date.isoformat(),
            "file": _file(registration.path),
        },
        "motions": [_motion(motion) for motion in motions],
        "joints": [
            {**identity.as_dict(), "position_deg": math.degrees(joint.position)}
            for identity, joint in zip(robot.identities, robot.state.joints, strict=True)
        ],
    }


def _gate(verdict: GateVerdict) -> dict[str, Any]:
    return {
        "passed": verdict.passed,
        "bound_mm": verdict.bound_mm,
        "bound95_mm": verdict.bound95_mm,
        "entry_mm": verdict.entry_mm,
        "target_mm": verdict.target_mm,
        "confidence": verdict.confidence,
        "reasons": list(verdict.reasons),
        "contributions": [
            {"name": source.name, "entry_mm": source.entry_mm, "target_mm": source.target_mm}
            for source in verdict.contributions
        ],
    }


def _deviation(error: LineError) -> dict[str, float]:
    return {
        "entry_mm": 1e3 * float(np.linalg.norm(error.entry)),
        "target_mm": 1e3 * float(np.linalg.norm(error.target)),
        "angle_deg": math.degrees(float(error.angle_rad)),
        "depth_mm": 1e3 * float(error.depth_m),
    }


def _motion(motion: Motion) -> dict[str, Any]:
    record = motion.record
    return {
        "name": motion.name,
        "duration_s": record.end - record.start,
        "settled_s": record.settled - record.end,
        "following_error_deg": math.degrees(float(np.max(record.following_error))),
        "lead_ms": 1e3 * record.lead_s,
    }


def _file(path: Path | None) -> str | None:
    """Return the name alone: the same session in another folder has the same summary."""
    return None if path is None else path.name


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0  # adding zero makes -0.0 a plain 0.0
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list):
        return [_rounded(item) for item in cast("list[object]", value)]
    return value
