"""Rigs behind one interface, found by name: `virtual`, `cortex-m`, `pico`, `serial:FILE`.

A rig joins by a line in `RIGS`: its name, what it is, and the module that opens it, imported when
the rig is asked for. `open_rig(options)` of that module takes what stands after the colon of the
name and returns a `Rig`, or raises RigError in one line, with the command that sets the rig up if
that is what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from guidearm.errors import OptionError
from guidearm_hil.rigs.rig import (
    HOST,
    DirectionEdge,
    Input,
    Joints,
    Offer,
    Rig,
    Truth,
    Wire,
    WireByte,
)

__all__ = [
    "HOST",
    "RIGS",
    "DirectionEdge",
    "Input",
    "Joints",
    "Kind",
    "Offer",
    "Rig",
    "Truth",
    "Wire",
    "WireByte",
    "open_rig",
]


@dataclass(frozen=True)
class Kind:
    """A kind of rig: how it is asked for, what it is, and the module with its `open_rig`."""

    usage: str
    what: str
    module: str


RIGS = {
    "virtual": Kind(
        "virtual[:seed=N]",
        "six simulated joints in virtual time, genuine firmware",
        "guidearm_hil.rigs.virtual",
    ),
    "cortex-m": Kind(
        "cortex-m[:m3]",
        "the firmware as code for a Cortex-M0+, or an M3, in QEMU: scripts and exact counts",
        "guidearm_hil.rigs.cortex_m",
    ),
    "pico": Kind(
        "pico[:joints=N,seed=S,image=FILE]",
        "emulated Raspberry Pi Picos with the genuine image, motors on their pins, virtual time",
        "guidearm_hil.rigs.pico",
    ),
    "serial": Kind(
        "serial:FILE",
        "boards on a desk, described in FILE (guidearm hil template writes one)",
        "guidearm_hil.rigs.serial",
    ),
}


def open_rig(name: str) -> Rig:
    """Open a rig by its name, options after a colon.

    Raises OptionError for a name that is none, RigError if the rig cannot be had.
    """
    kind, _, options = name.partition(":")
    if kind not in RIGS:
        usages = ", ".join(kind.usage for kind in RIGS.values())
        raise OptionError(f"there is no rig {name!r}: choose {usages}")
    opener = import_module(RIGS[kind].module).open_rig
    return cast(Callable[[str], Rig], opener)(options)
