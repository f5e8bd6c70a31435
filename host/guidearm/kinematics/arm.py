"""An arm: geometry, limits and masses, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import pi
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, check_transform, exp_se3
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.clearance import Bodies, Clearances, Room
from guidearm.kinematics.limits import LIMIT_SLACK, nearest_turn, nearest_turns
from guidearm.kinematics.numeric import solve_pose
from guidearm.kinematics.polish import polish_missing, polished_branches
from guidearm.kinematics.ur import Angles, UrGeometry, branches, is_rigid
from guidearm.kinematics.ur_batch import branches_batch


@dataclass(frozen=True, eq=False)
class Arm:
    """A six-joint arm of the UR family with nominal geometry.

    Joint quantities are (6,) arrays: lower, upper, home (rad), velocity (rad/s), acceleration
    (rad/s^2), jerk (rad/s^3), torque (Nm), inertia (kg m^2, effective, at the output), mass (kg);
    com (6, 3) m is each link's centre of mass in its own DH frame. T_flange_guide and
    T_flange_arm_marker (4, 4) are nominal mounts, until a calibration says better. bodies are its
    capsules and room what always stands about it, both for clearance.
    """

    name: str
    geometry: UrGeometry
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    jerk: Array
    torque: Array
    inertia: Array
    mass: Array
    com: Array
    home: Array
    T_flange_guide: Array
    T_flange_arm_marker: Array
    bodies: Bodies = field(default_factory=Bodies)
    room: Room = field(default_factory=Room)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Bus addresses of the joints, from the base on."""
        return tuple(range(1, len(self.lower) + 1))

    @cached_property
    def chain(self) -> Chain:
        """The nominal chain of joints."""
        g = self.geometry
        return Chain(
            d=np.array([g.d1, 0.0, 0.0, g.d4, g.d5, g.d6]),
            a=np.array([0.0, g.a2, g.a3, 0.0, 0.0, 0.0]),
            alpha=np.array([0.5, 0.0, 0.0, 0.5, -0.5, 0.0]) * np.pi,
        )

    @property
    def arm_id(self) -> int:
        """What joints of this arm are marked with: 1..65535 from link lengths and joint limits.

        Arms of one geometry and one range have one id, whatever their name; 0 is no arm's.
        """
        numbers = np.concatenate([self.chain.d, self.chain.a, self.lower, self.upper])
        rounded = np.round(numbers * 1e6).astype("<i8")  # um and urad
        return 1 + crc32(rounded.tobytes()) % 0xFFFF

    @cached_property
    def _bounds(self) -> list[tuple[float, float]]:
        return list(zip(self.lower.tolist(), self.upper.tolist(), strict=True))

    def forward(self, q: ArrayLike) -> Array:
        """T_base_flange (..., 4, 4) of joint angles q (..., 6) rad."""
        return self.chain.frames(q)[..., 6, :, :]

    def joint_frames(self, q: ArrayLike) -> Array:
        """Return base and link frames (..., 7, 4, 4) of q (..., 6) rad, see `Chain.frames`."""
        return self.chain.frames(q)

    def jacobian(self, q: ArrayLike) -> Array:
        """Geometric Jacobian (..., 6, 6) at the flange in base axes, see `Chain.jacobian`."""
        return self.chain.jacobian(q)

    def gravity_torque(self, q: ArrayLike) -> Array:
        """Torque (..., 6) Nm that gravity (9.81 m/s^2 along -z of base) exerts on each joint.

        A drive at rest holds with the opposite torque. Mount the base level for it to be true.
        """
        return self.chain.gravity_torque(q, self.mass, self.com)

    def singularity_factors(self, q: ArrayLike) -> Array:
        """Signed distances from the singularities: q (..., 6) rad -> (..., 3).

        rho / reach (shoulder), sin q3 (elbow), sin q5 (wrist); each in [-1, 1], 0 is singular. det
        J = a2 a3 rho s3 s5. The three signs name the branch.
        """
        g = self.geometry
        angles = np.asarray(q, dtype=np.float64)
        q2, q3, q4 = angles[..., 1], angles[..., 2], angles[..., 3]
        rho = g.a2 * np.cos(q2) + g.a3 * np.cos(q2 + q3) + g.d5 * np.sin(q2 + q3 + q4)
        return np.stack([rho / g.reach, np.sin(q3), np.sin(angles[..., 4])], axis=-1)

    def singularity(self, q: ArrayLike) -> Array:
        """Smallest absolute singularity factor: q (..., 6) rad -> (...), 0 is singular."""
        return np.asarray(np.min(np.abs(self.singularity_factors(q)), axis=-1))

    def clearances(self, q: ArrayLike, room: Room | None = None) -> Clearances:
        """How far the arm is from itself and from what stands about it: q (..., 6) rad.

        `room` is beside the arm's own. Link errors of a calibration are far below what bodies are
        drawn generous by, so the nominal chain is used.
        """
        about = self.room if room is None else self.room.joined(room)
        return self.bodies.clearances(self.chain.frames(q), about)

    def within_limits(self, q: ArrayLike) -> NDArray[np.bool_]:
        """Whether every joint of q (..., 6) rad lies within its limits: (...) bool."""
        angles = np.asarray(q, dtype=np.float64)
        inside = (angles >= self.lower - LIMIT_SLACK) & (angles <= self.upper + LIMIT_SLACK)
        return np.asarray(np.all(inside, axis=-1), dtype=np.bool_)

    def inverse(self, T_base_flange: ArrayLike, seed: ArrayLike | None = None) -> Array:
        """Every posture within limits that puts the flange at the pose: (n, 6) rad, n <= 8.

        T_base_flange (4, 4). In order of branch; each joint takes the turn nearest to zero, or to
        the seed (6,) if given. Branches that coincide at a singularity come once; where axes 4 and
        6 coincide, q6 is the seed's (or 0) if the arm then reaches. Empty if nothing reaches.
        Raises InputError for a pose that is not rigid or a seed that is not six finite angles.
        """
        near = _seed(seed).tolist()
        T = _pose(T_base_flange)
        within: list[list[float]] = []
        for angles in self._branches(T, near[5]):
            q = self._into_limits(angles, near)
            if q is not None:
                within.append(q)
        return np.array(within, dtype=np.float64).reshape(-1, 6)

    def inverse_batch(
        self, T_base_flange: ArrayLike, seed: ArrayLike | None = None
    ) -> tuple[Array, NDArray[np.bool_]]:
        """`inverse` for many poses: (..., 4, 4) -> q (..., 8, 6) rad and valid (..., 8).

        Axis -2 is the number of the branch (see `kinematics.ur`); q is NaN where not valid. The
        seed (6,) is common to all poses.
        """
        T = check_transform(T_base_flange, "T_base_flange")
        near = _seed(seed)
        poses = T.reshape(-1, 4, 4)
        q = branches_batch(self.geometry, poses, float(near[5]))
        polish_missing(self.geometry, self.chain, poses, q, float(near[5]))
        q = q.reshape(*T.shape[:-2], 8, 6)
        q = nearest_turns(q, near, self.lower, self.upper)
        valid = np.all(np.isfinite(q), axis=-1)
        return np.where(valid[..., None], q, np.nan), np.asarray(valid, dtype=np.bool_)

    def nearest(self, T_base_flange: ArrayLike, seed: ArrayLike) -> Array:
        """Posture that reaches T_base_flange (4, 4) with the least joint travel from the seed.

        seed (6,) rad -> q (6,) rad. Travel is the Euclidean norm in joint space. Raises
        UnreachableError if the pose is out of reach, or is reached only outside the joint limits.
        """
        near = _seed(seed)
        found = self.inverse(T_base_flange, near)
        if len(found) == 0:
            raise UnreachableError(self._why_unreachable(T_base_flange))
        return found[np.argmin(np.linalg.norm(found - near, axis=-1))]

    def with_errors(self, twists: ArrayLike) -> CalibratedArm:
        """Give the arm as it was really built: seven small twists (7, 6), metres before radians.

        The first comes before joint 1, the others after links 1 to 6; each is applied as
        exp_se3(twist) in its link frame. Raises InputError for another shape or for twists over
        20 mm or 0.1 rad, which are no longer errors but another arm.
        """
        given = np.asarray(twists, dtype=np.float64)
        if given.shape != (7, 6):
            raise InputError(f"link errors are seven twists (7, 6), got {given.shape}")
        if not (np.all(np.abs(given[:, :3]) <= 0.02) and np.all(np.abs(given[:, 3:]) <= 0.1)):
            raise InputError("a link error exceeds 20 mm or 0.1 rad; calibrate again")
        return CalibratedArm(self, given)

    def _branches(self, T: list[list[float]], q6_free: float) -> list[Angles]:
        found = branches(self.geometry, T, q6_free)
        return found or polished_branches(self.geometry, self.chain, T, q6_free)

    def _into_limits(self, angles: Angles, near: list[float]) -> list[float] | None:
        q: list[float] = []
        for angle, reference, (lower, upper) in zip(angles, near, self._bounds, strict=True):
            if lower <= angle <= upper and -pi <= angle - reference <= pi:
                q.append(angle)
                continue
            turned = nearest_turn(angle, reference, lower, upper)
            if turned is None:
                return None
            q.append(turned)
        return q

    def _why_unreachable(self, T_base_flange: ArrayLike) -> str:
        T = np.asarray(T_base_flange, dtype=np.float64)
        where = "[" + ", ".join(f"{1e3 * x:.1f}" for x in T[:3, 3]) + "] mm"
        anywhere = self._branches(T.tolist(), 0.0)
        if not anywhere:
            return f"{self.name} cannot reach the flange pose at {where}: out of reach"
        stuck = [
            i + 1
            for i, (lower, upper) in enumerate(self._bounds)
            if all(nearest_turn(q[i], 0.0, lower, upper) is None for q in anywhere)
        ]
        which = f"joint {stuck[0]}" if stuck else "some joint"
        return (
            f"{self.name} cannot reach the flange pose at {where}: "
            f"each of {len(anywhere)} postures has {which} outside its limits"
        )


