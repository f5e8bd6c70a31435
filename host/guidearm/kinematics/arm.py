"""An arm: geometry, limits and masses, and what follows from them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guidearm.errors import InputError, UnreachableError
from guidearm.geometry import Array, check_transform, exp_se3
from guidearm.kinematics.calibrated import CalibratedInverse
from guidearm.kinematics.chain import STANDARD_GRAVITY, Chain
from guidearm.kinematics.clearance import Bodies, Clearances, Room
from guidearm.kinematics.compliance import CompliantChain
from guidearm.kinematics.inverse import AT_ZERO, InverseKinematics, Rows
from guidearm.kinematics.levers import levers
from guidearm.kinematics.limits import LIMIT_SLACK, turn_centres, within_limits
from guidearm.kinematics.ur import is_rigid

_ROWS: Callable[..., Rows] = struct.Struct("16d").unpack
# Errors over these are no longer errors but another arm: m, rad, rad/Nm.
_LARGEST_SHIFT, _LARGEST_TURN, _LARGEST_COMPLIANCE = 0.02, 0.1, 1e-3


@dataclass(frozen=True, eq=False)
class Arm:
    """An arm of six revolute joints, as designed or as calibrated.

    Joint quantities are (6,) arrays: lower, upper, home (rad), velocity (rad/s), acceleration
    (rad/s^2), jerk (rad/s^3), torque (Nm), inertia (kg m^2, effective, at the output), mass (kg);
    com (6, 3) m is each link's centre of mass in its own frame. T_flange_guide and
    T_flange_arm_marker (4, 4) are nominal mounts, until a calibration says better; marker_normal
    (3,), in the marker's frame, is the side that a camera has to see. shape (n,) are the numbers
    that tell its geometry from others', m and rad. bodies are its capsules and room what always
    stands about it, both for clearance. compliance (6,) rad/Nm is how far the joints give way, if
    it is known.
    """

    name: str
    chain: Chain
    solver: InverseKinematics
    shape: Array
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
    marker_normal: Array
    bodies: Bodies = field(default_factory=Bodies)
    room: Room = field(default_factory=Room)
    compliance: Array | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Bus addresses of the joints, from the base on."""
        return tuple(range(1, len(self.lower) + 1))

    @property
    def arm_id(self) -> int:
        """What joints of this arm are marked with: 1..65535 from geometry and joint limits.

        Arms of one geometry and one range have one id, whatever their name; 0 is no arm's.
        """
        numbers = np.concatenate([self.shape, self.lower, self.upper])
        rounded = np.round(numbers * 1e6).astype("<i8")  # um and urad
        return 1 + crc32(rounded.tobytes()) % 0xFFFF

    @cached_property
    def body(self) -> Chain | CompliantChain:
        """The chain, with joints that give way if that is known."""
        if self.compliance is None:
            return self.chain
        return CompliantChain(self.chain, self.compliance, self.mass, self.com)

    def forward(self, q: ArrayLike) -> Array:
        """T_base_flange (..., 4, 4) of joint angles q (..., 6) rad."""
        return self.body.pose(q)

    def joint_frames(self, q: ArrayLike) -> Array:
        """Return base and link frames (..., 7, 4, 4) of q (..., 6) rad, see `Chain.frames`."""
        return self.body.frames(q)

    def jacobian(self, q: ArrayLike) -> Array:
        """Geometric Jacobian (..., 6, 6) at the flange in base axes, see `Chain.jacobian`."""
        return self.body.jacobian(q)

    def pose_and_jacobian(self, q: ArrayLike) -> tuple[Array, Array]:
        """`forward` and `jacobian` in one go, which is quicker than one after the other."""
        return self.body.pose_and_jacobian(q)

    def gravity_torque(self, q: ArrayLike) -> Array:
        """Torque (..., 6) Nm that gravity (9.81 m/s^2 along -z of base) exerts on each joint.

        A drive at rest holds with the opposite torque. Mount the base level for it to be true.
        """
        return self.chain.gravity_torque(q, self.mass, self.com)

    def singularity_factors(self, q: ArrayLike) -> Array:
        """Signed distances from the singularities, q (..., 6) rad -> (..., k), each in [-1, 1].

        0 is singular. Of a UR-type arm there are three, whose signs name the branch: rho / reach
        (shoulder), sin q3 (elbow), sin q5 (wrist). Of others see their `solver`.
        """
        return self.solver.singularity_factors(q)

    def singularity(self, q: ArrayLike) -> Array:
        """Smallest absolute singularity factor: q (..., 6) rad -> (...), 0 is singular."""
        return np.asarray(np.min(np.abs(self.singularity_factors(q)), axis=-1))

    def clearances(self, q: ArrayLike, room: Room | None = None) -> Clearances:
        """How far the arm is from itself and from what stands about it: q (..., 6) rad.

        `room` is beside the arm's own. How far the joints give way is far below what bodies are
        drawn generous by, and left out.
        """
        about = self.room if room is None else self.room.joined(room)
        return self.bodies.clearances(self.chain.frames(q), about)

    def clearance_rates(self, room: Room | None = None) -> Array:
        """By how much each of `clearances` changes at most as a joint turns, (k, 6) m/rad."""
        about = self.room if room is None else self.room.joined(room)
        return self.bodies.clearance_rates(self.chain.links, about)

    def gravity_torque_rates(self) -> Array:
        """By how much `gravity_torque` of a joint changes at most as a joint turns, (6, 6) Nm/rad.

        The torques are the slopes of one potential, so it is the weight of all that both joints
        carry, times its lever on the outer one.
        """
        moments = np.array(
            [
                STANDARD_GRAVITY * mass * levers(self.chain.links, i + 1, com)
                for i, (mass, com) in enumerate(zip(self.mass, self.com, strict=True))
            ]
        )
        outer = np.maximum.outer(np.arange(6), np.arange(6))
        return np.sum(moments, axis=0)[outer]

    def within_limits(self, q: ArrayLike) -> NDArray[np.bool_]:
        """Whether every joint of q (..., 6) rad lies within its limits: (...) bool."""
        angles = np.asarray(q, dtype=np.float64)
        inside = (angles >= self.lower - LIMIT_SLACK) & (angles <= self.upper + LIMIT_SLACK)
        return np.asarray(np.all(inside, axis=-1), dtype=np.bool_)

    def inverse(self, T_base_flange: ArrayLike, seed: ArrayLike | None = None) -> Array:
        """Every posture within limits that puts the flange at the pose: (n, 6) rad.

        T_base_flange (4, 4). Each joint takes the turn nearest to zero, or to the seed (6,) if
        given. A UR-type arm has up to eight, in order of branch; those that coincide at a
        singularity come once, and where axes 4 and 6 coincide, q6 is the seed's (or 0) if the arm
        then reaches. Empty if nothing reaches. Raises InputError for a pose that is not rigid or a
        seed that is not six finite angles.
        """
        if seed is None:
            q = self.solver.postures(rows_of(T_base_flange), AT_ZERO, self._centres_at_zero)
        else:
            near = posture(seed)
            q = self.solver.postures(rows_of(T_base_flange), near, self.turn_centres(near))
        return q if self._always_within else q[within_limits(q.T, self.lower, self.upper)]

    def inverse_batch(
        self, T_base_flange: ArrayLike, seed: ArrayLike | None = None
    ) -> tuple[Array, NDArray[np.bool_]]:
        """`inverse` for many poses: (..., 4, 4) -> q (..., k, 6) rad and valid (..., k).

        Axis -2 is the number of the branch (k = 8) of a UR-type arm, see `kinematics.ur`; q is NaN
        where not valid. The seed (6,) is common to all poses.
        """
        T = check_transform(T_base_flange, "T_base_flange")
        near = AT_ZERO if seed is None else posture(seed)
        centre = self._centres_at_zero if seed is None else self.turn_centres(near)
        q, _ = self.solver.postures_batch(T.reshape(-1, 4, 4), near, centre)
        valid = within_limits(q.transpose(2, 1, 0), self.lower, self.upper).T
        if not self._always_within:
            q[~valid] = np.nan
        return q.reshape(*T.shape[:-2], *q.shape[1:]), valid.reshape(*T.shape[:-2], -1)

    def nearest(self, T_base_flange: ArrayLike, seed: ArrayLike) -> Array:
        """Posture that reaches T_base_flange (4, 4) with the least joint travel from the seed.

        seed (6,) rad -> q (6,) rad. Travel is the Euclidean norm in joint space. Raises
        UnreachableError if the pose is out of reach, or is reached only outside the joint limits.
        """
        near = posture(seed)
        found = self.inverse(T_base_flange, near)
        if len(found) == 0:
            raise UnreachableError(self._why_unreachable(T_base_flange, near))
        return found[np.argmin(np.linalg.norm(found - near, axis=-1))]

    def with_errors(self, twists: ArrayLike, compliance: ArrayLike | None = None) -> Arm:
        """Give the arm as it was really built: with link errors, and joints that give way.

        twists (7, 6), metres before radians: the first comes before joint 1, the others after links
        1 to 6, each applied as exp_se3(twist) in its link frame. compliance (6,) rad/Nm turns each
        joint on under gravity, see `CompliantChain`. Raises InputError for other shapes, for what
        is over 20 mm, 0.1 rad or 1e-3 rad/Nm (no longer an error but another arm), and for an arm
        that has errors already.
        """
        given = np.asarray(twists, dtype=np.float64)
        if given.shape != (7, 6):
            raise InputError(f"link errors are seven twists (7, 6), got {given.shape}")
        largest = np.repeat([_LARGEST_SHIFT, _LARGEST_TURN], 3)
        if not np.all(np.abs(given) <= largest):
            raise InputError("a link error exceeds 20 mm or 0.1 rad; calibrate again")
        if isinstance(self.solver, CalibratedInverse):
            raise InputError(f"{self.name} has link errors already; start from the nominal arm")
        gives = None if compliance is None else np.asarray(compliance, dtype=np.float64)
        if gives is not None:
            if gives.shape != (6,):
                raise InputError(f"compliance is one number a joint (6,), got {gives.shape}")
            if not np.all((gives >= 0.0) & (gives <= _LARGEST_COMPLIANCE)):
                raise InputError("a compliance is not from 0 to 1e-3 rad/Nm; calibrate again")
        built = replace(self, chain=self.chain.with_errors(exp_se3(given)), compliance=gives)
        return replace(built, solver=CalibratedInverse(self.solver, built.body))

    def turn_centres(self, near: ArrayLike) -> Array:
        """Centres (6,) rad of the turns in which joints are within limits and nearest to `near`."""
        return turn_centres(near, self.lower, self.upper)

    @cached_property
    def _centres_at_zero(self) -> Array:
        centre = self.turn_centres(AT_ZERO)
        return centre if np.any(centre) else AT_ZERO

    @cached_property
    def _always_within(self) -> bool:
        """Whether every angle has a turn within the limits."""
        return bool(np.all(self.upper - self.lower >= 2.0 * (np.pi - LIMIT_SLACK)))

    def _why_unreachable(self, T_base_flange: ArrayLike, near: Array) -> str:
        T = np.asarray(T_base_flange, dtype=np.float64)
        where = "[" + ", ".join(f"{1e3 * x:.1f}" for x in T[:3, 3]) + "] mm"
        centre = self.turn_centres(near)
        anywhere = self.solver.postures(rows_of(T), near, centre)
        what = f"{self.name} cannot reach the flange pose at {where}"
        if len(anywhere) == 0:
            return f"{what}: {self.solver.none_found}"
        beyond = np.maximum(self.lower - anywhere, anywhere - self.upper) > LIMIT_SLACK
        stuck = np.flatnonzero(np.all(beyond, axis=0))
        which = f"joint {self.numbers[stuck[0]]}" if len(stuck) else "some joint"
        return f"{what}: each of {len(anywhere)} postures has {which} outside its limits"


def rows_of(T: ArrayLike, name: str = "T_base_flange") -> Rows:
    """One rigid transform (4, 4) as 16 floats; raises InputError that says why `name` is none."""
    try:
        # what is no array of 16 floats comes out as no rotation
        rows = _ROWS(T)
    except (struct.error, TypeError, ValueError, BufferError):
        rows = None
    if rows is None or not is_rigid(rows):
        M = np.ascontiguousarray(check_transform(T, name))
        if M.shape != (4, 4):
            raise InputError(f"{name} must be one (4, 4) transform, got {M.shape}")
        rows = _ROWS(M)
    return rows


def posture(seed: ArrayLike) -> Array:
    """Seed as (6,) rad. Raises InputError unless it is six finite angles."""
    q = np.asarray(seed, dtype=np.float64)
    if q.shape != (6,) or not np.isfinite(q).all():
        raise InputError("the seed posture must be six finite joint angles in rad")
    return q
