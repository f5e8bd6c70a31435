"""`guidearm` in several shells at one virtual arm: real processes, real ports, wall time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guidearm.calibration import read_guide, read_hand_eye
from guidearm.mapping import read_registration
from guidearm.planning import read_plan

HOME = [0.0, -95.0, -100.0, -75.0, 90.0, 0.0]
GOAL = [10.0, -80.0, 90.0, -100.0, -90.0, 0.0]
PATIENCE_S = 60  # a busy computer is slow, not wrong


class Shell:
    """Runs commands at one port, with folders of its own."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self.calibrations = folder / "calibrations"
        arguments = [*arguments, "--calibrations", str(self.calibrations)]
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder),
            "GUIDEARM_HOME": str(folder / "home"),
            "PYTHONUNBUFFERED": "1",
        }
        self.environment.pop("GUIDEARM_PORT", None)
        self.sim = self.start("--json", "sim", "--tracker-port", "0", *arguments)
        assert self.sim.stdout is not None
        self.told = json.loads(self.sim.stdout.readline())
        self.environment["GUIDEARM_PORT"] = self.told["port"]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "guidearm", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        return ended(self.start(*arguments))

    def status(self) -> dict[str, Any]:
        _, out, _ = self.run("status", "--json")
        return json.loads(out)

    def start_move(self) -> tuple[subprocess.Popen[str], list[float]]:
        """Start a slow move to the far end; return it and its goal once the arm is under way."""
        _, out, _ = self.run("enable", "--json")
        began = positions(json.loads(out))
        goal = max(HOME, GOAL, key=lambda q: largest_difference(q, began))
        mover = self.start("move", "joints", *map(str, goal), "--speed", "0.1")
        assert mover.stderr is not None
        while not mover.stderr.readline().startswith("move joints: "):
            assert mover.poll() is None, mover.communicate()
        while True:
            state = self.status()
            assert mover.poll() is None, mover.communicate()
            if state["held"] and largest_difference(positions(state), began) > 0.5:
                return mover, goal

    def close(self) -> None:
        self.sim.send_signal(signal.SIGINT)
        code, _, err = ended(self.sim)
        assert code == 0
        assert err.splitlines()[-1].startswith("ended after ")


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def largest_difference(a: list[float], b: list[float]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def positions(state: dict[str, Any]) -> list[float]:
    return [joint["position_deg"] for joint in state["joints"] if joint["state"] != "silent"]


def assert_at_rest(shell: Shell) -> dict[str, Any]:
    """Two looks at an arm nobody holds agree; return the second."""
    first, second = shell.status(), shell.status()
    assert not second["held"]
    for joint in second["joints"]:
        assert joint["state"] in ("switch on disabled", "silent")
        assert "moving" not in joint["flags"]
    assert positions(second) == pytest.approx(positions(first), abs=0.002)
    return second


@pytest.fixture(scope="module")
def tcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("tcp"), ["--tcp", "0"])
    yield shell
    shell.close()


@pytest.fixture(scope="module")
def pty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("pty"), ["--seed", "4"])
    yield shell
    shell.close()


def test_what_sim_tells(tcp: Shell, pty: Shell) -> None:
    assert tcp.told["port"].startswith("socket://127.0.0.1:")
    assert pty.told["port"].startswith("/dev/")
    assert pty.told["seed"] == 4
    for told in (tcp.told, pty.told):
        assert told["tracker"].startswith("igtl://127.0.0.1:")
        assert told["interpreter"].startswith("MicroPython 1.2")
        assert len({joint["pid"] for joint in told["joints"]}) == 6


