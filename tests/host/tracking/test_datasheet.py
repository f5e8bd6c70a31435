from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from guidearm.errors import CalibrationError
from guidearm.tracking import (
    ARM_MARKER,
    MARKERS,
    PATIENT,
    DataSheet,
    default_spheres,
    read_data_sheet,
    write_data_sheet,
)


def test_standard_markers_have_70_mm_rms_radius_about_their_origin() -> None:
    for name in MARKERS:
        spheres = default_spheres(name)
        np.testing.assert_allclose(spheres.mean(axis=0), 0.0, atol=1e-12)
        assert float(np.linalg.norm(spheres)) / math.sqrt(len(spheres)) == pytest.approx(0.070)


def test_standard_markers_cannot_be_mistaken() -> None:
    # No distance between two spheres comes twice, in one marker or across the two.
    distances = sorted(
        float(np.linalg.norm(a - b))
        for name in MARKERS
        for a, b in itertools.combinations(default_spheres(name), 2)
    )
    assert np.min(np.diff(distances)) > 5e-3


def test_total_noise_is_split_as_declared() -> None:
    sheet = DataSheet.with_total_fle(0.6e-3)
    assert math.hypot(sheet.fle_white_m, sheet.fle_static_m) == pytest.approx(0.6e-3)
    assert sheet.fle_white_m / sheet.fle_static_m == pytest.approx(0.08 / 0.09)


def test_written_sheet_is_read_back(tmp_path: Path) -> None:
    sheet = DataSheet(0.15e-3, 0.2e-3, 30.0, 0.05, {PATIENT: default_spheres(ARM_MARKER)})
    write_data_sheet(tmp_path / "tracker.json", sheet)
    back = read_data_sheet(tmp_path / "tracker.json")
    numbers = (back.fle_white_m, back.fle_static_m, back.rate_hz, back.latency_s)
    assert numbers == pytest.approx((0.15e-3, 0.2e-3, 30.0, 0.05))
    np.testing.assert_allclose(back.spheres(PATIENT), default_spheres(ARM_MARKER), atol=1e-9)
    with pytest.raises(CalibrationError, match="no geometry for marker 'arm_marker'"):
        back.spheres(ARM_MARKER)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fle_white_mm": -1}, "fle_white_mm is -1, expected 0 to 10"),
        ({"rate_hz": None}, '"rate_hz" is missing'),
        ({"latency_ms": "60"}, "expected a number, found text"),
        ({"fle_static_mm": True}, "expected a number"),
        ({"markers_mm": []}, "expected an object of sphere lists"),
        ({"markers_mm": {"patient": [[0, 0, 0], [1, 0, 0]]}}, "at least 3 spheres"),
        ({"markers_mm": {"patient": [[0, 0, 0], [10, 0, 0], [50, 0, 0]]}}, "on one line"),
        ({"markers_mm": {"patient": [[5, 5, 5]] * 3}}, "on one line"),
    ],
)
def test_a_bad_sheet_is_refused_by_name(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    good = {"fle_white_mm": 0.08, "fle_static_mm": 0.09, "rate_hz": 60, "latency_ms": 60}
    path = tmp_path / "tracker.json"
    path.write_text(json.dumps(good))
    assert read_data_sheet(path).latency_s == pytest.approx(0.06)
    path.write_text(json.dumps({**good, **change}))
    with pytest.raises(CalibrationError, match=message) as refusal:
        read_data_sheet(path)
    assert "tracker.json" in str(refusal.value)
    assert "\n" not in str(refusal.value)
