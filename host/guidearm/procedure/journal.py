"""The session folder: what happened, line by line as it happens, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guidearm.errors import InputError

EVENTS_FILE = "journal.jsonl"
SUMMARY_FILE = "summary.json"


class Journal:
    """An append-only record of a procedure; every entry is on disk before the next step begins."""

    def __init__(self, folder: Path) -> None:
        """Open a session in `folder`, which must be new or empty. Raises InputError otherwise."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise InputError(f"{folder} is not empty: name a new folder for this session")
            self._file = (folder / EVENTS_FILE).open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise InputError(
                f"{folder} cannot hold a session ({error.strerror}): name another folder"
            ) from None
        self.folder = folder

    def write(self, time_s: float, event: str, **details: object) -> None:
        """Add one event at an instant of the robot's clock, with values for JSON."""
        entry = {"time_s": round(time_s, 6), "event": event, **details}
        self._file.write(json.dumps(entry) + "\n")

    def finish(self, summary: Mapping[str, Any]) -> Path:
        """Write the summary, whole or not at all, and close; return its path."""
        path = self.folder / SUMMARY_FILE
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
        self.close()
        return path

    def close(self) -> None:
        """Close the file of events; a second call does nothing."""
        self._file.close()
