"""Arms of any geometry: standard and modified DH, URDF; solved by restarts, used like any other."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import guidearm.kinematics
from guidearm.errors import ArmDescriptionError, UnreachableError
from guidearm.geometry import (
    Array,
    exp_so3,
    frame_along,
    inverse,
    pose_difference,
    rotation_rpy,
    transform,
)
from guidearm.kinematics import Arm, Chain, guide_candidates, load_arm
from guidearm.kinematics.restarts import NumericInverse
from guidearm.motion import joint_move, line_move

UR5 = (Path(guidearm.kinematics.__file__).parent / "arms" / "ur5.toml").read_text()
# A Puma 560 in Craig's parameters (Introduction to Robotics, 2005, figure 3.21) with a flange.
PUMA_MDH = {
    "d_m": [0.0, 0.0, 0.15, 0.4331, 0.0, 0.056],
    "a_m": [0.0, 0.0, 0.4318, 0.0203, 0.0, 0.0],
    "alpha_deg": [0, -90, 0, -90, 90, -90],
}
# The same arm in standard parameters (Corke 1996) but for the height of the base.
PUMA_DH = {
    "d_m": [0.0, 0.0, 0.15, 0.4331, 0.0, 0.056],
    "a_m": [0.0, 0.4318, 0.0203, 0.0, 0.0, 0.0],
    "alpha_deg": [-90, 0, -90, 90, -90, 0],
}
Write = Callable[..., Arm]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Load an arm with the limits and masses of a UR5 but another geometry."""

    def described(family: str, columns: dict[str, list[float]], home: str = "") -> Arm:
        text = UR5.replace('family = "ur"', f'family = "{family}"')
        if home:
            text = re.sub(r"home_deg = .*", f"home_deg = {home}", text)
        for key, values in columns.items():
            numbers = iter(values)
            text = re.sub(
                rf"^{key} = .*$", lambda _, k=key, n=numbers: f"{k} = {next(n)}", text, flags=re.M
            )
            assert next(numbers, None) is None
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return load_arm(path)

    return described


def postures(arm: Arm, count: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(-2.5, 2.5, size=(count, 6))


def elementary(axis: int, angle: float, along: float) -> Array:
    T = np.eye(4)
    T[:3, :3] = exp_so3(angle * np.eye(3)[axis])
    T[axis, 3] = along
    return T


def test_modified_parameters_are_their_elementary_motions(write: Write) -> None:
    arm = write("mdh", PUMA_MDH)
    for q in postures(arm, 20):
        pose = np.eye(4)
        for i in range(6):
            pose = pose @ elementary(0, np.deg2rad(PUMA_MDH["alpha_deg"][i]), PUMA_MDH["a_m"][i])
            pose = pose @ elementary(2, q[i], PUMA_MDH["d_m"][i])
        np.testing.assert_allclose(arm.forward(q), pose, atol=1e-14)


def test_one_arm_in_both_conventions(write: Write) -> None:
    """Masses are told in frames of their own: they pull at the joints alike."""
    modified, standard = write("mdh", PUMA_MDH), write("dh", PUMA_DH)
    q = postures(modified, 50)
    np.testing.assert_allclose(modified.forward(q), standard.forward(q), atol=1e-14)
    # Craig's frame i is the standard one before its Tx(a) Rx(alpha).
    com = standard.com.copy()
    for i in range(6):
        link = elementary(0, np.deg2rad(PUMA_DH["alpha_deg"][i]), PUMA_DH["a_m"][i])
        com[i] = (inverse(link) @ np.append(modified_com(modified, i), 1.0))[:3]
    moved = dataclasses.replace(standard, com=com)
    np.testing.assert_allclose(modified.gravity_torque(q), moved.gravity_torque(q), atol=1e-12)


def modified_com(arm: Arm, i: int) -> Array:
    """Return the centre of mass as the file has it."""
    rows = re.findall(r"^com_m = \[(.*)\]$", UR5, flags=re.M)
    assert len(rows) == len(arm.com)
    return np.array([float(word) for word in rows[i].split(",")])


def test_an_offset_of_a_joint_is_added_to_its_angle(write: Write, tmp_path: Path) -> None:
    arm = write("dh", PUMA_DH)
    text = (tmp_path / "mine.toml").read_text()
    path = tmp_path / "offset.toml"
    path.write_text(text.replace("[[joint]]", "[[joint]]\ntheta_deg = 30"))
    q = postures(arm, 10)
    np.testing.assert_allclose(
        load_arm(path).forward(q), arm.forward(q + np.deg2rad(30)), atol=1e-14
    )
    assert load_arm(path).arm_id != arm.arm_id


def test_a_ur_arm_told_as_any_arm_has_the_postures_of_the_closed_form(write: Write) -> None:
    closed, general = load_arm("ur5"), write("dh", {})
    assert isinstance(general.solver, NumericInverse)
    q = postures(closed, 60)
    q = q[closed.singularity(q) > 0.1]
    T = closed.forward(q)
    np.testing.assert_allclose(general.forward(q), T, atol=1e-15)
    found, valid = general.inverse_batch(T)
    expected, there = closed.inverse_batch(T)
    assert np.all(np.any(valid, axis=-1))
    missed = 0
    for i in range(len(T)):
        mine, theirs = found[i][valid[i]], expected[i][there[i]]
        apart = np.abs(mine[:, None] - theirs)
        same = np.max(np.minimum(apart, 2 * np.pi - apart), axis=-1) < 1e-8
        assert np.all(np.any(same, axis=1)), "a posture that is none"
        missed += int(np.sum(~np.any(same, axis=0)))
    assert missed < 0.05 * np.sum(there)


@pytest.mark.parametrize(("family", "columns"), [("dh", PUMA_DH), ("mdh", PUMA_MDH)])
def test_restarts_find_what_can_be_reached(
    write: Write, family: str, columns: dict[str, list[float]]
) -> None:
    arm = write(family, columns)
    rng = np.random.default_rng(3)
    q = rng.uniform(np.maximum(arm.lower, -np.pi), np.minimum(arm.upper, np.pi), size=(300, 6))
    T = arm.forward(q)
    found, valid = arm.inverse_batch(T)
    assert np.mean(np.any(valid, axis=-1)) > 0.99
    missed = pose_difference(np.repeat(T, valid.sum(axis=-1), axis=0), arm.forward(found[valid]))
    assert np.max(np.abs(missed)) < 1e-10
    assert np.all(arm.within_limits(found[valid]))


def test_the_same_pose_gives_the_same_postures_the_nearest_first(write: Write) -> None:
    arm = write("dh", PUMA_DH)
    q = np.array([0.3, -0.6, 0.4, 0.5, 0.9, -0.4])
    T, seed = arm.forward(q), q + 0.2
    first, second = arm.inverse(T, seed), arm.inverse(T, seed)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[0], q, atol=1e-9)
    np.testing.assert_allclose(arm.nearest(T, seed), q, atol=1e-9)
    assert len(first) >= 4


