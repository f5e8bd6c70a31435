"""Arm description files: TOML with one table per joint, checked key by key.

Angles are degrees and mounts millimetres in the file, as people read them off data sheets. The key
`family` says how the geometry is told, and how it is solved:

    "ur"      standard DH of a UR-type arm; all branches in closed form
    "dh"      standard DH parameters of any arm of six joints
    "mdh"     modified DH parameters (Craig)
    "urdf"    joints named in a URDF file beside this one, key `urdf`; `base_link` and `tip_link`
              where the file leaves them open. Its limits, speeds, torques and masses hold unless
              a [[joint]] says otherwise.

All but the first are solved by damped Newton from many starting points.
"""

from __future__ import annotations

import tomllib
from math import isfinite
from pathlib import Path
from typing import cast

import numpy as np

from guidearm.errors import ArmDescriptionError, UnknownArmError
from guidearm.geometry import Array, apply, inverse, rotation_rpy, rotation_z, transform
from guidearm.kinematics.arm import Arm
from guidearm.kinematics.chain import Chain
from guidearm.kinematics.restarts import NumericInverse
from guidearm.kinematics.room_file import arm_bodies
from guidearm.kinematics.ur import UrGeometry
from guidearm.kinematics.ur_inverse import UrInverse
from guidearm.kinematics.urdf import Urdf, read_urdf

