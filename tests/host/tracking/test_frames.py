from __future__ import annotations

import numpy as np
import pytest

from guidearm.errors import MarkerLostError
from guidearm.tracking import ARM_MARKER, PATIENT, MarkerPose, MarkerStatus, TrackerFrame


def test_an_unseen_marker_has_no_transform() -> None:
    hidden = MarkerPose(MarkerStatus.OUT_OF_VOLUME)
    frame = TrackerFrame(7, 0.1, {PATIENT: hidden})
    with pytest.raises(MarkerLostError, match="out of volume"):
        hidden.transform()
    with pytest.raises(MarkerLostError, match="'patient' is out of volume in frame 7"):
        frame.transform(PATIENT)
    with pytest.raises(MarkerLostError, match="'arm_marker' is missing"):
        frame.transform(ARM_MARKER)
    assert not frame.sees(PATIENT)
    assert frame.status(ARM_MARKER) is MarkerStatus.MISSING


def test_a_valid_pose_is_given_as_it_is() -> None:
    frame = TrackerFrame(1, 0.0, {PATIENT: MarkerPose(MarkerStatus.VALID, np.eye(4))})
    assert frame.sees(PATIENT)
    assert not frame.sees(PATIENT, ARM_MARKER)
    np.testing.assert_array_equal(frame.transform(PATIENT), np.eye(4))


def test_status_and_pose_may_not_contradict() -> None:
    with pytest.raises(ValueError, match="contradictory"):
        MarkerPose(MarkerStatus.VALID)
    with pytest.raises(ValueError, match="contradictory"):
        MarkerPose(MarkerStatus.MISSING, np.eye(4))
