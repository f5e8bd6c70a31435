"""The capture: its trigger, its ring, and that it has what the servo had, tick by tick."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joint_bench import (
    SECOND_INTERPRETER,
    Step,
    assert_bug_found,
    interpreter,
    move_segments,
    other_image,
    play,
    run,
    write_image,
)

from guidearm_protocol import body
from guidearm_protocol import messages as wire
from guidearm_protocol.frame import decode_frame, encode_frame, request_frame
from guidearm_tools.micropython import Interpreter, probe

OFF, WAITING, COMPLETE, TRIGGERED = range(4)
AT_ONCE, RISING, FALLING, BECOMING = range(4)
RUN = wire.MODES.index("run")
NAMES = [signal[0] for signal in wire.CAPTURE_SIGNALS]
# words of the servo by name of the signal, where they are named otherwise
WORD_OF = {"following_error": "ERROR", "segment": "TAIL", "time": "NOW", "output": "CORRECTED"}


@dataclass
class Case:
    """One capture of a made-up servo, all of whose words follow from one number a tick."""

    signals: int
    divider: int
    samples: int
    before: int
    trigger: int
    signal: int
    level: int
    numbers: list[int]

    def listed(self) -> list[Any]:
        return list(vars(self).values())


def signals(words: list[int], number: int) -> list[int]:
    """Return the signals of the made-up servo after a tick; time, word 0, is never negative.

    Torque is off and the motor stands still: the tick changes what the bottom lines say.
    """
    made = [number * (word + 1) - 1000 * (word % 3) for word in words]
    apart = made[NAMES.index("set_point")] - 256 * made[NAMES.index("position")]
    made[NAMES.index("following_error")] = apart
    made[NAMES.index("output")] &= 16383  # corrected by nothing
    for name in ("set_acceleration", "duty", "mode"):
        made[NAMES.index(name)] = 0
    return made


def model(case: Case, words: list[int]) -> list[Any]:
    """Return what the capture has to make of a case, in plain Python."""
    chosen = [bit for bit in range(len(words)) if case.signals >> bit & 1]
    if not chosen:
        return [OFF, 0, case.before, 0, []]
    watched = words[case.signal]
    first = case.numbers[0]
    previous = 0 if NAMES[case.signal] == "mode" else first * (watched + 1) - 1000 * (watched % 3)
    rows: list[list[int]] = []
    trigger = None
    trigger_time = 0
    for number in case.numbers[1 :: case.divider]:
        made = signals(words, number)
        rows.append([made[bit] for bit in chosen])
        present = made[case.signal]
        hit = {
            AT_ONCE: True,
            RISING: previous < case.level <= present,
            FALLING: previous > case.level >= present,
            BECOMING: previous != case.level == present,
        }[case.trigger]
        previous = present
        if trigger is None and hit:
            trigger = len(rows) - 1
            trigger_time = made[NAMES.index("time")]
        if trigger is not None and len(rows) - trigger == case.samples - case.before:
            before = min(trigger, case.before)
            kept = rows[trigger - before :]
            return [COMPLETE, len(kept), before, trigger_time, [w for row in kept for w in row]]
    taken = min(len(rows), case.samples)
    if trigger is None:
        return [WAITING, taken, case.before, 0, []]
    return [TRIGGERED, taken, min(trigger, case.before), trigger_time, []]


def cases(count: int) -> list[Case]:
    rng = random.Random(5)
    made: list[Case] = []
    for _ in range(count):
        signals = rng.getrandbits(len(NAMES)) & rng.getrandbits(len(NAMES))
        columns = max(signals.bit_count(), 1)
        samples = rng.choice([1, 2, rng.randrange(1, 80), min(400, wire.CAPTURE_WORDS // columns)])
        ticks = rng.randrange(1, 700)
        made.append(
            Case(
                signals=signals,
                divider=rng.choice([1, 1, 2, 3, 10]),
                samples=samples,
                before=rng.randrange(samples),
                trigger=rng.randrange(4),
                signal=rng.randrange(len(NAMES)),
                level=rng.choice([-900, -1, 0, 1, 77, 1000, 3000]),
                numbers=[rng.randrange(300) for _ in range(ticks)],
            )
        )
    return made


def edge_cases() -> list[Case]:
    """Fill the whole memory, wrapped, with one signal, with eight, and with every one."""
    everything = (1 << len(NAMES)) - 1
    return [
        Case(signals, 1, samples, samples - 1, RISING, NAMES.index("time"), 9000, [*range(9100)])
        for signals, samples in (
            (1, wire.CAPTURE_WORDS),
            (255, wire.CAPTURE_WORDS // 8),
            (everything, wire.CAPTURE_WORDS // len(NAMES)),
        )
    ]


def interpreters() -> list[Interpreter]:
    return [interpreter(), *([probe(SECOND_INTERPRETER)] if SECOND_INTERPRETER.is_file() else [])]


def test_captures_are_those_of_a_plain_model() -> None:
    """Negative values, all triggers, all lengths, wrapped rings; both word sizes where they are."""
    made = [*cases(200), *edge_cases()]
    for on in interpreters():
        told = run("recording.py", {"cases": [case.listed() for case in made]}, on=on)
        assert told["held"]
        expected = [model(case, told["words"]) for case in made]
        assert {wanted[0] for wanted in expected} == {OFF, WAITING, COMPLETE, TRIGGERED}
        assert sum(wanted[0] == COMPLETE for wanted in expected) > 80
        assert min(min(wanted[4], default=0) for wanted in expected) < 0
        for case, wanted, got in zip(made, expected, told["results"], strict=True):
            assert got == wanted, (on.word_bits, case)


# ---- over the wire, in a move


class Host:
    """Makes steps of requests with sequences of their own, and reads what came back."""

    def __init__(self) -> None:
        self.sequence = 1
        self.steps: list[Step] = [self.ask(wire.IDENTIFY, {"nonce": 1})]

    def ask(self, message: int, values: dict[str, body.Value] | None = None) -> Step:
        self.sequence += 1
        content = body.pack_request(message, values)
        return ["receive", encode_frame(request_frame(1, self.sequence, message, content)).hex()]


def replies(answers: list[Any]) -> list[body.Reply]:
    found: list[body.Reply] = []
    received: list[list[Any]] = [answer for answer in answers if isinstance(answer, list)]
    for sent, _ in received:
        if sent:
            frame = decode_frame(bytes.fromhex(sent)[:-1])
            found.append(body.unpack_reply(frame.message, frame.body))
    return found


def setup(
    signals: list[str], samples: int, before: int = 0, trigger: int = AT_ONCE, **more: int
) -> dict[str, body.Value]:
    return {
        "signals": sum(1 << NAMES.index(name) for name in signals),
        "divider": 1,
        "samples": samples,
        "before": before,
        "trigger": trigger,
        "signal": NAMES.index("mode"),
        "level": RUN,
        **more,
    }


def chunks(host: Host, words: int) -> list[Step]:
    step = wire.CAPTURE_CHUNK_WORDS
    return [host.ask(wire.CAPTURE_READ, {"first": at}) for at in range(0, words, step)]


def words_of(found: list[body.Reply], total: int) -> list[int]:
    parts = [reply.values.get("words", b"") for reply in found]
    data = b"".join(part for part in parts if isinstance(part, bytes))
    return list(struct.unpack(f"<{len(data) // 4}i", data))[:total]


def test_a_move_is_captured_exactly_and_goes_the_same_way() -> None:
    """Every chosen signal at every tick is the servo's own, and the servo does not notice."""
    chosen = [name for name in NAMES if name != "segment"]
    samples, before = 400, 60
    record = [WORD_OF.get(name, name.upper()) for name in chosen]

    def steps(captured: bool) -> list[Step]:
        host = Host()
        move = [["queue", move_segments(0, 0.0, 0.6)], ["run", 45], ["start_in", 30_000]]
        values = setup(chosen if captured else [], samples, before, BECOMING)
        made: list[Step] = [*host.steps, ["enable", 0], ["run", 150]]
        made += [host.ask(wire.CAPTURE_SETUP, values), *move, ["run", 390]]
        for read in chunks(host, samples * len(chosen)):
            made += [read, ["run", 1]]  # in mid-move
        return [*made, ["run", 600]]

    captured, alone = (play(steps(on), record=record) for on in (True, False))
    total = samples * len(chosen)
    found = replies(captured.answers)
    table = np.array(words_of(found, total)).reshape(samples, len(chosen))
    trigger = captured.first("MODE", RUN)
    for column, name in enumerate(record):
        ticks = captured[name][trigger - before : trigger - before + samples]
        assert table[:, column].tolist() == ticks.tolist(), name
        assert captured[name].tolist() == alone[name].tolist(), name
    assert all(reply.result == wire.OK for reply in found)
    assert np.ptp(table[:, chosen.index("speed")]) > 1000


