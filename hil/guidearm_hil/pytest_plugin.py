"""The scenarios under pytest: `pytest tests/hil/test_scenarios.py --rig pico`.

A test that takes `scenario` runs once for each of them; `rig` is the one that `--rig` names, opened
once. A scenario that the rig cannot run is skipped with the reason; a rig that cannot be opened is
an error of every test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from guidearm_hil.rigs import Rig

DEFAULT = "virtual"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--rig` and `--rig-yes`."""
    group = parser.getgroup("guidearm")
    group.addoption("--rig", default=DEFAULT, help=f"rig for the scenarios [{DEFAULT}]")
    group.addoption("--rig-yes", action="store_true", help="let a rig on a desk move unasked")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes a scenario every one of them."""
    if "scenario" in metafunc.fixturenames:
        from guidearm_hil.scenarios import all_scenarios

        scenarios = all_scenarios()
        metafunc.parametrize("scenario", scenarios, ids=[given.name for given in scenarios])


@pytest.fixture(scope="session")
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Open the rig that `--rig` names; it is left safe."""
    from guidearm_hil.rigs import open_rig
    from guidearm_hil.scenarios import all_scenarios

    with open_rig(str(request.config.getoption("--rig"))) as opened:
        able = [given.name for given in all_scenarios() if given.missing(opened) is None]
        opened.permit(able, yes=bool(request.config.getoption("--rig-yes")))
        yield opened
