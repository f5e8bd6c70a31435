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
    """A text in the joints' image, what replaces it, and what the scenario then says."""

    scenario: str
    text: str
    planted: str
    told: str


def wrong_cause(scenario: str, name: str, code: int, other: int, told: str) -> Bug:
    """Have the firmware take the code of one fault for another."""
    return Bug(scenario, f"_CAUSE_{name} = const({code})", f"_CAUSE_{name} = const({other})", told)


BUGS = (
    Bug("identify", "0  # interrupts are off", '0; self.unique_id = b"AAAAAAAA"', "unique"),
    Bug("firmware", "VERSION = (0, 1, 0)", "VERSION = (0, 9, 0)", "firmware 0.9.0"),
    Bug(
        "enable-disable",
        "            s[_AUTHORISED] = 0\n            s[_SEEKING] = 0\n",
        "            s[_SEEKING] = 0\n",
        "still authorised",
    ),
    Bug(
        "silence-at-rest",
        "s[_LAST_FRAME] = w[_RECEIVED]",
        "s[_LAST_FRAME] = (w[_RECEIVED] + 0x8000000) & 0x3FFFFFFF",
        "switched on, brake closed",
    ),
    Bug(
        "position-is-true",
        "s[_MOTOR] = (xm >> 10) +",
        "s[_MOTOR] = (xm >> 10) * 1001 // 1000 +",
        "travel reported beside the motor's",
    ),
    Bug("stop-in-mid-move", "s[_STOP_REQUEST] = 1", "s[_STOP_REQUEST] = 0", "underrun"),
    wrong_cause("silence-in-motion", "LINK_TIMEOUT", 2, 3, "link timeout"),
    wrong_cause("underrun", "UNDERRUN", 3, 13, "the host was late"),
    wrong_cause("soft-limit", "SOFT_LIMIT", 5, 13, "soft limit"),
    wrong_cause("following-error", "FOLLOWING_ERROR", 1, 15, "following error"),
    wrong_cause("supply", "SUPPLY", 15, 14, "supply"),
    wrong_cause("over-temperature", "OVER_TEMPERATURE", 14, 15, "over-temperature"),
    wrong_cause("motor-encoder", "MOTOR_ENCODER", 11, 12, "motor encoder"),
    wrong_cause("output-encoder", "OUTPUT_ENCODER", 12, 11, "output encoder"),
    wrong_cause("encoders-disagree", "ENCODERS_DISAGREE", 7, 12, "encoders disagree"),
    wrong_cause("limit-switch", "HARD_LIMIT", 17, 5, "hard limit"),
    wrong_cause("emergency-stop", "EMERGENCY_STOP", 8, 4, "joints with the fault"),
    Bug("stop-line", "s[PULL_LINE] = 1", "s[PULL_LINE] = 0", "joints that followed"),
    # without attention to it the line is looked at in every eighth tick only
    Bug("stop-line", "_ATTENTION = const(127)", "_ATTENTION = const(126)", "after the cause"),
    Bug(
        "stop-line-from-outside",
        "inputs & (servo.INPUT_STOP_LINE | servo.INPUT_EMERGENCY_STOP)",
        "inputs & servo.INPUT_EMERGENCY_STOP",
        "ENABLE is refused while it is pulled",
    ),
    Bug(
        "brake-order",
        "    release = s[_BRAKE]\n",
        "    release = 1 - s[_BRAKE]\n",
        "shut and without current at last",
    ),
    Bug(
        "brake-that-does-not-open",
        "if s[_P_BRAKE_FEEDBACK]:",
        "if s[_P_BRAKE_FEEDBACK] == 7:",
        "enabling ends by the fault",
    ),
    Bug(
        "parameters-survive-power",
        "found[0] > newest[0]",
        "found[0] < newest[0]",
        "the committed value is there",
    ),
    Bug(
        "power-cut-in-commit",
        "slot = SLOTS - 1 - self._newest",
        "slot = self._newest",
        "cuts that left neither",
    ),
    Bug(
        "restart-in-mid-move",
        "0  # interrupts are off",
        "0; self.boot_count = 7",
        "the move ends by joint 3 restarted",
    ),
    Bug(
        "slots",
        "w[_RECEIVED] + _TURNAROUND",
        "w[_RECEIVED] + _TURNAROUND + 60",
        "after the begin of its slot",
    ),
    Bug("clocks", "RECEIVE_JITTER_US = 4", "RECEIVE_JITTER_US = 60", "us apart"),
)


def outcome(rig: Rig, name: str) -> tuple[str, str]:
    (scenario,) = chosen([name])
    with rig:
        result = play(rig, scenario)
        return result.outcome, result.reason


@pytest.mark.parametrize("bug", BUGS, ids=[bug.scenario for bug in BUGS])
def test_a_bug_planted_in_the_joints_image_fails_its_scenario(bug: Bug, tmp_path: Path) -> None:
    image = tmp_path / "image"
    spoilt = 0
    for name in build_virtual_image(image):
        sound = (image / name).read_text()
        if bug.text in sound:
            (image / name).write_text(sound.replace(bug.text, bug.planted))
            spoilt += 1
    assert spoilt, "the text is not there any more: plant the bug anew"
    broken = VirtualRig(1, images={number: image for number in JOINTS})
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
        (late, "driven before the start bit, ns"),
        (one_bit_early, "driven after the stop bit, ns"),
        (holding_on, "driven after the stop bit, bits"),
        (missing, "transmissions driven"),
        (held_into_the_next, "driven into another's bytes"),
    ],
)
def test_a_direction_pin_that_is_wrong_once(
    spoil: Callable[[list[DirectionEdge]], None], told: str
) -> None:
    for name in ("direction-pin", "direction-pin-at-3-mbaud"):
        result, reason = outcome(WithDirectionPins(1, spoil), name)
        assert result == FAILED
        assert told in reason


def test_direction_pins_that_are_right() -> None:
    for name in ("direction-pin", "direction-pin-at-3-mbaud"):
        assert outcome(WithDirectionPins(1, lambda _: None), name)[0] == PASSED


def test_no_scenario_for_joints_was_never_seen_to_fail() -> None:
    others = {"move-and-return", "clean-cycles", "direction-pin", "direction-pin-at-3-mbaud"}
    for_joints = {given.name for given in all_scenarios() if Offer.BUS in given.offers}
    assert for_joints == others | {bug.scenario for bug in BUGS}
