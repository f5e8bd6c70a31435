"""The host's motion planning beside its peer's, and how far it is from what it promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guidearm_tools.bench.motion_counts import measure_counts
from guidearm_tools.bench.motion_measure import OURS, PEER
from guidearm_tools.bench.peers import Peers
from guidearm_tools.bench.rows import Row, at_most, exactly

PEERS = (PEER,)
PLAN_SHARE = 1.0  # of the time of ruckig's calculate
OPTIMUM = 1.001  # of ruckig's duration
OFF_LINE_NRAD = 1.0  # rounding: a motor count is 15,000
LINE_UM = 10.0
LINE_MDEG = 10.0
STEP_URAD = 1.0  # of velocity or acceleration, per s or s^2: rounding
HALF_COUNT = 0.5

_MEASURE = "guidearm_tools.bench.motion_measure"
_COUNTED = 25  # motions of each kind that joints are given


def measure_motion(peers: Peers, seed: int, moves: int, sequences: int) -> dict[str, Any]:
    """Measure ours and theirs on `moves` moves of each kind, and `sequences` of changes.

    Raises PeersError, and MicroPythonError if there is no MicroPython.
    """
    request = {
        "seed": seed,
        "moves": moves,
        "sequences": sequences,
        "present": sorted(peers.present),
    }
    counts = measure_counts(seed, _COUNTED)
    return peers.measure(_MEASURE, request) | {"counts": counts}


def rows(measured: dict[str, Any]) -> list[Row]:
    """Return the promises; those beside a peer that is not there are left out."""
    optimum, again = measured["optimum"], measured["retarget"]
    line, changed = measured["line"], measured["sequences"]
    found = [
        at_most(f"joint move {kind}: time over ruckig's", took[PEER]["our_share"], PLAN_SHARE)
        for kind, took in measured["plan"].items()
        if PEER in took
    ]
    if optimum:
        found += [
            at_most(
                "joint move, joints alike: duration over ruckig's",
                optimum["all_joints"]["worst"],
                OPTIMUM,
            ),
            at_most(
                "joint move: duration over ruckig's along the line",
                optimum["on_the_line"]["worst"],
                OPTIMUM,
            ),
        ]
    if PEER in again:
        found.append(
            at_most("another goal in mid-move: duration over ruckig's", again["worst"], OPTIMUM)
        )
    changes = f"{changed['changes']} changes in mid-move"
    return [
        *found,
        at_most("joint move: off its line, nrad", 1e9 * measured["off_line_rad"], OFF_LINE_NRAD),
        at_most("straight line of the guide: off it, um", line["off_um"], LINE_UM),
        at_most("straight line of the guide: turned, mdeg", 1e3 * line["off_deg"], LINE_MDEG),
        exactly(f"{changes}: samples beyond a limit", changed["beyond"], 0),
        at_most(f"{changes}: step where they meet, urad/s^2", 1e6 * changed["step"], STEP_URAD),
        *(
            at_most(f"{kind}: set-points off the plan, motor counts", counts, HALF_COUNT)
            for kind, counts in measured["counts"].items()
        ),
    ]


def beside_table(measured: dict[str, Any]) -> Sequence[Sequence[str]]:
    """Return what was timed as cells: what, who, median us, p99 us."""
    timed = {
        **{f"joint move {kind}": took for kind, took in measured["plan"].items()},
        "another goal in mid-move": measured["retarget"],
        "the same, judged in a room and cut": measured["stream"],
    }
    return [
        (what, who, f"{took[who]['median_us']:.4g}", f"{took[who]['p99_us']:.4g}")
        for what, took in timed.items()
        for who in (OURS, PEER)
        if who in took
    ]
