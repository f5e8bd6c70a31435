"""Every scenario has been seen to fail: on joints, boards and wires broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from guidearm_hil.noise import Noise
from guidearm_hil.rig import build_virtual_image
from guidearm_hil.rigs import DirectionEdge, Offer, Rig, Wire
from guidearm_hil.rigs.virtual import VirtualRig
from guidearm_hil.runner import FAILED, PASSED, play
from guidearm_hil.scenarios import all_scenarios, chosen
from guidearm_hil.scenarios.cycles import transmissions

JOINTS = range(1, 7)


@dataclass(frozen=True)
class Bug:
    """A text in a file of the joints' image, what replaces it, and what the scenario then says."""

    scenario: str
    file: str
    text: str
    planted: str
    told: str


SERVO, SUPERVISOR, BOARD = "joint/servo.py", "joint/supervisor.py", "board.py"
BUGS = (
    Bug("identify", BOARD, "0  # interrupts are off", '0; self.unique_id = b"AAAAAAAA"', "unique"),
    Bug("firmware", "main.py", "VERSION = (0, 1, 0)", "VERSION = (0, 9, 0)", "firmware 0.9.0"),
    Bug(
        "enable-disable",
        SUPERVISOR,
        "s[_STOP_REQUEST] = 0\n        s[_AUTHORISED] = 0",
        "s[_STOP_REQUEST] = 0",
        "still authorised",
    ),
    Bug(
        "silence-at-rest",
        "joint/link.py",
        "s[_LAST_FRAME] = w[_RECEIVED]",
        "s[_LAST_FRAME] = (w[_RECEIVED] + 0x8000000) & 0x3FFFFFFF",
        "switched on, brake closed",
    ),
    Bug(
        "position-is-true",
        "plant.py",
        "s[_MOTOR] = (xm >> 10) +",
        "s[_MOTOR] = (xm >> 10) * 1001 // 1000 +",
        "travel reported beside the motor's",
    ),
    Bug(
        "stop-in-mid-move",
        "joint/link.py",
        "            s[_STOP_REQUEST] = 1\n        elif",
        "            s[_STOP_REQUEST] = 0\n        elif",
        "underrun",
    ),
    Bug("silence-in-motion", SERVO, "_LINK_TIMEOUT = const(2)", "_LINK_TIMEOUT = const(3)", "link"),
    Bug("underrun", SERVO, "_UNDERRUN = const(3)", "_UNDERRUN = const(2)", "host was late"),
    Bug("soft-limit", SERVO, "_SOFT_LIMIT = const(5)", "_SOFT_LIMIT = const(13)", "soft limit"),
    Bug(
        "following-error",
        SERVO,
        "_FOLLOWING_ERROR = const(1)",
        "_FOLLOWING_ERROR = const(13)",
        "following error",
    ),
    Bug("supply", SERVO, "_CAUSE_SUPPLY = const(15)", "_CAUSE_SUPPLY = const(14)", "supply"),
    Bug(
        "over-temperature",
        SERVO,
        "_CAUSE_OVER_TEMPERATURE = const(14)",
        "_CAUSE_OVER_TEMPERATURE = const(15)",
        "over-temperature",
    ),
    Bug(
        "motor-encoder",
        SUPERVISOR,
        "_CAUSE_MOTOR_ENCODER = const(11)",
        "_CAUSE_MOTOR_ENCODER = const(12)",
        "motor encoder",
    ),
    Bug(
        "output-encoder",
        SUPERVISOR,
        "_CAUSE_OUTPUT_ENCODER = const(12)",
        "_CAUSE_OUTPUT_ENCODER = const(11)",
        "output encoder",
    ),
    Bug(
        "encoders-disagree",
        SERVO,
        "_CAUSE_ENCODERS_DISAGREE = const(7)",
        "_CAUSE_ENCODERS_DISAGREE = const(12)",
        "encoders disagree",
    ),
    Bug(
        "limit-switch",
        SUPERVISOR,
        "_CAUSE_HARD_LIMIT = const(17)",
        "_CAUSE_HARD_LIMIT = const(5)",
        "hard limit",
    ),
    Bug(
        "emergency-stop",
        SUPERVISOR,
        "_CAUSE_EMERGENCY_STOP = const(8)",
        "_CAUSE_EMERGENCY_STOP = const(4)",
        "joints with the fault",
    ),
    Bug("stop-line", SUPERVISOR, "s[_PULL_LINE] = 1", "s[_PULL_LINE] = 0", "joints that followed"),
    Bug(
        "stop-line-from-outside",
        "joint/drive.py",
        "inputs & (servo.INPUT_STOP_LINE | servo.INPUT_EMERGENCY_STOP)",
        "inputs & servo.INPUT_EMERGENCY_STOP",
        "ENABLE is refused while it is pulled",
    ),
    Bug(
        "brake-order",
        "plant.py",
        "    release = s[_BRAKE]\n",
        "    release = 1 - s[_BRAKE]\n",
        "shut and without current at last",
    ),
    Bug(
        "brake-that-does-not-open",
        SUPERVISOR,
        "if s[_P_BRAKE_FEEDBACK]:",
        "if s[_P_BRAKE_FEEDBACK] == 7:",
        "enabling ends by the fault",
    ),
    Bug(
        "parameters-survive-power",
        "joint/storage.py",
        "found[0] > newest[0]",
        "found[0] < newest[0]",
        "the committed value is there",
    ),
    Bug(
        "power-cut-in-commit",
        "joint/storage.py",
        "slot = SLOTS - 1 - self._newest",
        "slot = self._newest",
        "cuts that left neither",
    ),
    Bug(
        "restart-in-mid-move",
        BOARD,
        "0  # interrupts are off",
        "0; self.boot_count = 7",
        "the move ends by joint 3 restarted",
    ),
    Bug(
        "slots",
        "joint/cycle.py",
        "w[_REPLY_AT] + rank *",
        "w[_REPLY_AT] + 60 + rank *",
        "after the begin of its slot",
    ),
    Bug("clocks", BOARD, "RECEIVE_JITTER_US = 4", "RECEIVE_JITTER_US = 60", "us apart"),
)


