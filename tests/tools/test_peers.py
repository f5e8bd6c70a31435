"""The environment of the benches' peers, with a real pip and small wheels made here."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from guidearm_tools.bench import peers as module
from guidearm_tools.bench.peers import PeersError, peers_folder, prepare
from guidearm_tools.bench.timing import in_turns, summary

ROOT = Path(__file__).parents[2]


def wheel(folder: Path, name: str, source: str) -> str:
    """Put a wheel of one module into a folder; return its line in a lock."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        record += f"{path},sha256={digest.decode().rstrip('=')},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(zipfile.ZipInfo(inside), text)  # the same bytes every time
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep one environment for all tests here: to make one takes seconds."""
    return tmp_path_factory.mktemp("peers")


@pytest.fixture
def locks(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of locks; pip knows only the wheels made here."""
    wheels, folder = tmp_path / "wheels", tmp_path / "locks"
    wheels.mkdir()
    folder.mkdir()
    (folder / "toy.txt").write_text(wheel(wheels, "toy", "def answer():\n    return 42\n"))
    monkeypatch.setattr(module, "LOCKS", folder)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def nobody(_text: str) -> None:
    pass


def test_a_peer_is_fetched_once_and_measured_beside_the_project(home: Path, locks: Path) -> None:
    prepare(["toy"], home, nobody)
    said: list[str] = []
    peers = prepare(["toy"], home, said.append)
    assert said == []
    assert peers.present == {"toy": "1.0"}
    assert [row.ok for row in peers.rows()] == [True] * (sys.version_info[:2] == (3, 11))
    (locks / "ask.py").write_text(
        "import os, sys, toy, guidearm.errors\n"
        "def measure(request):\n"
        "    print('a library that talks')\n"
        "    return {'answer': toy.answer() + request['more'], 'home': sys.prefix,\n"
        "            'threads': os.environ['OPENBLAS_NUM_THREADS']}\n"
    )
    code = f"import sys; sys.path.append({str(locks)!r})"
    (peers.python.parents[1] / "lib" / f"python3.{sys.version_info[1]}" / "site-packages").joinpath(
        "ask.pth"
    ).write_text(f"{code}\n")
    told = peers.measure("ask", {"more": 1})
    assert told == {"answer": 43, "home": str(peers.python.parents[1]), "threads": "1"}


def test_what_fails_in_there_is_told_in_one_line(home: Path, locks: Path) -> None:
    peers = prepare(["toy"], home, nobody)
    with pytest.raises(PeersError, match=r"^nowhere failed .*: ModuleNotFoundError: .*'nowhere'$"):
        peers.measure("nowhere", {})


def test_a_peer_without_a_wheel_is_skipped_and_named(home: Path, locks: Path) -> None:
    (locks / "rare.txt").write_text(f"rare==2.0 --hash=sha256:{'0' * 64}\n")
    prepare(["toy", "rare"], home, nobody)
    said: list[str] = []
    peers = prepare(["rare", "toy"], home, said.append)
    assert said == []
    assert peers.present == {"toy": "1.0"}
    assert list(peers.skipped) == ["rare"]
    assert peers.skipped["rare"].startswith("no wheel of rare==2.0 for Python 3.")
    assert [row.ok for row in peers.rows()] == [False] * (sys.version_info[:2] == (3, 11))


def test_another_file_than_the_locked_one_is_refused(home: Path, locks: Path) -> None:
    prepare(["toy"], home, nobody)
    (locks / "toy.txt").write_text(f"toy==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(PeersError, match="toy cannot be installed: ERROR: THESE PACKAGES DO NOT"):
        prepare(["toy"], home, nobody)


def test_without_a_network_one_line_says_so(
    home: Path, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    (locks / "far.txt").write_text(f"far==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(PeersError, match=r"^far cannot be fetched: pip cannot reach its package"):
        prepare(["far"], home, nobody)


def test_a_spoilt_environment_is_made_anew(home: Path, locks: Path) -> None:
    prepare(["toy"], home, nobody)
    stamps = next(home.glob("*/made.json"))
    stamps.write_text(stamps.read_text()[:20])
    said: list[str] = []
    assert prepare(["toy"], home, said.append).present == {"toy": "1.0"}
    assert said[0].startswith("making an environment")
    assert json.loads(stamps.read_text())["made"]["toy"]["skipped"] == ""


def test_it_is_kept_in_the_checkout() -> None:
    assert peers_folder(Path("/data")) == ROOT / ".rigs" / "peers"


def test_the_ways_take_turns() -> None:
    calls: list[tuple[str, int]] = []
    names = ("a", "b", "c")

    def way(name: str) -> Callable[[int], None]:
        return lambda i: calls.append((name, i))

    ways = {name: way(name) for name in names}
    took = in_turns(ways, 4, block=2)
    assert [name for name, _ in calls[::2]] == ["b", "c", "a", "c", "a", "b"]
    for name in names:
        assert [i for who, i in calls if who == name] == [0, 1, 2, 3]
        assert took[name].shape == (4,)
        assert (took[name] > 0.0).all()


def test_a_summary_is_for_one() -> None:
    assert summary(np.arange(101.0), per=10) == {"median_us": 5.0, "p99_us": 9.9}
