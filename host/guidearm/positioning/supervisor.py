"""What happens when a marker disappears: gate off at once, hold, then resume or give up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from guidearm.errors import MarkerLostError
from guidearm.geometry import Array, apply, inverse, mean_transform
from guidearm.tracking import MARKERS, DataSheet, TrackerFrame


class Vision(Enum):
    """What the supervisor allows."""

    CLEAR = "clear"
    """Every marker is in view: the gate may be judged, the arm may move."""
    BLIND = "blind"
    """A marker is not in view: the gate is off, motion goes on for a moment."""
    HOLD = "hold"
    """A marker has been away too long, or came back elsewhere: the arm must hold."""


@dataclass(frozen=True)
class SupervisorLimits:
    """Times and agreement.

    Fields:
        hold_after_s: from losing a marker to holding the arm.
        resume_within_s: from losing a marker to giving up.
        frames: how many frames are averaged before and after, and needed to resume from a hold.
        sigmas: how many times the white noise of a sphere may be seen as displacement.
        motion_m: displacement that breathing may add, peak to peak.
        silent_periods: so many frame periods without a frame count as all markers lost.
    """

    hold_after_s: float = 0.1
    resume_within_s: float = 2.0
    frames: int = 5
    sigmas: float = 5.0
    motion_m: float = 1e-3
    silent_periods: float = 4.0


_Seen = tuple[float, Array]  # instant of exposure, T_camera_marker


@dataclass
class _Watch:
    """One marker: its last poses, since when it is gone, and its poses since it came back."""

    before: deque[_Seen]
    back: deque[_Seen]
    lost_since_s: float | None = None
    displaced_m: float = 0.0
    held: bool = field(default=False)


class MarkerSupervisor:
    """State machine over the stream of frames; time comes in with each call.

    A marker that comes back must be where it was: no sphere further off than noise and breathing
    explain. Nothing moves because a marker jumped; it stays on hold until it agrees or time is up.
    If the arm moves, `expected` gives T_camera_marker as the joints have it for an instant; the
    agreement is then that of the difference between seen and expected. Markers it returns None
    for are compared as seen.
    """

    def __init__(
        self,
        data_sheet: DataSheet,
        *,
        start_s: float,
        names: Sequence[str] = MARKERS,
        limits: SupervisorLimits | None = None,
        expected: Callable[[str, float], Array | None] | None = None,
    ) -> None:
        """Watch `names` from `start_s` on the host's clock."""
        self.limits = SupervisorLimits() if limits is None else limits
        self._sheet = data_sheet
        self._expected = expected
        self._last_frame_s = start_s
        depth = self.limits.frames
        self._watches = {name: _Watch(deque(maxlen=depth), deque(maxlen=depth)) for name in names}

    @property
    def lost(self) -> tuple[str, ...]:
        """Names of the markers that are away now."""
        return tuple(n for n, watch in self._watches.items() if watch.lost_since_s is not None)

    def update(self, now_s: float, frames: Sequence[TrackerFrame]) -> Vision:
        """Take in the frames that arrived and say what is allowed now.

        Call it at every cycle, also without new frames: silence of the tracker is a loss too.

        Raises MarkerLostError, naming marker and duration, when a marker did not come back, or
        did not come back to where it was, in time.
        """
        for frame in frames:
            self._last_frame_s = max(self._last_frame_s, frame.time_s)
            for name, watch in self._watches.items():
                if frame.sees(name):
                    self._seen(name, watch, frame)
                else:
                    watch.back.clear()
                    if watch.lost_since_s is None:
                        watch.lost_since_s = frame.time_s
        silence_s = now_s - self._sheet.latency_s - self._last_frame_s
        silent = silence_s > self.limits.silent_periods / self._sheet.rate_hz
        vision = Vision.CLEAR
        for name, watch in self._watches.items():
            if silent and watch.lost_since_s is None:
                watch.lost_since_s = self._last_frame_s
            vision = max(vision, self._judge(name, watch, now_s), key=_ORDER.index)
        return vision

    def _seen(self, name: str, watch: _Watch, frame: TrackerFrame) -> None:
        seen = (frame.time_s, frame.transform(name))
        if watch.lost_since_s is None:
            watch.before.append(seen)
            return
        watch.back.append(seen)
        needed = self.limits.frames if watch.held else 1
        if len(watch.back) >= needed and self._agrees(name, watch):
            watch.before.extend(watch.back)
            watch.back.clear()
            watch.lost_since_s, watch.held, watch.displaced_m = None, False, 0.0

    def _agrees(self, name: str, watch: _Watch) -> bool:
        if not watch.before:
            return True
        spheres = self._sheet.spheres(name)
        before = apply(self._mean(name, watch.before), spheres)
        after = apply(self._mean(name, watch.back), spheres)
        watch.displaced_m = float(np.max(np.linalg.norm(after - before, axis=-1)))
        share = 1.0 / len(watch.before) + 1.0 / len(watch.back)
        noise_m = self._sheet.fle_white_m * float(np.sqrt(share))
        return watch.displaced_m <= self.limits.motion_m + self.limits.sigmas * noise_m

    def _mean(self, name: str, seen: Iterable[_Seen]) -> Array:
        """Mean pose as seen from where the marker is expected: an agreeing one stands still.

        What is expected is asked only now: the camera may have been located since.
        """
        offsets: list[Array] = []
        for time_s, pose in seen:
            expected = None if self._expected is None else self._expected(name, time_s)
            offsets.append(pose if expected is None else inverse(expected) @ pose)
        return mean_transform(np.stack(offsets))

    def _judge(self, name: str, watch: _Watch, now_s: float) -> Vision:
        if watch.lost_since_s is None:
            return Vision.CLEAR
        away_s = now_s - watch.lost_since_s
        if away_s > self.limits.resume_within_s:
            came_back = (
                f", it came back {watch.displaced_m * 1e3:.1f} mm from where it was"
                if watch.back and watch.displaced_m > 0.0
                else ""
            )
            raise MarkerLostError(
                f"marker '{name}' was lost for {away_s:.1f} s{came_back}: the arm holds; clear "
                "the line of sight, check the marker's seat and measure again"
            )
        if away_s >= self.limits.hold_after_s:
            watch.held = True
        return Vision.HOLD if watch.held else Vision.BLIND


_ORDER = [Vision.CLEAR, Vision.BLIND, Vision.HOLD]
