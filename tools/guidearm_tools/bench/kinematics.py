"""The host's kinematics beside its peers', and how quickly the program says what it can do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from guidearm_tools.bench.kinematics_measure import BEST_OF, OURS
from guidearm_tools.bench.peers import Peers
from guidearm_tools.bench.rows import Row, at_least, at_most
from guidearm_tools.bench.timing import Way, in_turns, summary

PEERS = ("eaik", "pin", "ur-analytic-ik")
# Largest allowed times, as a share of a peer's.
SINGLE_SHARE = {"ur-analytic-ik": 0.5, "eaik": 2.0}
BATCH_SHARE = 0.25
SEARCH_SHARE = 0.4
JACOBIAN_SHARE = 1.4
HELP_OVER_PYTHON_MS = 60.0
CALIBRATED_PERCENT = 99.9
# A closed form that loses more digits than this (nm) has a case it does not handle.
RESIDUAL_NM = 1.0

_MEASURE = "guidearm_tools.bench.kinematics_measure"
_STARTS = 9


def measure_kinematics(peers: Peers, seed: int, poses: int) -> dict[str, Any]:
    """Measure ours and theirs on `poses` random poses and as large a batch, and the start-up."""
    request = {
        "seed": seed,
        "poses": poses,
        "grid": 3000,
        "batch": poses,
        "calibrated": 3000,
        "present": sorted(peers.present),
    }
    return peers.measure(_MEASURE, request) | {"help": measure_help()}


def measure_help() -> dict[str, Any]:
    """Return the wall times of `guidearm --help` and of a Python that does nothing, and between."""
    program = Path(sys.executable).with_name("guidearm")
    ours = [str(program)] if program.exists() else [sys.executable, "-m", "guidearm"]
    ways = {OURS: _started(*ours, "--help"), "python": _started(sys.executable, "-c", "pass")}
    took = in_turns(ways, _STARTS, best_of=BEST_OF)
    over_ms = float(np.median(took[OURS] - took["python"])) * 1e-3
    return {name: summary(us) for name, us in took.items()} | {"over_python_ms": over_ms}


def _started(*arguments: str) -> Way:
    def run(_: int) -> None:
        subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)

    return run


def rows(measured: dict[str, Any]) -> list[Row]:
    """Return the promises; those beside a peer that is not there are left out."""
    single, grid, batch = measured["single"], measured["grid"][OURS], measured["batch"]
    found = [
        *(
            _share(f"one pose, all branches, time over {name}'s", single, name, bound)
            for name, bound in SINGLE_SHARE.items()
            if name in single
        ),
        at_most(
            "one pose: worst residual of any branch, nm",
            1e9 * single[OURS]["worst_residual_m"],
            RESIDUAL_NM,
        ),
        at_most("one pose: poses without a posture", single[OURS]["unsolved"], 0),
        at_most("45 degree grid: poses without a posture", grid["unsolved"], 0),
        at_most("batch: poses without a posture", batch[OURS]["unsolved"], 0),
    ]
    beside = (
        ("batch", "batch, time of a pose over eaik's", "eaik", BATCH_SHARE),
        ("search", "guide axis, ranked, time over eaik's loop", "eaik", SEARCH_SHARE),
        ("jacobian", "forward and Jacobian, time over pin's", "pin", JACOBIAN_SHARE),
    )
    for discipline, name, peer, bound in beside:
        if peer in measured[discipline]:
            found.append(_share(name, measured[discipline], peer, bound))
    calibrated = measured["calibrated"]
    solved = calibrated["solved_percent"]
    found += [
        at_least("calibrated arm: poses reached within 1 um, %", solved, CALIBRATED_PERCENT),
        at_most("calibrated arm: postures given that are none", calibrated["wrong"], 0),
    ]
    over_ms = measured["help"]["over_python_ms"]
    return [*found, at_most("guidearm --help over bare python, ms", over_ms, HELP_OVER_PYTHON_MS)]


def _share(name: str, times: dict[str, Any], peer: str, bound: float) -> Row:
    return at_most(name, times[peer]["our_share"], bound)


def beside_table(measured: dict[str, Any]) -> Sequence[Sequence[str]]:
    """Return what was timed as cells: what, who, median us, p99 us, solved %, worst residual m."""
    names = {
        "single": "one pose, all branches",
        "batch": "batch, a pose",
        "search": "guide axis, 360 rolls",
        "jacobian": "forward and Jacobian, a pose",
        "help": "start-up (python: does nothing)",
    }
    cells: list[Sequence[str]] = []
    for key, what in names.items():
        for who, figures in measured[key].items():
            if not isinstance(figures, dict):
                continue
            cells.append(
                (
                    what,
                    who,
                    f"{figures['median_us']:.4g}",
                    f"{figures['p99_us']:.4g}",
                    f"{figures['solved_percent']:g}" if "solved_percent" in figures else "",
                    f"{figures['worst_residual_m']:.1e}" if "worst_residual_m" in figures else "",
                )
            )
    return cells
