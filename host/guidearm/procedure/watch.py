"""Eyes on the arm while anything happens: every cycle's joints, every frame of the tracker."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from guidearm.arm import ArmState
from guidearm.geometry import Array, inverse
from guidearm.kinematics import Arm
from guidearm.positioning import MarkerSupervisor, Vision
from guidearm.tracking import ARM_MARKER, Tracker, TrackerFrame


@dataclass(frozen=True, eq=False)
class Trace:
    """What the joints said over a procedure: time_s (n,), q and q_demand (n, 6) rad."""

    time_s: Array
    q: Array
    q_demand: Array


class HoldRequest(Exception):
    """A marker has been away for too long to go on; the arm must hold.

    Not a GuideArmError: should the arm fail to stop on this request, that failure is the error.
    """


class Watch:
    """Called with every state of the arm; gathers frames and supervises the markers.

    A marker that is away longer than the supervisor allows raises HoldRequest, which stops a
    motion, unless `waiting` says that the arm holds already. The supervisor's own MarkerLostError
    passes through.
    """

    def __init__(self, model: Arm, tracker: Tracker, start_s: float) -> None:
        """Watch from instant `start_s` of the robot's clock."""
        self._model = model
        self._tracker = tracker
        self._frames: list[TrackerFrame] = []
        self._times: list[float] = []
        self._joints: list[Array] = []
        self._demands: list[Array] = []
        self._supervisor = MarkerSupervisor(
            tracker.data_sheet, start_s=start_s, expected=self._expected
        )
        self.T_base_camera: Array | None = None
        self.T_flange_arm_marker: Array | None = None
        self.waiting = False
        self.vision = Vision.CLEAR

    @property
    def markers_visible(self) -> bool:
        """Whether every marker is in view now."""
        return self.vision is Vision.CLEAR

    @property
    def lost(self) -> tuple[str, ...]:
        """Names of the markers that are away now."""
        return self._supervisor.lost

    def __call__(self, state: ArmState) -> None:
        """Take in one cycle."""
        self._times.append(state.time)
        self._joints.append(state.q)
        self._demands.append(state.q_demand)
        frames = self._tracker.poll()
        self._frames += frames
        self.vision = self._supervisor.update(state.time, frames)
        if self.vision is Vision.HOLD and not self.waiting:
            raise HoldRequest(f"no sight of {' and '.join(self.lost)}: the arm holds")

    @property
    def trace(self) -> Trace:
        """Every cycle so far."""
        return Trace(np.array(self._times), np.array(self._joints), np.array(self._demands))

    def frames_since(self, instant: float) -> list[TrackerFrame]:
        """Return the frames exposed at `instant` (s) or later and forget the older ones."""
        self._frames = [frame for frame in self._frames if frame.time_s >= instant]
        return self._frames

    def _expected(self, marker: str, time_s: float) -> Array | None:
        """T_camera_arm_marker as the joints have it, once the camera has been located."""
        if marker != ARM_MARKER or self.T_base_camera is None or self.T_flange_arm_marker is None:
            return None
        T_base_marker = self._model.forward(self._joints_at(time_s)) @ self.T_flange_arm_marker
        return inverse(self.T_base_camera) @ T_base_marker

    def _joints_at(self, time_s: float) -> Array:
        times, joints = self._times, self._joints
        after = bisect_left(times, time_s)
        if after == 0:
            return joints[0]
        if after == len(times):
            return joints[-1]
        share = (time_s - times[after - 1]) / (times[after] - times[after - 1])
        return np.asarray(joints[after - 1] * (1.0 - share) + joints[after] * share)
