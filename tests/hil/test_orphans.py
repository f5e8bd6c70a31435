"""Emulators end with whoever started them, also when that is killed."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from guidearm_hil.cortex_m.image import RIG as CORTEX_M
from guidearm_hil.frozen_rig import FrozenRig, RigSetUpError
from guidearm_hil.pico.image import RIG as PICO

PATIENCE_S = 60.0  # of a process that does not end

_START = """
import os, signal
from pathlib import Path
from threading import Thread
{0}
me = os.getpid()
print(*Path(f"/proc/{{me}}/task/{{me}}/children").read_text().split(), flush=True)
signal.pause()
"""
CORTEX_M_RUNS = """
from guidearm_hil.cortex_m.machine import CortexM
machine = CortexM("m0plus")
machine._send(b"while True: pass\\x04")
"""
PICO_RUNS = """
from guidearm_hil.rigs.pico import PicoRig
rig = PicoRig(1, 0)
arm = rig.arm
"""
PICO_AT_WORK = """
from guidearm_hil.rigs.pico import PicoRig
rig = PicoRig(1, 0)
Thread(target=rig.arm.advance, args=(10**12,), daemon=True).start()
"""


def needs(rig: FrozenRig) -> pytest.MarkDecorator:
    """Skip where a rig is not set up."""
    try:
        rig.image()
    except RigSetUpError as error:
        return pytest.mark.skip(reason=str(error))
    return pytest.mark.skipif(False, reason="the rig is there")


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(CORTEX_M_RUNS, marks=needs(CORTEX_M), id="cortex-m"),
        pytest.param(PICO_RUNS, marks=needs(PICO), id="pico at rest"),
        pytest.param(PICO_AT_WORK, marks=needs(PICO), id="pico at work"),
    ],
)
def test_no_emulator_outlives_who_started_it(start: str) -> None:
    command = [sys.executable, "-c", _START.format(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            (emulator,) = map(int, parent.stdout.readline().split())
            watched = os.pidfd_open(emulator)
        finally:
            parent.kill()
    assert select.select([watched], [], [], PATIENCE_S)[0]
    os.close(watched)
