from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from guidearm.calibration import (
    GUIDE_FILE,
    HAND_EYE_FILE,
    GuideCalibration,
    HandEye,
    Quality,
    read_guide,
    read_hand_eye,
    tool,
    write_guide,
    write_hand_eye,
)
from guidearm.errors import CalibrationError
from guidearm.geometry import perturbation

QUALITY = Quality(0.1e-3, 0.67e-3, 0.08e-3, 40, datetime(2025, 3, 1, 9, 30, tzinfo=UTC))
HAND_EYE = HandEye(perturbation([0.0, -0.06, 0.05], [0.1, 0.2, 0.3]), QUALITY)
GUIDE = GuideCalibration(perturbation([0.0, 0.11, 0.06], [0.0, 0.1, 0.0]), QUALITY)


def test_written_records_are_read_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_hand_eye(data, HAND_EYE)
    write_guide(data, GUIDE)
    hand_eye, guide = read_hand_eye(data), read_guide(data)
    np.testing.assert_allclose(
        hand_eye.T_flange_arm_marker, HAND_EYE.T_flange_arm_marker, atol=1e-12
    )
    np.testing.assert_allclose(guide.T_arm_marker_guide, GUIDE.T_arm_marker_guide, atol=1e-12)
    for found in (hand_eye.quality, guide.quality):
        assert found.translation_m == pytest.approx(0.1e-3)
        assert found.rotation_rad == pytest.approx(0.67e-3)
        assert found.residual_m == pytest.approx(0.08e-3)
        assert (found.samples, found.date) == (40, QUALITY.date)
    expected = HAND_EYE.T_flange_arm_marker @ GUIDE.T_arm_marker_guide
    np.testing.assert_allclose(tool(hand_eye, guide), expected, atol=1e-12)


def test_files_are_in_mm(tmp_path: Path) -> None:
    write_hand_eye(tmp_path, HAND_EYE)
    content = json.loads((tmp_path / HAND_EYE_FILE).read_text())
    assert content["units"] == "mm"
    assert content["T_flange_arm_marker"][1][3] == pytest.approx(-60.0)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"calibration is missing: .*hand_eye\.json"):
        read_hand_eye(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "guidearm-hand-eye-v1"}, 'must be "guidearm-guide-v1"'),
        ({"units": "m"}, 'must be "mm"'),
        ({"T_arm_marker_guide": None}, '"T_arm_marker_guide" is missing'),
        ({"T_arm_marker_guide": np.diag([2.0, 1, 1, 1]).tolist()}, "not orthonormal"),
        ({"T_arm_marker_guide": np.diag([1.0, 1, -1, 1]).tolist()}, "reflection"),
        ({"uncertainty_mm": 0}, "cannot be 0"),
        ({"uncertainty_mrad": -0.1}, "between 0 and 100"),
        ({"samples": 0}, "whole number of at least 1"),
        ({"samples": 1.5}, "whole number of at least 1"),
        ({"date": "yesterday"}, "not an ISO 8601 date"),
        ({"residual_mm": "small"}, "expected a number"),
    ],
)
def test_an_impossible_record_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    write_guide(tmp_path, GUIDE)
    path = tmp_path / GUIDE_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CalibrationError, match=message) as refusal:
        read_guide(tmp_path)
    assert GUIDE_FILE in str(refusal.value)
