"""`guidearm hil`: lists, runs, skips with a reason, reports; and the same under pytest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from guidearm.cli import main
from guidearm_hil.errors import RigError
from guidearm_hil.junit import write_junit
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.rigs.virtual import VirtualRig
from guidearm_hil.runner import FAILED, PASSED, SKIPPED, play, run
from guidearm_hil.scenarios import Report, all_scenarios, scenario

Told = tuple[int, str, str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def call(*arguments: str) -> Told:
        with pytest.raises(SystemExit) as ended:
            main.main(["hil", *arguments])
        assert isinstance(ended.value.code, int)
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


@scenario(Offer.BUS)
def good(rig: Rig, report: Report) -> None:
    """All is well."""
    report.at_most("a figure", 1.5, 2)


@scenario(Offer.BUS)
def bad(rig: Rig, report: Report) -> None:
    """Note a figure that is too large, then break."""
    report.at_most("a figure", 3, 2)
    raise RigError("it broke \x00 <here>")


@scenario(Offer.BUS)
def buggy(rig: Rig, report: Report) -> None:
    """Make a mistake."""
    _ = 1 / 0


@scenario(Offer.SCRIPT | Offer.BUS, joints=7, injections=("friction_nm", "gremlins"))
def elsewhere(rig: Rig, report: Report) -> None:
    """Only for another rig."""


def test_list_names_rigs_and_scenarios_with_their_needs(told: Callable[..., Told]) -> None:
    code, out, err = told("list")
    assert (code, err) == (0, "")
    assert "virtual[:seed=N]" in out
    line = next(line for line in out.splitlines() if line.startswith("slots"))
    assert "BUS, WIRE, 2 joints" in line
    code, out, _ = told("list", "--json")
    listed = json.loads(out)["scenarios"]
    assert [entry["name"] for entry in listed] == [given.name for given in all_scenarios()]
    assert all(entry["what"].endswith(".") for entry in listed)


def test_run_reports_what_it_measured_and_what_it_skipped(
    told: Callable[..., Told], tmp_path: Path
) -> None:
    names = ("--scenario", "identify", "--scenario", "direction-pin")
    junit = tmp_path / "out.xml"
    code, out, err = told("run", "--rig", "virtual", *names, "--json", "--junit", str(junit))
    assert code == 0
    assert err == "1 passed, 1 skipped; 5 rows within bounds\n"
    report = json.loads(out)
    assert report["rig"] == "virtual"
    first, second = report["scenarios"]
    assert (first["name"], first["outcome"], first["reason"]) == ("identify", "passed", "")
    assert first["rows"][0] == {
        "name": "joints that answer, exactly",
        "measured": 6.0,
        "bound": 6.0,
        "ok": True,
    }
    assert (second["outcome"], second["reason"]) == ("skipped", "the rig has no DIRECTION")
    assert report["rows"][0]["name"] == "identify: joints that answer, exactly"
    assert len(report["rows"]) == len(first["rows"])
    suite = ElementTree.parse(junit).getroot()[0]
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["2", "0", "1"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--rig", "virtual", "--scenario", "direction-pin"), 1, "no scenario could run"),
        (("--rig", "virtual", "--scenario", "nonsense"), 2, "no scenario 'nonsense'"),
        (("--rig", "nowhere"), 2, "no rig 'nowhere'"),
        ((), 2, "--rig"),
    ],
)
def test_what_is_no_success(
    told: Callable[..., Told], arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended, _, err = told("run", *arguments)
    assert ended == code
    assert said in err.splitlines()[-1]


def test_a_failure_is_told_with_its_rows_and_ends_with_1(
    told: Callable[..., Told], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("guidearm_hil.scenarios.all_scenarios", lambda: [good, bad, elsewhere])
    junit = tmp_path / "out.xml"
    code, out, err = told("run", "--rig", "virtual", "--junit", str(junit))
    assert code == 1
    assert err == "guidearm: 1 of 2 failed on virtual: bad\n"
    assert "a figure, at most         3      2  FAILED" in out
    assert "no SCRIPT, injection gremlins, 7 joints" in out
    failure = ElementTree.parse(junit).getroot().find("./testsuite/testcase[@name='bad']/failure")
    assert failure is not None
    assert failure.get("message") == "it broke ? <here>; a figure, at most 2: it is 3"


def test_a_mistake_in_a_scenario_is_a_failure_too() -> None:
    with VirtualRig(1) as rig:
        results = list(run(rig, [good, buggy, elsewhere]))
    assert [result.outcome for result in results] == [PASSED, FAILED, SKIPPED]
    assert results[1].reason == "internal error: ZeroDivisionError: division by zero"
    assert isinstance(results[1].error, ZeroDivisionError)


def test_a_rig_that_cannot_be_made_safe_ends_the_run(tmp_path: Path) -> None:
    class Unsafe(VirtualRig):
        def make_safe(self) -> None:
            raise RigError("it still moves")

    rig = Unsafe(1)
    with pytest.raises(RigError, match="it still moves"):
        play(rig, good)
    rig.close()


def test_junit_is_as_pytest_writes_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        def test_good(): print("said")
        def test_bad(): assert False
        def test_elsewhere(): pytest.skip("not here")
        """
    )
    pytester.runpytest_subprocess("--junitxml=theirs.xml", "-o", "junit_logging=system-out")
    with VirtualRig(1) as rig:
        write_junit(pytester.path / "ours.xml", "virtual", list(run(rig, [good, bad, elsewhere])))
    theirs = _shape(pytester.path / "theirs.xml")
    ours = _shape(pytester.path / "ours.xml")
    assert ours.keys() <= theirs.keys()
    for tag, attributes in ours.items():
        assert attributes <= theirs[tag], tag


def _shape(path: Path) -> dict[str, set[str]]:
    """Return the attributes of each kind of element."""
    found: dict[str, set[str]] = {}
    for element in ElementTree.parse(path).getroot().iter():
        found.setdefault(element.tag, set()).update(element.attrib)
    return found


def test_a_junit_file_that_cannot_be_written(told: Callable[..., Told], tmp_path: Path) -> None:
    there = tmp_path / "no" / "such.xml"
    code, _, err = told("run", "--rig", "virtual", "--scenario", "identify", "--junit", str(there))
    assert code == 1
    assert err == f"guidearm: {there} cannot be written: No such file or directory\n"


def test_scenarios_under_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from guidearm_hil.runner import play

        def test_scenario(rig, scenario):
            assert not play(rig, scenario).reason
        """
    )
    seen = pytester.runpytest_subprocess("-k", "identify or slots", "--rig", "virtual:seed=2")
    seen.assert_outcomes(passed=2, deselected=len(all_scenarios()) - 2)
    seen = pytester.runpytest_subprocess("-k", "identify", "--rig", "nowhere")
    seen.assert_outcomes(errors=1, deselected=len(all_scenarios()) - 1)
    seen.stdout.fnmatch_lines(["*there is no rig 'nowhere'*"])
