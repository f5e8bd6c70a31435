"""The joints' parameters as one configuration: read, compared, changed, stored and verified.

Values are whole numbers in the units of `guidearm_protocol.parameters`. Nothing is written before
everything has been checked, and what was written is read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from guidearm.arm.robot import Robot
from guidearm.errors import ConfigError, GuideArmError, LinkError, RefusedError
from guidearm.link import JointBus
from guidearm_protocol import messages, parameters
from guidearm_protocol.parameters import ACCESSES, HIGHEST, LOWEST, NAMES, READ_ONLY, UNITS


@dataclass(frozen=True, slots=True)
class JointConfig:
    """Parameters of the joint `number` by name; `unique_id` says which board has them."""

    number: int
    unique_id: str
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ArmConfig:
    """Parameters of an arm's joints, in order of their numbers."""

    arm: str
    joints: tuple[JointConfig, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One parameter of one joint that is, or was, another."""

    joint: int
    name: str
    before: int
    after: int

    @property
    def unit(self) -> str:
        """Unit of both values."""
        return UNITS[NAMES.index(self.name)]

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {
            "joint": self.joint,
            "name": self.name,
            "unit": self.unit,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class Store:
    """What a joint says of its storage.

    Fields: valid (else it runs on defaults and cannot be enabled); good copies, 0 to 2; commits of
    the newest; version of the table that stored it; parameters in use that differ from it.
    """

    valid: bool
    copies: int
    generation: int
    version: int
    unsaved: int


def read_store(bus: JointBus, number: int) -> Store:
    """Ask a joint for the state of its storage. Raises SilentJointError."""
    told = bus.request(number, messages.PARAMETER_STORE)
    return Store(
        valid=bool(told["valid"]),
        copies=told["copies"],
        generation=told["generation"],
        version=told["version"],
        unsaved=told["unsaved"],
    )


def read_config(robot: Robot) -> ArmConfig:
    """Read the parameters that all joints have in use. Raises SilentJointError or LinkError."""
    joints = (
        JointConfig(identity.number, identity.unique_id, _read(robot.bus, identity.number))
        for identity in robot.identities
    )
    return ArmConfig(robot.model.name, tuple(joints))


def _read(bus: JointBus, number: int) -> dict[str, int]:
    return {
        name: bus.request(number, messages.GET_PARAMETER, {"index": index})["value"]
        for index, name in enumerate(NAMES)
    }


def differences(before: ArmConfig, after: ArmConfig) -> tuple[Difference, ...]:
    """Return where `after` differs from `before`, by joint and in the order of the table.

    Both are of the same joints. What one of them does not have is no difference.
    """
    return tuple(
        Difference(there.number, name, here.values[name], there.values[name])
        for here, there in zip(before.joints, after.joints, strict=True)
        for name in NAMES
        if name in here.values and name in there.values
        if here.values[name] != there.values[name]
    )


def changed(config: ArmConfig, number: int, name: str, value: int) -> ArmConfig:
    """Return a configuration of these joints that has one parameter of one of them only.

    The others stay out, so that restoring it makes no set of a joint's defaults. Raises ConfigError
    if there is no such joint or parameter, or if it cannot be set.
    """
    if name not in NAMES:
        raise ConfigError(f"no parameter is called {name!r}; there are {', '.join(NAMES)}")
    if ACCESSES[NAMES.index(name)] == READ_ONLY:
        raise ConfigError(f"{name} says which joint it is and cannot be set as a parameter")
    numbers = [joint.number for joint in config.joints]
    if number not in numbers:
        raise ConfigError(f"{config.arm} has no joint {number}: its joints are {_list(numbers)}")
    joints = tuple(
        replace(joint, values={name: value} if joint.number == number else {})
        for joint in config.joints
    )
    return replace(config, joints=joints)


def check_same_arm(present: ArmConfig, wanted: ArmConfig) -> None:
    """Raise ConfigError unless both are of one arm: its name, joints, boards and identities."""
    if wanted.arm != present.arm:
        raise ConfigError(f"it is the configuration of {wanted.arm}, this arm is {present.arm}")
    numbers = [[joint.number for joint in config.joints] for config in (present, wanted)]
    if numbers[0] != numbers[1]:
        raise ConfigError(f"it has joints {_list(numbers[1])}, this arm {_list(numbers[0])}")
    for here, there in zip(present.joints, wanted.joints, strict=True):
        if here.unique_id != there.unique_id:
            raise ConfigError(
                f"joint {here.number} is board {here.unique_id}, it was board {there.unique_id}: "
                "if the board was replaced, put its id into the file"
            )
    for found in differences(present, wanted):
        if ACCESSES[NAMES.index(found.name)] == READ_ONLY:
            raise ConfigError(
                f"joint {found.joint} has {found.name} {found.before}, it had {found.after}: "
                "it belongs to another place"
            )


def check_values(present: ArmConfig, wanted: ArmConfig) -> None:
    """Raise ConfigError naming the first value that no joint would take."""
    for here, there in zip(present.joints, wanted.joints, strict=True):
        for name, value in there.values.items():
            index = NAMES.index(name)
            if not parameters.in_bounds(index, value):
                raise ConfigError(
                    f"joint {here.number}: {name} cannot be {value}: it is {_range(index)}"
                )
        values = {**here.values, **there.values}
        lower = parameters.empty_range([values[name] for name in NAMES])
        if lower >= 0:
            upper = dict(parameters.RANGES)[lower]
            raise ConfigError(
                f"joint {here.number}: {NAMES[lower]} {values[NAMES[lower]]} is not below "
                f"{NAMES[upper]} {values[NAMES[upper]]}"
            )


def restore(robot: Robot, wanted: ArmConfig) -> tuple[Difference, ...]:
    """Give the joints the parameters of `wanted`, store them, read them back; return what changed.

    Checks first that all joints are disabled, that `wanted` is this arm's, and every value; raises
    RefusedError or ConfigError before anything is written. Later a lost joint is a LinkError that
    says who has stored what.
    """
    state = robot.poll()
    live = [joint.number for joint in state.joints if joint.enabled or joint.moving]
    if live:
        raise RefusedError(f"joint {_list(live)} enabled: guidearm disable first")
    present = read_config(robot)
    check_same_arm(present, wanted)
    check_values(present, wanted)
    stores = {number: read_store(robot.bus, number) for number in robot.numbers}
    found = differences(present, wanted)
    other = {(difference.joint, difference.name) for difference in found}
    try:
        for joint in wanted.joints:
            # a joint that lost its parameters has to be given every one
            lost = not stores[joint.number].valid
            for name, value in joint.values.items():
                if lost or (joint.number, name) in other:
                    _set(robot.bus, joint.number, name, value)
    except GuideArmError as error:
        raise type(error)(
            f"{error}; nothing was stored: restore again, or switch the arm off and on"
        ) from error
    _commit(robot)
    _verify(robot, wanted)
    return found


def _set(bus: JointBus, number: int, name: str, value: int) -> None:
    index = NAMES.index(name)
    if ACCESSES[index] != READ_ONLY:
        bus.request(number, messages.SET_PARAMETER, {"index": index, "value": value})


def _commit(robot: Robot) -> None:
    """Store what is in use where it is not stored yet."""
    done: list[int] = []
    for number in robot.numbers:
        try:
            store = read_store(robot.bus, number)
            if store.unsaved or not store.valid:
                robot.bus.request(number, messages.COMMIT_PARAMETERS)
        except GuideArmError as error:
            stored = f"joints {_list(done)} have" if done else "no joint has"
            raise type(error)(
                f"{error}; {stored} stored the new parameters, joint {number} has either the old "
                "ones or the new: restore again"
            ) from error
        done.append(number)


def _verify(robot: Robot, wanted: ArmConfig) -> None:
    for wrong in differences(read_config(robot), wanted):
        raise LinkError(
            f"joint {wrong.joint} has {wrong.name} {wrong.before} after {wrong.after} was written: "
            "another program may be setting it; restore again"
        )
    for number in robot.numbers:
        store = read_store(robot.bus, number)
        if store.unsaved or not store.valid:
            raise LinkError(
                f"joint {number} did not keep its parameters; restore again, replace the board if "
                "it happens twice"
            )


def _range(index: int) -> str:
    steps = f", in steps of {parameters.COUNTS_STEP}" if index == parameters.COUNTS_PER_TURN else ""
    return f"{LOWEST[index]} to {HIGHEST[index]}{steps} ({UNITS[index]})"


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"