def test_a_fault_is_captured_with_what_led_to_it() -> None:
    host = Host()
    values = setup(["following_error", "fault"], 300, 200, RISING)
    values |= {"signal": NAMES.index("fault"), "level": 1}
    steps: list[Step] = [
        *(*host.steps, ["enable", 0], ["run", 150], host.ask(wire.CAPTURE_SETUP, values)),
        *(["run", 500], ["load", "EXTRA_LOAD", 150_000], ["run", 300]),
        *(host.ask(wire.CAPTURE_STATE), *chunks(host, 600)),
    ]
    trace = play(steps, record=["ERROR", "FAULT", "NOW"])
    found = replies(trace.answers)
    state = body.integers(next(r.values for r in found if "phase" in r.values))
    table = np.array(words_of(found, 600)).reshape(300, 2)
    latched = int(np.flatnonzero(trace["FAULT"])[0])
    assert (state["phase"], state["samples"], state["before"]) == (COMPLETE, 300, 200)
    assert state["trigger_us"] == trace["NOW"][latched]
    assert state["last_us"] == trace["NOW"][latched + 99]
    assert table[:, 0].tolist() == trace["ERROR"][latched - 200 : latched + 100].tolist()
    assert table[199, 1] == 0 != table[200, 1]


def test_a_set_up_begins_anew_and_numbers_itself() -> None:
    host = Host()
    values = setup(["position"], 10)
    read = host.ask(wire.CAPTURE_READ, {"first": 0})
    steps = [
        *(*host.steps, read, read, host.ask(wire.CAPTURE_SETUP, values)),
        *(host.ask(wire.CAPTURE_READ, {"first": 0}), ["run", 10]),
        *(host.ask(wire.CAPTURE_READ, {"first": 0}), host.ask(wire.CAPTURE_READ, {"first": 10})),
        *(host.ask(wire.CAPTURE_SETUP, values), host.ask(wire.CAPTURE_STATE)),
        *(host.ask(wire.CAPTURE_SETUP, setup([], 10)), ["run", 5], host.ask(wire.CAPTURE_STATE)),
    ]
    trace = play([["run", 1], *steps])
    _, none, again, first, early, good, past, second, state, third, off = replies(trace.answers)
    assert none == again and none.result == early.result == past.result == wire.OUT_OF_BOUNDS
    numbers = [body.integers(r.values)["capture"] for r in (first, second, third)]
    assert numbers == [1, 2, 3]
    assert body.integers(good.values)["capture"] == 1
    assert body.integers(state.values)["phase"] == WAITING
    told = body.integers(off.values)
    assert (told["phase"], told["samples"], told["capture"]) == (OFF, 0, 3)


