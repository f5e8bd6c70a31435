"""`guidearm config` on one virtual arm, run in this process."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guidearm.cli.main import main
from guidearm.kinematics import load_arm
from guidearm_hil import rig
from guidearm_hil.rig import VirtualArm
from guidearm_protocol.parameters import NAMES, TABLE_VERSION, UNITS

Program = Callable[..., tuple[int, str, str]]
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def arm() -> Iterator[VirtualArm]:
    """Start one arm for all commands of this file."""
    with VirtualArm(load_arm("guide6"), 5) as arm:
        yield arm


@pytest.fixture
def guidearm(
    arm: VirtualArm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Program]:
    """Run the program on the arm, in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUIDEARM_PORT", "virtual:")
    monkeypatch.setattr(rig, "open_virtual", lambda *_: arm.connection())  # pyright: ignore
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in signals}

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, captured.out, captured.err

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def dump(guidearm: Program, tmp_path: Path) -> Path:
    """Return a dump of the arm."""
    assert guidearm("config", "dump", "arm.json")[0] == 0
    return tmp_path / "arm.json"


def edited(path: Path, change: Change) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_dump_is_shown_or_written(guidearm: Program, dump: Path, arm: VirtualArm) -> None:
    code, out, err = guidearm("config", "dump")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split("  ")[0] == "parameter" and lines[0].endswith("joint 6")
    assert [line.split()[0] for line in lines[1:]] == list(NAMES)
    code, out, err = guidearm("config", "dump", "again.json", "--json")
    assert (code, err) == (0, "")
    again = dump.with_name("again.json")
    assert again.read_text() == dump.read_text()
    content = json.loads(out)
    assert content == json.loads(dump.read_text())
    assert content["units"] == dict(zip(NAMES, UNITS, strict=True))
    assert [joint["joint"] for joint in content["joints"]] == [1, 2, 3, 4, 5, 6]
    assert len({joint["unique_id"] for joint in content["joints"]}) == 6


def test_a_round_trip_with_a_power_cycle(guidearm: Program, dump: Path, arm: VirtualArm) -> None:
    before = json.loads(dump.read_text())["joints"][2]["parameters"]["lower_limit"]
    code, out, err = guidearm("config", "set", "3", "lower_limit", "-5000000")
    assert (code, err) == (0, "stored\n")
    assert out.splitlines()[1].split()[:4] == ["3", "lower_limit", str(before), "-5000000"]
    arm.reboot(3)
    code, out, err = guidearm("config", "diff", str(dump), "--json")
    assert code == 0
    told = json.loads(out)
    difference = {
        "joint": 3, "name": "lower_limit", "unit": "turn/2^24", "before": before, "after": -5000000,
    }  # fmt: skip
    assert (told["equal"], told["differences"]) == (False, [difference])
    code, out, err = guidearm("config", "restore", str(dump), "--json")
    assert (code, json.loads(out)["differences"]) == (
        0, [{**difference, "before": -5000000, "after": before}],
    )  # fmt: skip
    assert err == f"restored from {dump}: 1 parameter changed, all are stored\n"
    arm.reboot(3)
    code, out, err = guidearm("config", "diff", str(dump))
    assert (code, out, err) == (0, "", f"all are as in {dump}\n")
    code, out, err = guidearm("config", "restore", str(dump))
    assert (code, out) == (0, "")
    assert err == f"restored from {dump}: 0 parameters changed, all are stored\n"


def test_setting_what_is_there_says_so(guidearm: Program) -> None:
    guidearm("config", "set", "1", "kp", "2000")
    assert guidearm("config", "set", "1", "kp", "2000") == (
        0, "", "it has this value already, stored\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["1", "kp", "4096"], "joint 1: kp cannot be 4096: it is 1 to 4095 (Q16 per tick:"),
        (["1", "kq", "1"], "no parameter is called 'kq'; there are counts_per_turn, kp, kv,"),
        (["7", "kp", "1"], "guide6 has no joint 7: its joints are 1, 2, 3, 4, 5, 6"),
        (["2", "arm_id", "1"], "arm_id says which joint it is and cannot be set as a parameter"),
        (
            ["2", "lower_limit", "16777216"],
            "joint 2: lower_limit 16777216 is not below upper_limit",
        ),
    ],
)
def test_what_cannot_be_set_is_one_line(guidearm: Program, arguments: list[str], says: str) -> None:
    before = guidearm("config", "dump", "--json")
    code, out, err = guidearm("config", "set", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"guidearm: {says}")
    assert guidearm("config", "dump", "--json") == before


