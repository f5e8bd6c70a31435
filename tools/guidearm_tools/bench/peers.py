"""Other libraries to compare with, in an environment of their own that the host never imports.

The environment is kept between runs, in the checkout's `.rigs/peers` or, where there is no
checkout, below the user's data folder; one for each Python. Each peer has a hashed lock of its own
in `peer_locks`, wheels only, so that a bench fetches no more than it compares with.

What is measured runs in that environment too, ours beside theirs in one process: a module of this
project with a function `measure(request)`, a JSON object in, a JSON object out.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import guidearm
import guidearm_protocol
import guidearm_tools
from guidearm.errors import GuideArmError
from guidearm_tools.bench.rows import Row, at_most

# All peers have wheels for this one.
COMPLETE_PYTHON = (3, 11)

LOCKS = Path(__file__).with_name("peer_locks")
_NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "name resolution",
    "ProxyError",
    "ConnectTimeout",
    "ReadTimeout",
    "Network is unreachable",
    "Connection refused",
)
_NO_WHEEL = "No matching distribution found for "
# Its own packages come first; this project's are found behind them.
_START = """
import json, sys
from importlib import import_module
request = json.load(sys.stdin)
sys.path += request["path"]
result = import_module(request["module"]).measure(request["request"])
print()
print(json.dumps(result))
"""
# One thread for everybody, whatever a library would take by itself.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


class PeersError(GuideArmError):
    """The environment of the peers cannot be made, or what ran in it failed."""


@dataclass(frozen=True)
class Peers:
    """An environment; present: name to version, skipped: name to reason."""

    python: Path
    present: dict[str, str]
    skipped: dict[str, str]

    def rows(self) -> list[Row]:
        """Return the promise that no peer is skipped, on the Python that all have wheels for."""
        if sys.version_info[:2] != COMPLETE_PYTHON:
            return []
        return [at_most("peers skipped", len(self.skipped), 0)]

    def measure(self, module: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Run `measure(request)` of a module of this project in the environment.

        Raises PeersError with the last line the process left, if it fails.
        """
        packages = (guidearm, guidearm_protocol, guidearm_tools)
        path = {str(Path(str(package.__file__)).resolve().parents[1]) for package in packages}
        done = subprocess.run(
            [self.python, "-I", "-c", _START],
            input=json.dumps({"path": sorted(path), "module": module, "request": dict(request)}),
            env=os.environ | _ONE_THREAD,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
            raise PeersError(f"{module} failed in the environment of the peers: {lines[-1]}")
        # a library may print, too: ours is the last line
        return json.loads(done.stdout.splitlines()[-1])


def peer_names() -> list[str]:
    """Return the names of all peers that have a lock."""
    return sorted(lock.stem for lock in LOCKS.glob("*.txt"))


def peers_folder(data: Path) -> Path:
    """Return where the environments are kept: in the checkout, else in the user's `data` folder."""
    root = Path(guidearm_tools.__file__).resolve().parents[2]
    return (root / ".rigs" if (root / "pyproject.toml").is_file() else data) / "peers"


def prepare(names: Iterable[str], folder: Path, say: Callable[[str], None]) -> Peers:
    """Return the environment in `folder` with the peers `names`, made or completed if need be.

    `say` hears what takes long. A peer without a wheel for this Python is left out and named.
    Raises PeersError, in one line, for a network that does not answer or a lock that does not fit.
    """
    kept = folder / str(sys.implementation.cache_tag)
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with _alone(kept):
            return _complete(kept, list(names), say)
    except OSError as error:
        raise PeersError(
            f"the environment of the peers cannot be made in {kept}: {error}"
        ) from error


def _complete(kept: Path, names: list[str], say: Callable[[str], None]) -> Peers:
    venv = kept / "venv"
    python = venv / "bin" / "python"
    stamps = kept / "made.json"
    # what a stamp is worth ends with the interpreter and with the place it was made for
    key = f"{sys.version} {sys.base_prefix} {kept}"
    digests = {name: hashlib.sha256(_lock(name).read_bytes()).hexdigest() for name in names}
    made = _stamps(stamps, key)
    # another lock than before may hold another file of a version that is there: pip would not look
    if (
        made is None
        or not python.exists()
        or any(made[name]["lock"] != digests[name] for name in names if name in made)
    ):
        say(f"making an environment for the peers in {kept}")
        stamps.unlink(missing_ok=True)
        shutil.rmtree(venv, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(venv)])
        made = {}
    present: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name in names:
        lock = _lock(name)
        if name not in made:
            say(f"fetching {name}")
            made[name] = {"lock": digests[name], "skipped": _install(python, lock)}
            stamps.write_text(json.dumps({"key": key, "made": made}, indent=2))
        if made[name]["skipped"]:
            skipped[name] = made[name]["skipped"]
        else:
            present[name] = _locked_version(lock, name)
    return Peers(python, present, skipped)


def _lock(name: str) -> Path:
    return LOCKS / f"{name}.txt"


def _stamps(path: Path, key: str) -> dict[str, dict[str, str]] | None:
    """Return what is in the environment; None if there is none that is of use."""
    try:
        stamps = cast("dict[str, Any]", json.loads(path.read_text()))
    except (OSError, ValueError):
        return None
    return stamps["made"] if stamps.get("key") == key else None


def _install(python: Path, lock: Path) -> str:
    """Install what a lock names; return why that cannot be on this Python, or nothing."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    # pip tells a network that does not answer from a wheel that is not there by its retries alone
    done = subprocess.run(
        [*pip, "--retries", "3", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    if any(sign in done.stdout for sign in _NO_NETWORK):
        raise PeersError(
            f"{lock.stem} cannot be fetched: pip cannot reach its package index; connect this "
            "machine and run again"
        )
    lines = [line.strip() for line in done.stdout.splitlines()]
    for line in lines:
        if _NO_WHEEL in line:
            what = line.split(_NO_WHEEL)[1].split()[0].rstrip(";")
            return f"no wheel of {what} for Python {sys.version.split()[0]} on {sys.platform}"
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["silently"]
    raise PeersError(f"{lock.stem} cannot be installed: {errors[0]}")


def _locked_version(lock: Path, name: str) -> str:
    for line in lock.read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line.split("==")[1].split()[0]
    raise PeersError(f"{lock} does not lock {name}: write it anew with tools/lock")


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or ["silently"]
        raise PeersError(f"{' '.join(command[1:3])} failed: {lines[-1]}")


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Hold the folder: two benches at once would spoil one environment."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
