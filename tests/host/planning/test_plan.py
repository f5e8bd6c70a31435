"""Plans: what 3D Slicer writes is read, and every bad input is refused in one clear line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from guidearm.errors import PlanError
from guidearm.planning import Plan, read_plan, write_plan

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)
ENTRY, TARGET = [-10.0, 20.0, 30.0], [-10.0, 60.0, 60.0]
UID = "1.2.826.0.1.3680043.2"
ABSENT = object()


def point(label: str, position: object, **more: object) -> dict[str, object]:
    """Return a control point with all the keys that 3D Slicer writes."""
    return {
        "id": "1",
        "label": label,
        "description": "",
        "associatedNodeID": "vtkMRMLScalarVolumeNode1",
        "position": position,
        "orientation": [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0],
        "selected": True,
        "locked": False,
        "visibility": True,
        "positionStatus": "defined",
        **more,
    }


def line(**changes: object) -> dict[str, object]:
    markup: dict[str, object] = {
        "type": "Line",
        "name": "L1 left",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [point("entry", ENTRY), point("target", TARGET)],
        "measurements": [{"name": "length", "enabled": True, "value": 50.0, "units": "mm"}],
        "display": {"visibility": True, "opacity": 1.0},
        **changes,
    }
    return {key: value for key, value in markup.items() if value is not ABSENT}


def save(folder: Path, *lines: dict[str, object], **top: object) -> Path:
    path = folder / "plan.mrk.json"
    path.write_text(json.dumps({"@schema": SCHEMA, "markups": lines, **top}), encoding="utf-8")
    return path


def labelled(first: str, second: str) -> dict[str, object]:
    return line(controlPoints=[point(first, ENTRY), point(second, TARGET)])


def test_a_line_of_slicer_is_read_in_metres(tmp_path: Path) -> None:
    plan = read_plan(save(tmp_path, line()))
    assert plan.name == "L1 left"
    assert_allclose(plan.entry_image, [-0.010, 0.020, 0.030], rtol=1e-15)
    assert_allclose(plan.target_image, [-0.010, 0.060, 0.060], rtol=1e-15)
    assert_allclose(plan.depth_m, 0.050, rtol=1e-14)
    assert_allclose(plan.direction, [0.0, 0.8, 0.6], rtol=1e-14)
    assert plan.image_uid is None
    assert plan.path == tmp_path / "plan.mrk.json"


def test_ras_is_turned_to_lps(tmp_path: Path) -> None:
    plan = read_plan(save(tmp_path, line(coordinateSystem="RAS")))
    assert_allclose(plan.entry_image, [0.010, -0.020, 0.030])
    assert_allclose(plan.target_image, [0.010, -0.060, 0.060])


def test_what_the_schema_defaults_may_be_absent(tmp_path: Path) -> None:
    bare = [{"label": "E", "position": ENTRY}, {"label": "T", "position": TARGET}]
    plan = read_plan(save(tmp_path, {"type": "Line", "controlPoints": bare}))
    assert plan.name == "plan", "the file's name stands in"
    assert_allclose(plan.entry_image, np.array(ENTRY) * 1e-3)


def test_units_may_be_a_coded_triple_and_a_byte_order_mark_may_stand(tmp_path: Path) -> None:
    path = save(tmp_path, line(coordinateUnits=["mm", "UCUM", "millimeter"]))
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert_allclose(read_plan(path).depth_m, 0.05)


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ("entry", "target"),
        ("Entry-1", "TARGET-2"),
        ("L1 entry point", "L1 target point"),
        ("L-1_EntryPoint", "L-1_TargetPoint"),
        ("E", "T"),
        ("T12 E", "T12 T"),
        ("T12 entry", "T12 target"),
        ("T entrance", "T target"),
        ("entry T", "target E"),
    ],
)
def test_labels_tell_the_ends_in_either_order(tmp_path: Path, entry: str, target: str) -> None:
    for points in (
        [point(entry, ENTRY), point(target, TARGET)],
        [point(target, TARGET), point(entry, ENTRY)],
    ):
        plan = read_plan(save(tmp_path, line(controlPoints=points)))
        assert_allclose(plan.entry_image, np.array(ENTRY) * 1e-3)
        assert_allclose(plan.target_image, np.array(TARGET) * 1e-3)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("L-1", "L-2"),
        ("T-1", "T-2"),
        ("entry-1", "entry-2"),
        ("target", "target"),
        ("entry", "L-2"),
        ("L-1", "target"),
        ("entry to target-1", "entry to target-2"),
        ("", ""),
    ],
)
def test_labels_that_do_not_tell_are_refused(tmp_path: Path, first: str, second: str) -> None:
    with pytest.raises(PlanError) as refused:
        read_plan(save(tmp_path, labelled(first, second)))
    assert str(refused.value) == (
        f'plan.mrk.json: markups[0].controlPoints: the labels "{first}" and "{second}" do not tell '
        'entry from target: label one control point "entry" and the other "target" in 3D Slicer'
    )


def test_a_refusal_is_one_printable_line(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as refused:
        read_plan(save(tmp_path, labelled("a\nb\x1b[2J", "x" * 9999)))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


def test_a_name_chooses_among_lines(tmp_path: Path) -> None:
    right = [point("entry", [10.0, 20.0, 30.0]), point("target", [10.0, 60.0, 60.0])]
    others: dict[str, object] = {"type": "Fiducial", "controlPoints": []}
    path = save(tmp_path, others, line(), line(name="L1 right", controlPoints=right))
    assert_allclose(read_plan(path, name="L1 right").entry_image[0], 0.010)
    with pytest.raises(
        PlanError, match=r'2 lines in it \("L1 left", "L1 right"\): name one \(--line\)'
    ):
        read_plan(path)
    with pytest.raises(PlanError, match='no line named "L2" in it; it has "L1 left", "L1 right"'):
        read_plan(path, name="L2")
    with pytest.raises(PlanError, match=r"2 lines in it .* give each its own name"):
        read_plan(save(tmp_path, line(), line()), name="L1 left")


@pytest.mark.parametrize("level", ["markup", "top"])
def test_the_image_is_named_at_the_markup_or_the_top(tmp_path: Path, level: str) -> None:
    key = {"frameOfReferenceUID": UID}
    path = save(
        tmp_path, line(**(key if level == "markup" else {})), **(key if level == "top" else {})
    )
    assert read_plan(path).image_uid == UID


def test_two_images_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, line(frameOfReferenceUID=UID), frameOfReferenceUID=UID + ".1")
    with pytest.raises(PlanError, match="frameOfReferenceUID differs from the one at the top"):
        read_plan(path)


def test_the_user_names_the_image_of_a_plan_that_does_not(tmp_path: Path) -> None:
    plan = read_plan(save(tmp_path, line()))
    assert plan.on_image(UID).image_uid == UID
    assert plan.on_image(UID).on_image(UID).image_uid == UID
    with pytest.raises(PlanError, match=f"was drawn on image {UID}, not on 1.2"):
        plan.on_image(UID).on_image("1.2")


def with_entry(position: object) -> dict[str, object]:
    return line(controlPoints=[point("entry", position), point("target", TARGET)])


AT = r"plan\.mrk\.json: markups\[0\]"
ENTRY_AT = AT + r"\.controlPoints\[0\]"


@pytest.mark.parametrize(
    ("markup", "message"),
    [
        (line(coordinateSystem="IJK"), AT + r"\.coordinateSystem: .*\"IJK\" is unknown: use LPS"),
        (line(coordinateSystem="lps"), r'"lps" is unknown'),
        (line(coordinateSystem="0"), r'"0" is unknown'),
        (line(coordinateSystem=0), AT + r"\.coordinateSystem: expected text, found a number"),
        (line(coordinateUnits="um"), AT + r'\.coordinateUnits: unit "um" is not supported'),
        (line(coordinateUnits=["cm", "UCUM", "centimeter"]), r'unit "cm" is not supported'),
        (line(coordinateUnits=[]), AT + r"\.coordinateUnits: expected text, found a list"),
        (line(controlPoints=ABSENT), AT + r': "controlPoints" is missing'),
        (line(controlPoints="two"), r"controlPoints: expected a list, found text"),
        (line(controlPoints=[point("entry", ENTRY)]), r"has 2 control points, this one has 1"),
        (line(controlPoints=[point("e", ENTRY)] * 3), r"has 2 control points, this one has 3"),
        (line(controlPoints=[1, 2]), ENTRY_AT + r": expected an object, found a number"),
        (line(name=7), AT + r"\.name: expected text, found a number"),
        (with_entry([1.0, 2.0]), ENTRY_AT + r"\.position: expected 3 entries, found 2"),
        (with_entry([1.0] * 4), ENTRY_AT + r"\.position: expected 3 entries, found 4"),
        (with_entry(["1", 2, 3]), ENTRY_AT + r"\.position\[0\]: expected a number, found text"),
        (with_entry([1, True, 3]), r"\.position\[1\]: expected a number, found true or false"),
        (with_entry([1, None, 3]), r"\.position\[1\]: expected a number, found null"),
        (with_entry([1, 2, float("nan")]), r"\.position\[2\]: expected a finite number"),
        (with_entry([float("inf"), 2, 3]), r"\.position\[0\]: expected a finite number"),
        (with_entry([10**400, 2, 3]), r"\.position\[0\]: expected a finite number"),
        (with_entry(None), ENTRY_AT + r': "position" is missing'),
        (with_entry(TARGET), r"plan.mrk.json: entry and target are 0.0 mm apart"),
        (with_entry([-10.0, 60.0, 60.99]), r"entry and target are 1.0 mm apart; a plan is 1 to"),
        (with_entry([-10.0, 60.0, 210.1]), r"entry and target are 150.1 mm apart; .* 1 to 150 mm"),
        (line(frameOfReferenceUID="head CT"), r"frameOfReferenceUID: expected a DICOM UID"),
        (line(frameOfReferenceUID="1.02.3"), r"frameOfReferenceUID: expected a DICOM UID"),
        (line(frameOfReferenceUID="1." + "2" * 63), r"expected a DICOM UID"),
        (line(frameOfReferenceUID=12), r"frameOfReferenceUID: expected text, found a number"),
    ],
)  # fmt: skip
def test_a_bad_line_is_refused_by_name(
    tmp_path: Path, markup: dict[str, object], message: str
) -> None:
    with pytest.raises(PlanError, match=message) as refused:
        read_plan(save(tmp_path, markup))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("status", ["undefined", "preview"])
def test_an_unplaced_point_is_refused(tmp_path: Path, status: str) -> None:
    unplaced = point("target", TARGET, positionStatus=status)
    path = save(tmp_path, line(controlPoints=[point("entry", ENTRY), unplaced]))
    with pytest.raises(PlanError, match=rf'positionStatus: the point is "{status}": place it'):
        read_plan(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"plan\.mrk\.json: not a JSON file"),
        (b"<MRML/>", r"plan\.mrk\.json: not a JSON file"),
        (b"\xff\xfe{}", r"plan\.mrk\.json: not a JSON file: it is not UTF-8"),
        (b"[" * 200_000, r"plan\.mrk\.json: not a usable JSON file: it is nested too deeply"),
        (b"[1, 2]", r"plan\.mrk\.json: expected a JSON object at the top, found a list"),
        (b"{}", r'plan\.mrk\.json: "@schema" is missing'),
        (b'{"a": 1, "a": 2}', r'not a JSON file: "a" stands twice in one object'),
        (
            b'{"@schema": "markups-schema-v2.0.0.json#"}',
            r"not a 3D Slicer markups file of schema 1",
        ),
        (b'{"@schema": 5}', r"@schema: expected text, found a number"),
        (b'{"@schema": "x/markups-schema-v1.0.0.json#"}', r'"markups" is missing'),
        (
            b'{"@schema": "x/markups-schema-v1.0.0.json", "markups": {}}',
            r"markups: expected a list",
        ),
        (b'{"@schema": "x/markups-schema-v1.0.0.json", "markups": []}', r"no line markup in it"),
        (b'{"@schema": "x/markups-schema-v1.0.0.json", "markups": [{}]}', r'"type" is missing'),
        (b"9" * 5000, r"not a JSON file"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "plan.mrk.json"
    path.write_bytes(content)
    with pytest.raises(PlanError, match=message) as refused:
        read_plan(path)
    assert "\n" not in str(refused.value)


def test_schemas_are_accepted_as_slicer_accepts_them(tmp_path: Path) -> None:
    for schema in (SCHEMA.upper(), SCHEMA.rstrip("#"), SCHEMA.replace("1.0.3", "1.12.0")):
        assert read_plan(save(tmp_path, line(), **{"@schema": schema})).name == "L1 left"


def test_a_missing_or_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan is missing: there is no file .*nowhere"):
        read_plan(tmp_path / "nowhere.mrk.json")
    with pytest.raises(PlanError, match=r"plan cannot be read: .*: Is a directory"):
        read_plan(tmp_path)


coordinates = st.floats(-0.5, 0.5)


@given(
    st.lists(coordinates, min_size=3, max_size=3),
    st.lists(st.floats(0.001, 0.08), min_size=3, max_size=3),
    st.sampled_from(["LPS", "RAS"]),
    st.sampled_from([None, UID]),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    entry: list[float],
    step: list[float],
    system: str,
    uid: str | None,
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.mrk.json"
    plan = Plan("L2", np.array(entry), np.array(entry) + np.array(step), uid)
    write_plan(path, plan, coordinate_system=system)
    again = read_plan(path)
    assert_allclose(again.entry_image, plan.entry_image, atol=1e-9)
    assert_allclose(again.target_image, plan.target_image, atol=1e-9)
    assert (again.name, again.image_uid) == ("L2", uid)
    markup: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["markups"][0]
    sign = -1.0 if system == "RAS" else 1.0
    assert markup["coordinateSystem"] == system
    assert_allclose(markup["controlPoints"][0]["position"][0], sign * entry[0] * 1e3, atol=1e-6)


def test_a_void_plan_is_not_written(tmp_path: Path) -> None:
    here = np.zeros(3)
    path = tmp_path / "plan.mrk.json"
    with pytest.raises(PlanError, match=r'plan "L1": entry and target are 0\.0 mm apart'):
        write_plan(path, Plan("L1", here, here, None))
    good = Plan("L1", here, here + 0.02, None)
    with pytest.raises(PlanError, match='coordinate system "IJK" is unknown'):
        write_plan(path, good, coordinate_system="IJK")
    assert not path.exists()
    with pytest.raises(PlanError, match="plan cannot be written"):
        write_plan(tmp_path / "no folder" / "plan.mrk.json", good)
