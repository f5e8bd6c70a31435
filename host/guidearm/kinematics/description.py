"""Arm description files: TOML with one table per joint, checked key by key.

Angles are degrees and mounts millimetres in the file, as people read them off data sheets.
"""

from __future__ import annotations

import tomllib
from math import isfinite
from pathlib import Path
from typing import cast

import numpy as np

from guidearm.errors import ArmDescriptionError, UnknownArmError
from guidearm.geometry import Array, rotation_rpy, transform
from guidearm.kinematics.arm import Arm
from guidearm.kinematics.room_file import arm_bodies
from guidearm.kinematics.ur import UrGeometry

_ARMS = Path(__file__).parent / "arms"
_TWISTS_DEG = (90.0, 0.0, 0.0, 90.0, -90.0, 0.0)
_POSITIVE = ("velocity_deg_s", "acceleration_deg_s2", "jerk_deg_s3", "torque_nm", "inertia_kgm2")
_JOINT_NUMBERS = ("d_m", "a_m", "alpha_deg", "lower_deg", "upper_deg", *_POSITIVE, "mass_kg")
_JOINT_KEYS = (*_JOINT_NUMBERS, "com_m")
_ARM_KEYS = ("name", "family", "home_deg", "guide", "marker", "joint", "body", "keep_out")
_MOUNT_KEYS = ("translation_mm", "rpy_deg")

Table = dict[str, object]


def arm_names() -> list[str]:
    """Names of the arms that come with the package, sorted."""
    return sorted(path.stem for path in _ARMS.glob("*.toml"))


def load_arm(name_or_path: str | Path) -> Arm:
    """Arm by name (see `arm_names`) or from a description file (a path, or a name in .toml).

    Raises ArmDescriptionError that names the file and the key at fault, UnknownArmError for a name.
    """
    given = Path(name_or_path)
    by_name = isinstance(name_or_path, str) and given.name == name_or_path and not given.suffix
    if by_name and name_or_path not in arm_names():
        raise UnknownArmError(
            f"no arm is called {name_or_path!r}; known are {', '.join(arm_names())}, "
            "or give the path of a .toml description"
        )
    path = _ARMS / f"{name_or_path}.toml" if by_name else given
    try:
        with path.open("rb") as file:
            table = cast(Table, tomllib.load(file))
    except OSError as error:
        raise ArmDescriptionError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArmDescriptionError(f"{path}: is not TOML: {error}") from error
    return _Reader(str(path)).arm(table)


