"""Segments on their way from rad to the wire."""

from __future__ import annotations

import math
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from guidearm.arm.joint_model import JointModel
from guidearm.arm.state import RAD_PER_UNIT, ArmState
from guidearm.errors import LimitError, MotionError
from guidearm.geometry import Array
from guidearm.link import SegmentPoint
from guidearm_protocol import messages

START_TOLERANCE_RAD = 1e-4
SHORTEST_SEGMENT_US = 2000
REST_SEGMENT_US = 10_000


class Segments(Protocol):
    """Cubic Hermite segments of one motion to rest.

    `start` (m,) rad and `start_velocity` (m,) rad/s; end `position` (n, m) rad, end `velocity`
    (n, m) rad/s and `duration_us` (n,) of each; the last velocity is zero.
    """

    @property
    def start(self) -> Array:
        """Where the first segment begins."""
        ...

    @property
    def start_velocity(self) -> Array:
        """And how fast: zero, unless it follows a segment that ends so."""
        ...

    @property
    def duration_us(self) -> NDArray[np.int64]:
        """Durations."""
        ...

    @property
    def position(self) -> Array:
        """End positions."""
        ...

    @property
    def velocity(self) -> Array:
        """End velocities."""
        ...


@runtime_checkable
class Course(Protocol):
    """Segments that can be replaced, while they are run, from any one of them on."""

    @property
    def segments(self) -> Segments:
        """What is to be run."""
        ...

    def retargeted(self, first: int, goal: Array, at_least_s: float = 0.0) -> Self:
        """Return the course to another goal (m,) rad from segment `first` on, in no less time.

        `first` may be beyond the last one: it then rests at its end. Raises LimitError or
        MotionError for a goal that cannot be reached.
        """
        ...

    def at_feed(self, first: int, share: float) -> Self:
        """Return the course at a share of its speed from segment `first` on; 0 is a stop."""
        ...


def wire_points(segments: Segments, joints: JointModel) -> list[SegmentPoint]:
    """Return the segments in wire units, numbered from 0.

    Raises LimitError naming joint and angle outside the arm's range, MotionError for segments
    that no joint could take.
    """
    count = len(segments.duration_us)
    shape = (count, len(joints.numbers))
    if segments.position.shape != shape or segments.velocity.shape != shape:
        raise MotionError(f"segments are not those of {len(joints.numbers)} joints")
    if not (np.isfinite(segments.position).all() and np.isfinite(segments.velocity).all()):
        raise MotionError("a segment is not finite")
    durations = np.asarray(segments.duration_us)
    if np.any((durations < SHORTEST_SEGMENT_US) | (durations > messages.MAX_SEGMENT_US)):
        raise MotionError(
            f"segments last {durations.min()}..{durations.max()} us, not "
            f"{SHORTEST_SEGMENT_US}..{messages.MAX_SEGMENT_US}"
        )
    if count and np.any(segments.velocity[-1] != 0):
        raise MotionError("a move has to end at rest")
    lower, upper = joints.lower, joints.upper
    outside = (segments.position < lower) | (segments.position > upper)
    if outside.any():
        row, joint = (int(i) for i in np.argwhere(outside)[0])
        raise LimitError(
            f"joint {joints.numbers[joint]} would go to "
            f"{math.degrees(segments.position[row, joint]):.2f} deg, outside "
            f"{math.degrees(lower[joint]):.0f}..{math.degrees(upper[joint]):.0f}"
        )
    fastest = messages.SET_POINT[1][4] * RAD_PER_UNIT
    if np.any(np.abs(segments.velocity) > fastest):
        joint = int(np.argmax(np.max(np.abs(segments.velocity), axis=0)))
        raise LimitError(
            f"joint {joints.numbers[joint]} would move faster than {fastest:.1f} rad/s"
        )
    positions = np.rint(segments.position / RAD_PER_UNIT).astype(np.int64).tolist()
    velocities = np.rint(segments.velocity / RAD_PER_UNIT).astype(np.int64).tolist()
    return [
        SegmentPoint(number, int(duration), tuple(zip(row, speeds, strict=True)))
        for number, (duration, row, speeds) in enumerate(
            zip(segments.duration_us, positions, velocities, strict=True)
        )
    ]


def wire_rest(segments: Segments) -> SegmentPoint:
    """Return a segment that rests where these end, in wire units."""
    end = segments.position[-1] if len(segments.duration_us) else segments.start
    positions = np.rint(end / RAD_PER_UNIT).astype(np.int64).tolist()
    return SegmentPoint(0, REST_SEGMENT_US, tuple((position, 0) for position in positions))


def check_start(state: ArmState, segments: Segments) -> None:
    """Raise MotionError unless the segments begin at rest where the set-points are."""
    if np.any(segments.start_velocity != 0):
        raise MotionError("a move has to begin at rest: this one follows another motion")
    gap = np.abs(segments.start - state.q_demand)
    if np.any(gap > START_TOLERANCE_RAD):
        joint = int(np.argmax(gap))
        raise MotionError(
            f"the move starts {math.degrees(gap[joint]):.3f} deg from where joint "
            f"{state.joints[joint].number} stands: plan it from the present state"
        )