def test_what_is_not_found_is_not_called_out_of_reach(write: Write) -> None:
    arm = write("dh", PUMA_DH)
    with pytest.raises(
        UnreachableError, match=r"cannot reach .*: none of 128 starting points leads to it, which"
    ):
        arm.nearest(frame_along([2.0, 0.0, 0.0], [0.0, 0.0, 1.0]), np.zeros(6))


def test_limits_are_respected_and_named(write: Write) -> None:
    arm = write("dh", PUMA_DH)
    q = np.array([0.3, -0.6, 0.4, 0.5, 0.9, -0.4])
    lower, upper = arm.lower.copy(), arm.upper.copy()
    lower[0], upper[0] = 1.0, 1.1
    narrow = dataclasses.replace(arm, lower=lower, upper=upper)
    assert len(narrow.inverse(arm.forward(q))) == 0
    with pytest.raises(UnreachableError, match="has joint 1 outside its limits"):
        narrow.nearest(arm.forward(q), q)


def test_its_singularity_is_zero_where_its_jacobian_is(write: Write) -> None:
    arm = write("dh", PUMA_DH)
    straight = np.array([0.2, -0.7, 0.3, 0.4, 0.0, 0.6])  # the wrist of a Puma
    assert arm.singularity(straight) < 1e-12
    factors = arm.singularity_factors(postures(arm, 500))
    assert factors.shape == (500, 1)
    assert 0.3 < np.max(np.abs(factors)) <= 1.0
    turned = np.array([0.0, 0.0, 0.0, 0.0, 0.1, 0.0])
    before, behind = (arm.singularity_factors(straight + s * turned) for s in (-1.0, 1.0))
    assert before * behind < 0.0


