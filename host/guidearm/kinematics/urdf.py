"""The six joints between two links of a URDF file, as a `Chain` with what the file tells of them.

Read are joints, their limits, and masses; shapes and meshes are not looked at. Format:
wiki.ros.org/urdf/XML. Lengths m, angles rad, as in the file.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from guidearm.errors import ArmDescriptionError
from guidearm.geometry import Array, inverse, rotation_rpy, transform
from guidearm.kinematics.chain import Chain

_JOINTS = 6


@dataclass(frozen=True, eq=False)
class UrdfJoint:
    """A joint that turns, and what it carries up to the next; None where the file does not say.

    lower, upper (rad), velocity (rad/s), torque (Nm); mass (kg) and com (3,) m of the links between
    this joint and the next, in the chain's frame of this link.
    """

    name: str
    lower: float | None
    upper: float | None
    velocity: float | None
    torque: float | None
    mass: float
    com: Array


@dataclass(frozen=True, eq=False)
class Urdf:
    """A chain from `base` to `tip`, and its joints in order."""

    chain: Chain
    joints: tuple[UrdfJoint, ...]
    base: str
    tip: str


def read_urdf(path: Path, base: str | None = None, tip: str | None = None) -> Urdf:
    """Read the chain between two links: from the root and to the only end unless they are named.

    Raises ArmDescriptionError that names the file and the element at fault; also if there are not
    six joints between them, or one that does not turn.
    """
    return _File(path).chain(base, tip)


class _File:
    """One file; every complaint carries its path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            root = ElementTree.fromstring(path.read_bytes())
        except OSError as problem:
            raise self.error(f"cannot be read: {problem.strerror}") from problem
        except ElementTree.ParseError as problem:
            raise self.error(f"is not XML: {problem}") from problem
        if root.tag != "robot":
            raise self.error(f"holds <{root.tag}>, not the <robot> of a URDF")
        self.links = {self.attribute(link, "name", "link"): link for link in root.iter("link")}
        # the joint that carries a link, and the joints that a link carries
        self.above: dict[str, Element] = {}
        self.below: dict[str, list[Element]] = {}
        for joint in root.findall("joint"):
            parent, child = self.end(joint, "parent"), self.end(joint, "child")
            if child in self.above:
                raise self.error(f"link {child!r} is the child of two joints")
            self.above[child] = joint
            self.below.setdefault(parent, []).append(joint)

    def chain(self, base: str | None, tip: str | None) -> Urdf:
        if base is None:
            base = self.only(set(self.links) - set(self.above), "base_link", "root")
        if tip is None:
            tip = self.only(set(self.links) - set(self.below), "tip_link", "end")
        for name in (base, tip):
            if name not in self.links:
                raise self.error(f"has no link {name!r}; links are {', '.join(self.links)}")
        way = self.way(base, tip)
        turning = [joint for joint in way if joint.get("type") != "fixed"]
        for joint in turning:
            if joint.get("type") not in ("revolute", "continuous"):
                raise self.error(f"{self.name(joint)} is {joint.get('type')}, expected revolute")
        if len(turning) != _JOINTS:
            raise self.error(
                f"has {len(turning)} joints that turn between {base} and {tip}, expected {_JOINTS}"
            )
        links = np.tile(np.eye(4), (_JOINTS + 1, 1, 1))
        masses: list[list[tuple[float, Array]]] = [[] for _ in range(_JOINTS)]
        place = 0
        for joint in way:
            links[place] = links[place] @ self.origin(joint, self.name(joint))
            if joint in turning:
                # z of the chain along the joint's axis; behind the turn back to the link's axes
                turned = self.to_axis(joint)
                links[place] = links[place] @ turned
                place += 1
                links[place] = inverse(turned)
            if place > 0:
                self.weigh(self.end(joint, "child"), links[place], masses[place - 1], way)
        joints = [self.joint(joint, links[i + 1], masses[i]) for i, joint in enumerate(turning)]
        return Urdf(Chain(links), tuple(joints), base, tip)

    def way(self, base: str, tip: str) -> list[Element]:
        """Joints from base to tip, in order."""
        way: list[Element] = []
        link = tip
        while link != base:
            joint = self.above.get(link)
            if joint is None or joint in way:
                raise self.error(f"no joints lead from {base} to {tip}")
            way.append(joint)
            link = self.end(joint, "parent")
        return way[::-1]

    def weigh(
        self, link: str, T_joint_link: Array, into: list[tuple[float, Array]], way: list[Element]
    ) -> None:
        """Note mass and centre of a link, and of all that is fixed to it beside the way."""
        inertial = self.links[link].find("inertial")
        if inertial is not None:
            mass = inertial.find("mass")
            if mass is None:
                raise self.error(f"link {link!r}: <inertial> has no <mass>")
            kg = self.number(mass, "value", f"link {link!r} mass")
            if kg < 0.0:
                raise self.error(f"link {link!r} mass is {kg:g}, must not be negative")
            centre = T_joint_link @ self.origin(inertial, f"link {link!r} <inertial>")
            into.append((kg, centre[:3, 3]))
        for joint in self.below.get(link, []):
            if joint.get("type") == "fixed" and joint not in way:
                beside = T_joint_link @ self.origin(joint, self.name(joint))
                self.weigh(self.end(joint, "child"), beside, into, way)

    def joint(self, joint: Element, link: Array, masses: list[tuple[float, Array]]) -> UrdfJoint:
        mass = sum(kg for kg, _ in masses)
        moment = np.sum([kg * centre for kg, centre in masses], axis=0) if masses else np.zeros(3)
        com = moment / mass if mass > 0.0 else np.zeros(3)
        limit = joint.find("limit")
        free = joint.get("type") == "continuous"

        def told(key: str) -> float | None:
            if limit is None or key not in limit.attrib:
                return None
            return self.number(limit, key, f"{self.name(joint)} limit")

        return UrdfJoint(
            name=self.attribute(joint, "name", "joint"),
            lower=None if free else told("lower"),
            upper=None if free else told("upper"),
            velocity=told("velocity"),
            torque=told("effort"),
            mass=float(mass),
            # from axes of the joint as it has turned to the frame behind the link
            com=(inverse(link) @ np.append(com, 1.0))[:3],
        )

    def to_axis(self, joint: Element) -> Array:
        """Turn (4, 4) that takes z to the joint's axis, which is x if the file does not say."""
        given = joint.find("axis")
        axis = self.numbers(given, "xyz", self.name(joint)) if given is not None else np.eye(3)[0]
        length = float(np.linalg.norm(axis))
        if length < 1e-9:
            raise self.error(f"{self.name(joint)}: its axis has no length")
        z = axis / length
        x = np.eye(3)[np.argmin(np.abs(z))]
        x = x - (x @ z) * z
        x /= np.linalg.norm(x)
        return transform(np.stack([x, np.cross(z, x), z], axis=-1), np.zeros(3))

    def origin(self, element: Element, what: str) -> Array:
        given = element.find("origin")
        if given is None:
            return np.eye(4)
        xyz = self.numbers(given, "xyz", what) if "xyz" in given.attrib else np.zeros(3)
        rpy = self.numbers(given, "rpy", what) if "rpy" in given.attrib else np.zeros(3)
        return transform(rotation_rpy(rpy), xyz)

    def only(self, names: set[str], key: str, what: str) -> str:
        if len(names) != 1:
            found = ", ".join(sorted(names)) or "none"
            raise self.error(f"has not one {what} but {len(names)} ({found}): give {key}")
        return next(iter(names))

    def name(self, joint: Element) -> str:
        return f"joint {joint.get('name')!r}"

    def end(self, joint: Element, which: str) -> str:
        element = joint.find(which)
        if element is None:
            raise self.error(f"{self.name(joint)} has no <{which}>")
        link = self.attribute(element, "link", f"{self.name(joint)} <{which}>")
        if link not in self.links:
            raise self.error(f"{self.name(joint)}: there is no link {link!r}")
        return link

    def attribute(self, element: Element, key: str, what: str) -> str:
        value = element.get(key)
        if not value:
            raise self.error(f"{what} has no attribute {key}")
        return value

    def numbers(self, element: Element, key: str, what: str) -> Array:
        words = self.attribute(element, key, what).split()
        if len(words) != 3:
            raise self.error(f"{what}: {key} must be three numbers")
        return np.array([self.parsed(word, f"{what}: {key}") for word in words])

    def number(self, element: Element, key: str, what: str) -> float:
        return self.parsed(self.attribute(element, key, what), f"{what}: {key}")

    def parsed(self, word: str, what: str) -> float:
        try:
            value = float(word)
        except ValueError:
            raise self.error(f"{what} is {word!r}, expected a number") from None
        if not isfinite(value):
            raise self.error(f"{what} is {word!r}, expected a finite number")
        return value

    def error(self, what: str) -> ArmDescriptionError:
        return ArmDescriptionError(f"{self.path}: {what}")
