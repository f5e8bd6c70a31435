"""JSON files that people hand to the host: read whole, checked field by field, written whole.

A `Node` is one value of the file together with its address, so that every refusal names the
file and the field: `plan.mrk.json: markups[0].controlPoints[1].position: ...`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from guidearm.errors import GuideArmError

# PS3.5 of the DICOM standard, section 9.1: components without leading zeros, 64 characters.
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_UID_LENGTH = 64
_LINE_LENGTH = 300


class Node:
    """One JSON value, its address, and the error to raise when it is not what it must be."""

    def __init__(self, value: object, where: str, error: type[GuideArmError]) -> None:
        """Hold a parsed `value` found at `where`."""
        self.value = value
        self.where = where
        self._error = error

    def refuse(self, problem: str) -> NoReturn:
        """Raise the file's error with this node's address in front of `problem`.

        What the file brought into the line is made printable, and cut if it is endless.
        """
        line = "".join(c if c.isprintable() else " " for c in f"{self.where}: {problem}")
        raise self._error(line if len(line) <= _LINE_LENGTH else f"{line[:_LINE_LENGTH]}...")

    def optional(self, key: str) -> Node | None:
        """Return the member `key` of an object, None if it is absent or null."""
        if not isinstance(self.value, dict):
            self.refuse(f"expected an object, found {_kind(self.value)}")
        member = cast("dict[str, object]", self.value).get(key)
        join = ": " if ": " not in self.where else "."
        return None if member is None else Node(member, f"{self.where}{join}{key}", self._error)

    def member(self, key: str) -> Node:
        """Return the member `key` of an object, which must be there."""
        found = self.optional(key)
        if found is None:
            self.refuse(f'"{key}" is missing')
        return found

    def members(self) -> dict[str, Node]:
        """Return all members of an object."""
        if not isinstance(self.value, dict):
            self.refuse(f"expected an object, found {_kind(self.value)}")
        return {name: self.member(name) for name in cast("dict[str, object]", self.value)}

    def only(self, *keys: str) -> None:
        """Refuse members that are none of `keys`: a misspelt one would silently not count."""
        for name, member in self.members().items():
            if name not in keys:
                member.refuse(f"is not known here; known are {', '.join(keys)}")

    def items(self) -> list[Node]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            self.refuse(f"expected a list, found {_kind(self.value)}")
        values = cast("list[object]", self.value)
        return [Node(v, f"{self.where}[{i}]", self._error) for i, v in enumerate(values)]

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str):
            self.refuse(f"expected text, found {_kind(self.value)}")
        return self.value

    def number(self) -> float:
        """Return a finite number; true and false are not numbers."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.refuse(f"expected a number, found {_kind(self.value)}")
        try:
            value = float(self.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self.refuse("expected a finite number, found NaN or infinity")
        return value

    def integer(self) -> int:
        """Return a whole number, written as one."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            found = self.value if isinstance(self.value, float) else _kind(self.value)
            self.refuse(f"expected a whole number, found {found}")
        return self.value

    def array(self, *shape: int) -> NDArray[np.float64]:
        """Return nested lists of numbers of exactly `shape`; -1 leaves a length open."""
        return np.array(self._nested(shape), dtype=np.float64)

    def _nested(self, shape: tuple[int, ...]) -> float | list[object]:
        if not shape:
            return self.number()
        items = self.items()
        if shape[0] not in (-1, len(items)):
            self.refuse(f"expected {shape[0]} entries, found {len(items)}")
        return [item._nested(shape[1:]) for item in items]

    def uid(self) -> str:
        """Return a DICOM unique identifier."""
        text = self.text().strip()
        if len(text) > _UID_LENGTH or not _UID.fullmatch(text):
            self.refuse("expected a DICOM UID, numbers joined by dots, at most 64 characters")
        return text


def _kind(value: object) -> str:
    kinds: dict[type, str] = {
        type(None): "null", bool: "true or false", int: "a number", float: "a number",
        str: "text", list: "a list", dict: "an object",
    }  # fmt: skip
    return kinds.get(type(value), type(value).__name__)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'"{double}" stands twice in one object')
    return result


def read_object(path: str | Path, what: str, error: type[GuideArmError]) -> Node:
    """Read the JSON object in the file at `path`.

    Raises `error` with a line that starts with `what` ("plan", "registration") if the file is
    missing or unreadable, and with the file's name if it is not JSON, holds no object at its top,
    or has the same key twice in one object (which of the two is meant cannot be known).
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise error(f"{what} is missing: there is no file {path}") from None
    except OSError as problem:
        raise error(f"{what} cannot be read: {path}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise error(f"{path.name}: not a JSON file: it is not UTF-8 text") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise error(f"{path.name}: not a usable JSON file: it is nested too deeply") from None
    except ValueError as problem:
        raise error(f"{path.name}: not a JSON file: {problem}") from None
    node = Node(value, path.name, error)
    if not isinstance(value, dict):
        node.refuse(f"expected a JSON object at the top, found {_kind(cast('object', value))}")
    return node


def write_object(
    path: str | Path, content: Mapping[str, object], what: str, error: type[GuideArmError]
) -> None:
    """Write `content` to `path`, whole or not at all. Raises `error` if it cannot be written."""
    path = Path(path)
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as problem:
        raise error(f"{what} cannot be written: {path}: {problem.strerror}") from None


def rows(values: NDArray[np.float64], scale: float = 1.0) -> Sequence[object]:
    """Return an array, scaled, as nested lists for a file, to six decimals: millimetres to 1 nm."""
    return cast("Sequence[object]", np.round(values * scale, 6).tolist())
