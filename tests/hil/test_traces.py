"""A step recorded on several rigs: one picture, and what differs is judged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from guidearm.cli import main
from guidearm_hil.rigs.virtual import VirtualRig
from guidearm_hil.traces import record_steps, save_together


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main.main(["hil", "trace", *arguments])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_the_same_step_on_two_rigs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rigs = ("--rig", "virtual:seed=5", "--rig", "virtual:seed=6")
    code, out, err = run(capsys, *rigs, "--joint", "2", "--json", "--out", str(tmp_path))
    assert code == 0
    assert err.splitlines()[:2] == [
        "on virtual:seed=5:",
        "will move joint 2 by 1 deg, and back",
    ]
    told: dict[str, Any] = json.loads(out)
    assert [(rig["rig"], rig["joint"]) for rig in told["rigs"]] == [
        ("virtual:seed=5", 2),
        ("virtual:seed=6", 2),
    ]
    assert all(row["ok"] for row in told["rows"])
    assert len(told["rows"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-joint2-virtual-seed-5.csv",
        "step-joint2-virtual-seed-6.csv",
        "step-joint2.png",
    ]
    assert (tmp_path / "step-joint2.png").read_bytes()[:4] == b"\x89PNG"


def test_a_rig_that_moves_otherwise_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def opened(name: str) -> VirtualRig:
        rubbing = {1: {"friction_nm": 40.0}} if name == "worn" else {}
        return VirtualRig(1, planted=rubbing)

    monkeypatch.setattr("guidearm_hil.traces.open_rig", opened)
    said: list[str] = []
    steps = record_steps(["new", "worn"], None, math.radians(-1), False, said.append)
    rows, files = save_together(steps, tmp_path)
    assert [row.name for row in rows if not row.ok] == [
        "worn: following error, share, at most",
        "worn: travel apart from new, share, at most",
    ]
    assert all(file.exists() for file in files)


def test_a_joint_that_not_every_rig_has(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--rig", "virtual", "--joint", "7")
    assert (code, out) == (1, "")
    assert err == "guidearm: virtual has no joint 7: it has 1, 2, 3, 4, 5, 6\n"