def test_wrong_usage(guidearm: Program) -> None:
    for arguments in (["set", "1", "kp"], ["set", "1", "kp", "1.5"], ["restore"], ["diff"], ["no"]):
        assert guidearm("config", *arguments)[0] == 2


def test_an_enabled_arm_is_left_alone(guidearm: Program, dump: Path) -> None:
    assert guidearm("enable")[0] == 0
    code, _, err = guidearm("config", "restore", str(dump))
    assert (code, err) == (1, "guidearm: joint 1, 2, 3, 4, 5, 6 enabled: guidearm disable first\n")
    assert guidearm("disable")[0] == 0


# ---- files


def other_board(content: dict[str, Any]) -> None:
    content["joints"][1]["unique_id"] = "0123456789abcdef"


def swapped(content: dict[str, Any]) -> None:
    first, second = (content["joints"][k]["unique_id"] for k in (0, 1))
    content["joints"][0]["unique_id"], content["joints"][1]["unique_id"] = second, first


def set_in(*keys: str | int, value: object) -> Change:
    """Return what puts a value somewhere in a file."""

    def change(content: Any) -> None:  # noqa: ANN401 a JSON value
        for key in keys[:-1]:
            content = content[key]
        if value is ...:
            del content[keys[-1]]
        else:
            content[keys[-1]] = value

    return change


KP = ("joints", 3, "parameters", "kp")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (other_board, "joint 2 is board "),
        (swapped, "joint 1 is board "),
        (set_in("arm", value="ur5"), "it is the configuration of ur5, this arm is guide6"),
        (set_in("joints", 5, value=...), "it has joints 1, 2, 3, 4, 5, this arm 1, 2, 3, 4, 5, 6"),
        (set_in("joints", 5, "joint", value=7), "it has joints 1, 2, 3, 4, 5, 7, this arm 1, 2,"),
        (
            set_in("joints", 5, "joint", value=5),
            "joints[5].joint: joints stand once each, in order",
        ),
        (set_in(*KP, value=5000), "joint 4: kp cannot be 5000"),
        (set_in(*KP, value=1.5), "joints[3].parameters.kp: expected a whole number, found 1.5"),
        (set_in(*KP, value="5"), "joints[3].parameters.kp: expected a whole number, found text"),
        (set_in(*KP, value=True), "joints[3].parameters.kp: expected a whole number, found true"),
        (set_in(*KP, value=None), 'joints[3].parameters: "kp" is missing'),
        (set_in(*KP, value=...), 'joints[3].parameters: "kp" is missing'),
        (set_in(*KP[:-1], "kq", value=5), "joints[3].parameters.kq: there is no such parameter"),
        (set_in(*KP[:-1], "arm_id", value=5), "joint 4 has arm_id "),
        (set_in("units", "link_timeout", value="ms"), 'units.link_timeout: the unit is "us", not'),
        (set_in("units", "kq", value="us"), "units.kq: there is no such parameter"),
        (set_in("schema", value="guidearm-hand-eye-v1"), 'schema: "guidearm-hand-eye-v1" is not'),
        (set_in("table_version", value="1"), "table_version: expected a whole number, found text"),
        (set_in("joints", 0, "unique_id", value="XY"), "joints[0].unique_id: expected 16 digits"),
        (set_in("joints", value={}), "joints: expected a list, found an object"),
        (set_in("joints", value=[]), "it has joints none, this arm 1, 2"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(
    guidearm: Program, dump: Path, change: Change, says: str
) -> None:
    """It has a good change to joint 1 too, which must not be made."""
    before = guidearm("config", "dump", "--json")
    edited(dump, set_in("joints", 0, "parameters", "kp", value=55))
    edited(dump, change)
    code, out, err = guidearm("config", "restore", str(dump))
    assert (code, out, err.count("\n")) == (1, "", 1), err
    told = err.removeprefix("guidearm: ").removeprefix(f"{dump.parent}/")
    assert told.startswith(f"arm.json: {says}"), err
    assert guidearm("config", "dump", "--json") == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "arm.json: not a JSON file"),
        (b"\xff\xfe\x00", "arm.json: not a JSON file: it is not UTF-8 text"),
        (b"[1]", "arm.json: expected a JSON object at the top, found a list"),
        (b"{}", 'arm.json: "schema" is missing'),
    ],
)
@pytest.mark.parametrize("command", ["restore", "diff"])
def test_a_damaged_file_is_one_line(
    guidearm: Program, tmp_path: Path, command: str, content: bytes, says: str
) -> None:
    (tmp_path / "arm.json").write_bytes(content)
    code, out, err = guidearm("config", command, "arm.json")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"guidearm: {says}")