_ARMS = Path(__file__).parent / "arms"
_TWISTS_DEG = (90.0, 0.0, 0.0, 90.0, -90.0, 0.0)
_POSITIVE = ("velocity_deg_s", "acceleration_deg_s2", "jerk_deg_s3", "torque_nm", "inertia_kgm2")
_JOINT_NUMBERS = ("lower_deg", "upper_deg", *_POSITIVE, "mass_kg")
_JOINT_KEYS = (*_JOINT_NUMBERS, "com_m")
_DH_KEYS = ("d_m", "a_m", "alpha_deg")
_GEOMETRY_KEYS = {
    "ur": _DH_KEYS,
    "dh": (*_DH_KEYS, "theta_deg"),
    "mdh": (*_DH_KEYS, "theta_deg"),
    "urdf": ("name",),
}
_ARM_KEYS = ("name", "family", "home_deg", "guide", "marker", "joint", "body", "keep_out")
_URDF_KEYS = ("urdf", "base_link", "tip_link")
_MOUNT_KEYS = ("translation_mm", "rpy_deg")
_MARKER_KEYS = (*_MOUNT_KEYS, "normal")

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
        if family not in _GEOMETRY_KEYS:
            known = ", ".join(map(repr, _GEOMETRY_KEYS))
            raise self.error(f"family is {family!r}; known are {known}")
        self.known(table, _ARM_KEYS + (_URDF_KEYS if family == "urdf" else ()), "")
        joints = self.tables(table, "joint", 6)
        for i, joint in enumerate(joints):
            self.known(joint, (*_GEOMETRY_KEYS[family], *_JOINT_KEYS), f"joint {i + 1} ")
        urdf = self.urdf(table, joints) if family == "urdf" else None
        column = {key: self.column(joints, key) for key in _JOINT_NUMBERS}
        for i in range(6):
            self.check_joint(i, {key: float(values[i]) for key, values in column.items()})
        lower, upper = np.deg2rad(column["lower_deg"]), np.deg2rad(column["upper_deg"])
        home = np.deg2rad(self.numbers(table, "home_deg", 6, ""))
        outside = np.flatnonzero((home < lower) | (home > upper))
        if len(outside):
            raise self.error(f"home_deg of joint {outside[0] + 1} lies outside its limits")
        com = np.stack(
            [self.numbers(joint, "com_m", 3, f"joint {i + 1} ") for i, joint in enumerate(joints)]
        )
        geometry: UrGeometry | None = None
        if family == "ur":
            geometry = self.ur_geometry(joints)
            chain = geometry.chain
            shape = np.concatenate([self.column(joints, "d_m"), self.column(joints, "a_m")])
        else:
            chain = urdf.chain if urdf is not None else self.dh_chain(joints, family)
            shape = chain.links[:, :3].ravel()
        if family == "mdh":
            com = self.behind(chain, joints, com)
        bodies, room = arm_bodies(table, self.path)
        return Arm(
            name=self.text(table, "name"),
            chain=chain,
            solver=NumericInverse(chain, lower, upper) if geometry is None else UrInverse(geometry),
            shape=_frozen(shape),
            lower=_frozen(lower),
            upper=_frozen(upper),
            velocity=_frozen(np.deg2rad(column["velocity_deg_s"])),
            acceleration=_frozen(np.deg2rad(column["acceleration_deg_s2"])),
            jerk=_frozen(np.deg2rad(column["jerk_deg_s3"])),
            torque=_frozen(column["torque_nm"]),
            inertia=_frozen(column["inertia_kgm2"]),
            mass=_frozen(column["mass_kg"]),
            com=_frozen(com),
            home=_frozen(home),
            T_flange_guide=_frozen(self.mount(table, "guide", _MOUNT_KEYS)),
            T_flange_arm_marker=_frozen(self.mount(table, "marker", _MARKER_KEYS)),
            marker_normal=_frozen(self.normal(table)),
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

    def ur_geometry(self, joints: list[Table]) -> UrGeometry:
        d, a, alpha = (self.column(joints, key) for key in _DH_KEYS)
        for i, (told, needed) in enumerate(zip(alpha, _TWISTS_DEG, strict=True)):
            if told != needed:
                raise self.error(
                    f"joint {i + 1} alpha_deg is {told:g}, but family 'ur' has {needed:g}"
                )
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

    def dh_chain(self, joints: list[Table], family: str) -> Chain:
        """Return the chain of standard or modified parameters; theta_deg may be left out."""
        d, a, alpha = (self.column(joints, key) for key in _DH_KEYS)
        theta = self.column([{"theta_deg": 0.0} | joint for joint in joints], "theta_deg")
        make = Chain.dh if family == "dh" else Chain.modified_dh
        chain = make(d, a, np.deg2rad(alpha), np.deg2rad(theta))
        if not np.any(chain.links[:, :3, 3]):
            raise self.error("all d_m and a_m are 0: the arm has no length")
        return chain

    def behind(self, chain: Chain, joints: list[Table], com: Array) -> Array:
        """Take centres of mass from Craig's frames to those of the chain, one link farther on."""
        # behind the turn a chain's link is Rz(theta) Tz(d), then what Craig counts to the next
        d = self.column(joints, "d_m")
        theta = self.column([{"theta_deg": 0.0} | joint for joint in joints], "theta_deg")
        own = transform(rotation_z(np.deg2rad(theta)), np.stack([0 * d, 0 * d, d], axis=-1))
        return apply(inverse(chain.links[1:]) @ own, com)

    def urdf(self, table: Table, joints: list[Table]) -> Urdf:
        """Read the URDF file, and note in the tables of joints what only it tells."""
        file = Path(self.path).parent / self.text(table, "urdf")
        ends = (self.text(table, key) if key in table else None for key in _URDF_KEYS[1:])
        urdf = read_urdf(file, *ends)
        for i, (joint, told) in enumerate(zip(joints, urdf.joints, strict=True)):
            name = self.text(joint, "name", f"joint {i + 1} ")
            if name != told.name:
                raise self.error(f"joint {i + 1} name is {name!r}, but {file} has {told.name!r}")
            turned = {
                "lower_deg": told.lower,
                "upper_deg": told.upper,
                "velocity_deg_s": told.velocity,
            }
            known: Table = {k: float(np.degrees(v)) for k, v in turned.items() if v is not None}
            known |= {"mass_kg": told.mass, "com_m": told.com.tolist()}
            if told.torque is not None:
                known["torque_nm"] = told.torque
            joint.update(known | joint)
        return urdf

    def mount(self, table: Table, key: str, keys: tuple[str, ...]) -> Array:
        mount = table.get(key)
        if not isinstance(mount, dict):
            raise self.error(f"table [{key}] is missing")
        mount = cast(Table, mount)
        self.known(mount, keys, f"[{key}] ")
        translation = self.numbers(mount, "translation_mm", 3, f"[{key}] ") * 1e-3
        rpy = np.deg2rad(self.numbers(mount, "rpy_deg", 3, f"[{key}] "))
        return transform(rotation_rpy(rpy), translation)

    def normal(self, table: Table) -> Array:
        """Return the side of the marker that a camera has to see; +z if the file does not say."""
        marker = cast(Table, table["marker"])
        if "normal" not in marker:
            return np.array([0.0, 0.0, 1.0])
        normal = self.numbers(marker, "normal", 3, "[marker] ")
        length = float(np.linalg.norm(normal))
        if length < 1e-6:
            raise self.error("[marker] normal has no length")
        return normal / length

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

    def text(self, table: Table, key: str, where: str = "") -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value:
            raise self.error(f"{where}{key} is missing or not a text")
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
