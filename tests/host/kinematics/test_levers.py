"""By how much clearances and gravity change at most: never more, and for some joints just so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.geometry import Array, apply
from guidearm.kinematics import load_arm
from guidearm.kinematics.clearance import BASE, FLANGE, Rod, Room, Sight
from guidearm.kinematics.levers import levers

ARMS = {name: load_arm(name) for name in ("guide6", "ur5")}
ERRORS = np.repeat([3e-4, 7e-4], 3) * np.random.default_rng(7).normal(size=(7, 6))
ARMS["built"] = ARMS["guide6"].with_errors(ERRORS)
EYE = np.array([1.2, -0.6, 1.0])
ROOM = Room(
    (Rod("stand", np.array([0.4, 0.3, 0.0]), np.array([0.4, 0.3, 1.0]), 0.03),),
    (
        Sight("marker", EYE, FLANGE, np.array([0.0, -0.06, 0.05]), 0.02, frozenset({"marker"})),
        Sight("patient", EYE, BASE, np.array([0.4, 0.1, 0.2]), 0.02),
    ),
)
names = st.sampled_from(sorted(ARMS))
postures = st.lists(st.floats(-3.1, 3.1), min_size=6, max_size=6).map(np.array)
turns = st.lists(st.floats(-0.3, 0.3), min_size=6, max_size=6).map(np.array)


@given(names, postures, turns)
def test_no_clearance_changes_by_more(name: str, q: Array, turn: Array) -> None:
    arm = ARMS[name]
    rates = arm.clearance_rates(ROOM)
    found = arm.clearances(np.array([q, q + turn]), ROOM)
    assert rates.shape == (len(found.pairs), 6)
    assert np.all(np.abs(np.diff(found.each, axis=0)[0]) <= rates @ np.abs(turn) + 1e-12)


@given(names, postures, turns)
def test_no_gravity_torque_changes_by_more(name: str, q: Array, turn: Array) -> None:
    arm = ARMS[name]
    torque = arm.gravity_torque(np.array([q, q + turn]))
    most = arm.gravity_torque_rates() @ np.abs(turn)
    assert np.all(np.abs(np.diff(torque, axis=0)[0]) <= most + 1e-12)


@given(names, postures, st.integers(0, 6), st.floats(-0.2, 0.2))
def test_a_lever_is_reached_by_the_joint_next_to_the_link_and_by_no_joint_surpassed(
    name: str, q: Array, link: int, across: float
) -> None:
    chain = ARMS[name].chain
    point = np.array([across, 0.1, -0.05])
    found = levers(chain.links, link, point)
    frames = chain.frames(q)
    at = apply(frames[link], point)
    for joint in range(6):
        axis, origin = frames[joint, :3, 2], frames[joint, :3, 3]
        arm = float(np.linalg.norm(np.cross(axis, at - origin)))
        if joint >= link:
            assert found[joint] == 0.0
        elif joint == link - 1:
            assert found[joint] == pytest.approx(arm, abs=1e-12)
        else:
            assert arm <= found[joint] + 1e-12


def test_only_joints_between_two_things_change_how_far_they_are_apart() -> None:
    arm = ARMS["guide6"]
    rates = dict(zip(arm.clearances(arm.home).pairs, arm.clearance_rates().tolist(), strict=True))
    # it reaches 100 mm out from the axis of joint 1
    assert rates["shoulder", "table"] == pytest.approx([0.1] + [0.0] * 5, abs=1e-12)
    assert rates["sleeve", "upper arm"][:2] == [0.0, 0.0]
    assert min(rates["sleeve", "upper arm"][2:]) > 0.0
    assert min(rates["sleeve", "table"]) > 0.0
