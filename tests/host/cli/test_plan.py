"""`guidearm plan`: what a plan comes to, without a port."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from guidearm.cli.main import main

DATA = Path(str(files("guidearm_hil") / "data"))
CASE = [str(DATA / "plan.mrk.json"), "--registration", str(DATA / "registration.json")]
ROOM = ["--room", str(DATA / "room.toml")]
PNG = b"\x89PNG\r\n"


@pytest.fixture(autouse=True)
def uncalibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUIDEARM_HOME", str(tmp_path / "home"))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["plan", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_check_judges_the_way_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "way.png"
    assert run("check", *CASE, *ROOM, "--json", "--picture", str(picture)) == 0
    told = json.loads(capsys.readouterr().out)
    assert all(row["ok"] for row in told["rows"])
    assert {row["name"].split(":")[0] for row in told["rows"]} == {"transfer", "approach"}
    assert len(told["posture_deg"]) == 6
    assert picture.read_bytes().startswith(PNG)


def test_postures_are_ranked_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "ranking.png"
    arguments = ("--most", "3", "--json", "--picture", str(picture))
    assert run("postures", *CASE, *ROOM, *arguments) == 0
    told = json.loads(capsys.readouterr().out)
    costs = [posture["cost"] for posture in told["postures"]]
    assert len(costs) == 3
    assert costs == sorted(costs)
    assert any("meets" in reason for reason in told["rejected"])
    assert picture.read_bytes().startswith(PNG)


def test_tables_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", *CASE, *ROOM) == 0
    out = capsys.readouterr()
    assert "approach: clearance" in out.out
    assert "the guide's place on the flange is the drawing's" in out.err


def test_a_room_without_the_patient_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = tmp_path / "empty.toml"
    room.write_text("")
    assert run("check", *CASE, "--room", str(room)) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "guidearm: empty.toml: has no [patient]: say where the patient's marker stands"
    )


def test_a_plan_that_cannot_be_reached_clear_says_who_is_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = tmp_path / "low.toml"
    room.write_text(
        (DATA / "room.toml").read_text() + '\n[[keep_out]]\nname = "lamp"\n'
        "floor = { point_mm = [0, 0, 300], normal = [0, 0, -1] }\n"
    )
    assert run("check", *CASE, "--room", str(room)) == 1
    assert "meets lamp" in capsys.readouterr().err


def test_a_start_outside_the_ranges_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    start = ("--start", "0", "0", "190", "0", "0", "0")
    assert run("check", *CASE, *ROOM, *start) == 1
    assert "--start: a joint is outside its range" in capsys.readouterr().err


GOAL = ["40", "-85", "-82", "-60", "70", "55"]
OTHER = ["0.45", "-12", "-98", "-116", "-80", "103", "20"]


def test_a_move_changed_on_its_way_is_judged_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "retarget.png"
    changes = ["--feed", "1.2", "30", "--then", *OTHER, "--feed", "0.6", "100"]
    assert run("joints", *GOAL, *changes, "--json", "--picture", str(picture)) == 0
    told = json.loads(capsys.readouterr().out)
    assert all(row["ok"] for row in told["rows"])
    assert told["end_deg"] == pytest.approx([float(angle) for angle in OTHER[1:]])
    whats = [(round(change["at_s"], 1), change["what"]) for change in told["changes"]]
    assert whats == [(0.5, "another goal"), (0.6, "feed 100 %"), (1.2, "feed 30 %")]
    assert told["duration_s"] > 2.0
    assert picture.read_bytes().startswith(PNG)
    assert run("joints", *GOAL, "--feed", "0.3", "0") == 0
    out = capsys.readouterr().out
    assert "move joints: torque, share of what the joint has" in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["0", "-135", "-100", "-75", "90", "0"], "move joints: clearance is .* from table"),
        ([*GOAL, "--then", "0.3", "0", "-135", "-100", "-75", "90", "0"], "clearance is .* table"),
        ([*GOAL, "--then", "0.3", "0", "0", "999", "0", "0", "0"], "joint 3 would go to 999"),
        ([*GOAL, "--then", "-1", *OTHER[1:]], "a time is not 0 s or later"),
        ([*GOAL, "--feed", "0.3", "200"], "feed 200 % is neither 0 nor 1 to 100 %"),
        ([*GOAL, "--start", "0", "0", "999", "0", "0", "0"], "--start: a joint is outside"),
    ],
)
def test_a_move_that_cannot_be_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert run("joints", *arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert re.search(reason, told.err)
    assert told.err.count("\n") == 1
