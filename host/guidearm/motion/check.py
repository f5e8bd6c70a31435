"""A whole motion judged before the first segment is sent: joints, singularities, contact, torque.

Every finding has a figure and a bound, also when it is good, so that a person sees how near a plan
is to its limits and not only that it passed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guidearm.errors import MotionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.kinematics.clearance import Room
from guidearm.kinematics.guide_axis import LEAST_SINGULARITY
from guidearm.motion.trajectory import Trajectory

LEAST_CLEARANCE_M = 0.003
"""Between surfaces, anywhere on the way; the bodies are drawn generous already."""
TORQUE_SHARE = 0.8
"""Of a joint's torque that gravity and acceleration may ask for; friction takes the rest."""
_BETWEEN_M = 0.002  # no body moves farther between two samples of a clearance
_STEP_S = 0.002
_LEAST_SAMPLES = 50
_ROUNDING = 1e-6  # of a limit


@dataclass(frozen=True)
class Finding:
    """One figure of a motion beside its bound.

    Fields: name; measured and bound in `unit`; least, whether the bound is the least that is good
    or the most; detail, where on the way and who.
    """

    name: str
    measured: float
    bound: float
    unit: str
    least: bool
    detail: str

    @property
    def ok(self) -> bool:
        """Whether the bound is kept."""
        slack = _ROUNDING * max(abs(self.bound), 1e-3)
        if self.least:
            return self.measured >= self.bound - slack
        return self.measured <= self.bound + slack

    def as_dict(self) -> dict[str, object]:
        """Return the row {name, measured, bound, ok} with unit and detail."""
        return {
            "name": self.name,
            "measured": round(self.measured, 6),
            "bound": self.bound,
            "ok": self.ok,
            "unit": self.unit,
            "detail": self.detail,
        }


def check_motion(
    motion: Trajectory, arm: Arm, room: Room | None = None, *, straight: bool = False
) -> list[Finding]:
    """Judge a motion of the arm among what stands in the room.

    Looked at: distance of the joints to the ends of their ranges; their speed, acceleration and
    torque as shares of what they have; clearance from the arm itself, from the arm's own room and
    `room`. A `straight` motion is one of the guide, which has to keep its branch and its distance
    from singularities. Clearances are sampled so densely that no body moves farther than 2 mm from
    one sample to the next, which the bound of 3 mm covers.
    """
    seconds = _samples(motion, arm)
    q, qd = motion.sample(seconds)
    qdd = np.gradient(qd, seconds, axis=0) if motion.duration_s > 0.0 else np.zeros_like(qd)
    found = [
        _range(q, seconds, arm, motion.label),
        _share("speed", np.abs(qd) / arm.velocity, 1.0, seconds, arm, motion.label),
        _share("acceleration", np.abs(qdd) / arm.acceleration, 1.0, seconds, arm, motion.label),
        _share("torque", _torque(q, qdd, arm), TORQUE_SHARE, seconds, arm, motion.label),
    ]
    if straight:
        found += _branch(q, seconds, arm, motion.label)
    clearances = arm.clearances(q, room)
    if clearances.pairs:
        least, (at,), (one, other) = clearances.nearest
        found.append(
            Finding(
                f"{motion.label}: clearance",
                least * 1e3,
                LEAST_CLEARANCE_M * 1e3,
                "mm",
                True,
                f"{one} from {other}, {seconds[at]:.2f} s on the way",
            )
        )
    return found


def refuse_unless_good(findings: list[Finding]) -> None:
    """Raise MotionError with the first finding that is not good."""
    for finding in findings:
        if not finding.ok:
            word = "least" if finding.least else "most"
            raise MotionError(
                f"{finding.name} is {finding.measured:.2f} {finding.unit}".rstrip()
                + f" ({finding.detail}), at {word} {finding.bound:g} is allowed: "
                "choose another posture or move the base"
            )


def _samples(motion: Trajectory, arm: Arm) -> Array:
    """Instants (n,) s, dense enough for speeds and for every body's way."""
    count = max(_LEAST_SAMPLES, int(np.ceil(motion.duration_s / _STEP_S)))
    rough = np.linspace(0.0, motion.duration_s, _LEAST_SAMPLES)
    _, qd = motion.sample(rough)
    # What a joint carries is at most this far from its axis.
    frames = arm.joint_frames(np.zeros(6))
    arms_m = np.cumsum(np.linalg.norm(np.diff(frames[:, :3, 3], axis=0), axis=-1)[::-1])[::-1]
    tool_m = float(np.linalg.norm(arm.T_flange_guide[:3, 3])) + 0.1
    fastest_m_s = float(np.max(np.sum(np.abs(qd) * (arms_m + tool_m), axis=-1)))
    count = max(count, int(np.ceil(fastest_m_s * motion.duration_s / _BETWEEN_M)))
    return np.linspace(0.0, motion.duration_s, count + 1)


def _range(q: Array, seconds: Array, arm: Arm, label: str) -> Finding:
    margin = np.minimum(q - arm.lower, arm.upper - q)
    at, joint = _worst(margin)
    return Finding(
        f"{label}: distance to the end of a joint's range",
        float(np.degrees(margin[at, joint])),
        0.0,
        "deg",
        True,
        f"joint {arm.numbers[joint]}, {seconds[at]:.2f} s on the way",
    )


def _share(what: str, share: Array, bound: float, seconds: Array, arm: Arm, label: str) -> Finding:
    at, joint = _worst(-share)
    return Finding(
        f"{label}: {what}, share of what the joint has",
        float(share[at, joint]),
        bound,
        "",
        False,
        f"joint {arm.numbers[joint]}, {seconds[at]:.2f} s on the way",
    )


def _torque(q: Array, qdd: Array, arm: Arm) -> Array:
    """Share (n, 6) of each joint's torque; inertia is the constant one of the description."""
    return (np.abs(arm.gravity_torque(q)) + arm.inertia * np.abs(qdd)) / arm.torque


def _branch(q: Array, seconds: Array, arm: Arm, label: str) -> list[Finding]:
    factors = arm.singularity_factors(q)
    at, which = _worst(np.abs(factors))
    changes = int(np.sum(np.any(np.diff(np.sign(factors), axis=0) != 0.0, axis=-1)))
    return [
        Finding(
            f"{label}: distance from a singularity",
            float(np.abs(factors[at, which])),
            LEAST_SINGULARITY,
            "",
            True,
            f"{seconds[at]:.2f} s on the way",
        ),
        Finding(f"{label}: changes of branch", float(changes), 0.0, "", False, "on the whole way"),
    ]


def _worst(margin: Array) -> tuple[int, int]:
    at, column = np.unravel_index(int(np.argmin(margin)), margin.shape)
    return int(at), int(column)
