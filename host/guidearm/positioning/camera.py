"""Where the camera stands: the step that ties the tracker to the arm's base."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guidearm.calibration import HandEye
from guidearm.errors import TrackingError
from guidearm.geometry import Array, inverse, mean_transform
from guidearm.tracking import ARM_MARKER, TrackerFrame


def locate_camera(
    T_base_flange: Array,
    hand_eye: HandEye,
    frames: Sequence[TrackerFrame],
    *,
    since_s: float = float("-inf"),
) -> Array:
    """T_base_camera (4, 4), from the arm marker seen while the flange rests at T_base_flange.

    T_base_camera = T_base_flange T_flange_arm_marker inverse(T_camera_arm_marker), the marker's
    pose averaged over the frames exposed at `since_s` or later. It carries the arm's error and
    that of the hand-eye calibration: good enough to command moves by, never to judge by.

    Raises TrackingError if no frame shows the arm marker.
    """
    seen = [f.transform(ARM_MARKER) for f in frames if f.time_s >= since_s and f.sees(ARM_MARKER)]
    if not seen:
        raise TrackingError(
            f"the camera cannot be located: marker '{ARM_MARKER}' is in none of {len(frames)} "
            "frames; turn the camera or the arm until it sees the marker"
        )
    T_camera_arm_marker = mean_transform(np.stack(seen))
    return T_base_flange @ hand_eye.T_flange_arm_marker @ inverse(T_camera_arm_marker)
