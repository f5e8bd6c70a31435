"""Calibrations as files in the data directory, JSON with lengths in mm.

    {"schema": "guidearm-hand-eye-v1", "units": "mm",
     "date": "2025-03-01T09:30:00+00:00",
     "T_flange_arm_marker": [[r, r, r, x], [r, r, r, y], [r, r, r, z], [0, 0, 0, 1]],
     "uncertainty_mm": 0.1, "uncertainty_mrad": 0.67,
     "residual_mm": 0.08, "samples": 40}

and the same with "guidearm-guide-v1" and "T_arm_marker_guide". All keys are required.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from guidearm.calibration.records import GuideCalibration, HandEye, Quality
from guidearm.errors import CalibrationError, InputError
from guidearm.geometry import Array, check_transform, mean_transform
from guidearm.json_file import Node, read_object, write_object

HAND_EYE_FILE = "hand_eye.json"
GUIDE_FILE = "guide.json"
RIGID_TOLERANCE = 1e-4
_WHAT = "calibration"


def read_hand_eye(data_dir: str | Path) -> HandEye:
    """Read `hand_eye.json` of a data directory.

    Raises CalibrationError, in one line, if it is missing, unreadable or impossible.
    """
    T, quality = _read(Path(data_dir) / HAND_EYE_FILE, "guidearm-hand-eye-v1", "flange_arm_marker")
    return HandEye(T, quality)


def read_guide(data_dir: str | Path) -> GuideCalibration:
    """Read `guide.json` of a data directory.

    Raises CalibrationError, in one line, if it is missing, unreadable or impossible.
    """
    T, quality = _read(Path(data_dir) / GUIDE_FILE, "guidearm-guide-v1", "arm_marker_guide")
    return GuideCalibration(T, quality)


def write_hand_eye(data_dir: str | Path, record: HandEye) -> None:
    """Write `hand_eye.json`, whole or not at all. Raises CalibrationError if it cannot."""
    path = Path(data_dir) / HAND_EYE_FILE
    T = record.T_flange_arm_marker
    _write(path, "guidearm-hand-eye-v1", "flange_arm_marker", T, record.quality)


def write_guide(data_dir: str | Path, record: GuideCalibration) -> None:
    """Write `guide.json`, whole or not at all. Raises CalibrationError if it cannot."""
    path = Path(data_dir) / GUIDE_FILE
    T = record.T_arm_marker_guide
    _write(path, "guidearm-guide-v1", "arm_marker_guide", T, record.quality)


def _read(path: Path, schema: str, frames: str) -> tuple[Array, Quality]:
    top = read_object(path, _WHAT, CalibrationError)
    for key, expected in (("schema", schema), ("units", "mm")):
        found = top.member(key)
        if found.text() != expected:
            found.refuse(f'"{found.text()}" is not supported: it must be "{expected}"')
    samples = top.member("samples")
    if samples.number() < 1 or samples.number() % 1:
        samples.refuse("expected a whole number of at least 1")
    quality = Quality(
        translation_m=_positive(top.member("uncertainty_mm"), 10.0) * 1e-3,
        rotation_rad=_positive(top.member("uncertainty_mrad"), 100.0) * 1e-3,
        residual_m=_length(top.member("residual_mm"), 10.0) * 1e-3,
        samples=int(samples.number()),
        date=_date(top.member("date")),
    )
    return _transform(top.member(f"T_{frames}")), quality


def _write(path: Path, schema: str, frames: str, T: Array, quality: Quality) -> None:
    matrix = T.copy()
    matrix[:3, 3] *= 1e3
    content: dict[str, object] = {
        "schema": schema,
        "units": "mm",
        "date": quality.date.isoformat(),
        f"T_{frames}": matrix.tolist(),
        "uncertainty_mm": quality.translation_m * 1e3,
        "uncertainty_mrad": quality.rotation_rad * 1e3,
        "residual_mm": quality.residual_m * 1e3,
        "samples": quality.samples,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CalibrationError(f"{_WHAT} cannot be written: {path}: {problem.strerror}") from None
    write_object(path, content, _WHAT, CalibrationError)


def _transform(node: Node) -> Array:
    T = node.array(4, 4)
    T[:3, 3] *= 1e-3
    try:
        check_transform(T, "the matrix", RIGID_TOLERANCE)
    except InputError as problem:
        node.refuse(str(problem))
    # Decimals are rounded in a file: take the nearest rotation.
    return mean_transform(T[None])


def _length(node: Node, most: float) -> float:
    value = node.number()
    if not 0.0 <= value <= most:
        node.refuse(f"{value:g} is not between 0 and {most:g}: calibrate again")
    return value


def _positive(node: Node, most: float) -> float:
    """Return an uncertainty; zero would claim a perfect calibration to the gate."""
    value = _length(node, most)
    if value == 0.0:
        node.refuse("an uncertainty cannot be 0: calibrate again")
    return value


def _date(node: Node) -> datetime:
    try:
        date = datetime.fromisoformat(node.text())
    except ValueError:
        node.refuse(f'"{node.text()}" is not an ISO 8601 date such as 2025-03-01T09:30:00+00:00')
    return date if date.tzinfo else date.replace(tzinfo=UTC)
