"""Who is on the bus: shared and stray addresses, other arms, other firmware, another baud rate."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from guidearm.cli.address import address as address_command
from guidearm.connection import robot_on
from guidearm.errors import (
    AddressError,
    InputError,
    LinkError,
    RefusedError,
    SilentBusError,
    SilentJointError,
    VersionMismatchError,
)
from guidearm.kinematics import load_arm
from guidearm.link import JointBus, assign, discover, find_baud
from guidearm_hil import rig as rigs
from guidearm_hil.noise import Noise
from guidearm_hil.rig import VirtualArm, build_virtual_image, open_virtual
from guidearm_protocol import messages
from guidearm_protocol.parameters import NAMES

ARM = load_arm("guide6")


def ids(arm: VirtualArm) -> list[str]:
    """Return the joints' unique ids by number, from a bus on which all are apart."""
    return [found.unique_id for found in discover(JointBus(arm.connection()))]


@pytest.fixture(scope="module")
def unique_ids() -> list[str]:
    with VirtualArm(ARM, 3) as arm:
        return ids(arm)


def test_all_joints_are_found_whatever_their_addresses(unique_ids: list[str]) -> None:
    with VirtualArm(ARM, 3, addresses=dict.fromkeys(range(1, 7), 4)) as arm:
        found = discover(JointBus(arm.connection()))
    assert sorted(f.unique_id for f in found) == sorted(unique_ids)
    assert {f.address for f in found} == {4}


@pytest.mark.parametrize("seed", range(4))
def test_noise_delays_the_list_and_does_not_change_it(seed: int) -> None:
    noise = Noise(corrupt=0.01, drop=0.01)
    with VirtualArm(ARM, seed, noise=noise, addresses={2: 1}) as arm:
        found = discover(JointBus(arm.connection()))
        assert [f.address for f in found] == [1, 1, 3, 4, 5, 6]


def test_a_bus_that_is_never_calm_is_said_to_be_too_noisy() -> None:
    with (
        VirtualArm(ARM, 1, noise=Noise(corrupt=0.5)) as arm,
        pytest.raises(LinkError, match="too noisy to tell who is on it"),
    ):
        discover(JointBus(arm.connection()))


def test_two_joints_with_one_address_are_named_with_the_command_that_parts_them(
    unique_ids: list[str],
) -> None:
    with VirtualArm(ARM, 3, addresses={4: 3}) as arm:
        with pytest.raises(AddressError) as refused:
            robot_on(arm.connection(), ARM)
        text = str(refused.value)
        assert unique_ids[2] in text and unique_ids[3] in text
        assert "both have address 3" in text
        *_, unique_id, address = text.split()
        assert (unique_id in unique_ids[2:4], address) == (True, "4")
        assert f"guidearm address set {unique_id} 4" in text
        assign(JointBus(arm.connection()), unique_id, 4, ARM.arm_id)
        robot = robot_on(arm.connection(), ARM)
        assert {identity.unique_id for identity in robot.identities} == set(unique_ids)


def test_a_joint_with_an_address_the_arm_does_not_use(unique_ids: list[str]) -> None:
    with (
        VirtualArm(ARM, 3, addresses={2: 9}) as arm,
        pytest.raises(
            AddressError,
            match=f"joint 2 .* does not answer, but joint {unique_ids[1]} has address 9: "
            f"guidearm address set {unique_ids[1]} 2",
        ),
    ):
        robot_on(arm.connection(), ARM)


@pytest.mark.parametrize("foreign", [1, 4])
def test_a_joint_of_another_arm_is_refused(foreign: int, unique_ids: list[str]) -> None:
    with VirtualArm(ARM, 3, arm_ids={foreign: 12}) as arm:
        with pytest.raises(VersionMismatchError) as refused:
            robot_on(arm.connection(), ARM)
        assert f"joint {foreign} ({unique_ids[foreign - 1]}) belongs to arm 12" in str(
            refused.value
        )
        command = f"guidearm address set {unique_ids[foreign - 1]} {foreign} --arm-id {ARM.arm_id}"
        assert command in str(refused.value)
        assign(JointBus(arm.connection()), unique_ids[foreign - 1], foreign, ARM.arm_id)
        robot_on(arm.connection(), ARM)


@pytest.mark.parametrize("name", ["ur5", "ur5e"])
def test_joints_are_not_moved_as_another_arm(name: str) -> None:
    model = load_arm(name)
    with (
        VirtualArm(ARM, 3) as arm,
        pytest.raises(
            VersionMismatchError,
            match=rf"are those of guide6 \(arm {ARM.arm_id}\), not of {name} "
            rf"\(arm {model.arm_id}\): choose --arm guide6",
        ),
    ):
        robot_on(arm.connection(), model)


