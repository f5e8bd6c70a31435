"""Parameters over the wire: access, commit, and a joint that has lost them.

The bench receives every frame on a locked heap, so a commit allocates nothing.
"""

from __future__ import annotations

from typing import Any

import pytest
from joint_bench import Step, Trace, play
from test_session import answers, identify, request

from guidearm_hil.joint_design import COUNTS_PER_TURN
from guidearm_protocol import messages as wire
from guidearm_protocol.parameters import (
    ACCESSES,
    DEFAULTS,
    HIGHEST,
    LOWEST,
    NAMES,
    NEEDS_DISABLE,
    READ_ONLY,
    READ_WRITE,
    TABLE_VERSION,
)

LAST_ADDRESS = DEFAULTS[NAMES.index("address")]
COMMIT = wire.COMMIT_PARAMETERS
STORE = wire.PARAMETER_STORE


class Talk:
    """Requests to one joint, each under the next sequence."""

    def __init__(self, address: int = 1) -> None:
        self.address = address
        self.steps: list[Step] = [request(1000, wire.IDENTIFY, address, nonce=7)]

    def ask(self, message: int, **values: int) -> None:
        self.steps += [request(1000 + len(self.steps), message, self.address, **values)]

    def set(self, name: str, value: int) -> None:
        self.ask(wire.SET_PARAMETER, index=NAMES.index(name), value=value)
        self.run(2)

    def run(self, ticks: int) -> None:
        self.steps += [["run", ticks]]

    def play(
        self, *, at_rad: float = 0.0, damaged: bool = False
    ) -> tuple[list[tuple[int, int]], dict[str, Any], Trace]:
        """Return result and reason of each reply, the fields of the last, and what happened."""
        trace = play(self.steps, at_rad=at_rad, damaged=damaged)
        replies = [answer[1] for answer in answers(trace) if answer]
        told = [(reply.result, reply.reason) for reply in replies[1:]]
        return told, dict(replies[-1].values), trace


def refused(reason: int) -> tuple[int, int]:
    return (wire.REFUSED, reason)


DONE = (wire.OK, wire.REASON_NONE)


def test_a_commit_stores_what_is_in_use() -> None:
    talk = Talk()
    talk.ask(STORE)
    assert talk.play()[1] == {
        "valid": 1, "copies": 1, "generation": 1, "version": TABLE_VERSION, "unsaved": 0,
    }  # fmt: skip
    talk.set("kp", 321)
    talk.set("over_speed", 4321)
    talk.ask(STORE)
    assert talk.play()[1]["unsaved"] == 2
    talk.ask(COMMIT)
    talk.ask(STORE)
    told, store, _ = talk.play()
    assert told == [DONE] * 6
    assert (store["unsaved"], store["generation"], store["copies"]) == (0, 2, 2)
    for generation in (3, 4):
        talk.ask(COMMIT)
        talk.ask(STORE)
        assert talk.play()[1]["generation"] == generation


def test_a_repeated_commit_is_done_once() -> None:
    talk = Talk()
    talk.ask(COMMIT)
    talk.steps += [talk.steps[-1]] * 3
    talk.ask(STORE)
    assert talk.play()[1]["generation"] == 2


def test_storage_that_takes_nothing_any_more_is_told() -> None:
    talk = Talk()
    talk.set("kp", 321)
    talk.steps += [["wear", True]]
    talk.ask(COMMIT)
    talk.ask(STORE)
    told, store, _ = talk.play()
    assert told[1] == refused(wire.REASON_STORAGE)
    assert store == {
        "valid": 1, "copies": 1, "generation": 1, "version": TABLE_VERSION, "unsaved": 1,
    }  # fmt: skip


@pytest.mark.parametrize("index", range(len(NAMES)), ids=NAMES)
def test_access_with_torque_on_and_off(index: int) -> None:
    value = LOWEST[index] if DEFAULTS[index] == HIGHEST[index] else HIGHEST[index]
    told: list[tuple[int, int]] = []
    for enabled in (False, True):
        talk = Talk()
        if enabled:
            talk.ask(wire.ENABLE, resume=0)
            talk.run(100)
        talk.ask(wire.SET_PARAMETER, index=index, value=value)
        told.append(talk.play()[0][-1])
    assert (
        told
        == {
            READ_WRITE: [DONE, DONE],
            NEEDS_DISABLE: [DONE, refused(wire.REASON_ENABLED)],
            READ_ONLY: [refused(wire.REASON_READ_ONLY)] * 2,
        }[ACCESSES[index]]
    )


