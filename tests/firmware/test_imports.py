"""The firmware's floors: joint code never meets a board, a board never meets joint code.

Only `main.py` ties the two. The modules are MicroPython's and flat, which import-linter cannot
follow, so their sources are read here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware" / "guidearm_firmware"
VIRTUAL_BOARD = ROOT / "hil" / "guidearm_hil" / "virtual_board"
JOINT_MAY_IMPORT = {
    "array",
    "binascii",
    "collections.abc",  # for type checkers: a joint has none
    "guidearm_protocol.messages",
    "guidearm_protocol.parameters",
    "joint",
    "micropython",
    "struct",
    "sys",
    "uctypes.addressof",  # of its own buffers; the rest of uctypes reaches any memory
}
TYPES_ONLY = {"board_type.py"}  # read by type checkers, never by a joint


def imports(source: str) -> set[str]:
    """Return what a source imports, anywhere in it, and the hidden ways of importing it uses."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found.update(f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Name) and node.id in {"__import__", "exec", "eval"}:
            found.add(node.id)
    return found


def in_package(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def foreign_to_joint(source: str) -> set[str]:
    """Return what joint code imports and may not."""
    return {
        name
        for name in imports(source)
        if not any(in_package(name, package) for package in JOINT_MAY_IMPORT)
    }


def foreign_to_board(source: str) -> set[str]:
    """Return what a board imports and may not."""
    return {
        name
        for name in imports(source)
        if name.startswith(".") or in_package(name, "joint") or in_package(name, "main")
    }


def sources(*folders: Path) -> Iterable[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def test_joint_code_keeps_to_its_floor() -> None:
    paths = [path for path in sources(FIRMWARE / "joint") if path.name not in TYPES_ONLY]
    assert paths
    broken = {path.name: foreign_to_joint(path.read_text()) for path in paths}
    assert not {name: names for name, names in broken.items() if names}


def test_boards_keep_to_their_floor() -> None:
    paths = list(sources(FIRMWARE / "boards", VIRTUAL_BOARD))
    assert paths
    broken = {path.name: foreign_to_board(path.read_text()) for path in paths}
    assert not {name: names for name, names in broken.items() if names}


def test_main_ties_the_two() -> None:
    names = imports((FIRMWARE / "main.py").read_text())
    assert any(in_package(name, "board") for name in names)
    assert any(in_package(name, "joint") for name in names)


@pytest.mark.parametrize(
    "source",
    [
        "import board",
        "import joint.servo, board",
        "def f():\n    from board import Board",
        "from machine import Pin",
        "import time",
        "from . import board",
        "__import__('board')",
        "import guidearm_protocol",
        "from guidearm_protocol import frame",
        "from joint_of_another import x",
    ],
)
def test_a_breach_by_joint_code_is_seen(source: str) -> None:
    assert foreign_to_joint(source)


@pytest.mark.parametrize(
    "source",
    ["import joint", "import joint.servo", "from joint.servo import tick", "from joint import x"],
)
def test_a_breach_by_a_board_is_seen(source: str) -> None:
    assert foreign_to_board(source)
