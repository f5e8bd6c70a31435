"""The program: options, exit codes, what it says, and on which channel."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from guidearm.cli import access, group, help_page, main, options
from guidearm.errors import PortInUseError

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Program]:
    """Run the program in this process: exit code, stdout, stderr."""
    monkeypatch.delenv("GUIDEARM_PORT", raising=False)
    monkeypatch.setenv("GUIDEARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in handled]

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.main(arguments)
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    yield run
    for number, handler in zip(handled, before, strict=True):
        signal.signal(number, handler)


def assert_one_line(result: tuple[int, str, str], start: str, exit_code: int = 1) -> None:
    """Check for an error of the user's: an exit code and one line on stderr alone."""
    code, out, err = result
    assert (code, out) == (exit_code, "")
    assert err.startswith(f"guidearm: {start}")
    assert err.count("\n") == 1


# ---- help, version, usage


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from guidearm.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as ended:\n    assert ended.code == 0\n"
        "heavy = {'numpy', 'scipy', 'serial', 'rich', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )
    for arguments in (["--help"], ["move", "joints", "--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), arguments


def test_help_names_every_command(program: Program) -> None:
    code, out, err = program("--help")
    assert (code, err) == (0, "")
    listed = {line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line}
    own = {
        "disable", "enable", "feed", "home", "list", "move", "reset-fault", "run", "status", "stop",
    }  # fmt: skip
    assert own | {"demo", "sim"} <= listed
    assert "cannot be loaded" not in out


def test_the_page_of_help_is_what_the_commands_say() -> None:
    written = help_page.PAGE.read_text(encoding="utf-8")
    assert written == help_page.help_page(), "write it anew: python -m guidearm.cli.help_page"


def test_help_starts_nothing_but_python() -> None:
    """The program's page comes from a file, and neither click nor typing is imported for it."""
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from guidearm.__main__ import main\n"
        "sys.argv[1:] = ['--help']\n"
        "main()\n"
        "print(sorted(set(sys.modules) - before), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == help_page.PAGE.read_text(encoding="utf-8")
    assert done.stderr.strip() == "['__future__', 'guidearm', 'guidearm.__main__']"


def test_commands_of_another_distribution_are_in_the_help(tmp_path: Path) -> None:
    told = tmp_path / "other-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[guidearm.commands]\ndance = nowhere:dance\n")
    done = subprocess.run(
        [sys.executable, "-m", "guidearm", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert "\n  dance " in done.stdout


def test_version_and_the_module_as_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "guidearm", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"guidearm {version('guidearm')}\n",
        "",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["status", "--colour"],
        ["move", "joints", "1", "2", "3", "4", "5"],
        ["move", "joints", "1", "2", "3", "4", "5", "six"],
        ["move", "joints", "1", "2", "3", "4", "5", "6", "--speed", "0"],
        ["move", "guide"],
        ["move", "guide", "--entry", "1", "2", "3"],
        ["move", "guide", "--along", "3", "--entry", "1", "2", "3", "--target", "1", "2", "4"],
        ["run", "plan.mrk.json"],
        ["sim", "--tcp", "70000"],
    ],
)
def test_usage(program: Program, arguments: list[str]) -> None:
    code, out, err = program(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err
    assert "Traceback" not in err


# ---- options before and after


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "virtual:here=1", "status"],
        ["status", "--port", "virtual:here=1"],
        ["--port", "virtual:there=1", "status", "--port", "virtual:here=1"],
        ["--port", "virtual:here=1", "move", "joints", *"123456"],
        ["move", "--port", "virtual:here=1", "joints", *"123456"],
        ["move", "joints", *"123456", "--port", "virtual:here=1"],
        ["--json", "-v", "move", "joints", "--port=virtual:here=1", *"123456"],
    ],
)
@pytest.mark.parametrize("variable", ["", "virtual:variable=1"])
def test_a_port_before_or_after_the_command_beats_the_variable(
    program: Program, monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str
) -> None:
    monkeypatch.setenv("GUIDEARM_PORT", variable)
    code, _, err = program(*arguments)
    assert code == 2
    last = err.splitlines()[-1]
    assert last.startswith("guidearm: virtual:here=1: unknown option 'here'")


