"""A configuration as a JSON file that people can read, compare and edit.

    {"schema": "guidearm-config-v1", "arm": "guide6", "table_version": 1,
     "units": {"counts_per_turn": "motor count per output turn", ...},
     "joints": [{"joint": 1, "unique_id": "0123456789abcdef",
                 "parameters": {"counts_per_turn": 409600, ...}}, ...]}

All keys are required. Units are those of the table and are held against it: a parameter whose unit
changes gets another name, so a unit that differs means a damaged or foreign file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from guidearm.arm.config import ArmConfig, JointConfig
from guidearm.errors import ConfigError
from guidearm.json_file import Node, read_object, write_object
from guidearm_protocol.parameters import NAMES, TABLE_VERSION, UNITS

SCHEMA = "guidearm-config-v1"
_WHAT = "configuration"
_UNIQUE_ID = re.compile("[0-9a-f]{16}")


def as_object(config: ArmConfig) -> dict[str, Any]:
    """Return what the file holds."""
    return {
        "schema": SCHEMA,
        "arm": config.arm,
        "table_version": TABLE_VERSION,
        "units": dict(zip(NAMES, UNITS, strict=True)),
        "joints": [
            {
                "joint": joint.number,
                "unique_id": joint.unique_id,
                "parameters": dict(joint.values),
            }
            for joint in config.joints
        ],
    }


def write_config(path: str | Path, config: ArmConfig) -> None:
    """Write a file, whole or not at all. Raises ConfigError if it cannot be written."""
    write_object(path, as_object(config), _WHAT, ConfigError)


def read_config_file(path: str | Path) -> tuple[ArmConfig, tuple[str, ...]]:
    """Read a file; return it and the names in it that this version's table has not.

    A file of another version of the table may lack parameters, which then stay as they are, and
    have others, which are left out; one of this version has exactly those of the table. Raises
    ConfigError, in one line, if it is missing, unreadable or inconsistent. Values are not held
    against their bounds here: `config.check_values` does, with the arm at hand.
    """
    top = read_object(path, _WHAT, ConfigError)
    schema = top.member("schema")
    if schema.text() != SCHEMA:
        schema.refuse(f'"{schema.text()}" is not supported: it must be "{SCHEMA}"')
    same_version = top.member("table_version").integer() == TABLE_VERSION
    unknown = _check_units(top.member("units"), same_version)
    joints: list[JointConfig] = []
    for node in top.member("joints").items():
        joint = _joint(node, same_version, unknown)
        if joints and joint.number <= joints[-1].number:
            node.member("joint").refuse("joints stand once each, in order of their numbers")
        joints.append(joint)
    return ArmConfig(top.member("arm").text(), tuple(joints)), unknown


def _check_units(units: Node, same_version: bool) -> tuple[str, ...]:
    unknown: list[str] = []
    for name, node in units.members().items():
        if name not in NAMES:
            if same_version:
                node.refuse("there is no such parameter")
            unknown.append(name)
        elif node.text() != UNITS[NAMES.index(name)]:
            node.refuse(f'the unit is "{UNITS[NAMES.index(name)]}", not "{node.text()}"')
    return tuple(unknown)


def _joint(node: Node, same_version: bool, unknown: tuple[str, ...]) -> JointConfig:
    unique_id = node.member("unique_id")
    if not _UNIQUE_ID.fullmatch(unique_id.text()):
        unique_id.refuse("expected 16 digits 0-9a-f")
    held = node.member("parameters")
    values: dict[str, int] = {}
    for name, value in held.members().items():
        if name in NAMES:
            values[name] = value.integer()
        elif name not in unknown:
            value.refuse("there is no such parameter")
    if same_version:
        for name in NAMES:
            if name not in values:
                held.refuse(f'"{name}" is missing')
    return JointConfig(node.member("joint").integer(), unique_id.text(), values)
