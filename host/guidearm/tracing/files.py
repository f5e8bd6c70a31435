"""Traces as files: a table of samples with units in its header, and what it is a trace of."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guidearm.arm.capture import JointTrace, si_scale
from guidearm.errors import InputError

_SUFFIX = {
    "rad": "_rad",
    "rad/s": "_rad_s",
    "rad/s^2": "_rad_s2",
    "A": "_a",
    "V": "_v",
    "s": "_s",
    "degC": "_deg_c",
    "of supply": "_of_supply",
    "": "",
}


def column(signal: str) -> str:
    """Return a signal's name in the header: with its unit."""
    unit = si_scale(signal, 1)[1]
    return signal + _SUFFIX[unit]


def write_table(path: Path, traces: Sequence[JointTrace]) -> None:
    """Write every sample of every joint as a line of CSV: joint, time_s, signals.

    `time_s` is the host's clock; values have the digits that tell one step of the joint's word.
    """
    names = list(traces[0].values)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["joint", "time_s", *(column(name) for name in names)])
        for trace in traces:
            for i, time_s in enumerate(trace.time_s.tolist()):
                row = (f"{trace.values[name][i]:.9g}" for name in names)
                writer.writerow([trace.number, f"{time_s:.6f}", *row])


def write_notes(path: Path, notes: Mapping[str, Any]) -> None:
    """Write what belongs to a table as JSON."""
    path.write_text(json.dumps(notes, indent=2) + "\n", encoding="utf-8")


def new_stem(folder: Path, name: str) -> Path:
    """Make the folder and return the path, without suffix, of files not yet in it.

    The first free of NAME, NAME-2, NAME-3 ... Raises InputError if the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot hold traces ({error.strerror}): name another folder"
        ) from None
    number = 1
    while True:
        stem = folder / (name if number == 1 else f"{name}-{number}")
        if not any(stem.with_name(stem.name + end).exists() for end in (".csv", ".json", ".png")):
            return stem
        number += 1
