"""Description files: what ships loads, and every mistake is named with its file and key."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import guidearm.kinematics
from guidearm.errors import ArmDescriptionError
from guidearm.geometry import is_transform
from guidearm.kinematics import arm_names, load_arm
from guidearm.kinematics.ur_inverse import UrInverse

ARMS = Path(guidearm.kinematics.__file__).parent / "arms"
GUIDE6 = (ARMS / "guide6.toml").read_text()


@pytest.fixture
def description(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def refuse(path: Path, text: str, *words: str) -> None:
    path.write_text(text)
    with pytest.raises(ArmDescriptionError) as raised:
        load_arm(path)
    message = str(raised.value)
    assert "\n" not in message
    for word in ("mine.toml", *words):
        assert word in message


def test_the_known_arms_load() -> None:
    assert arm_names() == ["guide6", "ur5", "ur5e"]
    for name in arm_names():
        arm = load_arm(name)
        assert arm.name == name
        assert arm.within_limits(arm.home)
        assert arm.singularity(arm.home) > 0.3
        assert is_transform(arm.T_flange_guide)
        assert is_transform(arm.T_flange_arm_marker)


def test_an_arms_id_follows_geometry_and_range_not_the_name(description: Path) -> None:
    ids = [load_arm(name).arm_id for name in arm_names()]
    assert len({0, *ids}) == 4
    assert max(ids) <= 0xFFFF

    def told(text: str) -> int:
        description.write_text(text)
        return load_arm(description).arm_id

    guide6 = load_arm("guide6").arm_id
    assert told(GUIDE6.replace('name = "guide6"', 'name = "mine"')) == guide6
    assert told(GUIDE6.replace("torque_nm = 80", "torque_nm = 70")) == guide6
    assert told(GUIDE6.replace("d_m = 0.12", "d_m = 0.121")) != guide6
    assert told(GUIDE6.replace("lower_deg = -175", "lower_deg = -170")) != guide6


def test_the_guide_arm_is_light_and_points_down_at_home() -> None:
    arm = load_arm("guide6")
    assert 11.0 < arm.mass.sum() < 13.0
    assert isinstance(arm.solver, UrInverse)
    assert 0.7 < arm.solver.geometry.reach < 0.8
    T_base_guide = arm.forward(arm.home) @ arm.T_flange_guide
    np.testing.assert_allclose(T_base_guide[:3, 2], [0.0, 0.0, -1.0], atol=1e-12)
    assert T_base_guide[0, 3] > 0.3
    between = arm.T_flange_guide[:3, 3] - arm.T_flange_arm_marker[:3, 3]
    assert 0.11 < np.linalg.norm(between) < 0.14


def test_a_file_loads_by_path_or_text(description: Path) -> None:
    description.write_text(GUIDE6.replace('name = "guide6"', 'name = "other"'))
    assert load_arm(description).name == "other"
    assert load_arm(str(description)).name == "other"


def test_units_are_converted(description: Path) -> None:
    description.write_text(GUIDE6.replace("rpy_deg = [0, 0, 0]", "rpy_deg = [0, 0, 90]", 1))
    arm = load_arm(description)
    np.testing.assert_allclose(arm.T_flange_guide[:3, 3], [0.0, 0.05, 0.11])
    np.testing.assert_allclose(arm.T_flange_guide[:3, 0], [0.0, 1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(arm.upper[2], np.deg2rad(175.0))
    np.testing.assert_allclose(arm.velocity, np.deg2rad([60.0] * 3 + [90.0] * 3))


def test_limits_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_arm("guide6").upper[0] = 10.0


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ArmDescriptionError, match="'ur6'; known are guide6, ur5, ur5e"):
        load_arm("ur6")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArmDescriptionError, match=r"absent\.toml: cannot be read: No such file"):
        load_arm(tmp_path / "absent.toml")
    with pytest.raises(ArmDescriptionError, match="cannot be read: Is a directory"):
        load_arm(tmp_path)


def test_what_is_not_toml_is_named(description: Path) -> None:
    refuse(description, "name = guide6", "is not TOML")
    description.write_bytes(b'name = "\xff"')
    with pytest.raises(ArmDescriptionError, match="is not TOML"):
        load_arm(description)


KEYS = re.findall(
    r"^(\w+) = ", GUIDE6[: GUIDE6.index("[[joint]]", GUIDE6.index("[[joint]]") + 1)], re.M
)


@pytest.mark.parametrize("key", [key for key in KEYS if key != "normal"])
def test_every_missing_key_is_named(description: Path, key: str) -> None:
    refuse(description, re.sub(rf"^{key} = .*\n", "", GUIDE6, count=1, flags=re.M), key, "missing")


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_wrong_kind_is_named(description: Path, key: str) -> None:
    refuse(description, re.sub(rf"^{key} = .*$", f"{key} = true", GUIDE6, count=1, flags=re.M), key)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('family = "ur"', 'family = "scara"', ["family", "'scara'", "'ur', 'dh', 'mdh', 'urdf'"]),
        ("alpha_deg = 90", "alpha_deg = 90\ntheta_deg = 0", ["joint 1 theta_deg", "not a known"]),
        ("normal = [0, 0, -1]", "normal = [0, 0, 0]", ["[marker] normal", "no length"]),
        ("d_m = 0.12", "d_m = nan", ["joint 1 d_m", "finite"]),
        ("d_m = 0.12", 'd_m = "0.12"', ["joint 1 d_m", "number"]),
        ("alpha_deg = 90", "alpha_deg = 89.9", ["joint 1 alpha_deg", "89.9", "90"]),
        ("a_m = 0.0", "a_m = 0.001", ["joint 1 a_m", "0.001", "calibration"]),
        ("a_m = -0.36", "a_m = 0.36", ["a_m", "sign"]),
        ("velocity_deg_s = 60", "velocity_deg_s = 0", ["joint 1 velocity_deg_s", "positive"]),
        ("jerk_deg_s3 = 2000", "jerk_deg_s3 = -1", ["joint 1 jerk_deg_s3", "positive"]),
        ("mass_kg = 2.2", "mass_kg = -2.2", ["joint 3 mass_kg", "negative"]),
        ("lower_deg = -175", "lower_deg = 175", ["joint 3 lower_deg"]),
        ("[0, -95, -100, -75, 90, 0]", "[0, -95, -176, -75, 90, 0]", ["home_deg of joint 3"]),
        ("[0, -95, -100, -75, 90, 0]", "[0, -95]", ["home_deg", "6 numbers"]),
        ("[0, 50, 110]", "[0, 50, inf]", ["[guide] translation_mm", "finite"]),
        ("com_m = [0, -0.02, 0]", "com_m = [0, -0.02]", ["joint 1 com_m", "3 numbers"]),
        ("mass_kg = 2.2", "mass_kg = 2.2\nmass_g = 5", ["joint 3 mass_g", "not a known key"]),
        ("[marker]", "[marking]", ["marking", "not a known key"]),
        ("[marker]", "[[marker]]", ["[marker] is missing"]),
        ("[[joint]]", "[[joint]]\n[[joint]]", ["7 [[joint]] tables", "6"]),
    ],
)
def test_every_bad_value_is_named(description: Path, old: str, new: str, words: list[str]) -> None:
    assert old in GUIDE6
    refuse(description, GUIDE6.replace(old, new, 1), *words)
