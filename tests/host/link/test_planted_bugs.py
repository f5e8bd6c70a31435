"""Bugs planted in a copy of the host's bus: a test of this folder fails for each of them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guidearm.errors import GuideArmError
from guidearm.link import bus as true_bus

TESTS = Path(__file__).with_name("test_bus.py")


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


bus_tests: Any = load("planted_bus_tests", TESTS)


@contextmanager
def other_bus(path: Path) -> Generator[None]:
    """Have the tests of the bus use the one in another file."""
    own = bus_tests.JointBus
    bus_tests.JointBus = load("planted_bus", path).JointBus
    try:
        yield
    finally:
        bus_tests.JointBus = own


@dataclass(frozen=True)
class Bug:
    """A text of bus.py, what replaces it, and the test that must fail."""

    name: str
    text: str
    planted: str
    check: Callable[[], None]


BUGS = (
    Bug(
        "stale reply accepted",
        "(answer.address, answer.sequence, answer.message) != (\n"
        "                frame.address,\n"
        "                frame.sequence,\n",
        "(answer.address, answer.message) != (\n                frame.address,\n",
        bus_tests.test_echo_late_and_damaged_frames_are_counted_and_dropped,
    ),
    Bug(
        "stale state accepted",
        "if not asked or answer.sequence != frame.sequence:",
        "if not asked:",
        bus_tests.test_cycle_ignores_states_of_other_cycles_and_joints,
    ),
    Bug(
        "state of a joint not asked",
        "asked = answer.address in waiting and answer.message",
        "asked = answer.message",
        bus_tests.test_cycle_ignores_states_of_other_cycles_and_joints,
    ),
    Bug(
        "echo taken for an answer",
        "if not frame.from_joint:",
        "if False:",
        bus_tests.test_echo_late_and_damaged_frames_are_counted_and_dropped,
    ),
    Bug(
        "repeated under a new sequence",
        "                reply = self._ask(frame)\n",
        "                reply = self._ask(frame)\n"
        "                sequence = self._next_sequence(joint)\n"
        "                frame = request_frame(joint, sequence, message, packed)\n",
        bus_tests.test_a_lost_reply_is_asked_again_under_the_same_sequence,
    ),
    Bug(
        "one sequence for all",
        "self._sequences[joint] = (self._sequences.get(joint, 0) + 1) % _SEQUENCES",
        "self._sequences[joint] = (max(self._sequences.values(), default=0) + 1) % _SEQUENCES",
        bus_tests.test_sequences_are_per_joint_and_broadcasts_have_their_own,
    ),
    Bug(
        "repeats for ever",
        "for attempt in range(ATTEMPTS):",
        "for attempt in range(10 * ATTEMPTS):",
        bus_tests.test_silence_is_bounded_and_named,
    ),
    Bug(
        "stale result believed",
        "if reply.result == messages.STALE:",
        "if reply.result == -1:",
        bus_tests.test_a_stale_reply_means_another_host,
    ),
    Bug(
        "another version's frames believed",
        "and frame.message >= messages.FIRST_UNFROZEN",
        "and frame.message >= 1000",
        bus_tests.test_another_protocol_version_is_recognised,
    ),
    Bug(
        "no delimiter after a failure",
        'junk = b"" if self._quiet else DELIMITER',
        'junk = b""',
        bus_tests.test_after_a_failure_a_delimiter_closes_what_the_joints_hold,
    ),
    Bug(
        "junk kept",
        "        self._parser.feed(DELIMITER)\n",
        "",
        bus_tests.test_bytes_without_an_end_do_not_spoil_the_next_reply,
    ),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    source = Path(true_bus.__file__).read_text(encoding="utf-8")
    assert source.count(bug.text) == 1
    path = tmp_path / "bus.py"
    path.write_text(source.replace(bug.text, bug.planted), encoding="utf-8")
    with other_bus(path), pytest.raises((AssertionError, pytest.fail.Exception, GuideArmError)):
        bug.check()


def test_a_copy_without_a_bug_passes() -> None:
    with other_bus(Path(true_bus.__file__)):
        for check in dict.fromkeys(bug.check for bug in BUGS):
            check()
