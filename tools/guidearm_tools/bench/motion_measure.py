"""What `guidearm bench motion` measures in the environment of its peer, ours beside theirs.

Both plan the same moves with the same limits. Ruckig's way points are never used: it would send
them to a service of its vendor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from guidearm.geometry import Array, inverse, log_so3, transform
from guidearm.kinematics import Arm, load_arm
from guidearm.kinematics.clearance import BASE, FLANGE, Rod, Room, Sight
from guidearm.motion import (
    Changeable,
    MotionState,
    PathMotion,
    course,
    hermite_segments,
    joint_move,
    line_move,
    retarget,
    state_at,
)
from guidearm_tools.bench.timing import Way, in_turns, share, summary

OURS, PEER = "guidearm", "ruckig"
ARMS = ("guide6", "ur5")
# How far each joint goes: a correction, a change of posture, from anywhere to anywhere.
MOVES = {"within 0.5 deg": 0.5, "within 30 deg": 30.0, "any two postures": 0.0}
# Calls in a row before another's turn, and turns of which the best counts.
BLOCK, BEST_OF = 100, 3
# What rounding may add to a limit, as a share of it.
ROUNDING = 1e-6
LINE_M = 0.05
_SAMPLES = 400


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Measure with a `seed` on `moves` moves and `sequences` of changes, beside those `present`."""
    rng = np.random.default_rng(request["seed"])
    arm = load_arm(ARMS[0])
    count, peer = request["moves"], PEER in request["present"]
    return {
        "plan": {
            name: _plan(arm, _pairs(rng, arm, count, far), peer) for name, far in MOVES.items()
        },
        "optimum": _optimum(arm, rng, count // 2) if peer else {},
        "off_line_rad": _off_line(arm, rng, count // 20),
        "line": _lines(rng),
        "retarget": _retarget(arm, rng, count // 5, peer),
        "stream": _stream(arm, rng, count // 5),
        "sequences": _sequences(arm, rng, request["sequences"]),
    }


# ---- ruckig


class _Ruckig:
    """Ruckig's planner with its problems set beforehand: from states to rest at goals.

    `limits` (..., 3, n) of velocity, acceleration and jerk, one for all problems or one for each.
    """

    def __init__(
        self, states: list[MotionState], goals: Array, limits: Array, *, straight: bool = False
    ) -> None:
        library: Any = import_module(PEER)
        joints = goals.shape[-1]
        self.trajectory: Any = library.Trajectory(joints)
        self._planner: Any = library.Ruckig(joints)
        self._problems: list[Any] = []
        each = np.broadcast_to(limits, (len(goals), 3, joints))
        for state, goal, most in zip(states, goals, each, strict=True):
            problem = library.InputParameter(joints)
            problem.current_position = state.position.tolist()
            problem.current_velocity = state.velocity.tolist()
            problem.current_acceleration = state.acceleration.tolist()
            problem.target_position = goal.tolist()
            problem.max_velocity, problem.max_acceleration, problem.max_jerk = most.tolist()
            if straight:
                problem.synchronization = library.Synchronization.Phase
            self._problems.append(problem)

    @property
    def way(self) -> Way:
        """What calculates a problem, and nothing else, for timing."""
        calculate, problems, trajectory = self._planner.calculate, self._problems, self.trajectory
        return lambda i: calculate(problems[i], trajectory)

    def duration_s(self, i: int) -> float:
        """Solve a problem; NaN if ruckig refuses it."""
        result: Any = self.way(i)
        return self.trajectory.duration if result.value >= 0 else np.nan


def _limits(arm: Arm) -> Array:
    return np.stack([arm.velocity, arm.acceleration, arm.jerk])


def _at_rest(q: Array) -> list[MotionState]:
    return [MotionState(one, np.zeros_like(one), np.zeros_like(one)) for one in q]


# ---- moves from rest to rest


def _pairs(rng: np.random.Generator, arm: Arm, count: int, far_deg: float) -> tuple[Array, Array]:
    """Draw starts and goals (n, 6) rad: so far apart, or anywhere within the joints' ranges."""
    start = rng.uniform(arm.lower, arm.upper, (count, 6))
    if far_deg == 0.0:
        return start, rng.uniform(arm.lower, arm.upper, (count, 6))
    step = np.radians(rng.uniform(-far_deg, far_deg, start.shape))
    return start, np.clip(start + step, arm.lower, arm.upper)


def _plan(arm: Arm, pairs: tuple[Array, Array], peer: bool) -> dict[str, Any]:
    """Time the planning of each move as a whole: for ruckig its `calculate` alone."""
    start, goal = list(pairs[0]), list(pairs[1])
    ways: dict[str, Way] = {OURS: lambda i: joint_move(start[i], goal[i], arm)}
    if peer:
        ways[PEER] = _Ruckig(_at_rest(pairs[0]), pairs[1], _limits(arm)).way
    return _times(ways, len(start))


def _times(ways: Mapping[str, Way], count: int) -> dict[str, Any]:
    took = in_turns(ways, count, BLOCK, BEST_OF)
    return {
        name: summary(us) | {"our_share": share(took[OURS], us, BLOCK)} for name, us in took.items()
    }


def _optimum(arm: Arm, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Compare durations with ruckig's: it solves all joints, and the way along the line alone.

    All joints together with limits that are equal, where the line costs nothing.
    """
    equal = replace(
        arm,
        velocity=np.full(6, np.radians(60.0)),
        acceleration=np.full(6, np.radians(200.0)),
        jerk=np.full(6, np.radians(2000.0)),
    )
    all_joints: list[float] = []
    on_the_line: list[float] = []
    for far in MOVES.values():
        start, goal = _pairs(rng, equal, count, far)
        peer = _Ruckig(_at_rest(start), goal, _limits(equal))
        all_joints += _ratios(equal, start, goal, peer)
        start, goal = _pairs(rng, arm, count, far)
        along = np.min(_limits(arm) / np.abs(goal - start)[:, None, :], axis=-1, keepdims=True)
        peer = _Ruckig(_at_rest(np.zeros((count, 1))), np.ones((count, 1)), along)
        on_the_line += _ratios(arm, start, goal, peer)
    return {
        "all_joints": _range(all_joints),
        "on_the_line": _range(on_the_line),
        "ruckig_off_line_rad": _ruckig_off_line(arm, rng, count // 5, straight=False),
        "ruckig_off_line_phase_rad": _ruckig_off_line(arm, rng, count // 5, straight=True),
    }


def _ratios(arm: Arm, start: Array, goal: Array, peer: _Ruckig) -> list[float]:
    """Return our durations as shares of a peer's with the same moves."""
    return [
        joint_move(a, b, arm).duration_s / peer.duration_s(i)
        for i, (a, b) in enumerate(zip(start, goal, strict=True))
    ]


def _range(ratios: Sequence[float]) -> dict[str, float]:
    """Return the largest and the smallest ratio, and how many the peer had no answer for."""
    each = np.array(ratios)
    return {
        "worst": float(np.nanmax(each)),
        "best": float(np.nanmin(each)),
        "refused_by_ruckig": int(np.count_nonzero(np.isnan(each))),
    }


def _ruckig_off_line(arm: Arm, rng: np.random.Generator, count: int, *, straight: bool) -> float:
    worst = 0.0
    start, goal = _pairs(rng, arm, count, 30.0)
    peer = _Ruckig(_at_rest(start), goal, _limits(arm), straight=straight)
    for i in range(count):
        times = np.linspace(0.0, peer.duration_s(i), 60)
        q = np.array([peer.trajectory.at_time(float(t))[0] for t in times])
        worst = max(worst, _deviation(q, start[i], goal[i]))
    return worst


def _off_line(arm: Arm, rng: np.random.Generator, count: int) -> float:
    """Return how far a joint is from the line, at most, by what is sent to the joints (rad)."""
    worst = 0.0
    for far in MOVES.values():
        for start, goal in zip(*_pairs(rng, arm, count, far), strict=True):
            segments = hermite_segments(joint_move(start, goal, arm))
            q, _ = segments.evaluate(np.linspace(0.0, segments.total_us, _SAMPLES))
            worst = max(worst, _deviation(q, start, goal))
    return worst


def _deviation(q: Array, start: Array, goal: Array) -> float:
    way = goal - start
    along = (q - start) @ way / (way @ way)
    return float(np.max(np.abs(q - start - np.outer(along, way))))


# ---- lines of the guide


def _lines(rng: np.random.Generator) -> dict[str, float]:
    """Return how far approaches with changes of feed, stops and retreats leave their lines.

    By what is sent to the joints, with the guide's own nominal mount.
    """
    worst = np.zeros(2)
    for name in ARMS:
        arm = load_arm(name)
        for q0 in open_postures(arm, rng, 6):
            start = arm.forward(q0) @ arm.T_flange_guide
            end = start @ transform(np.eye(3), [0.0, 0.0, LINE_M])
            for speed_m_s in (0.02, 0.1, 0.25):
                motion: PathMotion = line_move(arm, arm.T_flange_guide, start, end, q0, speed_m_s)
                worst = np.maximum(worst, _off_guide_line(motion, arm, start))
                for feed, to in ((1.0, 1.0), (0.4, 1.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)):
                    motion = motion.at_feed(rng.uniform(0.2, 0.6) * motion.duration_s, feed, to)
                    worst = np.maximum(worst, _off_guide_line(motion, arm, start))
    off_m, turned_rad = worst
    return {"off_um": float(off_m) * 1e6, "off_deg": float(np.degrees(turned_rad))}


def _off_guide_line(motion: PathMotion, arm: Arm, T_base_start: Array) -> Array:
    """Return how far the guide is from its axis at the start, and turned from it: m, rad."""
    segments = hermite_segments(motion)
    q, _ = segments.evaluate(np.linspace(0.0, segments.total_us, _SAMPLES))
    off = inverse(T_base_start) @ arm.forward(q) @ arm.T_flange_guide
    aside = np.linalg.norm(off[:, :2, 3], axis=-1)
    turned = np.linalg.norm(log_so3(off[:, :3, :3]), axis=-1)
    return np.array([np.max(aside), np.max(turned)])


def open_postures(arm: Arm, rng: np.random.Generator, count: int) -> Array:
    """Draw postures from which the guide can go 50 mm either way."""
    draws = rng.uniform(-2.5, 2.5, (400, 6))
    shoulder, elbow, wrist = np.abs(np.moveaxis(arm.singularity_factors(draws), -1, 0))
    return draws[(shoulder > 0.35) & (elbow > 0.7) & (wrist > 0.35)][:count]


# ---- from a moving state


def _retarget(arm: Arm, rng: np.random.Generator, count: int, peer: bool) -> dict[str, Any]:
    """Compare durations and times of planning from random moving states to random goals."""
    states = [_moving(arm, rng) for _ in range(count)]
    far = np.radians(10.0 ** rng.uniform(-1.0, 2.0, (count, 6)))
    far *= rng.choice([-1.0, 1.0], far.shape)
    goals = list(np.array([state.position for state in states]) + far)
    # No range in the way: ruckig knows none.
    free = replace(arm, lower=np.full(6, -20.0), upper=np.full(6, 20.0))
    ways: dict[str, Way] = {OURS: lambda i: retarget(states[i], goals[i], free)}
    told: dict[str, Any] = {"states": count}
    if peer:
        ruckig = _Ruckig(states, np.array(goals), _limits(free))
        told |= _range(
            [
                retarget(states[i], goals[i], free).duration_s / ruckig.duration_s(i)
                for i in range(count)
            ]
        )
        ways[PEER] = ruckig.way
    return told | _times(ways, count)


def _stream(arm: Arm, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Time a change of a move that runs, as a whole: planned, judged in a room, cut into segments.

    The goals are those of a correction, up to 2 deg away.
    """
    room = _room(arm)
    begun = course(joint_move(arm.home, arm.home + np.radians(1.0), arm), arm, room=room)
    goals = arm.home + np.radians(rng.uniform(-2.0, 2.0, (count, 6)))
    firsts = rng.integers(1, len(begun.segments), count).tolist()
    return _times({OURS: lambda i: begun.retargeted(firsts[i], goals[i])}, count)


def _room(arm: Arm) -> Room:
    """Return a patient and a camera with its stand, which sees two markers."""
    carried = frozenset(body.name for body in arm.bodies.bodies if body.link == FLANGE)
    marker = arm.T_flange_arm_marker[:3, 3]
    eye, patient = np.array([1.29, -0.62, 1.05]), np.array([0.42, 0.11, 0.21])
    stand = Rod("camera stand", np.array([1.34, -0.66, 0.0]), eye, 0.06)
    trunk = Rod("patient", np.array([0.42, -0.35, 0.01]), np.array([0.42, 0.6, 0.01]), 0.11)
    return Room(
        (trunk, stand),
        (
            Sight("view of the arm", eye, FLANGE, marker, 0.02, carried),
            Sight("view of the patient", eye, BASE, patient, 0.02),
        ),
    )


def _moving(arm: Arm, rng: np.random.Generator) -> MotionState:
    """Draw a state from which no limit has to be left."""
    a = rng.uniform(-1.0, 1.0, 6) * arm.acceleration
    v = rng.uniform(-1.0, 1.0, 6) * arm.velocity
    # What the velocity comes to while the acceleration falls to zero is within limits too.
    reached = v + a * np.abs(a) / (2.0 * arm.jerk)
    share = np.minimum(1.0, 0.999 * arm.velocity / np.abs(reached))
    return MotionState(rng.uniform(-2.0, 2.0, 6), v * share, a * share)


def _sequences(arm: Arm, rng: np.random.Generator, count: int) -> dict[str, float]:
    """Change moves at random, again and again: another goal, another feed, a stop on the line.

    Returns the largest share of each limit, by the motion's own velocity and acceleration and by
    what the latter changes by; the largest step where motions meet; and how many samples of all
    were beyond a limit by more than rounding.
    """
    names = ("velocity", "acceleration", "jerk", "step")
    found: dict[str, float] = dict.fromkeys(names, 0.0)
    changes = beyond = samples = 0
    for _ in range(count):
        start, goal = rng.uniform(-2.5, 2.5, (2, 6))
        motion: Changeable = joint_move(start, goal, arm)
        for _ in range(int(rng.integers(2, 7))):
            shares = _shares(motion, arm)
            for name, each in shares.items():
                found[name] = max(found[name], float(np.max(each, initial=0.0)))
                beyond += int(np.count_nonzero(each > 1.0 + ROUNDING))
                samples += each.size
            t = rng.uniform(0.0, 1.0) * motion.duration_s
            state = state_at(motion, t)
            if rng.random() < 0.3:
                motion = motion.at_feed(t, float(rng.choice([0.0, 0.1, 0.5, 1.0])))
            else:
                goal = np.clip(state.position + rng.uniform(-0.5, 0.5, 6), arm.lower, arm.upper)
                motion = retarget(state, goal, arm, at_least_s=float(rng.choice([0.0, 0.5])))
            began = state_at(motion, 0.0)
            steps = (began.velocity - state.velocity, began.acceleration - state.acceleration)
            found["step"] = max(found["step"], float(np.max(np.abs(steps))))
            changes += 1
    return {**found, "changes": changes, "samples": samples, "beyond": beyond}


def _shares(motion: Changeable, arm: Arm) -> dict[str, Array]:
    """Return velocity, acceleration and jerk of a motion as shares of the limits, (n, 6) each."""
    if motion.duration_s < 1e-3:
        return {}
    t, dt = np.linspace(0.0, motion.duration_s, _SAMPLES, retstep=True)
    _, qd = motion.sample(t)
    qdd = motion.acceleration(t)
    return {
        "velocity": np.abs(qd) / arm.velocity,
        "acceleration": np.abs(qdd) / arm.acceleration,
        "jerk": np.abs(np.diff(qdd, axis=0)) / (float(dt) * arm.jerk),
    }
