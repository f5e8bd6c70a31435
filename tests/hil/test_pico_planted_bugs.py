"""Bugs planted in the Pico's board, each found by what its pins do.

The spoilt module is put into a file system in memory, from where MicroPython takes it before the
frozen one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import guidearm_firmware
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_hil.pico.bench import Bench
from guidearm_hil.pico.image import RIG

BOARDS = Path(next(iter(guidearm_firmware.__path__))) / "boards"

FILE_SYSTEM = """
import vfs
class Memory:
    def __init__(self):
        self.data = bytearray(96 * 512)
    def readblocks(self, block, buffer, offset=0):
        at = block * 512 + offset
        buffer[:] = memoryview(self.data)[at:at + len(buffer)]
    def writeblocks(self, block, buffer, offset=0):
        at = block * 512 + offset
        self.data[at:at + len(buffer)] = buffer
    def ioctl(self, op, arg):
        return {4: 96, 5: 512}.get(op, 0)
memory = Memory()
vfs.VfsLfs2.mkfs(memory)
vfs.mount(vfs.VfsLfs2(memory), "/")
"""
START = """
import board, micropython, time
from array import array
b = board.Board()
s = array('i', [0] * 96)
ring = array('i', [0])
@micropython.viper
def tick(state: object, ring: object) -> object:
    ptr32(state)[20] += 1
b.start(s, tick, ring)
board.rp2_interrupt.own[board.rp2_interrupt.ALIVE] = 1 << 29
time.sleep_ms(3)
"""


def why_not() -> str:
    """Return why the rig cannot run, nothing if it can."""
    try:
        RIG.image()
    except RigSetUpError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def counts_up_while_a_leads(bench: Bench) -> None:
    before = int(bench.run("print(s[1])"))
    bench.turn(100, 50_000)
    bench.advance(0.005)
    assert int(bench.run("print(s[1])")) - before == 100


def drives_the_line_to_the_end_of_the_stop_bit(bench: Bench) -> None:
    bench.record("bus_direction")
    bench.run("b.write(b'\\x55\\0', 2, time.ticks_us() + 900, 0)\ntime.sleep_ms(2)")
    on, off = bench.record()
    assert off.nanos - on.nanos == pytest.approx(20_000 + 1_250 + 125, abs=60)


def releases_the_brake_when_told_to(bench: Bench) -> None:
    for released in (0, 1, 0):
        bench.run(f"s[9] = {released}")
        bench.advance(0.002)
        assert bench.level("brake_release") == released


@dataclass(frozen=True)
class Bug:
    """A text of a board's module, what is put in its place, and what finds it."""

    name: str
    module: str
    text: str
    planted: str
    check: Callable[[Bench], None]


BUGS = (
    Bug(
        "encoder phases swapped",
        "rp2_quadrature.py",
        'jmp("up")  # 00 01\n    jmp("down")  # 00 10\n',
        'jmp("down")  # 00 01\n    jmp("up")  # 00 10\n',
        counts_up_while_a_leads,
    ),
    Bug(
        "direction pin released one bit early",
        "rp2_bus.py",
        "set(pins, 1).side(1)[4]",
        "set(pins, 1).side(0)[4]",
        drives_the_line_to_the_end_of_the_stop_bit,
    ),
    Bug(
        "brake inverted",
        "rp2_interrupt.py",
        "permitted = s[_BRAKE]",
        "permitted = 1 - s[_BRAKE]",
        releases_the_brake_when_told_to,
    ),
)


def put(bench: Bench, name: str, source: str) -> None:
    """Write a module into the board's memory."""
    bench.run(FILE_SYSTEM)
    bench.run(f"file = open({name!r}, 'w')")
    for start in range(0, len(source), 1000):
        bench.run(f"file.write({source[start : start + 1000]!r})")
    bench.run("file.close()\ndel file\nimport gc\ngc.collect()")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    source = (BOARDS / bug.module).read_text()
    assert source.count(bug.text) == 1
    with Bench() as bench:
        put(bench, bug.module, source)
        bench.run(START)
        bug.check(bench)
    with Bench() as bench:
        put(bench, bug.module, source.replace(bug.text, bug.planted))
        bench.run(START)
        with pytest.raises((AssertionError, ValueError)):
            bug.check(bench)