BOUNDS = [
    {"signals": 1 << len(NAMES)},
    {"signals": 0x3FFFFFFF},
    {"divider": 0},
    {"divider": 1001},
    {"samples": 0},
    {"samples": wire.CAPTURE_WORDS // 2 + 1},
    {"samples": 65535},
    {"before": 10},
    {"trigger": 4},
    {"signal": len(NAMES)},
    {"level": -(1 << 30)},
    {"level": -(1 << 31)},
    {"level": (1 << 31) - 1},
]


@pytest.mark.parametrize("change", BOUNDS, ids=lambda change: next(iter(change.items())))
def test_set_ups_out_of_bounds_are_refused_and_change_nothing(change: dict[str, int]) -> None:
    host = Host()
    good = setup(["position", "speed"], 10, 5)
    values = list(({**good, **change}).values())
    wild = struct.pack("<IHHHBBi", *values)  # as no host would send it
    frame = encode_frame(request_frame(1, 9, wire.CAPTURE_SETUP, wild)).hex()
    steps: list[Step] = [*host.steps, host.ask(wire.CAPTURE_SETUP, good), ["run", 8]]
    steps += [["receive", frame]]
    host.sequence = 10
    trace = play([["run", 1], *steps, ["run", 3], host.ask(wire.CAPTURE_STATE)])
    found = replies(trace.answers)
    assert found[2].result == wire.OUT_OF_BOUNDS
    state = body.integers(found[3].values)
    assert (state["phase"], state["capture"], state["samples"]) == (COMPLETE, 1, 5)


# ---- that these tests find what may go wrong


SERVO, CAPTURE = "joint/servo.py", "joint/capture.py"
BUGS = (
    (SERVO, "if following == h[C_END]:", "if place == h[C_END]:"),
    (SERVO, "s[CAPTURING] = h[C_DIVIDER]", "s[CAPTURING] = h[C_DIVIDER] + 1"),
    (SERVO, "- h[C_LEVEL])", "- (h[C_LEVEL] & 0x7FFF))"),
    (SERVO, "h[C_ROUND] = 1", "h[C_ROUND] = 0"),
    (SERVO, "elif h[C_BELOW]:", "else:"),
    (CAPTURE, "-1 if kind == wire.CAPTURE_BECOMING else _SIGN", "_SIGN"),
    (CAPTURE, "return min(self._taken() - since, wanted)", "return wanted"),
    (SERVO, "to[2] = ptr32(chosen[2]", "to[2] = ptr32(chosen[1]"),
    (CAPTURE, "if place == size:", "if place == size + 1:"),
    (CAPTURE, "below = value > level", "below = value < level"),
    (CAPTURE, "h[servo.C_AFTER] = samples - before", "h[servo.C_AFTER] = samples"),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: str(bug[1]))
def test_a_planted_bug_is_found(bug: tuple[str, str, str], tmp_path: Path) -> None:
    assert_bug_found(tmp_path / "image", *bug, test_captures_are_those_of_a_plain_model)


def test_a_sample_taken_before_the_supervisor_is_found(tmp_path: Path) -> None:
    """The tick's last act is the sample: taken before, it would lack what its own tick did."""
    image = tmp_path / "image"
    write_image(image)
    path = image / "joint" / "servo.py"
    source = path.read_text()
    start = source.index("    # ---- the capture's sample")
    end = source.index("\n\n\n", start) + 1
    decided = "    # ---- set-point\n"
    assert source.count(decided) == 1
    moved = source[:start] + source[end:]
    path.write_text(moved.replace(decided, source[start:end] + decided))
    with other_image(image), pytest.raises(AssertionError) as caught:
        test_a_move_is_captured_exactly_and_goes_the_same_way()
    assert "SyntaxError" not in str(caught.value)
