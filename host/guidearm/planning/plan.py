"""A surgical plan: the straight line from an entry point to a target in an image.

Plans are line markups of 3D Slicer (`.mrk.json`, markups schema 1.x). Of a line this reads its
name, its two control points with their labels, its coordinate system (LPS, RAS; absent means
LPS) and its units (mm; absent means mm). Nothing in that schema says which end is the entry, so
the labels must: one point is called "entry", the other "target" (see `_role`).

The image a plan was drawn on is named by a key of ours, "frameOfReferenceUID", the DICOM Frame of
Reference UID (0020,0052), at the markup or at the top of the file. Slicer ignores the key, and
drops it when it saves the file again.

A line under a transform in Slicer is saved without that transform: harden it before saving.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from guidearm.errors import PlanError
from guidearm.geometry import Array
from guidearm.json_file import Node, read_object, rows, write_object

SHORTEST_M = 0.001
LONGEST_M = 0.150

_SCHEMA_URL = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)
# The expression Slicer's own loader applies to the lower-cased "@schema".
_SCHEMA = re.compile(r".*markups-schema-v1\.[0-9]+\.[0-9]+\.json#*$")
_TO_LPS = {"LPS": np.array([1.0, 1.0, 1.0]), "RAS": np.array([-1.0, -1.0, 1.0])}
_UID_KEY = "frameOfReferenceUID"
_WORDS = {
    "entry": "entry", "entrance": "entry", "entrypoint": "entry",
    "target": "target", "targetpoint": "target",
}  # fmt: skip
_LETTERS = {"e": "entry", "t": "target"}
_HOW_TO_LABEL = 'label one control point "entry" and the other "target" in 3D Slicer'


@dataclass(frozen=True, eq=False)
class Plan:
    """Entry and target in image coordinates (LPS, metres), each (3,).

    `image_uid` is the DICOM Frame of Reference UID of the image, None if the file names none.
    """

    name: str
    entry_image: Array
    target_image: Array
    image_uid: str | None
    path: Path | None = None

    @property
    def depth_m(self) -> float:
        """Distance from entry to target, m."""
        return float(np.linalg.norm(self.target_image - self.entry_image))

    @property
    def direction(self) -> Array:
        """Unit vector from entry to target, (3,), image axes."""
        return (self.target_image - self.entry_image) / self.depth_m

    def on_image(self, image_uid: str) -> Plan:
        """Return the plan bound to the image the user named.

        Raises PlanError if the file already names another one.
        """
        if self.image_uid not in (None, image_uid):
            raise PlanError(
                f'plan "{self.name}" was drawn on image {self.image_uid}, not on {image_uid}: '
                "choose the plan of this image"
            )
        return replace(self, image_uid=image_uid)


def read_plan(path: str | Path, name: str | None = None) -> Plan:
    """Read one line markup; `name` chooses among several.

    Raises PlanError with one line for a file that is missing, not JSON, not Slicer markups, has
    no line or several, or whose line has an unknown coordinate system or unit, an unplaced point,
    a position that is not three finite numbers, labels that do not tell entry from target, or a
    length outside 1 to 150 mm.
    """
    path = Path(path)
    top = read_object(path, "plan", PlanError)
    schema = top.member("@schema")
    if not _SCHEMA.match(schema.text().lower()):
        schema.refuse("not a 3D Slicer markups file of schema 1.x; save the line as .mrk.json")
    line, line_name = _choose_line(top, name)
    points = line.member("controlPoints")
    if len(points.items()) != 2:
        points.refuse(f"a planned line has 2 control points, this one has {len(points.items())}")
    placed = _by_role(points)
    to_lps_m = _to_lps_m(line)
    return check_plan(
        Plan(
            name=line_name or path.name.removesuffix(".json").removesuffix(".mrk"),
            entry_image=_position(placed["entry"]) * to_lps_m,
            target_image=_position(placed["target"]) * to_lps_m,
            image_uid=_image_uid(top, line),
            path=path,
        )
    )


def check_plan(plan: Plan) -> Plan:
    """Return `plan`; raises PlanError if the line is not 1 to 150 mm long."""
    where = plan.path.name if plan.path else f'plan "{plan.name}"'
    depth_m = plan.depth_m
    if not SHORTEST_M <= depth_m <= LONGEST_M:
        raise PlanError(
            f"{where}: entry and target are {depth_m * 1e3:.1f} mm apart; a plan is "
            f"{SHORTEST_M * 1e3:.0f} to {LONGEST_M * 1e3:.0f} mm long: place the points again"
        )
    return plan


def write_plan(path: str | Path, plan: Plan, coordinate_system: str = "LPS") -> None:
    """Write `plan` as a line markup that 3D Slicer loads; "LPS" or "RAS".

    Raises PlanError for a void plan, an unknown coordinate system or an unwritable file.
    """
    check_plan(plan)
    if coordinate_system not in _TO_LPS:
        raise PlanError(f'coordinate system "{coordinate_system}" is unknown: use LPS or RAS')
    from_lps = _TO_LPS[coordinate_system]
    points = [("entry", plan.entry_image), ("target", plan.target_image)]
    markup: dict[str, object] = {
        "type": "Line",
        "name": plan.name,
        "coordinateSystem": coordinate_system,
        "coordinateUnits": "mm",
        "controlPoints": [
            {
                "id": str(number),
                "label": label,
                "position": rows(point * from_lps, 1e3),
                "positionStatus": "defined",
            }
            for number, (label, point) in enumerate(points, start=1)
        ],
    }
    if plan.image_uid is not None:
        markup[_UID_KEY] = plan.image_uid
    write_object(path, {"@schema": _SCHEMA_URL, "markups": [markup]}, "plan", PlanError)


def _choose_line(top: Node, name: str | None) -> tuple[Node, str]:
    lines: list[tuple[Node, str]] = []
    for markup in top.member("markups").items():
        if markup.member("type").text() == "Line":
            given = markup.optional("name")
            lines.append((markup, given.text() if given else ""))
    if not lines:
        top.refuse("no line markup in it: draw the path as a line in 3D Slicer")
    names = ", ".join(f'"{line_name}"' for _, line_name in lines)
    chosen = [line for line in lines if name in (None, line[1])]
    if not chosen:
        top.refuse(f'no line named "{name}" in it; it has {names}')
    if len(chosen) > 1:
        chose = name is not None
        again = "give each its own name" if chose else "name one (--line) or save one per file"
        top.refuse(f"{len(chosen)} lines in it ({names}): {again}")
    return chosen[0]


def _to_lps_m(line: Node) -> Array:
    """Return the factors (3,) from the line's coordinates to LPS in metres."""
    system = line.optional("coordinateSystem")
    factors = _TO_LPS["LPS"] if system is None else _TO_LPS.get(system.text())
    if factors is None and system is not None:
        system.refuse(f'coordinate system "{system.text()}" is unknown: use LPS or RAS')
    units = line.optional("coordinateUnits")
    if units is not None:
        # Either the UCUM code, or code, scheme and meaning.
        code = units.items()[0] if units.value and not isinstance(units.value, str) else units
        if code.text() != "mm":
            units.refuse(f'unit "{code.text()}" is not supported: save the line in mm')
    return np.asarray(factors) * 1e-3


