from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from guidearm.errors import InputError
from guidearm.procedure import Journal
from guidearm.procedure.journal import EVENTS_FILE, SUMMARY_FILE


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "sessions" / "1")
    yield opened
    opened.close()


def test_every_event_is_on_disk_at_once(journal: Journal) -> None:
    path = journal.folder / EVENTS_FILE
    for count in range(1, 4):
        journal.write(0.1 * count, "measured", entry_mm=0.25, frames=count)
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) == count
        assert json.loads(lines[-1]) == {
            "time_s": pytest.approx(0.1 * count),
            "event": "measured",
            "entry_mm": 0.25,
            "frames": count,
        }


def test_the_summary_is_whole(journal: Journal) -> None:
    path = journal.finish({"passed": True, "nested": {"list": [1, 2]}})
    assert path == journal.folder / SUMMARY_FILE
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "passed": True,
        "nested": {"list": [1, 2]},
    }
    assert {p.name for p in journal.folder.iterdir()} == {EVENTS_FILE, SUMMARY_FILE}
    journal.close()  # again


def test_or_there_is_none(journal: Journal) -> None:
    with pytest.raises(TypeError):
        journal.finish({"passed": object()})
    assert [p.name for p in journal.folder.iterdir()] == [EVENTS_FILE]


def test_a_folder_in_use_is_refused_and_left_alone(journal: Journal) -> None:
    journal.write(0.0, "enabled")
    before = (journal.folder / EVENTS_FILE).read_bytes()
    with pytest.raises(InputError, match="is not empty: name a new folder for this session"):
        Journal(journal.folder)
    assert (journal.folder / EVENTS_FILE).read_bytes() == before


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"cannot hold a session \(.*\): name another folder"):
            Journal(folder)
    assert (tmp_path / "file").read_text() == "mine"