@dataclass(frozen=True, eq=False)
class CalibratedArm:
    """An arm with identified link errors: no closed form, solved by Newton from the nominal one.

    twists (7, 6), m and rad, as given to `Arm.with_errors`.
    """

    nominal: Arm
    twists: Array

    @cached_property
    def chain(self) -> Chain:
        """The chain with the link errors in it."""
        n = self.nominal.chain
        return Chain(n.d, n.a, n.alpha, exp_se3(self.twists))

    def forward(self, q: ArrayLike) -> Array:
        """T_base_flange (..., 4, 4) of joint angles q (..., 6) rad."""
        return self.chain.frames(q)[..., 6, :, :]

    def joint_frames(self, q: ArrayLike) -> Array:
        """Return base and link frames (..., 7, 4, 4) of q (..., 6) rad, see `Chain.frames`."""
        return self.chain.frames(q)

    def jacobian(self, q: ArrayLike) -> Array:
        """Geometric Jacobian (..., 6, 6) at the flange in base axes, see `Chain.jacobian`."""
        return self.chain.jacobian(q)

    def solve(self, T_base_flange: ArrayLike, seed: ArrayLike) -> Array:
        """Posture of the real arm at T_base_flange (4, 4), nearest to the seed: (6,) rad.

        Newton from the nominal arm's nearest posture, or from the seed where the nominal arm does
        not reach. Raises UnreachableError if it does not converge or ends outside the limits.
        """
        try:
            start = self.nominal.nearest(T_base_flange, seed)
        except UnreachableError:
            start = _seed(seed)
        q = solve_pose(self.chain, T_base_flange, start)
        name = self.nominal.name
        if q is None:
            raise UnreachableError(
                f"{name} with its link errors cannot reach the pose: no convergence from the "
                "nominal posture; choose a posture farther from singularities and full stretch"
            )
        past = np.maximum(self.nominal.lower - q, q - self.nominal.upper)
        if np.max(past) > LIMIT_SLACK:
            joint = 1 + int(np.argmax(past))
            raise UnreachableError(
                f"{name} with its link errors reaches the pose only with joint {joint} outside "
                "its limits"
            )
        return q


def _pose(T_base_flange: ArrayLike) -> list[list[float]]:
    T = np.asarray(T_base_flange, dtype=np.float64)
    if T.shape != (4, 4):
        raise InputError(f"T_base_flange must be one (4, 4) transform, got {T.shape}")
    rows = T.tolist()
    if not is_rigid(rows):
        # The slow check finds the words.
        check_transform(T, "T_base_flange")
    return rows


def _seed(seed: ArrayLike | None) -> Array:
    q = np.zeros(6) if seed is None else np.asarray(seed, dtype=np.float64)
    if q.shape != (6,) or not np.all(np.isfinite(q)):
        raise InputError("the seed posture must be six finite joint angles in rad")
    return q
