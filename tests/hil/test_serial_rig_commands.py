"""`guidearm hil run --rig serial:FILE` as a process, at a virtual arm that is hardware to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from guidearm.arm import attach
from guidearm.errors import PortError

PATIENCE_S = 120  # a busy computer is slow, not wrong


class Bench:
    """A served virtual arm, and the desk that two of its joints stand on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder),
            "GUIDEARM_HOME": str(folder / "home"),
            "PYTHONUNBUFFERED": "1",
        }
        self.environment.pop("GUIDEARM_PORT", None)
        self.sim = self.start("--json", "sim", "--seed", "4", "--tracker-port", "0")
        assert self.sim.stdout is not None
        self.port = json.loads(self.sim.stdout.readline())["port"]
        desk = f'port = "{self.port}"\nsupply_v = 24.0\n'
        for joint in json.loads(self.run("list", "--port", self.port, "--json")[1])["joints"][4:]:
            desk += (
                f'[[joint]]\naddress = {joint["joint"]}\nunique_id = "{joint["unique_id"]}"\n'
                "lower_deg = -200\nupper_deg = 200\nexcursion_deg = 40\n"
                "speed_deg_s = 4\nacceleration_deg_s2 = 100\n"
            )
        (folder / "desk.toml").write_text(desk)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "guidearm", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        return ended(self.start(*arguments))

    def joints(self) -> list[dict[str, Any]]:
        return json.loads(self.run("status", "--port", self.port, "--json")[1])["joints"]

    def start_moving(self) -> subprocess.Popen[str]:
        """Start a scenario that moves, and return once it does."""
        runner = self.start("hil", "run", "--rig", "serial:desk.toml", "--yes", *MOVES)
        while True:
            assert runner.poll() is None, runner.communicate()
            # asks whoever holds the port, and never takes it
            with suppress(PortError):
                holder = attach(self.port)
                joints: list[dict[str, Any]] = []
                if holder is not None:
                    joints = holder.state()["joints"]
                if any("moving" in joint["flags"] for joint in joints):
                    return runner
            time.sleep(0.02)


RUN = ("hil", "run", "--rig", "serial:desk.toml")
MOVES = ("--scenario", "move-and-return")


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    bench = Bench(tmp_path)
    yield bench
    bench.sim.kill()
    bench.sim.communicate()


def test_it_asks_on_a_terminal_runs_unattended_with_yes_and_ends_safe_on_ctrl_c(
    bench: Bench,
) -> None:
    code, out, err = bench.run(*RUN, *MOVES)
    assert (code, out) == (1, "")
    assert "these joints will move" in err
    assert err.splitlines()[-1].endswith("or with --yes if the desk is safe unattended")

    code, out, err = bench.run(*RUN, "--yes", "--scenario", "firmware", "--json")
    assert code == 0, err
    assert json.loads(out)["scenarios"][0]["outcome"] == "passed"

    runner = bench.start_moving()
    runner.send_signal(signal.SIGINT)
    code, out, err = ended(runner)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "guidearm: stopped by Ctrl-C; serial:desk.toml is safe"
    joints = bench.joints()
    assert len(joints) == 6
    for joint in joints:
        assert (joint["state"], joint["fault"]) == ("switch on disabled", "none")


def test_a_port_that_goes_away_in_mid_move_is_told_in_one_line(bench: Bench) -> None:
    runner = bench.start_moving()
    bench.sim.kill()
    code, out, err = ended(runner)
    assert (code, out) == (1, "")
    last = err.splitlines()[-1]
    assert last.startswith("guidearm: serial:desk.toml is not known to be safe: port ")
    assert last.endswith("Look at it, switch it off if it moves")
    assert "Traceback" not in err
