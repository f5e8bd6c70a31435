"""What `guidearm bench kinematics` measures, in the environment of the peers, ours beside theirs.

All are asked about the same poses of a UR5. Every posture that any of them returns is judged by one
forward model, the host's, after each peer's own has been found to agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np

from guidearm.geometry import Array, inverse, pose_difference, rotation_z, transform
from guidearm.kinematics import Arm, guide_candidates, load_arm
from guidearm_tools.bench.timing import in_turns, share, summary

ARM = "ur5"
OURS = "guidearm"
# A posture that misses its pose by more (m, rad) is no solution.
VALID = 1e-6
GRID_STEP = np.pi / 4.0
MICROMETRE = 1e-6
# Errors of an arm before its calibration, of each axis of each link; rad/Nm of each joint.
ERROR_M, ERROR_RAD, COMPLIANCE = 3e-4, 7e-4, 2e-5
ROLLS = 360
# Calls in a row before another's turn, and turns of which the best counts.
BLOCK, BEST_OF = 500, 3
# Poses of the batch that those who take one at a time are given a turn.
SLICE = 1000
TURNS = 25
# Searches in a row, and altogether.
SEARCHES, LINES = 5, 120


@dataclass(frozen=True)
class Solver:
    """Somebody's inverse kinematics of one pose (4, 4), whatever they return, and how to read it.

    `postures` gives what was returned as (n, 6) rad, without what its author marks as inexact.
    """

    solve: Callable[[Array], Any]
    postures: Callable[[Any], Array]
    forward: Callable[[Array], Array]


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Measure with a `seed` and counts of poses, beside those `present`.

    The counts: `poses` one at a time, `grid`, `batch`, and `calibrated` for an arm with errors.
    """
    rng = np.random.default_rng(request["seed"])
    arm = load_arm(ARM)
    solvers = {OURS: Solver(arm.inverse, np.asarray, arm.forward)}
    solvers |= {name: make(arm) for name, make in _SOLVERS.items() if name in request["present"]}
    T = arm.forward(rng.uniform(-np.pi, np.pi, (request["poses"], 6)))
    T_grid = arm.forward(GRID_STEP * rng.integers(0, 8, (request["grid"], 6)))
    q_batch = rng.uniform(-np.pi, np.pi, (request["batch"], 6))
    return {
        "models": {name: _disagreement(arm, s, q_batch[:100]) for name, s in solvers.items()},
        "single": _single(arm, solvers, T),
        "grid": {name: _quality(arm, solver, T_grid) for name, solver in solvers.items()},
        "batch": _batch(arm, arm.forward(q_batch), solvers.get("eaik")),
        "search": _search(arm, rng, solvers.get("eaik")),
        "jacobian": _jacobian(arm, q_batch, "pin" in request["present"]),
        "calibrated": _calibrated(arm, rng, request["calibrated"]),
    }


def _eaik(arm: Arm) -> Solver:
    links = arm.chain.links[1:]
    alpha = np.arctan2(links[:, 2, 1], links[:, 2, 2])
    robot: Any = import_module("eaik.IK_DH").DhRobot(alpha, links[:, 0, 3], links[:, 2, 3])

    def postures(found: Any) -> Array:  # noqa: ANN401 a class of theirs
        q = np.asarray(found.Q, dtype=np.float64).reshape(-1, 6)
        return q[~np.asarray(found.is_LS, dtype=np.bool_)]

    return Solver(robot.IK, postures, robot.fwdKin)


def _ur_analytic_ik(_arm: Arm) -> Solver:
    ur5: Any = import_module("ur_analytic_ik").ur5
    return Solver(
        ur5.inverse_kinematics,
        lambda found: np.array(found, dtype=np.float64).reshape(-1, 6),
        lambda q: ur5.forward_kinematics(*q),
    )


_SOLVERS = {"eaik": _eaik, "ur-analytic-ik": _ur_analytic_ik}


def _disagreement(arm: Arm, solver: Solver, q: Array) -> float:
    """Largest element by which somebody's forward model differs from ours."""
    return float(max(np.max(np.abs(solver.forward(one) - arm.forward(one))) for one in q))


def _single(arm: Arm, solvers: Mapping[str, Solver], T: Array) -> dict[str, Any]:
    took = in_turns(
        {name: lambda i, solve=s.solve: solve(T[i]) for name, s in solvers.items()},
        len(T),
        BLOCK,
        BEST_OF,
    )
    return {
        name: summary(took[name])
        | {"our_share": share(took[OURS], took[name], BLOCK)}
        | _quality(arm, solver, T)
        for name, solver in solvers.items()
    }


def _quality(arm: Arm, solver: Solver, T: Array) -> dict[str, Any]:
    """How many poses (n, 4, 4) have a valid posture, and the worst residual of any returned."""
    unsolved, worst, postures = 0, np.zeros(2), 0
    for pose in T:
        q = solver.postures(solver.solve(pose))
        missed = pose_difference(pose, arm.forward(q)).reshape(-1, 2, 3)
        residual = np.linalg.norm(missed, axis=-1)
        unsolved += not np.any(np.all(residual < VALID, axis=-1))
        worst = np.maximum(worst, np.max(residual, axis=0, initial=0.0))
        postures += len(q)
    return {
        "unsolved": int(unsolved),
        "solved_percent": round(100.0 * (1.0 - unsolved / len(T)), 3),
        "postures_per_pose": round(postures / len(T), 3),
        "worst_residual_m": float(worst[0]),
        "worst_residual_rad": float(worst[1]),
    }


