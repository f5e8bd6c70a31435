"""Genuine MicroPython on the emulated Raspberry Pi Pico. Skipped where the rig is not set up."""

from __future__ import annotations

import pytest

from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_hil.pico.machine import Pico
from guidearm_hil.pico.process import PicoError, firmware


def why_not() -> str:
    """Return why the rig cannot run, nothing if it can."""
    try:
        firmware()
    except RigSetUpError as error:
        return str(error)
    return ""


WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "the rig is there")


def test_scripts_run_and_their_errors_come_back() -> None:
    with Pico() as pico:
        assert pico.run("import sys\nprint(sys.maxsize, sys.implementation.version[:2])") == (
            "2147483647 (1, 25)\n"
        )
        with pytest.raises(PicoError, match="ZeroDivisionError"):
            pico.run("1 // 0")
        assert pico.run("print(2)") == "2\n"


_ARITHMETIC = """
import math
print(1 / 3, math.sqrt(2), math.sin(1), math.exp(1), int(-3.7), float(1 << 40), 1e10 // 7)
print(2.5 > 2, math.floor(-2.5), round(2.5), 7.0 % 3, int(1e9), 0.1 + 0.2)
"""


def test_floating_point_of_the_boot_rom() -> None:
    with Pico() as pico:
        assert pico.run(_ARITHMETIC) == (
            "0.3333333 1.414214 0.841471 2.718282 -3 1.099512e+12 1.428571e+09\n"
            "True -3 2 1.0 1000000000 0.3\n"
        )


_FLASH = """
import machine, rp2, time
flash = rp2.Flash(start=0, len=8192)
page = bytearray(256)
began = time.ticks_us()
flash.ioctl(6, 1)
print(45000 <= time.ticks_diff(time.ticks_us(), began) < 45500)
flash.readblocks(1, page, 0)
print(page == b"\\xff" * 256)
flash.writeblocks(1, b"\\xf0" * 256, 0)
flash.writeblocks(1, b"\\x3c" * 256, 0)
flash.readblocks(1, page, 0)
print(page[0] == 0xf0 & 0x3c, machine.unique_id())
"""


def test_flash_is_erased_to_ones_and_programmed_by_clearing_bits() -> None:
    with Pico() as pico:
        assert pico.run(_FLASH) == "True\nTrue\nTrue b'guidearm'\n"
