"""The firmware counts alike on 32-bit and 64-bit interpreters, tick by tick."""

from __future__ import annotations

import pytest
from joint_bench import SECOND_INTERPRETER, Step, interpreter, move_segments, play

from guidearm_protocol import messages as wire
from guidearm_tools.micropython import Interpreter, probe

SCENARIO: list[Step] = [
    *(["enable", 0], ["run", 300]),
    *(["queue", move_segments(0, 0.0, -1.2)], ["run", 40]),
    *(["set_clock", 0x3FFFF000, 5, -12_000], ["run", 1], ["start", 700_000], ["run", 2100]),
    *(["queue", move_segments(0, -1.2, 0.4)[:35]], ["run", 40], ["start_in", 30_000]),
    *(["run", 1300], ["reset_fault"], ["run", 2], ["home"], ["run", 2], ["enable", 0]),
    *(["load", "LOAD", -40_000], ["run", 300], ["run", 700, 0], ["enable", 1], ["run", 300]),
    *(["load", "LOAD", 150_000], ["load", "FRICTION", 0], ["run", 400]),
]


@pytest.fixture(scope="module")
def both() -> tuple[Interpreter, Interpreter]:
    first = interpreter()
    if not SECOND_INTERPRETER.is_file():
        pytest.skip("one MicroPython only: tools/setup --dev fetches a 64-bit one on Debian, amd64")
    second = probe(SECOND_INTERPRETER)
    assert {first.word_bits, second.word_bits} == {32, 64}
    return first, second


def test_a_scenario_gives_the_same_states_tick_by_tick(
    both: tuple[Interpreter, Interpreter],
) -> None:
    first, second = (play(SCENARIO, digest=True, load_nm=12.0, on=on) for on in both)
    assert first.answers == second.answers
    assert first.state == second.state
    for name, word in first.words.items():
        assert word.tolist() == second[name].tolist(), name
    assert first.crc == second.crc
    # it went through a move, an underrun, a load that pulls it away
    assert set(first["FAULT"]) == {wire.NO_FAULT, wire.UNDERRUN, wire.OVER_SPEED}
    assert first["SET_POINT"].min() < 0 < first["SET_POINT"].max()


HOMING: list[Step] = [
    *(["home"], ["run", 900], ["enable", 0], ["run", 150], ["load", "MOTOR_ENCODER_FROZEN", 1]),
    *(["load", "EXTRA_LOAD", -90_000], ["load", "FORCED_INPUTS", 16], ["run", 50]),
    *(["reset_fault"], ["run", 2], ["load", "FORCED_INPUTS", 0], ["load", "BRAKE_JAMMED", 1]),
    *(["run", 2], ["enable", 0], ["run", 400]),
]


def test_homing_against_a_stop_and_a_sticking_brake_give_the_same_states(
    both: tuple[Interpreter, Interpreter],
) -> None:
    stop = -4 * 409_600 // 360
    first, second = (
        play(
            HOMING,
            digest=True,
            load_nm=-12.0,
            parameter_values={"has_absolute_encoder": 0, "home_position": stop},
            plant_values={"OUTPUT_ENCODER_FROZEN": 1, "STOP_LOWER": stop * 1024},
            on=on,
        )
        for on in both
    )
    assert first.answers == second.answers
    assert first.state == second.state
    assert first.crc == second.crc
    assert set(first["FAULT"]) == {wire.NO_FAULT, wire.MOTOR_ENCODER, wire.BRAKE}
    assert {5, 6} <= set(first["MODE"])


def test_the_digest_sees_one_count(both: tuple[Interpreter, Interpreter]) -> None:
    del both
    one, other = (
        play([*SCENARIO[:2], ["load", "LINK_SPEED", speed], ["run", 1]], digest=True)
        for speed in (0, 1)
    )
    assert one.crc != other.crc
