from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from guidearm.errors import InputError
from guidearm.geometry import Array, perturbation
from guidearm.positioning import GuideMeasurement
from guidearm.procedure import Motion, Outcome, Task
from guidearm.procedure.pictures import Truth, draw_pictures
from guidearm.procedure.pictures.motion import column_widths, phases
from guidearm.procedure.pictures.scene import scene
from guidearm.procedure.pictures.spots import spots, view_axes
from guidearm.procedure.pictures.style import Axes, verdict_words

from .conftest import Finished

NAMES = ["target.png", "approach.png", "motion.png", "uncertainty.png"]


def draw(
    finished: Finished, folder: Path, truth: Truth | None, outcome: Outcome | None = None
) -> list[Path]:
    outcome = finished.outcome if outcome is None else outcome
    return draw_pictures(outcome, finished.tools, finished.task, finished.arm, folder, truth)


def contents(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def pictures(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All pictures with the truth in them."""
    folder = tmp_path_factory.mktemp("pictures") / "new" / "folder"
    paths = draw(finished, folder, finished.truth)
    assert paths == [folder / name for name in NAMES]
    return contents(paths)


def chunks(png: bytes) -> list[bytes]:
    """Names of the chunks of a PNG file."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    names: list[bytes] = []
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        names.append(png[at + 4 : at + 8])
        at += length + 12
    return names


# ---- files


def test_pictures_fit_a_screen(pictures: dict[str, bytes]) -> None:
    for png in pictures.values():
        width, height = struct.unpack_from(">II", png, 16)
        assert 1200 <= width <= 1700
        assert 500 <= height <= 1000


def test_same_bytes_whatever_the_users_settings(
    finished: Finished, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    settings: dict[Any, Any] = matplotlib.rcParams
    old = dict(settings)
    settings.update({"font.size": 20.0, "axes.grid": True, "savefig.dpi": 50})
    changed = dict(settings)
    try:
        again = contents(draw(finished, tmp_path, finished.truth))
        assert dict(settings) == changed
    finally:
        settings.update(old)
    assert again == pictures


def test_neither_date_nor_version_is_written(pictures: dict[str, bytes]) -> None:
    for png in pictures.values():
        assert set(chunks(png)) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}


def test_truth_shows_where_lateral_errors_are_shown(
    finished: Finished, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    without = contents(draw(finished, tmp_path, None))
    changed = [name for name in NAMES if without[name] != pictures[name]]
    assert changed == ["target.png", "uncertainty.png"]


def test_folder_that_cannot_be_written(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot hold the pictures"):
        draw(finished, tmp_path / "file", None)


def test_importing_does_not_import_matplotlib() -> None:
    code = "import sys, guidearm.procedure.pictures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- legible


def shifted(measurement: GuideMeasurement, factor: float, later_s: float) -> GuideMeasurement:
    error = replace(
        measurement.error,
        entry=measurement.error.entry * factor,
        target=measurement.error.target * factor,
    )
    first_s, last_s = measurement.first_s + later_s, measurement.last_s + later_s
    return replace(measurement, error=error, first_s=first_s, last_s=last_s)


def six_corrections(outcome: Outcome, first_error: float) -> Outcome:
    """Give a procedure that took all corrections it may, from `first_error` times the true one."""
    uncorrected, trace, period_s = outcome.correction.measurements[0], outcome.trace, 9.8
    correction = outcome.motions[-1]

    def again(k: int) -> Motion:
        record, late = correction.record, k * period_s
        return replace(
            correction,
            record=replace(
                record,
                start=record.start + late,
                end=record.end + late,
                settled=record.settled + late,
            ),
        )

    later = trace.time_s > correction.record.start - 0.2

    def repeated(values: Array) -> Array:
        return np.concatenate([values, *[values[later]] * 6])

    times = [trace.time_s] + [trace.time_s[later] + k * period_s for k in range(1, 7)]
    order = np.argsort(np.concatenate(times), kind="stable")
    steps = [shifted(uncorrected, first_error * 0.5**k, k * period_s) for k in range(7)]
    return replace(
        outcome,
        motions=(*outcome.motions[:2], *(again(k) for k in range(6))),
        correction=replace(outcome.correction, measurements=tuple(steps)),
        measurement=shifted(outcome.measurement, 1.0, 5 * period_s),
        trace=replace(
            trace,
            time_s=np.concatenate(times)[order],
            q=repeated(trace.q)[order],
            q_demand=repeated(trace.q_demand)[order],
        ),
    )


@dataclass(frozen=True)
class Words:
    """A text that is seen and its box, x0, y0, x1, y1 in pixels."""

    text: str
    box: tuple[float, float, float, float]

    def touches(self, other: Words) -> bool:
        a, b = self.box, other.box
        return min(a[2], b[2]) - max(a[0], b[0]) > 2.0 and min(a[3], b[3]) - max(a[1], b[1]) > 2.0


@dataclass(frozen=True)
class Sheet:
    name: str
    width: int
    height: int
    words: list[Words]


def read_sheet(name: str, figure: Axes) -> Sheet:
    """Lay out a figure and read all its words; labels of ticks outside an axis are not drawn."""
    figure.draw_without_rendering()
    texts: list[Axes] = figure.findobj(Text)
    unseen: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high or not axis.get_visible():
                    unseen |= {id(tick.label1), id(tick.label2)}
            if not axes.axison:
                unseen |= {id(text) for text in axis.findobj(Text)}
    seen = [t for t in texts if t.get_visible() and t.get_text().strip() and id(t) not in unseen]
    words = [Words(t.get_text(), tuple(t.get_window_extent().extents.tolist())) for t in seen]
    width, height = figure.canvas.get_width_height()
    return Sheet(name, width, height, words)


@pytest.mark.parametrize("case", ["released", "refused", "slow", "far off"])
def test_no_words_touch_or_leave_the_sheet(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    outcome = {
        "released": lambda: finished.outcome,
        "refused": finished.refused,
        "slow": lambda: six_corrections(finished.refused(), 1.0),
        "far off": lambda: six_corrections(finished.outcome, 12.0),
    }[case]()
    sheets: list[Sheet] = []

    def read(figure: Axes, path: Path, **_: object) -> None:
        sheets.append(read_sheet(path.name, figure))

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", read)
    draw(finished, tmp_path, finished.truth, outcome)
    assert [sheet.name for sheet in sheets] == NAMES
    for sheet in sheets:
        assert len(sheet.words) > 20
        for words in sheet.words:
            x0, y0, x1, y1 = words.box
            inside = x0 > 0.0 and y0 > 0.0 and x1 < sheet.width and y1 < sheet.height
            assert inside, f"{sheet.name}: {words.text!r} leaves the sheet"
        touching = [(a.text, b.text) for a, b in combinations(sheet.words, 2) if a.touches(b)]
        assert touching == [], sheet.name


def test_headline(finished: Finished) -> None:
    decision, meaning = verdict_words(finished.outcome.verdict)
    bound_mm = finished.outcome.verdict.bound_mm
    assert decision == f"Released: bound {bound_mm:.2f} mm"
    assert "99.9 %" in meaning
    refused = finished.refused().verdict
    decision, reasons = verdict_words(refused)
    assert decision == f"NOT released: bound {refused.bound_mm:.2f} mm"
    assert reasons.lower() == "; ".join(refused.reasons).lower()


# ---- what is shown


def test_spots_are_the_gates_numbers(finished: Finished) -> None:
    entry, target = spots(finished.outcome, finished.task, finished.truth)
    verdict = finished.outcome.verdict
    assert entry.bound_mm == pytest.approx(verdict.entry_mm)
    assert target.bound_mm == pytest.approx(verdict.target_mm)
    assert target.judged_mm + target.reach95_mm == pytest.approx(verdict.bound95_mm)
    first = finished.outcome.correction.measurements[0].error
    assert target.uncorrected_mm == pytest.approx(1e3 * np.linalg.norm(first.target))
    assert entry.true_mm is not None
    assert entry.true_mm[1] == pytest.approx(1e3 * np.linalg.norm(finished.truth.entry_after))


def in_image(task: Task) -> tuple[Array, Array, Array]:
    """Right and up of the view, and the direction of looking, in image axes."""
    axes, _ = view_axes(task)
    R_image_patient = task.registration.T_patient_image[:3, :3].T
    right, up = axes @ task.line.plane @ R_image_patient.T
    return right, up, R_image_patient @ task.line.direction


def test_view_is_the_surgeons(finished: Finished) -> None:
    right, up, forward = in_image(finished.task)
    assert np.cross(forward, up) == pytest.approx(right)
    assert up[2] > 0.9  # superior is up
    assert right[0] < -0.9  # the patient lies prone and is seen from behind: right is right
    assert view_axes(finished.task)[1] == ("right", "head")


def test_view_along_the_spine_has_the_front_up(finished: Finished) -> None:
    plan = finished.task.plan
    along = replace(plan, target_image=plan.entry_image + np.array([0.0, 0.0, 0.04]))
    # With the patient's marker at the feet, where such a guide would come from.
    registration = finished.task.registration
    up = perturbation([0.0, 0.0, 0.3], np.zeros(3))
    at_the_feet = replace(registration, T_patient_image=registration.T_patient_image @ up)
    task = Task(along, at_the_feet)
    right, up, forward = in_image(task)
    assert np.cross(forward, up) == pytest.approx(right)
    assert up == pytest.approx([0.0, -1.0, 0.0], abs=1e-9)
    # Looking from the feet to the head with the front up, the patient's right is on the left.
    assert view_axes(task)[1] == ("left", "front")


def test_scene_agrees_with_measurement_and_plan(finished: Finished) -> None:
    outcome, arm, task = finished.outcome, finished.arm, finished.task
    room = scene(outcome, finished.tools, task, arm)
    last = room.postures[2]
    along = (room.target - room.entry) / np.linalg.norm(room.target - room.entry)
    assert np.linalg.norm(room.target - room.entry) == pytest.approx(1e3 * task.plan.depth_m)
    assert last.sleeve[1] == pytest.approx(room.entry - 10.0 * along, abs=0.1)
    begin = room.postures[1]
    assert begin.sleeve[1] == pytest.approx(room.entry - 70.0 * along, abs=2.0)
    to_patient = np.linalg.norm(room.patient - room.camera)
    assert to_patient == pytest.approx(
        1e3 * np.linalg.norm(outcome.measurement.T_camera_patient[:3, 3])
    )
    assert last.flange == pytest.approx(1e3 * arm.forward(outcome.trace.q[-1])[:3, 3])
    view = room.along_path()
    assert view(room.target) == pytest.approx([0.0, 1e3 * task.plan.depth_m], abs=1e-9)
    assert view(last.flange)[0] > 10.0


def test_links_have_the_lengths_of_the_arm(finished: Finished) -> None:
    room = scene(finished.outcome, finished.tools, finished.task, finished.arm)
    links = finished.arm.chain.links[1:]
    expected = 1e3 * np.abs(links[:, [2, 0], 3]).ravel()
    for posture in room.postures:
        lengths = np.linalg.norm(np.diff(posture.links, axis=0), axis=1)
        assert lengths == pytest.approx(expected, abs=1e-9)


def test_phases_follow_each_other(finished: Finished) -> None:
    found = phases(finished.outcome)
    corrections = len(finished.outcome.correction.measurements) - 1
    steps = [
        name for k in range(1, corrections + 1) for name in (f"correction {k}", f"measure {k}")
    ]
    start = ["locate camera", "transfer", "approach", "measure 0"]
    assert [phase.name for phase in found] == [*start, *steps, "judge"]
    for phase, following in pairwise(found):
        assert phase.start_s < phase.end_s <= following.start_s
    trace = finished.outcome.trace
    assert found[-1].end_s <= trace.time_s[-1] - trace.time_s[0]


def test_columns_fill_the_sheet(finished: Finished) -> None:
    few, many = finished.outcome.motions, six_corrections(finished.outcome, 1.0).motions
    for motions in (few, many):
        widths = column_widths(motions)
        assert min(widths) >= 1.0
        assert sum(widths) + 0.25 * (len(widths) - 1) == pytest.approx(11.0)
