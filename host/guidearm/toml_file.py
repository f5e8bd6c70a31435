"""TOML files that people write: read whole, then checked field by field as `json_file.Node`s."""

from __future__ import annotations

import tomllib
from pathlib import Path

from guidearm.errors import GuideArmError
from guidearm.json_file import Node


def read_table(path: str | Path, what: str, error: type[GuideArmError]) -> Node:
    """Read the TOML file at `path`.

    Raises `error` with a line that starts with `what` ("room") if the file is missing or
    unreadable, and with the file's name if it is not TOML.
    """
    path = Path(path)
    try:
        value = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise error(f"{what} is missing: there is no file {path}") from None
    except OSError as problem:
        raise error(f"{what} cannot be read: {path}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise error(f"{path.name}: not a TOML file: it is not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise error(f"{path.name}: not a TOML file: {problem}") from None
    return Node(value, path.name, error)
