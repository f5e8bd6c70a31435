"""Clearances against spheres set densely along every capsule, and what files may not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guidearm.errors import ArmDescriptionError
from guidearm.kinematics import load_arm
from guidearm.kinematics.clearance import BASE, FLANGE, Block, Bodies, Body, Rod, Room, Sight
from guidearm.kinematics.room_file import RoomError, load_site

ARMS = Path(load_arm.__code__.co_filename).parent / "arms"
SPHERES = 200


def _spheres(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return start + np.linspace(0.0, 1.0, SPHERES + 1)[:, None] * (end - start)


@pytest.mark.parametrize("name", ["guide6", "ur5", "ur5e"])
def test_arms_are_clear_of_themselves_at_home(name: str) -> None:
    arm = load_arm(name)
    assert len(arm.bodies.bodies) >= 10
    assert arm.clearances(arm.home).least > 0.004


def test_pairs_against_dense_spheres() -> None:
    arm = load_arm("guide6")
    q = np.random.default_rng(4).uniform(-3.0, 3.0, (40, 6))
    found = arm.clearances(q)
    start, end = arm.bodies.placed(arm.joint_frames(q))
    names = [body.name for body in arm.bodies.bodies]
    table = {name: arm.bodies.radii[i] for i, name in enumerate(names)}
    for column, (one, other) in enumerate(found.pairs):
        if other == "table":
            ends = np.stack([start, end])[:, :, names.index(one), 2]
            assert found.each[:, column] == pytest.approx(ends.min(axis=0) - table[one])
            continue
        i, j = names.index(one), names.index(other)
        for k in range(0, 40, 4):
            a, b = _spheres(start[k, i], end[k, i]), _spheres(start[k, j], end[k, j])
            dense = np.linalg.norm(a[:, None] - b[None], axis=-1).min() - table[one] - table[other]
            step = float(np.linalg.norm(end[k, i] - start[k, i]) + np.linalg.norm(b[-1] - b[0]))
            assert dense - step / SPHERES <= found.each[k, column] <= dense + 1e-9


def test_batches_are_as_single_postures() -> None:
    arm = load_arm("ur5e")
    q = np.random.default_rng(5).uniform(-3.0, 3.0, (3, 4, 6))
    whole = arm.clearances(q)
    assert whole.each.shape == (3, 4, len(whole.pairs))
    assert whole.each[2, 1] == pytest.approx(arm.clearances(q[2, 1]).each)
    least, at, pair = whole.nearest
    assert whole.least[at] == pytest.approx(least)
    assert least == pytest.approx(whole.each[at][whole.pairs.index(pair)])


def test_what_touches_is_named() -> None:
    arm = load_arm("guide6")
    straight_up = np.radians([0.0, -90.0, 0.0, -90.0, 0.0, 0.0])
    top = float(arm.joint_frames(straight_up)[3, 2, 3])
    bar = Rod("lamp", np.array([-1.0, -0.1, top]), np.array([1.0, -0.1, top]), 0.02)
    least, _, pair = arm.clearances(straight_up, Room((bar,))).nearest
    assert least < 0.0
    assert pair[1] == "lamp"
    away = Block("shelf", np.eye(4) + _shift([2.0, 0.0, 0.5]), np.full(3, 0.1))
    assert arm.clearances(straight_up, Room((away,))).least > 0.0


def test_line_of_sight_is_crossed_by_the_arm_only() -> None:
    arm = load_arm("guide6")
    frames = arm.joint_frames(arm.home)
    elbow = frames[2, :3, 3]
    marker = (arm.forward(arm.home) @ arm.T_flange_arm_marker)[:3, 3]
    beyond = elbow + (elbow - marker) * 2.0
    spares = frozenset({"marker", "bracket", "sleeve", "wrist 3"})
    through = Sight("sight", beyond, FLANGE, arm.T_flange_arm_marker[:3, 3], 0.01, spares)
    aside = Sight("sight", marker + np.array([1.0, 0.0, 0.3]), FLANGE, through.target, 0.01, spares)
    assert arm.clearances(arm.home, Room(sights=(through,))).least < 0.0
    free = arm.clearances(arm.home, Room().with_sights(aside))
    assert free.least > 0.0
    assert not {pair for pair in free.pairs if pair[0] in spares and pair[1] == "sight"}
    fixed = Sight("patient", beyond, BASE, marker, 0.01, spares)
    assert arm.clearances(arm.home, Room(sights=(fixed,))).least < 0.0


def test_an_arm_without_bodies_meets_nothing() -> None:
    assert Bodies().clearances(np.zeros((5, 7, 4, 4))).least == pytest.approx(np.full(5, np.inf))


def test_neighbours_and_named_pairs_may_touch() -> None:
    def ball(name: str, link: int) -> Body:
        return Body(name, link, np.zeros(3), np.zeros(3), 0.1)

    frames = np.broadcast_to(np.eye(4), (7, 4, 4))
    bodies = (ball("one", 1), ball("two", 2), ball("three", 3))
    assert Bodies(bodies).clearances(frames).pairs == (("three", "one"),)
    assert Bodies(bodies, frozenset({frozenset({"one", "three"})})).clearances(frames).pairs == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[keep_out]]\nname = "a"', "one of floor, box and rod; this has 0"),
        (
            '[[keep_out]]\nname = "a"\nfloor = { point_mm = [0, 0, 0], normal = [0, 0, 0] }',
            "keep_out[0].floor.normal: has no length",
        ),
        (
            '[[keep_out]]\nname = "a"\nspares = ["nose"]\n'
            "rod = { from_mm = [0, 0, 0], to_mm = [0, 0, 1], radius_mm = 3 }",
            'spares[0]: no body is called "nose"; there are pedestal',
        ),
        (
            '[[keep_out]]\nname = "a"\n'
            "rod = { from_mm = [0, 0], to_mm = [0, 0, 1], radius_mm = 3 }",
            "rod.from_mm: expected 3 entries, found 2",
        ),
        (
            '[[keep_out]]\nname = "a"\n'
            "box = { centre_mm = [0, 0, 0], size_mm = [1, 1, 1], round_mm = 3 }",
            "size_mm: a box needs positive edges",
        ),
        ("[[keepout]]\n", "keepout: is not known here"),
        ("[[keep_out]\n", "not a TOML file"),
    ],
)
def test_room_files_are_refused_by_field(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "room.toml"
    path.write_text(text)
    with pytest.raises(RoomError) as refused:
        load_site(path, load_arm("guide6").bodies)
    assert says in str(refused.value)
    assert "room.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_room_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "room.toml"
    path.write_text(
        '[[keep_out]]\nname = "patient"\n'
        "rod = { from_mm = [300, -300, 50], to_mm = [300, 300, 50], radius_mm = 120 }\n"
        '[[keep_out]]\nname = "stand"\nspares = ["sleeve"]\n'
        "box = { centre_mm = [0, 400, 0], size_mm = [100, 100, 900], rpy_deg = [0, 0, 45] }\n"
    )
    room = load_site(path, load_arm("guide6").bodies).room
    assert [volume.name for volume in room.keep_outs] == ["patient", "stand"]
    assert room.keep_outs[1].spares == {"sleeve"}
    at = np.array([0.0, 0.0, 0.0])
    assert room.keep_outs[1].distance(at, at) == pytest.approx(0.4 - 0.05 * np.sqrt(2), abs=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("link = 3", "link = 7", "links are 0 (base) to 6 (flange)"),
        ('name = "forearm"', 'name = "elbow"', 'a body "elbow" stands here already'),
        ("radius_mm = 50", "radius_mm = 0", "must be positive"),
        ('may_touch = ["forearm"]', 'may_touch = ["arm"]', 'no body is called "arm"'),
    ],
)
def test_arm_descriptions_are_refused_by_field(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = (ARMS / "guide6.toml").read_text()
    assert old in text
    path = tmp_path / "arm.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ArmDescriptionError) as refused:
        load_arm(path)
    assert says in str(refused.value)


def _shift(by: list[float]) -> np.ndarray:
    shift = np.zeros((4, 4))
    shift[:3, 3] = by
    return shift
