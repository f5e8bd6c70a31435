"""Bodies of an arm, and rooms about it, as they stand in TOML files.

An arm description and a room file share these tables. Lengths are millimetres, angles degrees:

    [[body]]                    # of the arm: a capsule fixed to a link
    name = "forearm"
    link = 3                    # 0 is the base, 6 the flange
    from_mm = [305, 0, 20]      # in the DH frame of the link
    to_mm = [0, 0, 20]          # left out: a sphere
    radius_mm = 45
    may_touch = ["guide"]       # beside bodies of its own link and its neighbours

    [[keep_out]]                # fixed to the base; one of floor, box and rod
    name = "table"
    floor = { point_mm = [0, 0, -10], normal = [0, 0, 1] }
    box = { centre_mm = [0, 0, 0], size_mm = [100, 200, 300], rpy_deg = [0, 0, 0], round_mm = 0 }
    rod = { from_mm = [0, 0, 0], to_mm = [0, 0, 1000], radius_mm = 30 }
    spares = ["pedestal"]       # bodies that may be in it

A room file may tell also, both in base coordinates:

    [patient]                   # T_base_patient: where the patient's marker stands
    translation_mm = [420, 110, 205]
    rpy_deg = [0, 0, 0]

    [camera]                    # T_base_camera: +z is where it looks
    translation_mm = [1280, -620, 1050]
    rpy_deg = [130, 0, 30]
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guidearm.errors import ArmDescriptionError, GuideArmError
from guidearm.geometry import Array, rotation_rpy, transform
from guidearm.json_file import Node
from guidearm.kinematics.clearance import FLANGE, Block, Bodies, Body, Floor, KeepOut, Rod, Room
from guidearm.kinematics.site import Site
from guidearm.toml_file import read_table

_MM = 1e-3


class RoomError(GuideArmError):
    """A room file is not usable."""


def bodies_of(top: Node) -> Bodies:
    """Read the tables [[body]] of a file; raises its error for a bad field or a second name."""
    bodies: list[Body] = []
    touching: list[tuple[Node, str, str]] = []
    for node in _tables(top, "body"):
        node.only("name", "link", "from_mm", "to_mm", "radius_mm", "may_touch")
        name = node.member("name").text()
        if any(body.name == name for body in bodies):
            node.refuse(f'a body "{name}" stands here already: give each its own name')
        link = node.member("link").integer()
        if not 0 <= link <= FLANGE:
            node.member("link").refuse(f"is {link}: links are 0 (base) to {FLANGE} (flange)")
        start = node.member("from_mm").array(3) * _MM
        to = node.optional("to_mm")
        end = start if to is None else to.array(3) * _MM
        bodies.append(Body(name, link, start, end, _positive(node.member("radius_mm")) * _MM))
        may_touch = node.optional("may_touch")
        touching += [(item, name, item.text()) for item in may_touch.items()] if may_touch else []
    _known(touching, bodies)
    return Bodies(tuple(bodies), frozenset(frozenset((one, other)) for _, one, other in touching))


def keep_outs_of(top: Node, bodies: Bodies) -> tuple[KeepOut, ...]:
    """Read the tables [[keep_out]] of a file; `bodies` are those that may be spared."""
    found: list[KeepOut] = []
    sparing: list[tuple[Node, str, str]] = []
    for node in _tables(top, "keep_out"):
        node.only("name", "floor", "box", "rod", "spares")
        name = node.member("name").text()
        spares = node.optional("spares")
        names = [item.text() for item in spares.items()] if spares else []
        sparing += [(item, name, item.text()) for item in spares.items()] if spares else []
        found.append(_volume(node, name, frozenset(names)))
    _known(sparing, bodies.bodies)
    return tuple(found)


def load_site(path: str | Path, bodies: Bodies) -> Site:
    """Read a room file: keep-outs as in an arm description, and poses in base coordinates.

    Raises RoomError that names the file and the field at fault.
    """
    top = read_table(path, "room", RoomError)
    top.only("keep_out", "patient", "camera")
    patient, camera = (_pose(top.optional(key)) for key in ("patient", "camera"))
    return Site(Room(keep_outs_of(top, bodies)), patient, camera)


def _pose(node: Node | None) -> Array | None:
    if node is None:
        return None
    node.only("translation_mm", "rpy_deg")
    rpy = node.member("rpy_deg").array(3)
    return transform(rotation_rpy(np.radians(rpy)), node.member("translation_mm").array(3) * _MM)


def arm_bodies(table: dict[str, object], path: str) -> tuple[Bodies, Room]:
    """Read bodies and keep-outs of a parsed arm description; raises ArmDescriptionError."""
    top = Node(table, path, ArmDescriptionError)
    bodies = bodies_of(top)
    return bodies, Room(keep_outs_of(top, bodies))


def _volume(node: Node, name: str, spares: frozenset[str]) -> KeepOut:
    kinds = [kind for kind in ("floor", "box", "rod") if node.optional(kind) is not None]
    if len(kinds) != 1:
        node.refuse(f"a keep-out is one of floor, box and rod; this has {len(kinds)} of them")
    shape = node.member(kinds[0])
    if kinds[0] == "floor":
        shape.only("point_mm", "normal")
        return Floor(name, shape.member("point_mm").array(3) * _MM, _direction(shape), spares)
    if kinds[0] == "rod":
        shape.only("from_mm", "to_mm", "radius_mm")
        start, end = (shape.member(key).array(3) * _MM for key in ("from_mm", "to_mm"))
        return Rod(name, start, end, _positive(shape.member("radius_mm")) * _MM, spares)
    shape.only("centre_mm", "size_mm", "rpy_deg", "round_mm")
    rpy, edge = shape.optional("rpy_deg"), shape.optional("round_mm")
    rotation = rotation_rpy(np.radians(rpy.array(3))) if rpy else np.eye(3)
    size = shape.member("size_mm")
    half = size.array(3) * _MM / 2
    radius = edge.number() * _MM if edge else 0.0
    if not np.all(half > 0.0) or not 0.0 <= radius <= float(np.min(half)):
        size.refuse("a box needs positive edges, and rounding of at most half the shortest")
    centre = shape.member("centre_mm").array(3) * _MM
    return Block(name, transform(rotation, centre), half - radius, radius, spares)


def _direction(shape: Node) -> Array:
    normal = shape.member("normal")
    direction = normal.array(3)
    length = float(np.linalg.norm(direction))
    if length < 1e-6:
        normal.refuse("has no length: give the direction to the free side")
    return direction / length


def _positive(node: Node) -> float:
    value = node.number()
    if value <= 0.0:
        node.refuse(f"is {value:g}, must be positive")
    return value


def _tables(top: Node, key: str) -> list[Node]:
    found = top.optional(key)
    return [] if found is None else found.items()


def _known(named: list[tuple[Node, str, str]], bodies: tuple[Body, ...] | list[Body]) -> None:
    names = [body.name for body in bodies]
    for node, _, name in named:
        if name not in names:
            node.refuse(f'no body is called "{name}"; there are {", ".join(names) or "none"}')