def test_the_guide_finds_its_line_and_the_arm_moves_there(write: Write) -> None:
    arm = write("dh", PUMA_DH, home="[0, -40, 150, 0, 60, 0]")
    mount = arm.T_flange_guide
    line = arm.forward(arm.home + 0.1) @ mount
    found = guide_candidates(arm, mount, line, arm.home, rolls=12)
    assert sum(found.rejected.values()) + len(found) == found.verdict.size
    best = found[0]
    assert best.singularity >= 0.05
    move = joint_move(arm.home, best.q, arm, 0.5)
    assert move.duration_s > 0.0
    start = arm.forward(best.q) @ mount
    end = start.copy()
    end[:3, 3] += 0.02 * start[:3, 2]
    approach = line_move(arm, mount, start, end, best.q, 0.01)
    q, _ = approach.sample([approach.duration_s])
    np.testing.assert_allclose(arm.forward(q[-1]) @ mount, end, atol=1e-9)


def test_link_errors_and_compliance_go_with_any_arm(write: Write) -> None:
    rng = np.random.default_rng(4)
    twists = np.array([3e-4] * 3 + [7e-4] * 3) * rng.normal(size=(7, 6))
    arm = write("dh", PUMA_DH).with_errors(twists, np.full(6, 2e-5))
    for q in postures(arm, 5):
        T = arm.forward(q)
        solved = arm.nearest(T, q)
        assert np.linalg.norm(pose_difference(arm.forward(solved), T)) < 1e-10


# ---- URDF

HEAD = """<?xml version="1.0"?>
<robot name="five">
  <link name="world"/><joint name="stand" type="fixed">
    <origin xyz="0 0 0" rpy="0 0 0"/><parent link="world"/><child link="base"/></joint>
  <link name="base"><inertial><mass value="4"/></inertial></link>
"""


def rpy(R: Array) -> str:
    yaw, pitch = np.arctan2(R[1, 0], R[0, 0]), np.arctan2(-R[2, 0], np.hypot(R[0, 0], R[1, 0]))
    roll = np.arctan2(R[2, 1], R[2, 2])
    np.testing.assert_allclose(rotation_rpy([roll, pitch, yaw]), R, atol=1e-12)
    return f"{roll:.17g} {pitch:.17g} {yaw:.17g}"


def xyz(v: Array) -> str:
    return " ".join(f"{x:.17g}" for x in v)


def as_urdf(arm: Arm) -> str:
    """Tell a chain with every axis in an odd direction, and links of two halves each."""
    rng = np.random.default_rng(7)
    turns = [transform(exp_so3(rng.normal(size=3)), np.zeros(3)) for _ in range(6)]
    turns.append(np.eye(4))
    text, parent, before = HEAD, "base", np.eye(4)
    for i in range(6):
        origin = before @ arm.chain.links[i] @ turns[i] if i == 0 else before @ turns[i]
        axis = inverse(turns[i])[:3, 2]
        text += f"""
  <joint name="axis_{i + 1}" type="revolute">
    <origin xyz="{xyz(origin[:3, 3])}" rpy="{rpy(origin[:3, :3])}"/>
    <parent link="{parent}"/><child link="link_{i + 1}"/>
    <axis xyz="{xyz(2.0 * axis)}"/>
    <limit lower="{arm.lower[i]:.17g}" upper="{arm.upper[i]:.17g}"
      effort="{arm.torque[i]:.17g}" velocity="{arm.velocity[i]:.17g}"/>
  </joint>"""
        before = inverse(turns[i]) @ arm.chain.links[i + 1]
        centre = (before @ np.append(arm.com[i], 1.0))[:3]
        for name, place in ((f"link_{i + 1}", centre + 0.01), (f"half_{i + 1}", centre - 0.01)):
            text += f"""
  <link name="{name}"><inertial><mass value="{0.5 * arm.mass[i]:.17g}"/>
    <origin xyz="{xyz(place)}"/></inertial></link>"""
        text += f"""
  <joint name="glue_{i + 1}" type="fixed"><parent link="link_{i + 1}"/>
    <child link="half_{i + 1}"/></joint>"""
        parent = f"link_{i + 1}"
    return f"""{text}
  <joint name="mount" type="fixed"><origin xyz="{xyz(before[:3, 3])}" rpy="{rpy(before[:3, :3])}"/>
    <parent link="{parent}"/><child link="flange"/></joint>
  <link name="flange"/></robot>"""


TOML = """name = "mine"
family = "urdf"
urdf = "mine.urdf"
tip_link = "flange"
home_deg = [0, -90, 90, -90, -90, 0]
[guide]
translation_mm = [0, 50, 110]
rpy_deg = [0, 0, 0]
[marker]
translation_mm = [0, -60, 50]
rpy_deg = [0, 0, 0]
""" + "".join(
    f"[[joint]]\nname = 'axis_{i + 1}'\nacceleration_deg_s2 = 300\njerk_deg_s3 = 3000\n"
    "inertia_kgm2 = 1\n"
    for i in range(6)
)