def _role(label: str) -> str | None:
    """Return which end a label names: "entry", "target", or None.

    The words decide; where neither stands, a last letter E or T does: "L1 entry", "Entry-1",
    "target point", "L3-T", "e". "T12" is a vertebra, not a target.
    """
    parts = [str(part) for part in re.findall(r"[a-z]+|[0-9]+", label.lower())]
    named = {_WORDS[part] for part in parts if part in _WORDS}
    if not named and parts and parts[-1] in _LETTERS:
        named = {_LETTERS[parts[-1]]}
    return named.pop() if len(named) == 1 else None


def _by_role(points: Node) -> dict[str, Node]:
    labels: list[str] = []
    placed: dict[str, Node] = {}
    for point in points.items():
        label = point.optional("label")
        labels.append(label.text() if label else "")
        role = _role(labels[-1])
        if role is not None:
            placed[role] = point
    if len(placed) != 2:
        found = " and ".join(f'"{label}"' for label in labels)
        points.refuse(f"the labels {found} do not tell entry from target: {_HOW_TO_LABEL}")
    return placed


def _position(point: Node) -> Array:
    status = point.optional("positionStatus")
    if status is not None and status.text() != "defined":
        status.refuse(f'the point is "{status.text()}": place it in 3D Slicer and save again')
    return point.member("position").array(3)


def _image_uid(top: Node, line: Node) -> str | None:
    uids = {found.uid() for node in (line, top) if (found := node.optional(_UID_KEY))}
    if len(uids) > 1:
        line.refuse(f"{_UID_KEY} differs from the one at the top of the file: keep one")
    return uids.pop() if uids else None
