"""The output encoder's correction: to the bit that of a plain model, and felt where it is used."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from joint_bench import (
    SECOND_INTERPRETER,
    Step,
    assert_bug_found,
    interpreter,
    move_segments,
    play,
    run,
)
from test_parameter_messages import DONE, Talk

from guidearm_hil.joint_design import COUNTS_PER_TURN
from guidearm_protocol import messages as wire
from guidearm_protocol.parameters import CORRECTION, CORRECTIONS, HIGHEST, LOWEST, NAMES
from guidearm_tools.micropython import probe

STEPS = 1 << 14
APART = STEPS // CORRECTIONS
LOWEST_CORRECTION, HIGHEST_CORRECTION = LOWEST[CORRECTION], HIGHEST[CORRECTION]
Case = tuple[list[int], list[int]]


def model(points: list[int], reading: int) -> int:
    """Return a reading, corrected: between two points linear, rounded to the nearest step."""
    reading %= STEPS
    place, rest = divmod(reading, APART)
    here, there = points[place], points[(place + 1) % CORRECTIONS]
    by = here + ((there - here) * rest + APART // 2) // APART
    return (reading + by) % STEPS


def cases() -> list[Case]:
    rng = random.Random(7)
    whole = [*range(STEPS)]
    some = [*range(0, STEPS, 37), *range(STEPS - APART, STEPS), *range(APART)]
    extremes = [HIGHEST_CORRECTION, LOWEST_CORRECTION] * (CORRECTIONS // 2)
    return [
        ([0] * CORRECTIONS, whole),
        ([rng.randint(-60, 60) for _ in range(CORRECTIONS)], whole),
        (extremes, some),
        ([-1, *[0] * (CORRECTIONS - 2), 1], some),
        # no board gives more than 14 bits; what one did would not reach beyond the table
        ([rng.randint(-60, 60) for _ in range(CORRECTIONS)], [16384, 32767, 65535, 1 << 29]),
    ]


def check() -> None:
    made = cases()
    found = [interpreter(), *([probe(SECOND_INTERPRETER)] if SECOND_INTERPRETER.is_file() else [])]
    for on in found:
        told = run("corrections.py", {"cases": made}, on=on)
        for (points, readings), corrected in zip(made, told, strict=True):
            assert corrected == [model(points, reading) for reading in readings], on.word_bits


def test_it_is_that_of_a_plain_model_to_the_bit_on_both_word_sizes() -> None:
    check()


def test_it_is_nothing_by_default() -> None:
    assert [model(cases()[0][0], reading) for reading in range(STEPS)] == [*range(STEPS)]


def table(value: int) -> dict[str, int]:
    """Return parameters whose corrections are all the same."""
    return dict.fromkeys(NAMES[CORRECTION : CORRECTION + CORRECTIONS], value)


def test_the_position_at_power_on_is_by_the_corrected_encoder() -> None:
    plain, corrected = (
        play([["run", 3]], record=["POSITION", "OUTPUT", "CORRECTED"], parameter_values=table(by))
        for by in (0, 40)
    )
    assert corrected.last("CORRECTED") == (corrected.last("OUTPUT") + 40) % STEPS
    moved = corrected.last("POSITION") - plain.last("POSITION")
    assert moved == pytest.approx(40 * COUNTS_PER_TURN / STEPS, abs=1)


def test_a_correction_set_over_the_wire_counts_at_once_and_after_a_commit() -> None:
    """With the position taken anew, so that both encoders still agree and the joint enables."""
    talk = Talk()
    for name in table(0):
        talk.set(name, 60)  # above what the encoders may be apart
    talk.ask(wire.COMMIT_PARAMETERS)
    talk.ask(wire.ENABLE, resume=0)
    talk.run(300)
    told, _, trace = talk.play()
    assert told == [DONE] * (CORRECTIONS + 2)
    assert trace.last("STATE") == wire.OPERATION_ENABLED
    assert trace.last("FAULT") == wire.NO_FAULT
    taken = trace.last("POSITION") - int(trace["POSITION"][0])
    assert taken == pytest.approx(60 * COUNTS_PER_TURN / STEPS, abs=2)


def test_it_cannot_be_changed_while_torque_is_on() -> None:
    talk = Talk()
    talk.ask(wire.ENABLE, resume=0)
    talk.run(300)
    talk.set("correction_512", 5)
    assert talk.play()[0][-1] == (wire.REFUSED, wire.REASON_ENABLED)


def test_encoders_are_compared_with_the_correction() -> None:
    """A wrong table of a joint that moves is found as what it is: the encoders disagree."""
    names = NAMES[CORRECTION : CORRECTION + CORRECTIONS]
    steep = {name: 200 if 0 < place < 4 else 0 for place, name in enumerate(names)}
    steps: list[Step] = [["enable", 0], ["run", 300]]
    steps += [["queue", move_segments(0, 0.0, 0.6)], ["run", 40]]
    moved = [*steps, ["start_in", 30_000], ["run", 1500]]
    assert play(moved).last("FAULT") == wire.NO_FAULT
    assert play(moved, parameter_values=steep).last("FAULT") == wire.ENCODERS_DISAGREE


BUGS = (
    ("joint/servo.py", "* (s[OUTPUT] & 511) + 256 >> 9)", "* (s[OUTPUT] & 511) >> 9)"),
    ("joint/servo.py", "4 * (CORRECTIONS - 1)) + int(s)", "4 * (CORRECTIONS - 2)) + int(s)"),
    ("joint/drive.py", "self.state[servo.CORRECTION_CLOSED] = value", "pass"),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: str(bug[1]))
def test_a_planted_bug_is_found(bug: tuple[str, str, str], tmp_path: Path) -> None:
    assert_bug_found(tmp_path / "image", *bug, check)