def _batch(arm: Arm, T: Array, eaik: Solver | None) -> dict[str, Any]:
    ways: dict[str, Callable[[int], object]] = {OURS: lambda _: arm.inverse_batch(T)}
    per = {OURS: len(T)}
    if eaik is not None:
        slices = np.array_split(T, len(T) // SLICE)

        def one_by_one(i: int) -> None:
            for pose in slices[i % len(slices)]:
                eaik.solve(pose)

        ways["eaik"] = one_by_one
        per["eaik"] = SLICE
    took = in_turns(ways, TURNS, best_of=BEST_OF)
    q, valid = arm.inverse_batch(T)
    worst = np.abs(pose_difference(T[:, None], arm.forward(q))[valid])
    measured: dict[str, Any] = _summaries(took, per)
    measured[OURS]["unsolved"] = int(np.sum(~np.any(valid, axis=-1)))
    measured[OURS]["worst_residual_m"] = float(np.max(worst[:, :3]))
    return measured


def _search(arm: Arm, rng: np.random.Generator, eaik: Solver | None) -> dict[str, Any]:
    """Guide axes near home: ours ranked, all of EAIK's postures without a cost."""
    mount, home = arm.T_flange_guide, arm.home
    lines = arm.forward(home + rng.uniform(-0.5, 0.5, (LINES, 6))) @ mount
    ways: dict[str, Callable[[int], object]] = {
        OURS: lambda i: guide_candidates(arm, mount, lines[i], home, ROLLS)
    }
    if eaik is not None:
        turns = transform(rotation_z(2.0 * np.pi * np.arange(ROLLS) / ROLLS), np.zeros(3))
        to_flange = turns @ inverse(mount)

        def round_the_line(i: int) -> None:
            for pose in lines[i] @ to_flange:
                eaik.solve(pose)

        ways["eaik"] = round_the_line
    took = in_turns(ways, LINES, SEARCHES, BEST_OF)
    return _summaries(took, dict.fromkeys(ways, 1), SEARCHES)


def _jacobian(arm: Arm, q: Array, beside_pin: bool) -> dict[str, Any]:
    """Pose and Jacobian of the flange for a batch (n, 6); pinocchio takes one at a time."""
    ways: dict[str, Callable[[int], object]] = {OURS: lambda _: arm.pose_and_jacobian(q)}
    per = {OURS: len(q)}
    measured: dict[str, Any] = {}
    if beside_pin:
        pinocchio = _pinocchio(arm)
        slices = np.array_split(q, len(q) // SLICE)

        def one_by_one(i: int) -> None:
            for angles in slices[i % len(slices)]:
                pinocchio(angles)

        ways["pin"] = one_by_one
        per["pin"] = SLICE
        theirs = [pinocchio(angles) for angles in q[:100]]
        apart = [
            np.max(np.abs(T.homogeneous - arm.forward(q[i]))) for i, (T, _) in enumerate(theirs)
        ]
        apart += [np.max(np.abs(J - arm.jacobian(q[i]))) for i, (_, J) in enumerate(theirs)]
        measured["largest_difference"] = float(max(apart))
    took = in_turns(ways, TURNS, best_of=BEST_OF)
    return measured | _summaries(took, per)


def _calibrated(arm: Arm, rng: np.random.Generator, poses: int) -> dict[str, Any]:
    """Inverse of an arm with link errors as before any calibration, and joints that give way."""
    twists = np.repeat([ERROR_M, ERROR_RAD], 3) * rng.normal(size=(7, 6))
    built = arm.with_errors(twists, np.full(6, COMPLIANCE))
    T = built.forward(rng.uniform(-np.pi, np.pi, (poses, 6)))
    nominal, there = arm.inverse_batch(T)
    apart = (built.forward(nominal) - T[:, None])[there]
    missed_m = np.asarray(np.linalg.norm(apart[:, :3, 3], axis=-1), dtype=np.float64)
    start = perf_counter()
    q, valid = built.inverse_batch(T)
    took_us = (perf_counter() - start) * 1e6
    missed = pose_difference(T[:, None], built.forward(q))
    residual = np.asarray(np.linalg.norm(missed, axis=-1), dtype=np.float64)
    solved = int(np.sum(np.any(residual < MICROMETRE, axis=-1)))
    return {
        "poses": poses,
        "us_a_pose": round(took_us / poses, 1),
        "solved_percent": round(100.0 * solved / poses, 3),
        # what is given as a posture and is none
        "wrong": int(np.sum(residual[valid] >= MICROMETRE)),
        "worst_residual_m": float(np.max(residual[valid])),
        "nominal_misses_m": float(np.median(missed_m)),
    }


def _summaries(took: Mapping[str, Array], per: Mapping[str, int], block: int = 1) -> dict[str, Any]:
    """Return the times of one of `per` that a call does, and ours as a share of each."""
    return {
        name: summary(us, per[name])
        | {"our_share": share(took[OURS] / per[OURS], us / per[name], block)}
        for name, us in took.items()
    }


def _pinocchio(arm: Arm) -> Callable[[Array], tuple[Any, Any]]:
    pin: Any = import_module("pinocchio")
    model: Any = pin.Model()
    placement, joint = pin.SE3(arm.chain.links[0]), 0
    for i, link in enumerate(arm.chain.links[1:]):
        joint = model.addJoint(joint, pin.JointModelRZ(), placement, f"joint {i + 1}")
        placement = pin.SE3(link)
    flange = model.addFrame(pin.Frame("flange", joint, 0, placement, pin.FrameType.OP_FRAME))
    data: Any = model.createData()
    frame, compute = pin.LOCAL_WORLD_ALIGNED, pin.computeFrameJacobian

    def pose_and_jacobian(q: Array) -> tuple[Any, Any]:
        J = compute(model, data, q, flange, frame)
        return data.oMf[flange].copy(), J

    return pose_and_jacobian