def test_the_variable_names_the_port(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUIDEARM_PORT", "virtual:variable=1")
    assert_one_line(program("status"), "virtual:variable=1: unknown option 'variable'", 2)


def test_no_port(program: Program) -> None:
    for command in ("status", "enable", "stop"):
        assert_one_line(program(command), "no port given: use --port or set GUIDEARM_PORT", 2)


def test_an_arm_that_is_none_is_usage_but_a_file_that_is_missing_is_not(
    program: Program, tmp_path: Path
) -> None:
    port = ["--port", "virtual:seed=1", "status"]
    assert_one_line(program("--arm", "nowhere", *port), "no arm is called 'nowhere'; known are", 2)
    missing = str(tmp_path / "mine.toml")
    assert_one_line(program("--arm", missing, *port), missing)
    url = "virtual:seed=1,arm=nowhere"
    assert_one_line(program("--port", url, "status"), "no arm is called 'nowhere'", 2)


def test_options_of_the_virtual_port(program: Program) -> None:
    result = program("--port", "virtual:seed=one", "status")
    assert_one_line(result, "virtual:seed=one: seed=one is not a whole number", 2)
    for url in ("virtual:arm=ur5,seed=2", "virtual:arm=ur5&seed=2"):
        assert answer(program("--port", url, "--arm", "ur5", "status", "--json"))["port"] == url
    result = program("--port", "virtual:arm=ur5", "status")
    assert_one_line(result, "the joints on virtual:seed=0 are those of ur5")


def test_many_seeds_keep_no_folder(program: Program, tmp_path: Path) -> None:
    result = program("demo", "--seeds", "1", "--out", str(tmp_path / "out"))
    assert_one_line(result, "--out is for one session", 2)


@pytest.mark.parametrize("verbose", [False, True])
def test_a_bug_is_one_line_unless_asked_for(
    program: Program, monkeypatch: pytest.MonkeyPatch, verbose: bool
) -> None:
    def fail(_url: str) -> None:
        raise ZeroDivisionError("nobody\nthought of this")

    monkeypatch.setattr("guidearm.cli.joints.ask_holder", fail)
    code, out, err = program(*["-v"] * verbose, "--port", "virtual:", "status")
    assert (code, out) == (1, "")
    *before, last = err.splitlines()
    assert last == (
        "guidearm: internal error: ZeroDivisionError: nobody thought of this (use -v for details)"
    )
    assert bool(before) == verbose
    assert ("Traceback" in err) == verbose


def test_verbose_shows_where_an_error_came_from(program: Program) -> None:
    for arguments in (["-v", "status"], ["status", "-v"]):
        code, out, err = program("--port", "virtual:here=1", *arguments)
        assert (code, out) == (2, "")
        assert "Traceback" in err
        assert err.splitlines()[-1].startswith("guidearm: virtual:here=1")


def test_no_command_is_named_like_an_option() -> None:
    """Defaults of options and of commands share one map."""
    with main.guidearm.make_context("guidearm", ["status"]) as context:
        names = set(main.guidearm.list_commands(context))
    assert names.isdisjoint({"port", "arm", "tracker", "data", "json", "verbose"})


def test_where_data_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert options.default_data_dir() == tmp_path / "guidearm"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert options.default_data_dir() == Path.home() / ".local" / "share" / "guidearm"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert options.default_data_dir().parent.name == "Application Support"


def test_a_broken_distribution_does_not_break_the_others(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [
        EntryPoint("gone", "guidearm_nowhere:command", group.ENTRY_POINTS),
        EntryPoint("odd", "json:dumps", group.ENTRY_POINTS),
    ]

    def found(**wanted: str) -> list[EntryPoint]:
        return [entry for entry in known if wanted.get("name", entry.name) == entry.name]

    monkeypatch.setattr(group, "entry_points", found)
    code, out, _ = program("--help")
    assert code == 0
    assert "gone" in out and "status" in out
    assert_one_line(
        program("gone", "--what", "ever"), "gone cannot be loaded from guidearm_nowhere"
    )
    assert_one_line(program("odd"), "odd cannot be loaded from json:dumps (it is no click command)")


# ---- on a virtual arm in this process


def answer(result: tuple[int, str, str]) -> dict[str, Any]:
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def test_status_of_a_virtual_arm(program: Program) -> None:
    state = answer(program("--port", "virtual:seed=1", "status", "--json"))
    assert state["port"] == "virtual:seed=1"
    assert [joint["joint"] for joint in state["joints"]] == [1, 2, 3, 4, 5, 6]
    assert {joint["state"] for joint in state["joints"]} == {"switch on disabled"}
    code, out, err = program("--port", "virtual:seed=1", "status")
    assert (code, err) == (0, "")
    header, *rows = out.splitlines()
    assert header.split() == ["joint", "state", "position", "deg", "fault", "flags"]
    assert [row.split()[0] for row in rows] == list("123456")


@pytest.mark.parametrize(
    ("command", "state", "remark"),
    [
        ("enable", "operation enabled", "enabled; moves are authorised"),
        ("disable", "switch on disabled", "disabled"),
        ("reset-fault", "switch on disabled", "no fault is latched"),
        ("home", "switch on disabled", "homed"),
        ("stop", "switch on disabled", "stopped; all joints are at rest"),
    ],
)
def test_drives(program: Program, command: str, state: str, remark: str) -> None:
    code, out, err = program("--port", "virtual:seed=1", "--json", command)
    assert (code, err) == (0, f"{remark}\n")
    assert {joint["state"] for joint in json.loads(out)["joints"]} == {state}


def test_feed_needs_a_move(program: Program) -> None:
    result = program("--port", "virtual:seed=1", "feed", "50")
    assert_one_line(result, "nothing moves: no guidearm holds virtual:seed=1")
    assert program("--port", "virtual:seed=1", "feed", "101")[0] == 2


def test_list_of_a_virtual_arm(program: Program) -> None:
    told = answer(program("--port", "virtual:seed=1", "list", "--json"))
    assert [joint["joint"] for joint in told["joints"]] == [1, 2, 3, 4, 5, 6]
    assert all(joint["interpreter"].startswith("MicroPython 1.2") for joint in told["joints"])
    told = answer(program("list", "--json"))
    assert (told["port"], told["joints"]) == (None, [])


def test_a_move_that_may_not_be(program: Program) -> None:
    port = ["--port", "virtual:seed=1"]
    result = program(*port, "move", "joints", "10", "-80", "900", "-100", "-90", "0")
    assert_one_line(result, "move joints: joint 3 would go to 900.00 deg, its range is")
    result = program(*port, "move", "joints", *"12345", "nan")
    assert_one_line(result, "move joints: goal is not a posture")
    result = program(*port, "move", "joints", "0", "-135", "-100", "-75", "90", "0")
    assert_one_line(result, "move joints: clearance is -")
    assert "from table" in result[2]
    code, out, err = program(*port, "move", "guide", "--along", "200")
    assert (code, out) == (1, "")
    assert "move guide: clearance is " in err.splitlines()[-1]


def test_a_virtual_arm_is_enabled_by_the_move(program: Program) -> None:
    port = ["--port", "virtual:seed=1"]
    code, out, err = program(*port, "move", "joints", "10", "-95", "-100", "-75", "90", "0")
    assert code == 0
    assert err.startswith("virtual:seed=1 begins and ends with this command: enabled for it\n")
    assert "settled" in out


def test_a_guide_line_without_a_length(program: Program) -> None:
    line = ["--entry", "400", "-20", "150", "--target", "400", "-20", "150"]
    code, out, err = program("--port", "virtual:seed=1", "move", "guide", *line)
    assert (code, out) == (1, "")
    assert "no calibration in" in err
    assert "entry and target are less than 1 mm apart" in err.splitlines()[-1]


def test_run_refuses_before_a_port_is_opened(program: Program, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.mrk.json")
    arguments = ["run", missing, "--registration", missing, "--port", "virtual:here=1"]
    assert_one_line(program(*arguments), "no tracker given: use --tracker igtl://HOST:PORT", 2)
    arguments += ["--tracker", "igtl://127.0.0.1:1"]
    result = program(*arguments)
    assert_one_line(result, "plan ")
    assert missing in result[2]
    data = files("guidearm_hil") / "data"
    plan, registration = str(data / "plan.mrk.json"), str(data / "registration.json")
    result = program("run", plan, "--registration", plan, *arguments[4:])
    assert_one_line(result, "plan.mrk.json: this is a 3D Slicer markups file")
    result = program("run", plan, "--registration", registration, *arguments[4:])
    assert_one_line(result, f"calibration {tmp_path / 'home' / 'hand_eye.json'} is missing: calib")
    assert "guidearm sim --calibrations DIR" in result[2]
    result = program("run", plan, "--line", "L9", "--registration", registration, *arguments[4:])
    assert_one_line(result, 'plan.mrk.json: no line named "L9" in it; it has "')


# ---- a busy port


class HandClock:
    t = 0.0

    def now(self) -> float:
        return self.t

    def sleep_until(self, instant: float) -> None:
        self.t = max(self.t, instant)


def test_a_busy_port_is_tried_again_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock()
    monkeypatch.setattr("guidearm.link.SystemClock", lambda: clock)

    def free_at(instant: float) -> Callable[[], str]:
        def action() -> str:
            if clock.t < instant:
                raise PortInUseError("port x may be in use")
            return "open"

        return action

    assert access.patiently(free_at(0.5)) == "open"
    clock.t = 0.0
    with pytest.raises(PortInUseError):
        access.patiently(free_at(1.5))
    assert clock.t == pytest.approx(access.BUSY_S, abs=2 * access.BUSY_PERIOD_S)
