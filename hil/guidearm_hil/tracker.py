"""The virtual tracker: what a camera would report of the simulated world."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from guidearm.errors import TrackingError
from guidearm.geometry import Array, inverse
from guidearm.tracking import ARM_MARKER, PATIENT, DataSheet, MarkerPose, MarkerStatus, TrackerFrame
from guidearm_hil.optics import MarkerOptics, in_volume
from guidearm_hil.world import World

LONGEST_BACKLOG_S = 20.0
_BLOCK = 64


class VirtualTracker:
    """A `Tracker` over the world's truth, on the rig's clock.

    Frame k is exposed at k / rate and arrives one latency later. Its white noise depends on the
    seed and k alone, not on when or how often the host asks.
    """

    def __init__(
        self, world: World, true_joints: Callable[[float], Array], now: Callable[[], float]
    ) -> None:
        """Watch `world`; `true_joints(t)` gives the true joint angles (6,) rad at a past time."""
        self._world = world
        self._true_joints = true_joints
        self._now = now
        self._hidden: list[tuple[str, float, float]] = []
        self._open = True
        sheet = world.data_sheet
        self._optics = {
            name: MarkerOptics(
                world.stream(10, index), sheet.spheres(name), sheet.fle_white_m, sheet.fle_static_m
            )
            for index, name in enumerate((PATIENT, ARM_MARKER))
        }
        counts = [len(sheet.spheres(name)) for name in (PATIENT, ARM_MARKER)]
        self._spheres = {
            PATIENT: slice(0, counts[0]),
            ARM_MARKER: slice(counts[0], counts[0] + counts[1]),
        }
        self._block, self._drawn = -1, np.zeros((0, 0, 3))
        # The first frame is one that arrives after the tracker was opened.
        self._next = math.floor((now() - sheet.latency_s) * sheet.rate_hz) + 1

    @property
    def data_sheet(self) -> DataSheet:
        """What is declared to the host."""
        return self._world.data_sheet

    def hide(self, marker: str, from_s: float, to_s: float = math.inf) -> None:
        """Cover a marker for all exposures from `from_s` until before `to_s`."""
        self._hidden.append((marker, from_s, to_s))

    def poll(self) -> list[TrackerFrame]:
        """Return frames that arrived since the last call; of a long backlog only the last 20 s."""
        if not self._open:
            raise TrackingError("the virtual tracker is closed")
        sheet = self._world.data_sheet
        # A part in a million of a period: a frame due at just this instant has arrived.
        newest = math.floor((self._now() - sheet.latency_s) * sheet.rate_hz + 1e-6)
        first = max(self._next, newest - round(LONGEST_BACKLOG_S * sheet.rate_hz) + 1, 0)
        self._next = max(self._next, newest + 1)
        return self.frames(range(first, newest + 1))

    def frames(self, numbers: range) -> list[TrackerFrame]:
        """Frames of these numbers, exposed at number / rate, all at once."""
        if not numbers:
            return []
        world = self._world
        times = [number / world.data_sheet.rate_hz for number in numbers]
        T_camera_base = inverse(world.T_base_camera(times))
        q = np.stack([self._true_joints(time_s) for time_s in times])
        truth = {
            PATIENT: T_camera_base @ world.patient.T_base_patient(times),
            ARM_MARKER: T_camera_base @ world.T_base_arm_marker(q),
        }
        truth[ARM_MARKER][:, :3, 3] += world.arm_marker_smear(times)
        noise = np.stack([self._noise(number) for number in numbers])
        markers: list[dict[str, MarkerPose]] = [{} for _ in numbers]
        for name, T_camera_marker in truth.items():
            spheres = self._spheres[name]
            seen = self._optics[name].see(T_camera_marker, noise[:, spheres])
            inside = in_volume(T_camera_marker[:, :3, 3])
            for k, time_s in enumerate(times):
                markers[k][name] = self._pose(name, time_s, seen[k], bool(inside[k]))
        return [TrackerFrame(*frame) for frame in zip(numbers, times, markers, strict=True)]

    def _pose(self, name: str, time_s: float, seen: Array, inside: bool) -> MarkerPose:
        if any(m == name and a <= time_s < b for m, a, b in self._hidden):
            return MarkerPose(MarkerStatus.MISSING)
        if not inside:
            return MarkerPose(MarkerStatus.OUT_OF_VOLUME)
        return MarkerPose(MarkerStatus.VALID, seen)

    def _noise(self, number: int) -> Array:
        """White noise (spheres, 3) of one frame, drawn in blocks."""
        block, index = divmod(number, _BLOCK)
        if block != self._block:
            count = max(s.stop for s in self._spheres.values())
            shape = (_BLOCK, count, 3)
            self._block, self._drawn = block, self._world.stream(11, block).normal(size=shape)
        return self._drawn[index]

    def close(self) -> None:
        """Stop giving frames."""
        self._open = False
