"""The rig `pico`: its options, and boards broken on purpose, which fail through it.

Skipped where the rig is not set up, but for the options.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from guidearm.errors import OptionError
from guidearm_firmware.boards import rp2_pins
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_hil.pico.arm import Options, boot_crc, read_options
from guidearm_hil.pico.build import image_with
from guidearm_hil.pico.image import changed_files
from guidearm_hil.pico.process import firmware
from guidearm_hil.rigs import Offer
from guidearm_hil.rigs.pico import JOINTS, PicoRig
from guidearm_hil.runner import FAILED, PASSED, play
from guidearm_hil.scenarios import all_scenarios
from guidearm_hil.target import pico_tick

BOARDS = Path(rp2_pins.__file__).parent


def why_not() -> str:
    """Return why the rig cannot run, nothing if it can."""
    try:
        firmware()
    except RigSetUpError as error:
        return str(error)
    return ""


needs_rig = pytest.mark.skipif(bool(why_not()), reason=why_not() or "the rig is there")


# ---- options


def program() -> bytes:
    """Return what begins as a program does, with nothing in it."""
    second_stage = bytes(252)
    return second_stage + boot_crc(second_stage).to_bytes(4, "little") + bytes(1000)


def test_options_are_read(tmp_path: Path) -> None:
    image = tmp_path / "firmware.bin"
    image.write_bytes(program())
    assert read_options("", "pico", 2, 6) == Options(2)
    assert read_options("seed=7&joints=6", "pico", 2, 6) == Options(6, 7)
    assert read_options(f"image={image},joints=1", "pico", 2, 6) == Options(1, 0, image)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("joints=7", "joints=7 is not 1 to 6"),
        ("joints=x", "use pico:joints=N,seed=S,image=FILE"),
        ("speed=1", "use pico:joints=N,seed=S,image=FILE"),
        ("image=nowhere.bin", "nowhere.bin: No such file"),
        ("image=.", "Is a directory"),
    ],
)
def test_other_options_are_refused_in_one_line(options: str, told: str) -> None:
    with pytest.raises(OptionError, match=told) as raised:
        read_options(options, f"pico:{options}", 2, 6)
    assert str(raised.value).startswith(f"pico:{options}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [b"UF2\n" + program(), bytes(1000), b"a text\n" * 200, program()[:256], b"short", b""],
)
def test_a_file_that_is_no_image_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(content)
    with pytest.raises(OptionError, match="is no program as it lies in flash"):
        read_options(f"image={tmp_path / 'image'}", "pico", 2, 6)


def test_an_image_of_its_own_has_a_rate_of_its_own() -> None:
    assert Offer.BAUD in PicoRig(1, 0).offers
    assert Offer.BAUD not in PicoRig(1, 0, Path("firmware.bin")).offers


# ---- the board


@needs_rig
def test_a_joint_at_rest_sleeps_between_ticks() -> None:
    rig = PicoRig(1, 0)
    arm = rig.arm

    (before,) = arm.boards()["boards"]
    arm.advance(arm.now_ns + 100_000_000)
    (after,) = arm.boards()["boards"]
    rig.close()
    executed, passed = (after[what] - before[what] for what in ("instructions", "cycles"))
    assert passed > 12_000_000
    assert executed < passed / 10  # awake it executes one in 1.6 cycles


@needs_rig
def test_what_the_interrupt_takes_before_the_boards_code_is_counted() -> None:
    spent = pico_tick.measure_tick()
    assert all(row.ok for row in pico_tick.rows(spent))
    # MicroPython's own way to a Python function is that long at least
    assert 100 < spent.to_register < spent.instructions < spent.cycles
    twice = "        s = ptr32(w[STATE])\n"
    slower = pico_tick.measure_tick(
        image_with(changed_files("rp2_interrupt.py", twice, twice + 10 * twice))
    )
    more = slower.to_register - spent.to_register
    assert more > 10
    # what a tick does is not the same to the instruction: the main loop comes between
    assert slower.instructions - spent.instructions == pytest.approx(more, abs=20)
    assert not all(row.ok for row in pico_tick.rows(slower))


# ---- boards broken on purpose


@dataclass(frozen=True)
class Bug:
    """A text of a board's module, what stands in its place, the scenario, and what it says."""

    name: str
    module: str
    text: str
    planted: str
    scenario: str
    told: str


def other_way_round() -> Bug:
    """Have the motor's counts go down where they go up."""
    module = "rp2_quadrature.py"
    source = (BOARDS / module).read_text()
    table = source[source.index("    # ---- address 16") : source.index("\n\n\ndef start")]
    turned = table.replace("up", "*").replace("down", "up").replace("*", "down")
    told = "encoders disagree"
    return Bug("encoder phases swapped", module, table, turned, "position-is-true", told)


BUGS = (
    other_way_round(),
    Bug(
        "only the first byte wakes the main loop",
        "rp2_bus.py",
        "        ptr32(w[_PENDING])[0] = w[_PENDING_FLAG]\n",
        "",
        "slots",
        "cycles with every answer in order",
    ),
    Bug(
        "direction pin released one bit early",
        "rp2_bus.py",
        "set(pins, 1).side(1)[4]",
        "set(pins, 1).side(0)[4]",
        "direction-pin",
        "no joint answers",
    ),
    Bug(
        "brake inverted",
        "rp2_interrupt.py",
        "permitted = s[_BRAKE]",
        "permitted = 1 - s[_BRAKE]",
        "brake-order",
        "shut and without current at first",
    ),
)


def outcome(rig: PicoRig, name: str) -> tuple[str, str]:
    """Return what became of a scenario, and why."""
    result = play(rig, next(one for one in all_scenarios() if one.name == name))
    return result.outcome, result.reason


@needs_rig
@pytest.mark.parametrize("name", sorted({bug.scenario for bug in BUGS}))
def test_the_rigs_own_board_passes(name: str) -> None:
    assert outcome(PicoRig(JOINTS, 0), name) == (PASSED, "")


@needs_rig
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_board_broken_on_purpose_fails(bug: Bug) -> None:
    image = image_with(changed_files(bug.module, bug.text, bug.planted))
    told, reason = outcome(PicoRig(JOINTS, 0, image), bug.scenario)
    assert told == FAILED
    assert bug.told in reason