class _Reader:
    """Reads one file; every complaint carries its path."""

    def __init__(self, path: str) -> None:
        self.path = path

    def arm(self, table: Table) -> Arm:
        family = self.text(table, "family")
        if family != "ur":
            raise self.error(f"family is {family!r}; only 'ur' has a solver so far")
        self.known(table, _ARM_KEYS, "")
        joints = self.tables(table, "joint", 6)
        column = {key: self.column(joints, key) for key in _JOINT_NUMBERS}
        for i, joint in enumerate(joints):
            self.known(joint, _JOINT_KEYS, f"joint {i + 1} ")
            self.check_joint(i, {key: float(values[i]) for key, values in column.items()})
        lower, upper = np.deg2rad(column["lower_deg"]), np.deg2rad(column["upper_deg"])
        home = np.deg2rad(self.numbers(table, "home_deg", 6, ""))
        outside = np.flatnonzero((home < lower) | (home > upper))
        if len(outside):
            raise self.error(f"home_deg of joint {outside[0] + 1} lies outside its limits")
        bodies, room = arm_bodies(table, self.path)
        return Arm(
            name=self.text(table, "name"),
            geometry=self.geometry(column["d_m"], column["a_m"]),
            lower=_frozen(lower),
            upper=_frozen(upper),
            velocity=_frozen(np.deg2rad(column["velocity_deg_s"])),
            acceleration=_frozen(np.deg2rad(column["acceleration_deg_s2"])),
            jerk=_frozen(np.deg2rad(column["jerk_deg_s3"])),
            torque=_frozen(column["torque_nm"]),
            inertia=_frozen(column["inertia_kgm2"]),
            mass=_frozen(column["mass_kg"]),
            com=_frozen(
                np.stack(
                    [self.numbers(j, "com_m", 3, f"joint {i + 1} ") for i, j in enumerate(joints)]
                )
            ),
            home=_frozen(home),
            T_flange_guide=_frozen(self.mount(table, "guide")),
            T_flange_arm_marker=_frozen(self.mount(table, "marker")),
            bodies=bodies,
            room=room,
        )

    def check_joint(self, i: int, joint: dict[str, float]) -> None:
        for key in _POSITIVE:
            if joint[key] <= 0.0:
                raise self.error(f"joint {i + 1} {key} is {joint[key]:g}, must be positive")
        if joint["mass_kg"] < 0.0:
            raise self.error(f"joint {i + 1} mass_kg is {joint['mass_kg']:g}, must not be negative")
        if joint["lower_deg"] >= joint["upper_deg"]:
            raise self.error(f"joint {i + 1} lower_deg is not under upper_deg")
        if joint["alpha_deg"] != _TWISTS_DEG[i]:
            raise self.error(
                f"joint {i + 1} alpha_deg is {joint['alpha_deg']:g}, "
                f"but family 'ur' has {_TWISTS_DEG[i]:g}"
            )

    def geometry(self, d: Array, a: Array) -> UrGeometry:
        for key, lengths, used in (("d_m", d, (0, 3, 4, 5)), ("a_m", a, (1, 2))):
            for i, length in enumerate(lengths):
                if i not in used and length != 0.0:
                    raise self.error(
                        f"joint {i + 1} {key} is {length:g}, but family 'ur' has 0; small errors "
                        "belong in a calibration"
                    )
        if a[1] * a[2] <= 0.0 or d[3] <= 0.0:
            raise self.error("family 'ur' needs a_m of joints 2 and 3 of one sign, d_m of 4 over 0")
        return UrGeometry(*(float(x) for x in (d[0], a[1], a[2], d[3], d[4], d[5])))

    def mount(self, table: Table, key: str) -> Array:
        mount = table.get(key)
        if not isinstance(mount, dict):
            raise self.error(f"table [{key}] is missing")
        mount = cast(Table, mount)
        self.known(mount, _MOUNT_KEYS, f"[{key}] ")
        translation = self.numbers(mount, "translation_mm", 3, f"[{key}] ") * 1e-3
        rpy = np.deg2rad(self.numbers(mount, "rpy_deg", 3, f"[{key}] "))
        return transform(rotation_rpy(rpy), translation)

    def tables(self, table: Table, key: str, count: int) -> list[Table]:
        given = table.get(key)
        if not isinstance(given, list) or not all(
            isinstance(x, dict) for x in cast(list[object], given)
        ):
            raise self.error(f"tables [[{key}]] are missing, expected {count}")
        tables = cast(list[Table], given)
        if len(tables) != count:
            raise self.error(f"has {len(tables)} [[{key}]] tables, expected {count}")
        return tables

    def column(self, joints: list[Table], key: str) -> Array:
        return np.array([self.number(j, key, f"joint {i + 1} ") for i, j in enumerate(joints)])

    def text(self, table: Table, key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value:
            raise self.error(f"{key} is missing or not a text")
        return value

    def number(self, table: Table, key: str, where: str) -> float:
        if key not in table:
            raise self.error(f"{where}{key} is missing")
        return self.as_number(table[key], f"{where}{key}")

    def numbers(self, table: Table, key: str, count: int, where: str) -> Array:
        if key not in table:
            raise self.error(f"{where}{key} is missing")
        value = table[key]
        if not isinstance(value, list) or len(cast(list[object], value)) != count:
            raise self.error(f"{where}{key} must be a list of {count} numbers")
        return np.array([self.as_number(x, f"{where}{key}") for x in cast(list[object], value)])

    def as_number(self, value: object, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
            raise self.error(f"{where} is {value!r}, expected a finite number")
        return float(value)

    def known(self, table: Table, keys: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in keys:
                raise self.error(f"{where}{key} is not a known key; known are {', '.join(keys)}")

    def error(self, what: str) -> ArmDescriptionError:
        return ArmDescriptionError(f"{self.path}: {what}")


def _frozen(values: Array) -> Array:
    values.setflags(write=False)
    return values