def outcome(rig: Rig, name: str) -> tuple[str, str]:
    (scenario,) = chosen([name])
    with rig:
        result = play(rig, scenario)
        return result.outcome, result.reason


@pytest.mark.parametrize("bug", BUGS, ids=[bug.scenario for bug in BUGS])
def test_a_bug_planted_in_the_joints_image_fails_its_scenario(bug: Bug, tmp_path: Path) -> None:
    build_virtual_image(tmp_path / "image")
    file = tmp_path / "image" / bug.file
    sound = file.read_text()
    assert sound.count(bug.text) >= 1, "the text is not there any more: plant the bug anew"
    file.write_text(sound.replace(bug.text, bug.planted))
    broken = VirtualRig(1, images={number: tmp_path / "image" for number in JOINTS})
    told, reason = outcome(broken, bug.scenario)
    assert told == FAILED
    assert bug.told in reason


def test_a_gear_that_rubs_fails_the_move() -> None:
    rubbing = VirtualRig(1, planted={3: {"friction_nm": 60.0}})
    told, reason = outcome(rubbing, "move-and-return")
    assert told == FAILED
    assert "joint 3" in reason


def test_a_noisy_wire_fails_the_cycles() -> None:
    told, reason = outcome(VirtualRig(1, noise=Noise(drop=0.01)), "clean-cycles")
    assert told == FAILED
    assert "frames lost" in reason


class WithDirectionPins(VirtualRig):
    """The virtual rig with pins that drive from 5 us before each reply to 0.2 us after it."""

    offers = VirtualRig.offers | Offer.DIRECTION

    def __init__(self, seed: int, spoil: Callable[[list[DirectionEdge]], None]) -> None:
        super().__init__(seed)
        self._spoil = spoil

    def take_wire(self) -> Wire:
        sent = super().take_wire().sent
        edges: list[DirectionEdge] = []
        for burst in transmissions(sent):
            joint = burst[0].sender
            if joint in JOINTS:
                edges.append(DirectionEdge(joint, True, burst[0].start_ns - 5000))
                edges.append(DirectionEdge(joint, False, burst[-1].end_ns + 200))
        self._spoil(edges)
        return Wire(sent, tuple(sorted(edges, key=lambda edge: edge.at_ns)))


def late(edges: list[DirectionEdge]) -> None:
    on = edges[0]
    edges[0] = DirectionEdge(on.joint, True, on.at_ns + 6000)


def one_bit_early(edges: list[DirectionEdge]) -> None:
    off = edges[1]
    edges[1] = DirectionEdge(off.joint, False, off.at_ns - 1200)


def holding_on(edges: list[DirectionEdge]) -> None:
    off = edges[1]
    edges[1] = DirectionEdge(off.joint, False, off.at_ns + 2000)


def missing(edges: list[DirectionEdge]) -> None:
    del edges[:2]


def held_into_the_next(edges: list[DirectionEdge]) -> None:
    off = edges[1]
    edges[1] = DirectionEdge(off.joint, False, off.at_ns + 500_000)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (late, "driven before the start bit at 1 Mbaud, ns"),
        (one_bit_early, "driven after the stop bit at 1 Mbaud, ns"),
        (holding_on, "driven after the stop bit at 1 Mbaud, bits"),
        (missing, "transmissions driven at 1 Mbaud"),
        (held_into_the_next, "driven into another's bytes at 1 Mbaud"),
    ],
)
def test_a_direction_pin_that_is_wrong_once(
    spoil: Callable[[list[DirectionEdge]], None], told: str
) -> None:
    outcome_, reason = outcome(WithDirectionPins(1, spoil), "direction-pin")
    assert outcome_ == FAILED
    assert told in reason


def test_direction_pins_that_are_right() -> None:
    assert outcome(WithDirectionPins(1, lambda _: None), "direction-pin")[0] == PASSED


def test_no_scenario_was_never_seen_to_fail() -> None:
    others = {"move-and-return", "clean-cycles", "direction-pin"}
    others |= {"budgets", "hard-interrupts", "hand-over"}  # in test_cortex_m.py
    assert {scenario.name for scenario in all_scenarios()} == others | {b.scenario for b in BUGS}