def test_sim_tells_the_whole_run_line(tcp: Shell) -> None:
    sim = tcp.start("sim", "--tcp", "0", "--tracker-port", "0")
    assert sim.stdout is not None
    lines = list(iter(sim.stdout.readline, "Ctrl-C here ends it.\n"))
    sim.send_signal(signal.SIGINT)
    assert ended(sim)[0] == 0
    run, hint = lines[-2:]
    words = run.split()
    assert words[:2] == ["guidearm", "--tracker"]
    assert words[2].startswith("igtl://127.0.0.1:")
    assert words[3:6] == ["--data", "DIR", "run"]
    assert read_plan(words[6]).image_uid == read_registration(words[8]).image_uid
    assert "guidearm sim --calibrations DIR" in hint


def test_the_tool_of_one_virtual_arm_is_not_written_over_anothers(tcp: Shell) -> None:
    assert read_hand_eye(tcp.calibrations).quality.samples > 0
    assert read_guide(tcp.calibrations).quality.samples > 0
    code, out, err = tcp.run("sim", "--tcp", "0", "--calibrations", str(tcp.calibrations))
    assert (code, out) == (1, "")
    assert err.startswith(f"guidearm: {tcp.calibrations / 'hand_eye.json'} is there already")


@pytest.mark.parametrize("line", ["tcp", "pty"])
def test_move_and_look(line: str, request: pytest.FixtureRequest) -> None:
    shell: Shell = request.getfixturevalue(line)
    state = shell.status()
    assert state["port"] == shell.told["port"]
    assert positions(state) == pytest.approx(HOME, abs=0.05)
    code, _, err = shell.run("move", "joints", *map(str, GOAL))
    assert (code, err) == (
        1,
        "guidearm: joints 1, 2, 3, 4, 5, 6 are not enabled: guidearm enable first\n",
    )
    code, _, err = shell.run("enable")
    assert (code, err) == (0, "enabled; moves are authorised\n")
    code, out, err = shell.run("move", "joints", *map(str, GOAL), "--json")
    assert code == 0
    assert err.startswith("will move (degrees):\n")
    assert json.loads(out)["reached_deg"] == pytest.approx(GOAL, abs=0.01)
    assert positions(shell.status()) == pytest.approx(GOAL, abs=0.01)


def test_other_shells_while_the_arm_moves(tcp: Shell) -> None:
    mover, _ = tcp.start_move()
    port = tcp.told["port"]
    code, out, err = tcp.run("enable")
    assert (code, out) == (1, "")
    assert err == f"guidearm: port {port} is in use by another guidearm: close that one first\n"
    code, out, _ = tcp.run("list", "--json")
    assert code == 0
    assert json.loads(out)["held"]
    code, out, err = tcp.run("stop", "--json")
    assert (code, err) == (0, "stopped; all joints are at rest\n")
    stopped = json.loads(out)
    assert stopped["held"]
    code, out, err = ended(mover)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == "guidearm: stopped from another shell"
    assert positions(assert_at_rest(tcp)) == pytest.approx(positions(stopped), abs=0.1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_motion_first(pty: Shell, how: signal.Signals) -> None:
    mover, goal = pty.start_move()
    mover.send_signal(how)
    code, out, err = ended(mover)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "guidearm: stopped by Ctrl-C; the arm is at rest"
    assert largest_difference(positions(assert_at_rest(pty)), goal) > 1


def test_a_joint_process_killed_in_mid_move(pty: Shell) -> None:
    """The last test with this arm: joint 3 stays dead."""
    mover, _ = pty.start_move()
    os.kill(pty.told["joints"][2]["pid"], signal.SIGKILL)
    code, out, err = ended(mover)
    assert (code, out) == (1, "")
    port = pty.told["port"]
    assert err.splitlines()[-1].startswith(f"guidearm: joint 3 on {port} does not answer any more")
    states = [joint["state"] for joint in assert_at_rest(pty)["joints"]]
    assert states == ["switch on disabled"] * 2 + ["silent"] + ["switch on disabled"] * 3
    code, _, err = pty.run("stop")
    assert code == 1
    assert err.startswith(f"guidearm: stop was sent; joint 3 on {port} does not answer")
