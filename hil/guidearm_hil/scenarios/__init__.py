"""What is tested on rigs: named scenarios, one subject a file, through the ordinary host code."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from guidearm.errors import OptionError
from guidearm_hil.scenarios.scenario import Report, Scenario, scenario

__all__ = ["Report", "Scenario", "all_scenarios", "chosen", "scenario"]

SUBJECTS = (
    "identify",
    "drive",
    "move",
    "stop",
    "silence",
    "faults",
    "stop_line",
    "brake",
    "stored",
    "power",
    "cycles",
    "direction",
    "clocks",
    "target",
)


def all_scenarios() -> list[Scenario]:
    """Return every scenario, in order of its subject and as it stands in its file."""
    found: list[Scenario] = []
    for subject in SUBJECTS:
        module = import_module(f"{__name__}.{subject}")
        found += [value for value in vars(module).values() if isinstance(value, Scenario)]
    return found


def chosen(names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of these names, all if there are none; raises OptionError."""
    everything = all_scenarios()
    known = {scenario.name for scenario in everything}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OptionError(f"there is no scenario {unknown[0]!r}: guidearm hil list")
    return [scenario for scenario in everything if not names or scenario.name in names]
