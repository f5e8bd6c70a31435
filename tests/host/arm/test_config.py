"""The joints' parameters through the host: read, restored, stored for good, and cut short."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guidearm.arm import Robot
from guidearm.arm.config import (
    ArmConfig,
    JointConfig,
    changed,
    check_same_arm,
    check_values,
    differences,
    read_config,
    read_store,
    restore,
)
from guidearm.connection import robot_on
from guidearm.errors import (
    AddressError,
    ConfigError,
    JointFaultError,
    LinkError,
    RefusedError,
    SilentJointError,
)
from guidearm.kinematics import load_arm
from guidearm.link import JointBus, assign
from guidearm_firmware.joint.parameters import SET_BYTES
from guidearm_hil.joint_design import servo_parameters
from guidearm_hil.rig import VirtualArm
from guidearm_protocol import messages
from guidearm_protocol.parameters import ACCESSES, LOWEST, NAMES, NEEDS_DISABLE, READ_WRITE

ERASED_AND_PROGRAMMED = 4096 + SET_BYTES
GAINS = ("kp", "kv", "ki", "ke", "ka")


def connect(arm: VirtualArm) -> Robot:
    """Return a new session with the arm."""
    return robot_on(arm.connection(), arm.arm)


def with_gains(config: ArmConfig, factor: float) -> ArmConfig:
    """Return a configuration with all gains of all joints scaled."""
    joints = [
        replace(joint, values={n: round(v * factor) if n in GAINS else v for n, v in items})
        for joint in config.joints
        for items in [joint.values.items()]
    ]
    return replace(config, joints=tuple(joints))


def test_what_the_joints_have_is_read(robot: Robot, virtual_arm: VirtualArm) -> None:
    config = read_config(robot)
    assert config.arm == "guide6"
    for index, joint in enumerate(config.joints):
        expected = servo_parameters(virtual_arm.arm, index, index + 1, virtual_arm.arm.arm_id)
        assert list(joint.values.values()) == expected
        assert joint.unique_id == robot.identities[index].unique_id
        store = read_store(robot.bus, joint.number)
        assert (store.valid, store.copies, store.generation, store.unsaved) == (True, 1, 1, 0)


def test_what_is_restored_outlives_the_power(robot: Robot, virtual_arm: VirtualArm) -> None:
    before = read_config(robot)
    wanted = with_gains(before, 0.75)
    found = restore(robot, wanted)
    assert [(d.joint, d.name) for d in found] == [(j, n) for j in range(1, 7) for n in GAINS]
    for number in robot.numbers:
        virtual_arm.reboot(number)
    again = connect(virtual_arm)
    assert read_config(again) == wanted
    assert [(i.boot_count - j.boot_count) & 0xFFFF for i, j in zip(
        again.identities, robot.identities, strict=True)] == [1] * 6  # fmt: skip
    assert again.enable().enabled
    again.disable()
    assert restore(again, before) == differences(wanted, before)
    assert [read_store(again.bus, n).generation for n in again.numbers] == [3] * 6


def test_what_is_not_committed_does_not(robot: Robot, virtual_arm: VirtualArm) -> None:
    index = NAMES.index("kp")
    robot.bus.request(2, messages.SET_PARAMETER, {"index": index, "value": 77})
    assert read_store(robot.bus, 2).unsaved == 1
    virtual_arm.reboot(2)
    assert read_config(connect(virtual_arm)).joints[1].values["kp"] != 77


def test_what_is_the_same_costs_no_flash(robot: Robot) -> None:
    assert restore(robot, read_config(robot)) == ()
    assert [read_store(robot.bus, n).generation for n in robot.numbers] == [1] * 6
    wanted = changed(read_config(robot), 4, "kp", 99)
    assert [(d.joint, d.name, d.after) for d in restore(robot, wanted)] == [(4, "kp", 99)]
    assert [read_store(robot.bus, n).generation for n in robot.numbers] == [1, 1, 1, 2, 1, 1]


def test_the_servo_stands_still_while_flash_is_erased(robot: Robot) -> None:
    def ticks_late() -> float:
        before = robot.clock.now()
        return before * 1000 - robot.bus.request(1, messages.COUNTERS)["ticks"]

    late = ticks_late()
    restore(robot, changed(read_config(robot), 1, "kp", 99))
    assert 44 <= ticks_late() - late <= 48


def test_nothing_is_written_to_an_arm_that_is_enabled(robot: Robot) -> None:
    wanted = with_gains(read_config(robot), 0.9)
    robot.enable()
    with pytest.raises(RefusedError, match=r"joint 1, 2, 3, 4, 5, 6 enabled: guidearm disable"):
        restore(robot, wanted)
    assert differences(read_config(robot), wanted)
    refusal = "it is enabled: disable it first"
    with pytest.raises(RefusedError, match=refusal):
        robot.bus.request(3, messages.COMMIT_PARAMETERS)
    for name, access in zip(NAMES, ACCESSES, strict=True):
        value = {"index": NAMES.index(name), "value": LOWEST[NAMES.index(name)]}
        if access == NEEDS_DISABLE:
            with pytest.raises(RefusedError, match=refusal):
                robot.bus.request(3, messages.SET_PARAMETER, value)
    assert [n for n, a in zip(NAMES, ACCESSES, strict=True) if a == READ_WRITE] == list(GAINS)
    assert robot.disable() and restore(robot, wanted)


# ---- power cuts in mid-commit


@pytest.mark.parametrize("after", [0, 2000, 4096, 4200, ERASED_AND_PROGRAMMED - 1])
def test_a_power_cut_in_mid_commit_loses_no_joint(virtual_arm: VirtualArm, after: int) -> None:
    virtual_arm.reboot(3, power_cut_after=after)
    robot = connect(virtual_arm)
    before = read_config(robot)
    wanted = with_gains(before, 0.75)
    with pytest.raises(
        SilentJointError,
        match=r"joint 3 .* does not answer COMMIT_PARAMETERS.*; joints 1, 2 have stored the new "
        "parameters, joint 3 has either the old ones or the new: restore again",
    ):
        restore(robot, wanted)
    for number in robot.numbers:
        virtual_arm.reboot(number)
    again = connect(virtual_arm)
    found = read_config(again)
    assert found.joints == (*wanted.joints[:2], *before.joints[2:])
    assert [read_store(again.bus, n).copies for n in again.numbers] == [2, 2, 1, 1, 1, 1]
    restore(again, wanted)
    virtual_arm.reboot(3)
    assert read_config(connect(virtual_arm)) == wanted


def test_the_power_fails_after_the_last_byte(virtual_arm: VirtualArm) -> None:
    virtual_arm.reboot(3, power_cut_after=ERASED_AND_PROGRAMMED)
    robot = connect(virtual_arm)
    wanted = with_gains(read_config(robot), 0.75)
    restore(robot, wanted)
    virtual_arm.reboot(3)
    assert read_config(connect(virtual_arm)) == wanted


# ---- a joint without parameters


def test_a_joint_that_lost_both_copies_speaks_in_no_others_place(virtual_arm: VirtualArm) -> None:
    virtual_arm.flash(3).write_bytes(bytes(8192))
    virtual_arm.reboot(3)
    says = r"joint 3 on virtual:seed=3 does not answer, but joint \w+ has address 12: guidearm addr"
    with pytest.raises(AddressError, match=says):
        connect(virtual_arm)


def test_a_joint_that_lost_both_copies_is_restored(robot: Robot, virtual_arm: VirtualArm) -> None:
    saved = read_config(robot)
    virtual_arm.flash(3).write_bytes(bytes(8192))
    virtual_arm.reboot(3)
    assign(
        JointBus(virtual_arm.connection()), robot.identities[2].unique_id, 3, virtual_arm.arm.arm_id
    )
    robot = connect(virtual_arm)
    assert robot.poll().joints[2].fault_name == "parameter crc"
    with pytest.raises(JointFaultError, match="joint 3: parameter crc"):
        robot.enable()
    with pytest.raises(RefusedError, match="joint 3 refuses RESET_FAULT: its parameters are inv"):
        robot.reset_fault()
    # one parameter does not make a set: what nobody chose is not stored
    with pytest.raises(RefusedError, match="joint 3 refuses COMMIT_PARAMETERS: its parameters are"):
        restore(robot, changed(read_config(robot), 3, "kp", 50))
    assert not read_store(robot.bus, 3).valid
    assert restore(robot, saved)
    store = read_store(robot.bus, 3)
    assert (store.valid, store.copies, store.generation) == (True, 1, 1)
    assert robot.reset_fault().faulted == ()
    assert robot.enable().enabled
    robot.disable()
    virtual_arm.reboot(3)
    assert read_config(connect(virtual_arm)) == saved


def test_one_damaged_copy_is_no_loss(robot: Robot, virtual_arm: VirtualArm) -> None:
    before = read_config(robot)
    restore(robot, with_gains(before, 0.75))
    flash = virtual_arm.flash(3)
    content = bytearray(flash.read_bytes())
    content[4096 + 30] ^= 8  # the newer one
    flash.write_bytes(content)
    virtual_arm.reboot(3)
    again = connect(virtual_arm)
    assert read_config(again).joints[2] == before.joints[2]
    assert read_store(again.bus, 3).copies == 1


# ---- checks


def arm_config(**joint: object) -> ArmConfig:
    values = dict(zip(NAMES, servo_parameters(load_arm("guide6"), 0, 1, 0), strict=True))
    one = JointConfig(1, "0123456789abcdef", values)
    return ArmConfig("guide6", (replace(one, **joint),))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (replace(arm_config(), arm="ur5"), "it is the configuration of ur5, this arm is guide6"),
        (arm_config(number=2), "it has joints 2, this arm 1"),
        (
            arm_config(unique_id="fedcba9876543210"),
            "joint 1 is board 0123456789abcdef, it was board fedcba9876543210: if the board was",
        ),
        (
            arm_config(values={**arm_config().joints[0].values, "arm_id": 7}),
            "joint 1 has arm_id 0, it had 7: it belongs to another place",
        ),
    ],
)
def test_another_arm_or_joint_is_told(wanted: ArmConfig, says: str) -> None:
    check_same_arm(arm_config(), arm_config())
    with pytest.raises(ConfigError) as told:
        check_same_arm(arm_config(), wanted)
    assert str(told.value).startswith(says)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kp": 0}, "joint 1: kp cannot be 0: it is 1 to 4095 (Q16 per tick: speed asked"),
        ({"counts_per_turn": 4000}, "joint 1: counts_per_turn cannot be 4000: it is 1024 to 524288,"
         " in steps of 1024 (motor count per output turn)"),
        ({"lower_limit": 9, "upper_limit": 9}, "joint 1: lower_limit 9 is not below upper_limit 9"),
        ({"upper_trip": -2000000}, "joint 1: lower_trip -410738 is not below upper_trip -2000000"),
    ],
)  # fmt: skip
def test_a_value_that_no_joint_takes_is_told(values: dict[str, int], says: str) -> None:
    check_values(arm_config(), arm_config(values={}))
    with pytest.raises(ConfigError) as told:
        check_values(arm_config(), arm_config(values=values))
    assert str(told.value).startswith(says)


@pytest.mark.parametrize(
    ("number", "name", "says"),
    [
        (1, "kq", "no parameter is called 'kq'; there are counts_per_turn, kp,"),
        (2, "kp", "guide6 has no joint 2: its joints are 1"),
        (1, "address", "address says which joint it is and cannot be set as a parameter"),
    ],
)
def test_what_cannot_be_changed_is_told(number: int, name: str, says: str) -> None:
    with pytest.raises(ConfigError) as told:
        changed(arm_config(), number, name, 5)
    assert str(told.value).startswith(says)


def test_a_joint_that_does_not_keep_what_it_is_told_is_told(
    robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program sets it back between the commit and the look at it."""
    request = robot.bus.request

    def meddled(joint: int, message: int, values: dict[str, int] | None = None) -> dict[str, int]:
        answer = request(joint, message, values)
        if message == messages.COMMIT_PARAMETERS:
            request(joint, messages.SET_PARAMETER, {"index": NAMES.index("kp"), "value": 5})
        return answer

    monkeypatch.setattr(robot.bus, "request", meddled)
    with pytest.raises(LinkError, match="joint 2 has kp 5 after 99 was written"):
        restore(robot, changed(read_config(robot), 2, "kp", 99))
