"""What a move was planned to be, whatever it was changed to on its way, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from guidearm.arm import ArmState, Robot
from guidearm.errors import MotionError
from guidearm.geometry import Array
from guidearm.motion import Course, Segments
from guidearm_hil.rig import VirtualArm
from guidearm_protocol import messages
from guidearm_protocol.body import Value


@dataclass
class Plan:
    """Pieces by the number of their first segment: each replaces what is left of the one before."""

    pieces: list[tuple[int, Segments]] = field(default_factory=list)

    def at(self, instants: Array, starts: list[float]) -> Array:
        """Return set-points (m, n) rad at instants (m,) s of legs that began at `starts` (s).

        A piece that begins where the one before has ended is another leg.
        """
        legs = iter(starts)
        begin = next(legs)
        first, before = self.pieces[0]
        q = before.evaluate((instants - begin) * 1e6)[0]
        for number, segments in self.pieces[1:]:
            used = number - first
            if used < len(before) or not len(segments):
                begin += float(before.knots_us[min(used, len(before))]) * 1e-6
            else:
                begin = next(legs)
            here = instants >= begin
            q[here] = segments.evaluate((instants[here] - begin) * 1e6)[0]
            first, before = number, segments
        assert next(legs, None) is None, "a leg that nobody planned"
        return q


@dataclass
class Noted:
    """A course that has what it becomes noted in a plan."""

    course: Course
    plan: Plan
    first: int = 0

    @property
    def segments(self) -> Segments:
        return self.course.segments

    def retargeted(self, first: int, goal: Array, at_least_s: float = 0.0) -> Noted:
        return self._noted(self.course.retargeted(first, goal, at_least_s), first)

    def at_feed(self, first: int, share: float) -> Noted:
        return self._noted(self.course.at_feed(first, share), first)

    def _noted(self, other: Course, first: int) -> Noted:
        self.plan.pieces.append((self.first + first, other.segments))
        return Noted(other, self.plan, self.first + first)


def noted(motion: Course) -> tuple[Plan, Noted]:
    """Return a course and the plan that it will keep up to date."""
    plan = Plan([(0, motion.segments)])
    return plan, Noted(motion, plan)


@dataclass
class Script:
    """Does things once, in order, each when the move has gone on for so long (s).

    A number is a feed, anything else a goal (n,) rad. What the robot refuses is raised, or, if the
    script `goes_on`, noted.
    """

    robot: Robot
    steps: list[tuple[float, object]]
    goes_on: bool = False
    started: float | None = None
    demands: list[tuple[float, Array]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def course(self) -> tuple[Array, Array]:
        """Return instants (m,) s and set-points (m, n) rad since the move began."""
        t, demand = zip(*self.demands, strict=True)
        return np.array(t), np.array(demand)

    def __call__(self, state: ArmState) -> None:
        if state.moving and self.started is None:
            self.started = state.time
        if self.started is None:
            return
        self.demands.append((state.time, state.q_demand))
        if self.steps and state.time >= self.started + self.steps[0][0]:
            _, step = self.steps.pop(0)
            try:
                if isinstance(step, float):
                    self.robot.feed(step)
                else:
                    self.robot.retarget(np.asarray(step))
            except MotionError as error:
                if not self.goes_on:
                    raise
                self.refused.append(str(error))


def starts_of(robot: Robot) -> list[float]:
    """Return a list that gets the instant (s) of every START from now on."""
    instants: list[float] = []
    broadcast = robot.bus.broadcast

    def listened(message: int, values: Mapping[str, Value] | None = None, times: int = 1) -> float:
        if message == messages.START and values is not None:
            instants.append(float(values["master_us"]) * 1e-6)
        return broadcast(message, values, times=times)

    robot.bus.broadcast = listened
    return instants


def true_error(
    virtual_arm: VirtualArm, plan: Plan, starts: list[float], end: float
) -> tuple[Array, Array]:
    """Return how far rotors and links (m, n) rad truly were from the plan, from first start to end.

    A rotor's own zero is not told: it stands where it was homed, within the encoder's step. So both
    are compared with where they began.
    """
    instants, link, rotor = virtual_arm.bus.true_motion()
    during = (instants >= starts[0]) & (instants <= end)
    planned = plan.at(instants[during], starts)
    off_rotor, off_link = rotor[during] - planned, link[during] - planned
    return off_rotor - off_rotor[0], off_link - off_link[0]
