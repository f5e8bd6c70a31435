from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from guidearm.procedure import Journal
from guidearm.procedure.summary import summarize, summarize_failure

from .conftest import SEED, Finished


@pytest.fixture
def summary(finished: Finished) -> dict[str, Any]:
    return summarize(finished.outcome, finished.robot, finished.task)


def numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [n for item in cast("dict[str, object]", value).values() for n in numbers(item)]
    if isinstance(value, list):
        return [n for item in cast("list[object]", value) for n in numbers(item)]
    return [value] if isinstance(value, float) else []


def test_keys(summary: dict[str, Any]) -> None:
    assert list(summary) == [
        "passed", "gate", "measured", "uncorrected", "corrections", "arm", "port", "plan",
        "registration", "motions", "joints",
    ]  # fmt: skip


def test_is_plain_json_with_six_decimals(summary: dict[str, Any], finished: Finished) -> None:
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text) == summary
    for number in numbers(summary):
        assert number == round(number, 6)
        assert number != 0.0 or math.copysign(1.0, number) == 1.0
    again = summarize(finished.outcome, finished.robot, finished.task)
    assert json.dumps(again) == text


def test_no_folder_is_in_it(summary: dict[str, Any], finished: Finished) -> None:
    path = finished.task.plan.path
    assert path is not None
    assert summary["plan"]["file"] == "plan.mrk.json"
    assert summary["registration"]["file"] == "registration.json"
    assert str(path.parent) not in json.dumps(summary)


def test_gate_and_deviations(summary: dict[str, Any], finished: Finished) -> None:
    outcome = finished.outcome
    assert summary["passed"] is summary["gate"]["passed"] is True
    assert summary["gate"]["bound_mm"] == pytest.approx(outcome.verdict.bound_mm, abs=1e-6)
    assert summary["gate"]["confidence"] == 0.999
    squares = sum(source["target_mm"] ** 2 for source in summary["gate"]["contributions"])
    assert 0.0 < math.sqrt(squares) < summary["gate"]["target_mm"]
    measured, uncorrected = summary["measured"], summary["uncorrected"]
    assert measured["target_mm"] < 0.1 < uncorrected["target_mm"]
    assert measured["angle_deg"] < 0.1
    first = outcome.correction.measurements[0].error
    assert uncorrected["entry_mm"] == pytest.approx(1e3 * np.linalg.norm(first.entry), abs=1e-6)
    assert summary["corrections"] == len(outcome.correction.measurements) - 1 >= 1


def test_refused(finished: Finished) -> None:
    outcome = finished.refused()
    summary = summarize(outcome, finished.robot, finished.task)
    assert summary["passed"] is summary["gate"]["passed"] is False
    assert summary["gate"]["reasons"] == list(outcome.verdict.reasons)
    assert summary["gate"]["bound_mm"] > 1.0


def test_arm_and_port(summary: dict[str, Any], finished: Finished) -> None:
    assert summary["arm"] == "guide6"
    assert summary["port"] == f"virtual:seed={SEED}"
    failed = summarize_failure("why", finished.robot, finished.task, finished.outcome.motions)
    assert (failed["passed"], failed["reason"]) == (False, "why")
    for key in ("arm", "port", "plan", "registration", "motions", "joints"):
        assert failed[key] == summary[key]


def test_plan_and_registration(summary: dict[str, Any], finished: Finished) -> None:
    task = finished.task
    assert summary["plan"]["name"] == task.plan.name
    assert summary["plan"]["depth_mm"] == pytest.approx(1e3 * task.plan.depth_m, abs=1e-6)
    assert summary["plan"]["image_uid"] == task.registration.image_uid
    assert summary["registration"]["date"] == task.registration.date.isoformat()
    residual_mm = summary["registration"]["residual_mm"]
    assert residual_mm == pytest.approx(1e3 * task.registration.residual_m, abs=1e-6)


def test_motions_and_joints(summary: dict[str, Any], finished: Finished) -> None:
    names = [motion["name"] for motion in summary["motions"]]
    assert names[:2] == ["transfer", "approach"]
    assert names[2:] == ["correction"] * summary["corrections"]
    for motion in summary["motions"]:
        assert motion["duration_s"] > 0.1
        assert 0.0 < motion["settled_s"] < 0.5
        assert 0.0 < motion["following_error_deg"] < 0.05
        assert motion["lead_ms"] > 0.0
    assert [joint["joint"] for joint in summary["joints"]] == [1, 2, 3, 4, 5, 6]
    for joint, q in zip(summary["joints"], finished.outcome.trace.q[-1], strict=True):
        assert "MicroPython" in joint["interpreter"]
        assert joint["position_deg"] == pytest.approx(math.degrees(q), abs=0.01)


def test_journal_takes_it(summary: dict[str, Any], tmp_path: Path) -> None:
    path = Journal(tmp_path / "session").finish(summary)
    assert json.loads(path.read_text(encoding="utf-8")) == summary
