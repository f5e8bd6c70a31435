"""`guidearm trace` on a virtual arm: what it prints, saves and refuses."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guidearm.cli import main

Program = Callable[..., tuple[int, str, str]]
PORT = ("--port", "virtual:seed=3")


@pytest.fixture
def program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Program]:
    """Run the program in this process: exit code, stdout, stderr."""
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


def test_a_step_is_told_and_saved(program: Program, tmp_path: Path) -> None:
    code, out, err = program(*PORT, "trace", "step", "--joint", "2", "--size", "0.5")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "Step of joint 2 by 0.5\u00b0"
    assert "overshoot" in lines[1]
    assert "will move joint 2 by 0.5 deg, and back" in err
    assert "no jump" in err
    assert err.startswith("virtual:seed=3 begins and ends with this command: enabled for it\n")
    files = [Path(line) for line in lines[2:]]
    assert {path.suffix for path in files} == {".csv", ".json", ".png"}
    assert {path.parent for path in files} == {tmp_path / "home" / "traces"}
    assert all(path.stat().st_size > 500 for path in files)


def test_json_and_a_folder_of_ones_own(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    code, out, _ = program(
        *PORT, "trace", "record", "--trigger", "now", "--joint", "3", "--duration", "0.1",
        "--out", str(folder), "--json",
    )  # fmt: skip
    told = json.loads(out)
    assert code == 0
    assert (told["format"], told["arm"], told["recorded"]) == ("guidearm-trace", "guide6", [3])
    assert told["samples"] == [100]
    assert sorted(map(str, folder.iterdir())) == sorted(told["files"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("step", "--joint", "7", "--size", "1"), "there is no joint 7"),
        (("record", "--joint", "0"), "there is no joint 0"),
        (("record", "--timeout", "0.2"), "nothing triggered the capture on joint 1, 2, 3"),
        (("record", "--duration", "0.1", "--before", "0.1"), "cannot have 0.1 s before"),
    ],
)
def test_refusals_take_one_line(
    program: Program, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = program(*PORT, "trace", *arguments)
    assert (code, out) == (1, "")
    assert said in err.splitlines()[-1]
    assert not (tmp_path / "home" / "traces").exists()