@pytest.fixture
def urdf(tmp_path: Path) -> Path:
    (tmp_path / "mine.urdf").write_text(as_urdf(load_arm("ur5")))
    (tmp_path / "mine.toml").write_text(TOML)
    return tmp_path / "mine.toml"


def test_a_urdf_is_the_arm_it_tells_of(urdf: Path) -> None:
    arm, told = load_arm("ur5"), load_arm(urdf)
    q = postures(arm, 50)
    np.testing.assert_allclose(told.forward(q), arm.forward(q), atol=1e-13)
    np.testing.assert_allclose(told.jacobian(q), arm.jacobian(q), atol=1e-13)
    np.testing.assert_allclose(told.gravity_torque(q), arm.gravity_torque(q), atol=1e-11)
    for name in ("lower", "upper", "velocity", "torque", "mass"):
        np.testing.assert_allclose(getattr(told, name), getattr(arm, name), rtol=1e-12)
    T = arm.forward(arm.home)
    np.testing.assert_allclose(told.nearest(T, arm.home + 0.1), arm.home, atol=1e-8)


def test_the_description_has_the_last_word(urdf: Path) -> None:
    text = urdf.read_text().replace("name = 'axis_2'\n", "name = 'axis_2'\ntorque_nm = 5\n")
    urdf.write_text(text)
    assert load_arm(urdf).torque[1] == 5.0


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("toml", '"mine.urdf"', '"absent.urdf"', ["absent.urdf: cannot be read: No such file"]),
        ("toml", 'tip_link = "flange"\n', "", ["not one end but 7", "tip_link"]),
        ("toml", '"flange"', '"hand"', ["no link 'hand'"]),
        ("toml", "'axis_3'", "'axis_4'", ["joint 3 name", "'axis_4'", "'axis_3'"]),
        ("toml", 'family = "urdf"', 'family = "dh"', ["urdf", "not a known key"]),
        ("urdf", "</robot>", "", ["mine.urdf: is not XML"]),
        ("urdf", '<robot name="five">', "<sdf>", ["is not XML"]),
        ("urdf", 'name="axis_3" type="revolute"', 'name="axis_3" type="prismatic"', ["prismatic"]),
        ("urdf", 'name="axis_3" type="revolute"', 'name="axis_3" type="fixed"', ["has 5 joints"]),
        ("urdf", '<parent link="link_2"/>', '<parent link="lost"/>', ["no link 'lost'"]),
        ("urdf", '<parent link="link_2"/>', "", ["has no <parent>"]),
        ("urdf", '<mass value="4"/>', "<mass/>", []),
        ("urdf", 'effort="150"', 'effort="strong"', ["limit: effort is 'strong'"]),
        ("urdf", 'effort="150"', 'effort="inf"', ["finite"]),
        ("urdf", 'effort="150"', "", ["joint 1 torque_nm is missing"]),
        ("urdf", '<axis xyz="', '<axis xyz="0 0 0" was="', ["'axis_1'", "no length"]),
        ("urdf", '<axis xyz="', '<axis xyz="0 1" was="', ["'axis_1'", "three numbers"]),
        ("urdf", '<child link="link_2"/>', '<child link="link_1"/>', ["child of two joints"]),
    ],
)
def test_every_mistake_is_named(
    urdf: Path, file: str, old: str, new: str, words: list[str]
) -> None:
    path = urdf.with_suffix(f".{file}")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    if not words:  # of what stands before the first joint nothing is asked
        load_arm(urdf)
        return
    with pytest.raises(ArmDescriptionError) as raised:
        load_arm(urdf)
    message = str(raised.value)
    assert "\n" not in message
    assert "mine." in message or "absent." in message
    for word in words:
        assert word in message


def test_links_of_a_chain_may_be_anything() -> None:
    rng = np.random.default_rng(8)
    links = transform(exp_so3(rng.normal(size=(7, 3))), rng.normal(size=(7, 3)))
    chain = Chain(links)
    q = rng.uniform(-3, 3, size=(20, 6))
    T, J = chain.pose_and_jacobian(q)
    np.testing.assert_allclose(T, chain.frames(q)[:, 6], atol=1e-13)
    step = 1e-6
    for i in range(6):
        ahead, behind = (chain.pose(q + s * step * np.eye(6)[i]) for s in (1.0, -1.0))
        np.testing.assert_allclose(
            J[:, :, i], pose_difference(ahead, behind) / (2 * step), atol=1e-8
        )
