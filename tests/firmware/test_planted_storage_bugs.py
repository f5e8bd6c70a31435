"""Bugs planted in how parameters are stored: each is found by a test as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
import test_parameter_messages
import test_parameters
import test_planted_bugs
from test_planted_bugs import Bug

DRIVE = "joint/drive.py"
PARAMETERS = "joint/parameters.py"
STORAGE = "joint/storage.py"


def survives_power_cuts() -> None:
    test_parameters.check_power_cuts(test_parameters.NEWEST_IN["slot 1"], stride=256)


def notices_wear() -> None:
    test_parameters.test_a_worn_slot_is_noticed_and_the_good_set_stays(12)


def refuses_defaults() -> None:
    test_parameter_messages.test_a_whole_set_makes_it_valid_again_and_nothing_less("jerk")


def refuses_with_torque() -> None:
    test_parameter_messages.test_nothing_is_committed_with_torque_on(100)


def reads_the_version_before() -> None:
    test_parameters.test_a_set_of_the_version_before_is_taken_over()


def says_what_it_lost() -> None:
    test_parameter_messages.test_without_parameters_a_joint_says_so_and_cannot_be_enabled()


BUGS = (
    Bug("the newest overwritten", STORAGE, "SLOTS - 1 - self._newest\n        board", "self._newest"
        "\n        board", survives_power_cuts),
    Bug("not erased", STORAGE, "board.erase_slot(slot)", "pass", survives_power_cuts),
    Bug("generation not counted", STORAGE, "self.generation + 1)", "self.generation)",
        survives_power_cuts),
    Bug("the older copy taken", STORAGE, "found[0] > newest[0]", "found[0] < newest[0]",
        survives_power_cuts),
    Bug("CRC unchecked", PARAMETERS, "& 0xFFFFFFFF:\n        return None",
        "& 0xFFFFFFFF and False:\n        return None", survives_power_cuts),
    Bug("CRC of too little", STORAGE, "while i < n:", "while i < n - 1:", survives_power_cuts),
    Bug("not read back", STORAGE, "self._read_back != self._set", "False", notices_wear),
    Bug("found by place", PARAMETERS, "found.get(IDS[index])", "found.get(index + 1)",
        reads_the_version_before),
    Bug("valid without a set", DRIVE, "values is not None", "True", says_what_it_lost),
    Bug("defaults are a set", DRIVE, "not self._given[index] and", "False and", refuses_defaults),
    Bug("committed with torque on", DRIVE, "wire.REASON_ENABLED\n        if parameters.empty",
        "wire.REASON_NONE\n        if parameters.empty", refuses_with_torque),
)  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_in_storage_is_found(bug: Bug, tmp_path: Path) -> None:
    test_planted_bugs.test_a_planted_bug_is_found(bug, tmp_path)
