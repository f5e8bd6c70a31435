"""The virtual arm and its tracker in real time, as programs outside this process meet them."""

from __future__ import annotations

import select
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import as_file, files

from guidearm.kinematics import Arm
from guidearm.link import Clock
from guidearm.mapping import read_registration
from guidearm.planning import read_plan
from guidearm.tracking import DataSheet, TrackerFrame
from guidearm_hil.closing import Closing
from guidearm_hil.igtl_server import IgtlServer
from guidearm_hil.lines import Line
from guidearm_hil.pacing import PacedBus
from guidearm_hil.rig import VirtualArm
from guidearm_hil.tracker import VirtualTracker
from guidearm_hil.world import World


class RealTimeArm(Closing):
    """Six joints on a line, watched by a tracker; `step` over and over is its life."""

    def __init__(self, arm: Arm, seed: int, line: Line, tracker_port: int, clock: Clock) -> None:
        """Start the joints and serve the tracker on `tracker_port`, 0 for a free one.

        Takes over `line`. Raises PortError if the tracker's port cannot be had.
        """
        with ExitStack() as stack:
            stack.callback(line.close)
            self.world = _world(arm, seed)
            self.virtual = stack.enter_context(VirtualArm(arm, seed))
            self.paced = PacedBus(self.virtual.bus, clock)
            tracker = VirtualTracker(self.world, self.virtual.true_joints, self.paced.now)
            self.tracker = IgtlServer(_OnWallTime(tracker, self.paced), tracker_port)
            stack.callback(self.tracker.close)
            self._closing = stack.pop_all()
        self.line = line
        self._reported: set[int] = set()

    def step(self) -> None:
        """Wait until something is due, at most a joint's step, and do it."""
        waiting = self.line.waiting() if self.paced.ready else []
        select.select(waiting, [], [], self.paced.wait_s())
        if self.paced.ready:
            self.paced.write(self.line.read())
        heard = self.paced.poll()
        if heard:
            self.line.write(heard)
        self.tracker.poll()

    def newly_lost(self) -> list[int]:
        """Return the joints (1..6) whose processes have ended since the last call."""
        alive = self.virtual.bus.alive
        lost = [j for j, lives in enumerate(alive, 1) if not lives and j not in self._reported]
        self._reported.update(lost)
        return lost

    def close(self) -> None:
        """End everything."""
        self._closing.close()


class _OnWallTime:
    """A tracker whose frames carry wall time, whatever bus time has slipped behind it."""

    def __init__(self, tracker: VirtualTracker, paced: PacedBus) -> None:
        self._tracker = tracker
        self._paced = paced

    @property
    def data_sheet(self) -> DataSheet:
        return self._tracker.data_sheet

    def poll(self) -> list[TrackerFrame]:
        slipped_s = self._paced.slipped_s
        return [replace(frame, time_s=frame.time_s + slipped_s) for frame in self._tracker.poll()]

    def close(self) -> None:
        self._tracker.close()


def _world(arm: Arm, seed: int) -> World:
    data = files("guidearm_hil") / "data"
    with as_file(data / "registration.json") as path:
        registration = read_registration(path)
    with as_file(data / "plan.mrk.json") as path:
        plan = read_plan(path)
    return World(arm, seed, registration, plan)