def test_a_truncated_file_is_refused_wherever_it_ends(
    guidearm: Program, dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUIDEARM_PORT", "")  # it does not get as far as the port
    content = dump.read_bytes().rstrip()
    for end in range(0, len(content), 97):
        dump.write_bytes(content[:end])
        code, out, err = guidearm("config", "restore", str(dump))
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "arm.json: not a JSON file" in err


def test_a_file_that_is_not_there_or_cannot_be_written(guidearm: Program, tmp_path: Path) -> None:
    code, out, err = guidearm("config", "restore", "none.json")
    assert (code, out) == (1, "")
    assert err == "guidearm: configuration is missing: there is no file none.json\n"
    code, out, err = guidearm("config", "dump", str(tmp_path / "no" / "folder.json"))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("guidearm: configuration cannot be written: ")


@pytest.mark.parametrize("version", [TABLE_VERSION - 1, TABLE_VERSION + 1])
def test_a_file_of_another_version_of_the_table(
    guidearm: Program, dump: Path, version: int
) -> None:
    """What it lacks stays as it is, what this table has not is left out."""

    def change(content: dict[str, Any]) -> None:
        content["table_version"] = version
        content["units"] |= {"warp": "c"}
        del content["units"]["jerk"]
        for joint in content["joints"]:
            del joint["parameters"]["jerk"]
            joint["parameters"] |= {"warp": 9, "ka": 321}

    edited(dump, change)
    code, out, err = guidearm("config", "restore", str(dump), "--json")
    assert code == 0, err
    assert err.startswith(f"{dump}: left out, unknown to this version: warp\n")
    assert {d["name"] for d in json.loads(out)["differences"]} <= {"ka"}
    told = json.loads(guidearm("config", "dump", "--json")[1])
    assert [joint["parameters"]["ka"] for joint in told["joints"]] == [321] * 6


# ---- what is told of storage


def test_a_joint_that_lost_its_parameters_is_told_and_restored(
    guidearm: Program, dump: Path, arm: VirtualArm
) -> None:
    joint = json.loads(dump.read_text())["joints"][1]
    unique_id, arm_id = joint["unique_id"], str(joint["parameters"]["arm_id"])
    arm.flash(2).write_bytes(bytes(8192))
    arm.reboot(2)
    code, _, err = guidearm("config", "dump")
    assert (code, err.count("\n")) == (1, 1)
    assert "joint 2 on virtual:seed=5 does not answer" in err
    assert guidearm("address", "set", unique_id, "2", "--arm-id", arm_id)[0] == 0
    code, _, err = guidearm("config", "dump")
    lost = "joint 2 has lost its parameters and runs on defaults: restore a dump\n"
    assert (code, err) == (0, lost)
    code, _, err = guidearm("config", "set", "2", "kp", "100")
    assert (code, err.count("\n")) == (1, 1)
    assert "joint 2 refuses COMMIT_PARAMETERS: its parameters are invalid: restore a dump" in err
    code, _, err = guidearm("config", "restore", str(dump))
    assert code == 0
    assert err.endswith("joint 2 has its parameters again: guidearm reset-fault\n")
    assert guidearm("reset-fault")[0] == 0
    assert guidearm("enable")[0] == guidearm("disable")[0] == 0
    arm.reboot(2)
    assert guidearm("config", "diff", str(dump)) == (0, "", f"all are as in {dump}\n")
