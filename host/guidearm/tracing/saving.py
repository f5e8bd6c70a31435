"""A recording saved: table, notes and pictures side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guidearm.arm import Robot
from guidearm.arm.capture import SIGNALS, si_scale
from guidearm.errors import InputError
from guidearm.tracing.files import column, write_notes, write_table
from guidearm.tracing.picture import draw_arm, draw_joint
from guidearm.tracing.recording import Recording


def origin(robot: Robot) -> dict[str, Any]:
    """Return what notes say of a robot: port, arm and who its joints are."""
    return {
        "port": robot.port_name,
        "arm": robot.model.name,
        "joints": [identity.as_dict() for identity in robot.identities],
    }


def save(recording: Recording, source: Mapping[str, Any], stem: Path) -> dict[str, Any]:
    """Write STEM.csv, STEM.json and STEM.png, of all joints and of the one to be shown.

    `source` goes into the notes, as `origin` gives it.
    Returns the notes as written. Raises InputError if the folder does not take them.
    """
    pictures: list[Path] = []
    shown = [trace for trace in recording.traces if trace.number == recording.shown]
    table = _with(stem, ".csv")
    try:
        write_table(table, recording.traces)
        if len(recording.traces) > 1:
            pictures.append(_with(stem, ".png"))
            draw_arm(pictures[0], recording.traces, recording.words)
        for trace in shown:
            alone = len(recording.traces) == 1
            pictures.append(_with(stem, ".png" if alone else f"-joint{trace.number}.png"))
            draw_joint(pictures[-1], trace, recording.words, recording.spans)
        notes = _notes(recording, source, [table, *pictures, _with(stem, ".json")])
        write_notes(_with(stem, ".json"), notes)
    except OSError as error:
        raise InputError(
            f"{stem.parent} cannot hold traces ({error.strerror}): name another folder"
        ) from None
    return notes


def _with(stem: Path, end: str) -> Path:
    return stem.with_name(stem.name + end)


def _notes(recording: Recording, source: Mapping[str, Any], files: list[Path]) -> dict[str, Any]:
    setup = recording.setup
    return {
        "format": "guidearm-trace",
        "version": 1,
        **recording.notes,
        "headline": recording.words.headline,
        "says": recording.words.says,
        **source,
        "sample_period_s": setup.period_s,
        "recorded": [trace.number for trace in recording.traces],
        "samples": [len(trace.time_s) for trace in recording.traces],
        "trigger": {
            "kind": setup.trigger.kind,
            "signal": setup.trigger.signal,
            "level": setup.trigger.level,
            "time_s": [trace.trigger_s for trace in recording.traces],
        },
        "columns": {
            column(name): si_scale(name, 1)[1] for name in SIGNALS if name in setup.signals
        },
        "files": [str(path) for path in files],
    }
