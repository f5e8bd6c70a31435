"""Rigs with the firmware frozen in: whether they are current, and what their builds lack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guidearm_hil.cortex_m import build as cortex_m
from guidearm_hil.cortex_m.image import RIG as CORTEX_M
from guidearm_hil.frozen_rig import FrozenRig, RigSetUpError
from guidearm_hil.pico import build as pico
from guidearm_hil.pico.image import RIG as PICO
from guidearm_tools.image import FIRMWARE_FILES

RIGS = pytest.mark.parametrize("rig", [CORTEX_M, PICO], ids=lambda rig: rig.name)


@RIGS
def test_the_firmware_is_frozen_whole(rig: FrozenRig) -> None:
    assert set(FIRMWARE_FILES) <= set(rig.files())
    assert {"board.py", "guidearm_protocol/messages.py"} <= set(rig.files())


@RIGS
def test_a_rig_that_is_not_there_says_how_to_get_it(rig: FrozenRig, tmp_path: Path) -> None:
    with pytest.raises(RigSetUpError, match=f"not set up: run tools/setup --rig {rig.name}"):
        rig.image(tmp_path)


@RIGS
def test_a_rig_with_other_firmware_is_refused(rig: FrozenRig, tmp_path: Path) -> None:
    program = tmp_path / rig.program
    program.write_bytes(b"")
    (tmp_path / "frozen-digest").write_text("of yesterday\n")
    with pytest.raises(RigSetUpError, match="other firmware"):
        rig.image(tmp_path)
    (tmp_path / "frozen-digest").write_text(rig.digest() + "\n")
    assert rig.image(tmp_path) == program


@pytest.mark.parametrize(
    ("build", "packages"),
    [
        (cortex_m.build, "gcc-arm-none-eabi.*libnewlib-arm-none-eabi.*qemu-system-arm"),
        (pico.build, "cmake.*gcc-arm-none-eabi.*libstdc.*-arm-none-eabi-newlib.*nodejs"),
    ],
    ids=["cortex-m", "pico"],
)
def test_missing_packages_are_named(
    build: Callable[[], bool], packages: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RigSetUpError, match=f"apt-get install .*{packages}"):
        build()