def test_joints_of_an_arm_that_is_not_shipped() -> None:
    own = dataclasses.replace(ARM, name="own", lower=ARM.lower * 0.9)
    with VirtualArm(own, 3) as arm:
        with pytest.raises(VersionMismatchError, match=r"those of another arm .*choose its --arm"):
            robot_on(arm.connection(), ARM)
        robot_on(arm.connection(), own)


def test_joints_that_were_given_to_no_arm_fit_any() -> None:
    with VirtualArm(ARM, 3, arm_ids=dict.fromkeys(range(1, 7), 0)) as arm:
        robot_on(arm.connection(), ARM)


def test_firmware_of_another_version_is_refused_naming_both(tmp_path: Path) -> None:
    build_virtual_image(tmp_path / "image")
    main = tmp_path / "image" / "main.py"
    text = main.read_text(encoding="utf-8")
    assert text.count("VERSION = (0, 1, 0)") == 1
    main.write_text(text.replace("(0, 1, 0)", "(0, 2, 5)"), encoding="utf-8")
    with (
        VirtualArm(ARM, 3, images={5: tmp_path / "image"}) as arm,
        pytest.raises(
            VersionMismatchError,
            match=r"joint 5 has firmware 0\.2\.5, this host is 0\.1\.0.*guidearm==0\.2\.5",
        ),
    ):
        robot_on(arm.connection(), ARM)


def test_an_address_outlives_the_power_and_other_parameters_do_not(virtual_arm: VirtualArm) -> None:
    bus = JointBus(virtual_arm.connection())
    bus.identify(2, 5)
    kp = {"index": NAMES.index("kp")}
    before = bus.request(2, messages.GET_PARAMETER, kp)["value"]
    bus.request(2, messages.SET_PARAMETER, {**kp, "value": before + 1})
    assign(bus, discover(bus)[1].unique_id, 9, 3)
    virtual_arm.reboot(2)
    found = discover(bus)[-1]
    assert (found.address, found.arm_id) == (9, 3)
    bus.identify(9, 6)
    assert bus.request(9, messages.GET_PARAMETER, kp)["value"] == before


def test_an_enabled_joint_keeps_its_address(virtual_arm: VirtualArm) -> None:
    robot = robot_on(virtual_arm.connection(), ARM)
    robot.enable()
    unique_id = robot.identities[1].unique_id
    with pytest.raises(RefusedError, match="enabled: disable it first"):
        assign(robot.bus, unique_id, 9, 0)
    assert robot.poll().enabled
    with pytest.raises(SilentJointError, match="no joint with unique id 00"):
        assign(robot.bus, "00" * 8, 9, 0)
    robot.stop()


# ---- baud rate


@pytest.mark.parametrize("baud", [500_000, 2_000_000, 3_000_000])
def test_the_joints_baud_rate_is_found(baud: int) -> None:
    connection = open_virtual(f"virtual:seed=2&baud={baud}")
    try:
        robot = robot_on(connection, ARM)
        assert connection.port.baud == baud
        assert all(balance.clean for balance in robot.balances())
    finally:
        connection.port.close()


def test_a_rate_that_is_in_no_list_is_not_found() -> None:
    connection = open_virtual("virtual:seed=2&baud=921600")
    try:
        assert find_baud(connection) is None
        assert connection.port.baud == 1_000_000
        with pytest.raises(SilentBusError, match="no joint answers on virtual:seed=2"):
            robot_on(connection, ARM)
    finally:
        connection.port.close()


# ---- commands


@pytest.fixture
def shared_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have joints 3 and 4 of virtual arms share an address."""

    class Shared(VirtualArm):
        def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
            super().__init__(*arguments, **options, addresses={4: 3})

    monkeypatch.setattr(rigs, "VirtualArm", Shared)


def command(*arguments: str) -> Any:  # noqa: ANN401 whatever JSON it prints
    line = [*arguments, "--port", "virtual:seed=3", "--json"]
    result = CliRunner().invoke(address_command, line, catch_exceptions=False)
    return json.loads(result.stdout)


@pytest.mark.usefixtures("shared_arm")
def test_the_commands_list_and_set(unique_ids: list[str]) -> None:
    listed = command("list")["joints"]
    assert [(joint["address"], joint["shared"]) for joint in listed] == [
        (1, False), (2, False), (3, True), (3, True), (5, False), (6, False),
    ]  # fmt: skip
    joints = command("set", unique_ids[3][:5], "8", "--arm-id", "77")["joints"]
    assert joints[-1] == {
        "address": 8,
        "unique_id": unique_ids[3],
        "arm_id": 77,
        "shared": False,
    }
    with pytest.raises(AddressError, match=f"{unique_ids[0]} has address 1 already"):
        command("set", unique_ids[3], "1")
    with pytest.raises(InputError, match="zz is none of the unique ids"):
        command("set", "zz", "1")
