"""What the bench of motion says of itself, without its peer and without a bound on time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guidearm_tools.bench import motion, motion_counts
from guidearm_tools.bench.motion_measure import measure
from guidearm_tools.image import build_image
from guidearm_tools.micropython import MicroPythonError

FEW: dict[str, Any] = {"seed": 1, "moves": 100, "sequences": 20, "present": []}
TIMES = {"median_us": 2.0, "p99_us": 3.0}


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """Measure once, without a peer that would have to be fetched."""
    return measure(FEW) | {"counts": motion_counts.measure_counts(1, 3)}


def test_what_is_no_time_is_kept(measured: dict[str, Any]) -> None:
    rows = {row.name: row for row in motion.rows(measured)}
    assert len(rows) == 9
    assert all(row.ok for row in rows.values()), rows
    changed = measured["sequences"]
    assert changed["changes"] > 40
    assert changed["samples"] > 40 * 3 * 2000
    # it was asked for what the joints can do, and no more
    assert all(0.99 < changed[name] <= 1.0 + 1e-6 for name in ("velocity", "acceleration", "jerk"))
    assert 0.0 < measured["off_line_rad"] < 1e-14
    assert measured["line"]["off_um"] > 0.0
    assert all(0.0 < counts < 0.1 for counts in measured["counts"].values())


def test_ours_is_timed(measured: dict[str, Any]) -> None:
    cells = motion.beside_table(measured)
    assert [who for _, who, *_ in cells] == ["guidearm"] * 5
    for took in (*measured["plan"].values(), measured["retarget"], measured["stream"]):
        assert 0.0 < took["guidearm"]["median_us"] <= took["guidearm"]["p99_us"]
        assert took["guidearm"]["our_share"] == 1.0


def beside_a_peer(measured: dict[str, Any], our_share: float, ratio: float) -> dict[str, Any]:
    """Return what would be measured beside a peer."""
    theirs = {"ruckig": TIMES | {"our_share": our_share}}
    return measured | {
        "plan": {kind: took | theirs for kind, took in measured["plan"].items()},
        "optimum": {"all_joints": {"worst": ratio}, "on_the_line": {"worst": ratio}},
        "retarget": measured["retarget"] | theirs | {"worst": ratio},
    }


def test_a_peer_that_is_quicker_or_plans_shorter_moves_is_told(measured: dict[str, Any]) -> None:
    rows = motion.rows(beside_a_peer(measured, 1.0, 1.001))
    assert len(rows) == 15
    assert all(row.ok for row in rows)
    broken = [row.name for row in motion.rows(beside_a_peer(measured, 1.001, 1.0)) if not row.ok]
    assert len(broken) == 3
    assert all("time over ruckig's" in name for name in broken)
    broken = [row.name for row in motion.rows(beside_a_peer(measured, 1.0, 1.0011)) if not row.ok]
    assert len(broken) == 3
    assert all("duration over ruckig's" in name for name in broken)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("off_line_rad",), 1.1e-9, "off its line"),
        (("line", "off_um"), 10.1, "off it, um"),
        (("line", "off_deg"), 0.0101, "turned"),
        (("sequences", "beyond"), 1, "samples beyond a limit"),
        (("sequences", "step"), 1.1e-6, "step where they meet"),
        (("counts", "joint move"), 0.501, "joint move: set-points"),
    ],
)
def test_what_is_not_kept_is_told(
    measured: dict[str, Any], place: tuple[str, ...], value: float, words: str
) -> None:
    def changed(tree: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        key, *rest = path
        return {**tree, key: changed(tree[key], tuple(rest)) if rest else value}

    broken = [row.name for row in motion.rows(changed(measured, place)) if not row.ok]
    assert len(broken) == 1
    assert words in broken[0]


def counts_with(monkeypatch: pytest.MonkeyPatch, text: str, instead: str) -> dict[str, float]:
    """Return the counts with one text of the joint's segments changed."""

    def build(folder: Path, script: Path) -> None:
        build_image(folder, script)
        path = folder / "joint" / "segments.py"
        source = path.read_text(encoding="utf-8")
        assert source.count(text) == 1
        path.write_text(source.replace(text, instead), encoding="utf-8")

    monkeypatch.setattr(motion_counts, "build_image", build)
    return motion_counts.measure_counts(1, 4)


def test_a_joint_that_reckons_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its durations by 2^20 us for a second, 5 % off, and so its tangents."""
    spoilt = counts_with(monkeypatch, "(duration * 4295) >> 9", "(duration * 4096) >> 9")
    assert min(spoilt.values()) > motion.HALF_COUNT


def test_a_joint_that_does_not_take_a_plan_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MicroPythonError, match="ValueError: segment 0 is answered by 2"):
        counts_with(monkeypatch, "    return QUEUED", "    return QUEUED + QUEUED")
