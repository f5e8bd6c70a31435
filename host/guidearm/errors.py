"""Every error a user can meet, as one small hierarchy.

Each message is one line that says what happened, where, and what to do about it. The command
line prints that line and exits with `exit_code`; scripts catch `GuideArmError` or the subclass
they can handle.
"""

from __future__ import annotations


class GuideArmError(Exception):
    """Base of all errors this project raises on purpose."""

    told = False
    """Set once a person has read it."""
    exit_code = 1
    """What the program ends with."""


class InputError(GuideArmError):
    """A file or value from the user cannot be used."""


class OptionError(InputError):
    """An option that is needed is missing, unknown, or none of its values."""

    exit_code = 2


class PlanError(InputError):
    """A surgical plan is unreadable, ambiguous or geometrically void."""


class RegistrationError(InputError):
    """A registration is missing, unreadable or belongs to another image."""


class CalibrationError(InputError):
    """A calibration is missing, unreadable or does not fit the arm."""


class ConfigError(InputError):
    """A configuration of the joints is unreadable, of another arm, or out of bounds."""


class ArmDescriptionError(InputError):
    """An arm description file is unreadable or inconsistent."""


class UnknownArmError(ArmDescriptionError):
    """No arm is called so."""

    exit_code = 2


class KinematicsError(GuideArmError):
    """A pose has no usable posture."""


class UnreachableError(KinematicsError):
    """No joint position reaches the pose within the limits."""


class SingularityError(KinematicsError):
    """A path passes too near a singularity of the arm."""


class MotionError(GuideArmError):
    """A move was refused as a whole before anything moved, or was stopped under control."""


class LimitError(MotionError):
    """A move would leave a joint's range, speed or torque."""


class StoppedError(MotionError):
    """Motion was stopped by a person or by another shell."""


class LinkError(GuideArmError):
    """The port or the bus does not carry what it should."""


class PortError(LinkError):
    """A port cannot be opened, is in use, or went away."""


class PortInUseError(PortError):
    """Another program has the port open."""


class SilentJointError(LinkError):
    """A joint does not answer."""


class SilentBusError(SilentJointError):
    """No joint at all answers on a port."""


class AddressError(LinkError):
    """Two joints share an address, or one has an address that its arm does not use."""


class VersionMismatchError(LinkError):
    """Host and joint disagree on protocol, message table or firmware version."""


class JointFaultError(GuideArmError):
    """A joint latched a fault."""


class RefusedError(GuideArmError):
    """A joint refused a command."""


class TrackingError(GuideArmError):
    """The tracker does not deliver what a decision needs."""


class MarkerLostError(TrackingError):
    """A marker is not visible."""


class GateError(GuideArmError):
    """The accuracy gate did not release."""