@pytest.mark.parametrize("ticks", [1, 30, 100])
def test_nothing_is_committed_with_torque_on(ticks: int) -> None:
    """The servo would stand still while flash is erased."""
    talk = Talk()
    talk.ask(wire.ENABLE, resume=0)
    talk.run(ticks)
    talk.ask(COMMIT)
    talk.ask(wire.DISABLE)
    talk.run(200)
    talk.ask(COMMIT)
    assert talk.play()[0] == [DONE, refused(wire.REASON_ENABLED), DONE, DONE]


def test_an_enable_in_the_same_tick_comes_first() -> None:
    asked: list[tuple[int, dict[str, int]]] = [
        (COMMIT, {}),
        (wire.SET_PARAMETER, {"index": 8, "value": 256}),
    ]
    for message, values in asked:
        talk = Talk()
        talk.ask(wire.ENABLE, resume=0)
        talk.ask(message, **values)
        assert talk.play()[0] == [DONE, (wire.BUSY, wire.REASON_NONE)]


def test_an_empty_range_is_not_committed() -> None:
    talk = Talk()
    talk.set("lower_limit", 1 << 20)
    talk.set("upper_limit", 1 << 20)
    talk.ask(COMMIT)
    assert talk.play()[0] == [DONE, DONE, refused(wire.REASON_PARAMETERS)]


def test_another_count_a_turn_moves_no_position() -> None:
    """It is referenced anew on the absolute encoder, which did not move."""
    talk = Talk()
    talk.set("counts_per_turn", COUNTS_PER_TURN // 2)
    trace = talk.play(at_rad=1.0)[2]
    before, after = int(trace["POSITION"][0]), trace.last("POSITION")
    assert abs(after - before / 2) <= COUNTS_PER_TURN // 2 / 16384 + 1
    assert trace.last("FAULT") == wire.NO_FAULT


# ---- a joint without parameters


def test_without_parameters_a_joint_says_so_and_cannot_be_enabled() -> None:
    talk = Talk(LAST_ADDRESS)
    talk.ask(wire.ENABLE, resume=0)
    talk.ask(wire.RESET_FAULT)
    talk.ask(COMMIT)
    talk.ask(STORE)
    talk.run(1)  # the second, which latches what the first had to tell
    told, store, trace = talk.play(damaged=True)
    assert told == [*[refused(wire.REASON_PARAMETERS)] * 3, DONE]
    assert (store["valid"], store["copies"], store["unsaved"]) == (0, 0, len(NAMES))
    assert trace.last("STATE") == wire.FAULT_STATE
    assert trace.last("FAULT") == wire.PARAMETER_CRC
    assert trace.last("PULL_LINE") == 1


@pytest.mark.parametrize("left_out", [None, *NAMES[:-2]])
def test_a_whole_set_makes_it_valid_again_and_nothing_less(left_out: str | None) -> None:
    """Defaults that nobody chose are not stored, though a value may be chosen to be the default."""
    talk = Talk(LAST_ADDRESS)
    for name, default, access in zip(NAMES, DEFAULTS, ACCESSES, strict=True):
        if access != READ_ONLY and name != left_out:
            talk.set(name, default)
    talk.ask(COMMIT)
    talk.ask(wire.RESET_FAULT)
    talk.run(2)
    talk.ask(wire.ENABLE, resume=0)
    talk.run(100)
    told, _, trace = talk.play(damaged=True)
    if left_out:
        assert told[-3:] == [refused(wire.REASON_PARAMETERS)] * 3
        assert trace.last("STATE") == wire.FAULT_STATE
    else:
        assert told[-3:] == [DONE] * 3
        assert trace.last("STATE") == wire.OPERATION_ENABLED


def test_identify_is_answered_without_parameters() -> None:
    steps = [request(1, wire.IDENTIFY, LAST_ADDRESS, nonce=3)]
    (told,) = answers(play(steps, damaged=True))
    assert told is not None and told[1].values["unique_id"] == b"12345678"
    assert answers(play([identify()], damaged=True)) == [None]
