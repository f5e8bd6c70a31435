"""Where the guide is relative to the plan, averaged over whole breaths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from guidearm.calibration import GuideCalibration
from guidearm.errors import MarkerLostError, TrackingError
from guidearm.geometry import Array, apply, inverse, mean_transform
from guidearm.positioning.breathing import Breathing, find_breathing, harmonic_fit
from guidearm.positioning.line import Line, LineError, line_error
from guidearm.tracking import ARM_MARKER, PATIENT, TrackerFrame

FEWEST_FRAMES = 30


@dataclass(frozen=True, eq=False)
class GuideMeasurement:
    """Mean place of the guide in the patient's frame over whole breaths.

    Fields:
        T_patient_guide, T_camera_patient, T_camera_arm_marker: (4, 4) means over the frames used.
        error: deviation of the mean guide from the planned line.
        standoff_m: where the guide's end belongs, before the entry.
        breathing: what was found in the patient marker's motion at the target, None if still.
        motion_entry, motion_target: (2, 2) covariance of the regular lateral motion of the guide
            against the patient, in `Line.plane`.
        arm_drift_m: how far the arm marker moved between the halves of the window.
        frames_used, frames_dropped: complete frames in the average; frames that lacked a marker.
        first_s, last_s: exposure of the first and last frame used, on the host's clock.
    """

    T_patient_guide: Array
    T_camera_patient: Array
    T_camera_arm_marker: Array
    error: LineError
    standoff_m: float
    breathing: Breathing | None
    motion_entry: Array
    motion_target: Array
    arm_drift_m: float
    frames_used: int
    frames_dropped: int
    first_s: float
    last_s: float

    @property
    def motion_m(self) -> float:
        """Half-amplitude of the patient's regular motion at the target, all directions."""
        return 0.0 if self.breathing is None else self.breathing.amplitude_m


def measure_guide(
    frames: Sequence[TrackerFrame],
    line: Line,
    guide: GuideCalibration,
    *,
    since_s: float = float("-inf"),
    standoff_m: float = 0.0,
) -> GuideMeasurement:
    """Measure the guide against `line` from the frames exposed at `since_s` or later.

    Give `since_s` the instant the arm came to rest. Both markers are taken from the same frame, a
    frame that lacks one is dropped. The newest whole number of breaths is averaged, so the mean
    does not depend on the phase in which the window starts.

    Raises MarkerLostError if a marker is never seen, TrackingError if there are fewer than
    `FEWEST_FRAMES` complete frames or the window is shorter than a breath.
    """
    fresh = _once_each(frame for frame in frames if frame.time_s >= since_s)
    complete = [frame for frame in fresh if frame.sees(PATIENT, ARM_MARKER)]
    if len(complete) < FEWEST_FRAMES:
        _refuse(fresh, len(complete))
    time_s = np.array([frame.time_s for frame in complete])
    T_camera_patient = np.stack([frame.transform(PATIENT) for frame in complete])
    T_camera_arm_marker = np.stack([frame.transform(ARM_MARKER) for frame in complete])

    breathing = find_breathing(time_s, apply(T_camera_patient, line.target))
    used = _whole_breaths(time_s, breathing)
    time_s, T_camera_patient = time_s[used], T_camera_patient[used]
    T_camera_arm_marker = T_camera_arm_marker[used]

    T_patient_arm_marker = inverse(T_camera_patient) @ T_camera_arm_marker
    T_patient_guide = T_patient_arm_marker @ guide.T_arm_marker_guide
    mean = mean_transform(T_patient_guide)
    each = line_error(line, T_patient_guide, standoff_m)
    half = len(time_s) // 2
    arm = T_camera_arm_marker[:, :3, 3]
    return GuideMeasurement(
        T_patient_guide=mean,
        T_camera_patient=mean_transform(T_camera_patient),
        T_camera_arm_marker=mean_transform(T_camera_arm_marker),
        error=line_error(line, mean, standoff_m),
        standoff_m=standoff_m,
        breathing=breathing,
        motion_entry=_motion(breathing, time_s, each.entry),
        motion_target=_motion(breathing, time_s, each.target),
        arm_drift_m=float(np.linalg.norm(arm[half:].mean(axis=0) - arm[:half].mean(axis=0))),
        frames_used=len(time_s),
        frames_dropped=len(fresh) - len(complete),
        first_s=float(time_s[0]),
        last_s=float(time_s[-1]),
    )


def _once_each(frames: Iterable[TrackerFrame]) -> list[TrackerFrame]:
    """Frames in order, each number once: a repeated sample must not count as a new one."""
    by_number = {frame.number: frame for frame in frames}
    return [by_number[number] for number in sorted(by_number)]


def _refuse(frames: Sequence[TrackerFrame], complete: int) -> NoReturn:
    for name in (PATIENT, ARM_MARKER):
        if frames and not any(frame.sees(name) for frame in frames):
            status = frames[-1].status(name).value
            raise MarkerLostError(
                f"marker '{name}' was {status} in all {len(frames)} frames: "
                "clear its line of sight to the camera"
            )
    raise TrackingError(
        f"{complete} frames with both markers, at least {FEWEST_FRAMES} are needed: "
        "is the tracker running and are both markers in view?"
    )


def _whole_breaths(time_s: Array, breathing: Breathing | None) -> NDArray[np.bool_]:
    if breathing is None:
        return np.ones(len(time_s), dtype=np.bool_)
    # A frame stands for the time up to the next one: the window is one frame longer than its
    # first and last instants tell.
    span = float(time_s[-1] - time_s[0]) * len(time_s) / (len(time_s) - 1)
    # The period is known to a percent or so; a window of just n breaths counts as n.
    breaths = int(span / breathing.period_s + 0.02)
    if breaths < 1:
        raise TrackingError(
            f"measured for {span:.1f} s, less than one breath of {breathing.period_s:.1f} s: "
            "measure longer"
        )
    return np.asarray(time_s > time_s[-1] - breaths * breathing.period_s, dtype=np.bool_)


def _motion(breathing: Breathing | None, time_s: Array, lateral: Array) -> Array:
    if breathing is None:
        return np.zeros((2, 2))
    _, waves = harmonic_fit(breathing.frequency_hz, time_s, lateral)
    return waves.T @ waves / 2.0
