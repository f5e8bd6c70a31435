"""The firmware counts alike on 32-bit and 64-bit interpreters, tick by tick."""

from __future__ import annotations

import random
import struct

import pytest
import test_guards
from joint_bench import SECOND_INTERPRETER, Step, interpreter, move_segments, play

from guidearm_protocol import messages as wire
from guidearm_protocol.frame import decode_frame, encode_frame, request_frame
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


def conversation() -> list[Step]:
    """Return frames of all messages with whatever fields, right or wrong, to an enabled joint."""
    rng = random.Random(6)

    def field(code: str, low: int, high: int) -> bytes:
        size = wire.field_size(code)
        if rng.random() < 0.2 or code.endswith("s"):
            return rng.choice((b"\xff" * size, b"\x80" * size, rng.randbytes(size)))
        return rng.choice((low, high, rng.randint(low, high))).to_bytes(
            size, "little", signed=code in "bhi"
        )

    def frame(sequence: int, message: int, content: bytes) -> Step:
        address = wire.BROADCAST if message in to_all else 1
        return ["receive", encode_frame(request_frame(address, sequence, message, content)).hex()]

    to_all = (wire.CYCLE, wire.START, wire.CANCEL, wire.DISCOVER, wire.ASSIGN_ADDRESS)
    stopping = (wire.STOP, wire.DISABLE, wire.START, wire.CANCEL)
    others = [entry for entry in wire.MESSAGES if entry[0] not in (wire.IDENTIFY, wire.CYCLE)]
    steps = [frame(1, wire.IDENTIFY, b"\xff\xff\xff\x3f"), frame(2, wire.ENABLE, b"\0")]
    steps += [["run", 100]]
    for sequence in range(3, 300):
        message, _, fields, _ = rng.choice(others)
        content = b"".join(field(*entry[1:2], *entry[3:5]) for entry in fields)
        if sequence > 70 or message not in stopping:
            steps += [frame(rng.choice((sequence, 2)), message, content)]
        # a queue full of good segments, then whatever comes
        point = (rng.randint(-900, 900), 0) if sequence < 70 else (rng.randint(-(1 << 31), 0), -1)
        cycle = struct.pack("<4H4i", 0b101, 500, sequence - 2, 10_000, *point, *point)
        steps += [frame(sequence, wire.CYCLE, cycle), ["run", rng.choice((0, 1))]]
    return steps


def test_frames_are_answered_alike(both: tuple[Interpreter, Interpreter]) -> None:
    steps = conversation()
    first, second = (play(steps, record=["HEAD"], digest=True, on=on) for on in both)
    assert first["HEAD"].max() > 30
    assert first.answers[0] != second.answers[0]  # which tells the size
    assert first.answers[1:] == second.answers[1:]
    assert first.crc == second.crc
    sent = [bytes.fromhex(answer[0]) for answer in first.answers if answer and answer[0]]
    results = {decode_frame(data[:-1]).body[1] for data in sent}
    assert results == set(range(len(wire.RESULTS))) - {wire.UNKNOWN_MESSAGE, wire.BAD_LENGTH}


def test_the_codec_judges_and_seals_alike(both: tuple[Interpreter, Interpreter]) -> None:
    cases, contents = test_guards.make_cases(3000), [bytes(range(n)) for n in range(5, 250)]
    first, second = (test_guards.tell(cases, contents, on) for on in both)
    assert first == second


def test_the_digest_sees_one_count(both: tuple[Interpreter, Interpreter]) -> None:
    del both
    one, other = (
        play([*SCENARIO[:2], ["load", "LINK_SPEED", speed], ["run", 1]], digest=True)
        for speed in (0, 1)
    )
    assert one.crc != other.crc
