"""Every scenario on the rig that `--rig` names, by default the virtual one."""

from __future__ import annotations

import pytest

from guidearm_hil.rigs import Rig
from guidearm_hil.runner import SKIPPED, play
from guidearm_hil.scenarios import Scenario


def test_scenario(rig: Rig, scenario: Scenario) -> None:
    result = play(rig, scenario)
    if result.outcome == SKIPPED:
        pytest.skip(result.reason)
    if result.error is not None:
        raise result.error
    assert not result.reason
