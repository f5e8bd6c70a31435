"""The registration file: what is written is read back, what is impossible is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from guidearm.errors import RegistrationError
from guidearm.geometry import is_transform, perturbation
from guidearm.mapping import Registration, read_registration, write_registration

UID = "1.2.826.0.1.3680043.2"
FIDUCIALS_MM = [[0.0, 0.0, 0.0], [80.0, 0.0, 5.0], [0.0, 60.0, 0.0], [70.0, 50.0, 30.0]]
IDENTITY = np.eye(4).tolist()
ABSENT = object()


def save(folder: Path, **changes: object) -> Path:
    content: dict[str, object] = {
        "schema": "guidearm-registration-v1",
        "units": "mm",
        "coordinateSystem": "LPS",
        "date": "2025-03-01T09:30:00+00:00",
        "image": {"frameOfReferenceUID": UID},
        "T_patient_image": [[0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]],
        "fiducials_image_mm": FIDUCIALS_MM,
        "residual_mm": 0.25,
        **changes,
    }
    kept = {key: value for key, value in content.items() if value is not ABSENT}
    path = folder / "registration.json"
    path.write_text(json.dumps(kept), encoding="utf-8")
    return path


def matrix(**elements: float) -> list[list[float]]:
    """Return the identity with elements such as r01=0.1 put in."""
    T = np.eye(4)
    for name, value in elements.items():
        T[int(name[1]), int(name[2])] = value
    return T.tolist()


def test_a_file_is_read_in_metres(tmp_path: Path) -> None:
    registration = read_registration(save(tmp_path))
    assert_allclose(
        registration.T_patient_image,
        [[0, -1, 0, 0.01], [1, 0, 0, 0.02], [0, 0, 1, 0.03], [0, 0, 0, 1]],
        atol=1e-15,
    )
    assert_allclose(registration.residual_m, 0.00025)
    assert_allclose(registration.fiducials_image, np.array(FIDUCIALS_MM) * 1e-3)
    assert registration.date == datetime(2025, 3, 1, 9, 30, tzinfo=UTC)
    assert registration.image_uid == UID
    assert registration.path == tmp_path / "registration.json"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2025-03-01", datetime(2025, 3, 1, tzinfo=UTC)),
        ("2025-03-01T09:30:00Z", datetime(2025, 3, 1, 9, 30, tzinfo=UTC)),
        ("2025-03-01 09:30", datetime(2025, 3, 1, 9, 30, tzinfo=UTC)),
        (
            "2025-03-01T09:30:00+08:00",
            datetime(2025, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=8))),
        ),
    ],
)
def test_a_date_has_an_offset_or_is_utc(tmp_path: Path, text: str, date: datetime) -> None:
    assert read_registration(save(tmp_path, date=text)).date == date


def test_rounded_decimals_are_made_rigid_again(tmp_path: Path) -> None:
    T = perturbation([0.1, -0.2, 0.3], [0.3, -1.1, 0.7])
    in_file = T.copy()
    in_file[:3, 3] *= 1e3
    read = read_registration(save(tmp_path, T_patient_image=np.round(in_file, 5).tolist()))
    assert is_transform(read.T_patient_image, 1e-12)
    assert_allclose(read.T_patient_image, T, atol=1e-5)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    registration = Registration(
        T_patient_image=perturbation(rng.uniform(-0.3, 0.3, 3), rng.uniform(-2, 2, 3)),
        residual_m=0.00031,
        fiducials_image=rng.uniform(-0.1, 0.1, (6, 3)),
        date=datetime(2025, 3, 1, 9, 30, 12, 345678, tzinfo=UTC),
        image_uid=UID,
    )
    path = tmp_path / "registration.json"
    write_registration(path, registration)
    again = read_registration(path)
    assert_allclose(again.T_patient_image, registration.T_patient_image, atol=1e-14)
    assert_allclose(again.fiducials_image, registration.fiducials_image, atol=1e-9)
    assert_allclose(again.residual_m, registration.residual_m, rtol=1e-12)
    assert (again.date, again.image_uid) == (registration.date, UID)


def test_the_plans_image_must_be_the_registered_one(tmp_path: Path) -> None:
    registration = read_registration(save(tmp_path))
    registration.check_image(UID)
    with pytest.raises(RegistrationError, match=rf"belongs to image {UID}, the plan to image 1\.2"):
        registration.check_image("1.2")
    with pytest.raises(RegistrationError, match=r'add "frameOfReferenceUID" .* --image-uid'):
        registration.check_image(None)


IN = r"registration\.json: "


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "guidearm-registration-v2"}, r'schema: "guidearm-registration-v2" is not supp'),
        ({"schema": ABSENT}, IN + r'"schema" is missing'),
        ({"units": "m"}, r'units: "m" is not supported: it must be "mm"'),
        ({"coordinateSystem": "RAS"}, r'coordinateSystem: "RAS" is not supported'),
        ({"coordinateSystem": ABSENT}, IN + r'"coordinateSystem" is missing'),
        ({"T_patient_image": ABSENT}, IN + r'"T_patient_image" is missing'),
        ({"T_patient_image": IDENTITY[:3]}, r"T_patient_image: expected 4 entries, found 3"),
        ({"T_patient_image": [[1, 0, 0]] * 4}, r"image\[0\]: expected 4 entries, found 3"),
        ({"T_patient_image": matrix(r03=float("nan"))}, r"\[0\]\[3\]: expected a finite number"),
        ({"T_patient_image": matrix(r00=1.001)}, r"T_patient_image: the matrix is not rigid"),
        ({"T_patient_image": matrix(r01=0.01)}, r"T_patient_image: the matrix is not rigid"),
        ({"T_patient_image": np.zeros((4, 4)).tolist()}, r"the last row is not 0 0 0 1"),
        ({"T_patient_image": matrix(r30=10.0)}, r"the last row is not 0 0 0 1; .* row by row"),
        ({"T_patient_image": matrix(r22=-1.0)}, r"T_patient_image: the matrix mirrors"),
        ({"residual_mm": ABSENT}, IN + r'"residual_mm" is missing'),
        ({"residual_mm": -0.1}, r"residual_mm: -0.1 mm is no measured residual"),
        ({"residual_mm": 0}, r"residual_mm: 0 mm is no measured residual"),
        ({"residual_mm": float("nan")}, r"residual_mm: expected a finite number"),
        ({"residual_mm": "0.2"}, r"residual_mm: expected a number, found text"),
        ({"fiducials_image_mm": ABSENT}, IN + r'"fiducials_image_mm" is missing'),
        ({"fiducials_image_mm": FIDUCIALS_MM[:3]}, r"3 fiducials; at least 4 are needed"),
        ({"fiducials_image_mm": []}, r"0 fiducials; at least 4 are needed"),
        ({"fiducials_image_mm": [[1, 2]] * 4}, r"_mm\[0\]: expected 3 entries, found 2"),
        ({"fiducials_image_mm": [[i, 2 * i, 3 * i] for i in range(5)]}, r"one line \(collinear\)"),
        ({"fiducials_image_mm": [[1, 2, 3]] * 5}, r"one line \(collinear\)"),
        ({"fiducials_image_mm": [[9 * i * i, 9 * i, 5] for i in range(5)]}, r"one plane"),
        ({"date": ABSENT}, IN + r'"date" is missing'),
        ({"date": "last Tuesday"}, r'date: "last Tuesday" is not an ISO 8601 date'),
        ({"date": "2025-02-30"}, r'date: "2025-02-30" is not an ISO 8601 date'),
        ({"date": 20250301}, r"date: expected text, found a number"),
        ({"image": ABSENT}, IN + r'"image" is missing'),
        ({"image": UID}, r"image: expected an object, found text"),
        ({"image": {}}, r'image: "frameOfReferenceUID" is missing'),
        ({"image": {"frameOfReferenceUID": ""}}, r"expected a DICOM UID"),
    ],
)  # fmt: skip
def test_a_bad_field_is_refused_by_name(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RegistrationError, match=message) as refused:
        read_registration(save(tmp_path, **changes))
    assert str(refused.value).startswith("registration.json: ")
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_one_that_is_not_json_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "registration.json"
    with pytest.raises(RegistrationError, match=r"^registration is missing: there is no file /"):
        read_registration(path)
    path.write_text("T = identity", encoding="utf-8")
    with pytest.raises(RegistrationError, match=r"^registration\.json: not a JSON file"):
        read_registration(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"residual_m": 0.0}, "no measured residual"),
        ({"fiducials_image": np.zeros((4, 3))}, "collinear"),
        ({"T_patient_image": np.diag([1.0, 1.0, -1.0, 1.0])}, "mirrors"),
        ({"T_patient_image": np.eye(4) * np.nan}, "finite"),
        ({"image_uid": "none"}, "DICOM UID"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    bad = replace(read_registration(save(tmp_path)), **changes)
    path = tmp_path / "new.json"
    with pytest.raises(RegistrationError, match=message):
        write_registration(path, bad)
    assert not path.exists()
