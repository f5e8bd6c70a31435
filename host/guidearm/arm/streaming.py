"""A move: segments queued ahead on every joint, started at one instant, fed until the end.

The joints execute by their own clocks, brought to the host's time beforehand; the host only has
to keep their queues from running empty. What a joint reports as its newest segment is the
acknowledgement: the next segment sent is always the first that the slowest joint has not got.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from guidearm.arm.state import RAD_PER_UNIT, ArmState, JointState
from guidearm.errors import LimitError, MotionError
from guidearm.geometry import Array
from guidearm.link import SegmentPoint, deferred_interrupt
from guidearm.link.clock_sync import master_us
from guidearm_protocol import messages

if TYPE_CHECKING:
    from guidearm.arm.robot import Robot

QUEUE_AHEAD = 32  # segments on a joint before START, and while it runs: 0.3 s at 10 ms each
PERIOD_S = 0.01  # of cycles while the queue is full
START_LEAD_S = 0.04  # beyond the 20 ms that START asks for
START_MARGIN_S = 0.01  # too late to call a start off
COMMAND_GAP_S = 0.003  # a joint takes one command a tick
STUCK_CYCLES = 50  # without a segment taken
SETTLED_COUNTS = 2
SETTLED_CYCLES = 3
SETTLE_TIMEOUT_S = 1.0
START_TOLERANCE_RAD = 1e-4
SHORTEST_SEGMENT_US = 1000
LONGEST_MOVE = 30_000  # segments: numbers are 16 bits and compared by sign
ALIGN_CHUNK = 32

_NUMBERS = 1 << 16


class Segments(Protocol):
    """Cubic Hermite segments of one motion from rest to rest.

    `start` (m,) rad; end `position` (n, m) rad, end `velocity` (n, m) rad/s and `duration_us`
    (n,) of each; the last velocity is zero.
    """

    @property
    def start(self) -> Array:
        """Where the first segment begins, at rest."""
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


@dataclass(frozen=True, eq=False)
class MoveRecord:
    """A move as it went: instants in s on the robot's clock.

    `start` is the joints' common instant, `end` when the segments ended by plan, `settled` when
    all joints had settled; `following_error` (m,) rad is the largest magnitude seen in cycles,
    `sent_again` the segments that had to be repeated, `lead_s` what remained before `start` when
    all joints were armed.
    """

    start: float
    end: float
    settled: float
    segments: int
    sent_again: int
    lead_s: float
    following_error: Array


def run(
    robot: Robot,
    state: ArmState,
    segments: Segments,
    on_state: Callable[[ArmState], None] | None = None,
) -> MoveRecord:
    """Run `segments` on an enabled robot whose latest state is `state`; see `Robot.execute`."""
    points = wire_points(segments, robot)
    _check_start(state, segments)
    with robot.guarded():
        move = _Move(robot, points, on_state)
        if not points:
            return MoveRecord(state.time, state.time, state.time, 0, 0, 0.0, np.zeros(len(state.q)))
        move.align()
        move.synchronise()
        move.prefill()
        start = move.start()
        end = start + float(np.sum(segments.duration_us)) * 1e-6
        move.feed_to_the_end(end)
        settled = move.settle(np.asarray(segments.position[-1], dtype=np.float64))
        return MoveRecord(
            start, end, settled, len(points), move.sent_again, move.lead_s, move.following_error
        )


# ---- from rad to the wire


def wire_points(segments: Segments, robot: Robot) -> list[SegmentPoint]:
    """Return the segments in wire units, numbered from 0.

    Raises LimitError naming joint and angle outside the arm's range, MotionError for segments
    that no joint could take.
    """
    count = len(segments.duration_us)
    joints = len(robot.numbers)
    if segments.position.shape != (count, joints) or segments.velocity.shape != (count, joints):
        raise MotionError(f"segments are not those of {joints} joints")
    if count > LONGEST_MOVE:
        raise MotionError(f"a move of {count} segments is longer than {LONGEST_MOVE}: split it")
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
    lower, upper = robot.model.lower, robot.model.upper
    outside = (segments.position < lower) | (segments.position > upper)
    if outside.any():
        row, joint = (int(i) for i in np.argwhere(outside)[0])
        raise LimitError(
            f"joint {robot.numbers[joint]} would go to "
            f"{math.degrees(segments.position[row, joint]):.2f} deg, outside "
            f"{math.degrees(lower[joint]):.0f}..{math.degrees(upper[joint]):.0f}"
        )
    fastest = messages.SET_POINT[1][4] * RAD_PER_UNIT
    if np.any(np.abs(segments.velocity) > fastest):
        joint = int(np.argmax(np.max(np.abs(segments.velocity), axis=0)))
        raise LimitError(f"joint {robot.numbers[joint]} would move faster than {fastest:.1f} rad/s")
    positions = np.rint(segments.position / RAD_PER_UNIT).astype(np.int64).tolist()
    velocities = np.rint(segments.velocity / RAD_PER_UNIT).astype(np.int64).tolist()
    return [
        SegmentPoint(number, int(duration), tuple(zip(row, speeds, strict=True)))
        for number, (duration, row, speeds) in enumerate(
            zip(segments.duration_us, positions, velocities, strict=True)
        )
    ]


def _check_start(state: ArmState, segments: Segments) -> None:
    gap = np.abs(segments.start - state.q_demand)
    if np.any(gap > START_TOLERANCE_RAD):
        joint = int(np.argmax(gap))
        raise MotionError(
            f"the move starts {math.degrees(gap[joint]):.3f} deg from where joint "
            f"{state.joints[joint].number} stands: plan it from the present state"
        )


def _ahead(number: int, of: int) -> int:
    """Return how far a segment number is ahead of another, -32768..32767."""
    return (number - of + _NUMBERS // 2) % _NUMBERS - _NUMBERS // 2


# ---- one move


class _Move:
    def __init__(
        self,
        robot: Robot,
        points: list[SegmentPoint],
        on_state: Callable[[ArmState], None] | None,
    ) -> None:
        self.robot = robot
        self.clock = robot.clock
        self.points = points
        self.on_state = on_state
        self.base = 0  # number of the newest segment before this move, on every joint
        self.sent = 0
        self.sent_again = 0
        self.lead_s = 0.0
        self.following_error = np.zeros(len(robot.numbers))
        self._stuck = 0

    def _cycle(self, segment: SegmentPoint | None = None) -> ArmState:
        state = self.robot.cycle(segment)
        error = np.abs(state.q_demand - state.q)
        self.following_error = np.maximum(self.following_error, error)
        if self.on_state is not None:
            self.on_state(state)
        return state

    def _wait_until(self, instant: float) -> None:
        with deferred_interrupt():
            self.clock.sleep_until(instant)

    def _refuse(self, error: MotionError) -> MotionError:
        """Drop the queues before anything moved, and return `error` to raise."""
        self._cancel()
        state = self.robot.cycle()
        if not state.moving:
            self.robot.nothing_pending()
        return error

    def _cancel(self) -> None:
        self._wait_until(self.clock.now() + COMMAND_GAP_S)
        self.robot.bus.broadcast(messages.CANCEL, times=3)
        self._wait_until(self.clock.now() + COMMAND_GAP_S)

    # ---- before

    def align(self) -> None:
        """Bring all joints to one segment number, where an interrupted move left them apart.

        Joints that lag get segments at rest where they stand, which are dropped again.
        """
        rounds = 0
        while True:
            joints = self._cycle().joints
            newest = joints[0].segment
            for joint in joints:
                if _ahead(joint.segment, newest) > 0:
                    newest = joint.segment
            lagging = [joint for joint in joints if joint.segment != newest]
            queued = any(joint.depth for joint in joints)
            if not lagging and not queued:
                self.base = newest
                return
            for joint in lagging:
                self._advance(joint, newest)
            self._cancel()
            rounds += 1
            if rounds > _NUMBERS // ALIGN_CHUNK + STUCK_CYCLES:
                raise self._refuse(MotionError(f"joint {lagging[0].number} takes no segments"))

    def _advance(self, joint: JointState, newest: int) -> None:
        at = round(joint.demand / RAD_PER_UNIT)
        for step in range(1, min(_ahead(newest, joint.segment), ALIGN_CHUNK) + 1):
            number = (joint.segment + step) % _NUMBERS
            point = SegmentPoint(number, SHORTEST_SEGMENT_US, ((at, 0),))
            self.robot.bus.cycle(1 << joint.number - 1, point)

    def synchronise(self) -> None:
        """Tell every joint the host's time."""
        sync = self.robot.sync
        while not sync.ready:
            state = self._cycle()
            self._wait_until(state.time + PERIOD_S)
        for number, values in sync.values().items():
            self.robot.bus.request(
                number,
                messages.SET_CLOCK,
                {
                    "joint_us": values.joint_us,
                    "master_us": values.master_us,
                    "drift": values.drift,
                },
            )

    def prefill(self) -> None:
        """Queue the first segments on every joint."""
        while self.sent < min(QUEUE_AHEAD, len(self.points)):
            self._feed()

    def start(self) -> float:
        """Start all joints at one instant, which is returned (s)."""
        bus = self.robot.bus
        lead = messages.START_LEAD_US * 1e-6 + START_LEAD_S + 4 * self.robot.slack_s
        instant = self.clock.now() + lead
        wire = {"master_us": master_us(instant)}
        bus.broadcast(messages.START, wire, times=3)
        self._wait_until(self.clock.now() + COMMAND_GAP_S)
        while True:
            state = self._cycle()
            waiting = [joint for joint in state.joints if not joint.armed]
            fresh = all(joint.instant == state.time for joint in state.joints)
            if not waiting and fresh:
                self.lead_s = instant - self.clock.now()
                return master_instant(instant)
            if self.clock.now() > instant - START_MARGIN_S - self.robot.slack_s:
                break
            self._wait_until(state.time + COMMAND_GAP_S)
        late = [joint.number for joint in waiting]
        raise self._refuse(
            MotionError(
                f"joint {', '.join(map(str, late))} did not arm for the start: nothing moved"
                if late
                else "not every joint confirmed the start in time: nothing moved"
            )
        )

    # ---- during

    def _feed(self) -> ArmState:
        """Send the next segment, if there is one, and learn what the joints have."""
        index = self.sent
        segment = None
        if index < len(self.points):
            point = self.points[index]
            number = (self.base + 1 + index) % _NUMBERS
            segment = SegmentPoint(number, point.duration_us, point.set_points)
        state = self._cycle(segment)
        have = min(_ahead(joint.segment, self.base) for joint in state.joints)
        refusing = [j for j in state.joints if j.flags & messages.FLAG_SEGMENT_REFUSED]
        if refusing:
            raise self._limit(refusing[0], index)
        self._stuck = 0 if have > index or segment is None else self._stuck + 1
        if have <= index and segment is not None:
            self.sent_again += 1
        if self._stuck > STUCK_CYCLES:
            slow = min(state.joints, key=lambda joint: _ahead(joint.segment, self.base))
            raise self._give_up(f"joint {slow.number} does not take segment {index + 1}")
        self.sent = have
        return state

    def _limit(self, joint: JointState, index: int) -> MotionError:
        point = self.points[min(index, len(self.points) - 1)]
        position = point.set_points[self.robot.index(joint.number)][0]
        error = LimitError(
            f"joint {joint.number} refuses segment {index + 1} to "
            f"{math.degrees(position * RAD_PER_UNIT):.2f} deg: beyond its own limits of position "
            "or speed"
        )
        return error if joint.moving else self._refuse(error)

    def _give_up(self, text: str) -> MotionError:
        moving = any(joint.moving for joint in self.robot.state.joints)
        error = MotionError(text)
        return error if moving else self._refuse(error)

    def feed_to_the_end(self, end: float) -> None:
        """Keep the queues filled until every joint has finished its last segment.

        A bus that slips on a busy computer may end late: patience lasts while the queues move on.
        """
        last: list[tuple[int, int]] = []
        deadline = end + SETTLE_TIMEOUT_S
        while True:
            state = self.robot.state
            depth = max(joint.depth for joint in state.joints)
            if self.sent < len(self.points) and depth < QUEUE_AHEAD:
                state = self._feed()
            else:
                state = self._cycle()
            done = self.sent >= len(self.points) and not any(j.depth for j in state.joints)
            fresh = all(joint.instant == state.time for joint in state.joints)
            if done and fresh and not state.moving:
                return
            progress = [(joint.segment, joint.depth) for joint in state.joints]
            if progress != last:
                last = progress
                deadline = max(deadline, self.clock.now() + SETTLE_TIMEOUT_S)
            if self.clock.now() > deadline:
                busy = [joint.number for joint in state.joints if joint.depth or joint.moving]
                raise MotionError(f"joint {', '.join(map(str, busy))} still runs after its plan")
            full = max(joint.depth for joint in state.joints) >= QUEUE_AHEAD
            if full or self.sent >= len(self.points):
                self._wait_until(state.time + PERIOD_S)

    def settle(self, goal: Array) -> float:
        """Wait until every joint has settled at `goal` (m,) rad; return that instant (s)."""
        counts = np.array([identity.counts_per_turn for identity in self.robot.identities])
        # half a count for each of the two roundings on the way to and from the wire
        tolerance = (SETTLED_COUNTS + 1) * 2 * math.pi / counts
        deadline = self.clock.now() + SETTLE_TIMEOUT_S
        calm = 0
        while True:
            state = self._cycle()
            errors = np.array([abs(joint.following_error) for joint in state.joints])
            off = (errors > SETTLED_COUNTS) | (np.abs(state.q - goal) > tolerance)
            fresh = all(joint.instant == state.time for joint in state.joints)
            calm = calm + 1 if fresh and not off.any() else 0
            if calm == SETTLED_CYCLES:
                return state.time
            if self.clock.now() > deadline:
                joint = int(np.argmax(np.abs(state.q - goal) / tolerance))
                away = math.degrees(state.q[joint] - goal[joint])
                number = self.robot.numbers[joint]
                raise MotionError(
                    f"joint {number} did not settle: {away:.4f} deg from its target after "
                    f"{SETTLE_TIMEOUT_S:g} s"
                )
            self._wait_until(state.time + PERIOD_S)


def master_instant(instant: float) -> float:
    """Return an instant (s) rounded to the microsecond that the wire carries."""
    return round(instant * 1e6) * 1e-6
