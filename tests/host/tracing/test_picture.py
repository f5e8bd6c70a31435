"""The pictures of recordings: every word readable, and the same picture every time."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from guidearm.arm import Robot
from guidearm.errors import InputError
from guidearm.sheet import Axes
from guidearm.tracing.picture import Words, draw_arm, draw_joint
from guidearm.tracing.recording import Recording

Recordings = tuple[Robot, dict[str, Recording]]
Box = tuple[str, float, float, float, float]


def boxes(figure: Axes) -> list[Box]:
    """Lay out a figure and return its visible words with their boxes in pixels."""
    figure.draw_without_rendering()
    unseen: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high:
                    unseen |= {id(tick.label1), id(tick.label2)}
    return [
        (text.get_text(), *text.get_window_extent().extents.tolist())
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in unseen
    ]


def draw(recording: Recording, folder: Path) -> list[Path]:
    drawn: list[Path] = []
    if len(recording.traces) > 1:
        drawn.append(folder / "arm.png")
        draw_arm(drawn[-1], recording.traces, recording.words)
    for trace in recording.traces[:2]:
        drawn.append(folder / f"joint{trace.number}.png")
        draw_joint(drawn[-1], trace, recording.words, recording.spans)
    return drawn


@pytest.mark.parametrize("name", ["step", "sine", "move", "now", "fault"])
def test_no_words_touch_or_leave_the_sheet(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sheets: list[tuple[str, list[Box], tuple[int, int]]] = []

    def read(figure: Axes, path: Path, **_: object) -> None:
        sheets.append((path.name, boxes(figure), figure.canvas.get_width_height()))

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", read)
    draw(recordings[1][name], tmp_path)
    assert sheets
    for sheet, words, (width, height) in sheets:
        assert len(words) > 20
        for text, x0, y0, x1, y1 in words:
            inside = x0 > 0 and y0 > 0 and x1 < width and y1 < height
            assert inside, f"{sheet}: {text!r} leaves the sheet"
        for a, b in combinations(words, 2):
            across = min(a[3], b[3]) - max(a[1], b[1])
            up = min(a[4], b[4]) - max(a[2], b[2])
            assert across <= 2 or up <= 2, f"{sheet}: {a[0]!r} touches {b[0]!r}"


def test_the_same_recording_gives_the_same_bytes(recordings: Recordings, tmp_path: Path) -> None:
    for name in ("step", "fault"):
        first, again = tmp_path / f"{name}-1", tmp_path / f"{name}-2"
        first.mkdir()
        again.mkdir()
        pairs = zip(draw(recordings[1][name], first), draw(recordings[1][name], again), strict=True)
        assert all(a.read_bytes() == b.read_bytes() for a, b in pairs)


def test_a_joint_at_rest_is_drawn(recordings: Recordings, tmp_path: Path) -> None:
    """Courses without any height, and a single mode."""
    trace = recordings[1]["now"].traces[0]
    still = replace(trace, values={name: np.zeros_like(v) for name, v in trace.values.items()})
    draw_joint(tmp_path / "still.png", still, Words("Still", "Nothing happens."))
    draw_arm(tmp_path / "arm.png", [still], Words("Still", "Nothing happens."))
    assert (tmp_path / "still.png").stat().st_size > 1000


def test_a_picture_that_cannot_be_written_is_named(recordings: Recordings, tmp_path: Path) -> None:
    trace = recordings[1]["now"].traces[0]
    with pytest.raises(InputError, match="cannot be written"):
        draw_joint(tmp_path / "gone" / "a.png", trace, Words("", ""))
