"""What the bench of kinematics says of itself, without peers and without a bound on time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from guidearm_tools.bench import kinematics
from guidearm_tools.bench.kinematics_measure import measure
from guidearm_tools.bench.timing import in_turns, share, summary

FEW: dict[str, Any] = {
    "seed": 1,
    "poses": 200,
    "grid": 200,
    "batch": 1000,
    "calibrated": 40,
    "present": [],
}


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """Measure once, without those who would have to be fetched."""
    figures = {"median_us": 2.0, "p99_us": 3.0}
    started = {"guidearm": figures, "python": figures, "over_python_ms": 20.0}
    return measure(FEW) | {"help": started}


def test_what_is_no_time_is_kept(measured: dict[str, Any]) -> None:
    rows = {row.name: row for row in kinematics.rows(measured)}
    assert len(rows) == 7
    assert all(row.ok for row in rows.values()), rows
    assert measured["single"]["guidearm"]["solved_percent"] == 100.0
    assert measured["grid"]["guidearm"]["postures_per_pose"] > 2.0
    assert measured["models"] == {"guidearm": 0.0}
    assert measured["calibrated"]["nominal_misses_m"] > 3e-4


def test_ours_is_timed_in_every_discipline(measured: dict[str, Any]) -> None:
    cells = kinematics.beside_table(measured)
    ours = [what for what, who, *_ in cells if who == "guidearm"]
    assert len(ours) == 5
    for name in ("single", "batch", "search", "jacobian"):
        times = measured[name]["guidearm"]
        assert 0.0 < times["median_us"] <= times["p99_us"]
        assert times["our_share"] == 1.0


@pytest.mark.parametrize(
    ("discipline", "peer", "bound"),
    [
        ("single", "ur-analytic-ik", 0.5),
        ("single", "eaik", 2.0),
        ("batch", "eaik", 0.25),
        ("search", "eaik", 0.4),
        ("jacobian", "pin", 1.4),
    ],
)
def test_a_peer_that_is_quicker_than_it_may_be_is_told(
    measured: dict[str, Any], discipline: str, peer: str, bound: float
) -> None:
    for ours, ok in ((bound, True), (round(bound + 0.001, 6), False)):
        theirs = {"median_us": 1.0, "p99_us": 1.0, "our_share": ours}
        told = measured | {discipline: {**measured[discipline], peer: theirs}}
        new = [row for row in kinematics.rows(told) if peer in row.name]
        assert [(row.measured, row.bound, row.ok) for row in new] == [(ours, bound, ok)]


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("grid", "guidearm", "unsolved"), 1, "45 degree grid"),
        (("single", "guidearm", "unsolved"), 1, "one pose: poses without"),
        (("single", "guidearm", "worst_residual_m"), 2e-9, "worst residual"),
        (("batch", "guidearm", "unsolved"), 1, "batch: poses without"),
        (("calibrated", "solved_percent"), 99.8, "calibrated arm: poses reached"),
        (("calibrated", "wrong"), 1, "calibrated arm: postures given"),
        (("help", "over_python_ms"), 60.5, "--help"),
    ],
)
def test_what_is_not_kept_is_told(
    measured: dict[str, Any], place: tuple[str, ...], value: float, words: str
) -> None:
    def changed(tree: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        key, *rest = path
        return {**tree, key: changed(tree[key], tuple(rest)) if rest else value}

    broken = [row.name for row in kinematics.rows(changed(measured, place)) if not row.ok]
    assert len(broken) == 1
    assert words in broken[0]


def test_the_best_of_several_turns_counts() -> None:
    ticks = iter(np.arange(100))
    seen: list[tuple[int, int]] = []
    took = in_turns({"a": lambda i: seen.append((i, int(next(ticks))))}, 4, block=2, best_of=3)
    assert [i for i, _ in seen] == [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3]
    assert np.all(np.isfinite(took["a"]))


def test_a_share_is_of_what_was_measured_at_the_same_time() -> None:
    """A machine that is ten times slower for two turns of five changes nothing."""
    slow = np.repeat([1.0, 10.0, 1.0, 10.0, 1.0], 20)
    ours, theirs = 2.0 * slow, 4.0 * slow
    ours[::20] = 1e6  # a call that was interrupted
    assert share(ours, theirs, block=20) == 0.5
    assert summary(np.array([1.0, 2.0, 3.0]), per=2)["median_us"] == 1.0
