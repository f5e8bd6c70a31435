"""A move: segments queued ahead on every joint, started at one instant, fed until the end.

The joints execute by their own clocks, brought to the host's time beforehand; the host only has
to keep their queues from running empty. What a joint reports as its newest segment is the
acknowledgement: the next segment sent is always the first that the slowest joint has not got.
What no joint has got may still be replaced; the motion then goes on differently from there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guidearm.arm.segments import (
    SHORTEST_SEGMENT_US,
    Course,
    Segments,
    check_start,
    wire_points,
    wire_rest,
)
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
PAUSE_PERIOD_S = 0.02  # of cycles while stopped at feed 0
ALIGN_CHUNK = 32

_NUMBERS = 1 << 16


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


def run(robot: Robot, state: ArmState, move: Move) -> MoveRecord:
    """Run a move on an enabled robot whose latest state is `state`; see `Robot.execute`."""
    check_start(state, move.segments)
    with robot.guarded():
        if move.is_empty:
            return MoveRecord(state.time, state.time, state.time, 0, 0, 0.0, np.zeros(len(state.q)))
        move.align()
        start = move.run_leg()
        while move.has_more():
            move.run_leg()
        settled = move.settle()
        return MoveRecord(
            start,
            move.end,
            settled,
            move.sent,
            move.sent_again,
            move.lead_s,
            move.following_error,
        )


def _ahead(number: int, of: int) -> int:
    """Return how far a segment number is ahead of another, -32768..32767."""
    return (number - of + _NUMBERS // 2) % _NUMBERS - _NUMBERS // 2


# ---- one move


class Move:
    """Segments on their way to the joints, and what may replace those that are not there yet.

    A leg runs from rest to rest. What comes to be known when all of it is on the joints, or after
    a stop at feed 0, is the next leg. `ahead` is how many segments are kept on the joints; as long
    as `stay` says so, a leg that has come to rest goes on resting.
    """

    def __init__(
        self,
        robot: Robot,
        motion: Segments | Course,
        on_state: Callable[[ArmState], None] | None = None,
        ahead: int = QUEUE_AHEAD,
        stay: Callable[[], bool] | None = None,
    ) -> None:
        """Check the segments; raises LimitError or MotionError for what no joint could take."""
        self.robot = robot
        self.clock = robot.clock
        self.on_state = on_state
        self.segments = motion.segments if isinstance(motion, Course) else motion
        self.sent = 0  # segments on every joint
        self.sent_again = 0
        self.end = 0.0
        self.lead_s = math.inf
        self.following_error = np.zeros(len(robot.numbers))
        self._ahead_count = ahead
        self._stay = stay
        self._course = motion if isinstance(motion, Course) else None
        self._course_first = 0  # number in this move of the course's first segment
        self._queue: deque[SegmentPoint] = deque()  # of this leg; what no joint lacks is gone
        self._tried = False  # the first of the queue was sent, some joint may have it
        self._next_leg = wire_points(self.segments, robot.model)
        self._rest = wire_rest(self.segments)
        self._paused = False
        self._base = 0  # number of the newest segment before this move, on every joint
        self._leg_s = 0.0  # duration of what all joints have of this leg
        self._stuck = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self._next_leg and self._stay is None

    # ---- changes, asked for from `on_state` or another shell

    def retarget(self, goal: Array, at_least_s: float = 0.0) -> None:
        """Go to another goal (m,) rad, from the first segment on that no joint has yet.

        Raises LimitError or MotionError, and the move goes on as it was.
        """
        self._change(lambda course, first: course.retargeted(first, goal, at_least_s))

    def feed(self, share: float) -> None:
        """Go on at a share of the speed, 0.01 to 1; at 0 stop and wait for another.

        Raises MotionError, and the move goes on as it was.
        """
        left = len(self._queue) > self._tried or bool(self._next_leg) or self._paused
        self._change(lambda course, first: course.at_feed(first, share))
        self._paused = share == 0.0 and left

    def _change(self, change: Callable[[Course, int], Course]) -> None:
        if self._course is None:
            raise MotionError("this motion cannot be changed on its way: stop it")
        first = self.sent + self._tried
        course = change(self._course, first - self._course_first)
        points = wire_points(course.segments, self.robot.model)
        self._course, self._course_first = course, first
        if len(self._queue) > self._tried:
            while len(self._queue) > self._tried:
                self._queue.pop()
            self._queue.extend(points)
        else:
            self._next_leg = points
        self._rest = wire_rest(course.segments)

    def has_more(self) -> bool:
        """Whether another leg follows; after a stop at feed 0 wait until it is fed again."""
        while self._paused:
            state = self._cycle()
            self._wait_until(state.time + PAUSE_PERIOD_S)
        return bool(self._next_leg)

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
                self._base = newest
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

    def run_leg(self) -> float:
        """Run one leg; returns the instant at which it started (s)."""
        self._queue.extend(self._next_leg)
        self._next_leg = []
        self._leg_s = 0.0
        self.synchronise()
        first = self.sent
        while self.sent - first < self._ahead_count and self._has_segment():
            self._feed()
        if self.sent == first:
            self.end = self.robot.state.time  # it was called off before it began
            return self.end
        start = self.start()
        self._feed_to_the_end(start)
        self.end = start + self._leg_s
        return start

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
                self.lead_s = min(self.lead_s, instant - self.clock.now())
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

    def _has_segment(self) -> bool:
        """Whether there is a segment to send: one that rests, if the leg is not to end yet."""
        if len(self._queue) <= self._tried and self._stay is not None and self._stay():
            self._queue.append(self._rest)
        return bool(self._queue)

    def _feed(self) -> ArmState:
        """Send the next segment, and learn whether the joints have it."""
        point, newest = self._queue[0], (self._base + self.sent) % _NUMBERS
        number = (newest + 1) % _NUMBERS
        self._tried = True
        state = self._cycle(SegmentPoint(number, point.duration_us, point.set_points))
        refusing = [j for j in state.joints if j.flags & messages.FLAG_SEGMENT_REFUSED]
        if refusing:
            raise self._limit(refusing[0], point)
        if all(_ahead(joint.segment, newest) > 0 for joint in state.joints):
            self._queue.popleft()
            self._tried = False
            self._leg_s += point.duration_us * 1e-6
            self.sent += 1
            self._stuck = 0
            return state
        self.sent_again += 1
        self._stuck += 1
        if self._stuck > STUCK_CYCLES:
            slow = min(state.joints, key=lambda joint: _ahead(joint.segment, newest))
            raise self._give_up(f"joint {slow.number} does not take segment {self.sent + 1}")
        return state

    def _limit(self, joint: JointState, point: SegmentPoint) -> MotionError:
        position = point.set_points[self.robot.index(joint.number)][0]
        error = LimitError(
            f"joint {joint.number} refuses segment {self.sent + 1} to "
            f"{math.degrees(position * RAD_PER_UNIT):.2f} deg: beyond its own limits of position "
            "or speed"
        )
        return error if joint.moving else self._refuse(error)

    def _give_up(self, text: str) -> MotionError:
        moving = any(joint.moving for joint in self.robot.state.joints)
        error = MotionError(text)
        return error if moving else self._refuse(error)

    def _feed_to_the_end(self, start: float) -> None:
        """Keep the queues filled until every joint has finished its last segment.

        A bus that slips on a busy computer may end late: patience lasts while the queues move on.
        """
        last: list[tuple[int, int]] = []
        deadline = start + SETTLE_TIMEOUT_S
        while True:
            depth = max(joint.depth for joint in self.robot.state.joints)
            more = self._has_segment()
            state = self._feed() if more and depth < self._ahead_count else self._cycle()
            done = not self._queue and not any(j.depth for j in state.joints)
            fresh = all(joint.instant == state.time for joint in state.joints)
            if done and fresh and not state.moving:
                return
            progress = [(joint.segment, joint.depth) for joint in state.joints]
            if progress != last:
                last = progress
                deadline = max(start + self._leg_s, self.clock.now()) + SETTLE_TIMEOUT_S
            if self.clock.now() > deadline:
                busy = [joint.number for joint in state.joints if joint.depth or joint.moving]
                raise MotionError(f"joint {', '.join(map(str, busy))} still runs after its plan")
            full = max(joint.depth for joint in state.joints) >= self._ahead_count
            if full or not self._queue:
                self._wait_until(state.time + PERIOD_S)

    def settle(self) -> float:
        """Wait until every joint has settled where the last leg ended; return that instant (s)."""
        goal = np.array([position for position, _ in self._rest.set_points]) * RAD_PER_UNIT
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
