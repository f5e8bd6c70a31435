"""The six simulated joints: their mechanics, and the servo parameters that go with them.

The sizes are those of strain-wave joints of a light arm. A joint's servo parameters follow from
its nominal data by the formulas below, as commissioning would find them; what is not in the data
(backlash, transmission error, friction, the load's flexibility) the servo has to cope with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from guidearm.kinematics import Arm
from guidearm_firmware.joint.parameters import encode
from guidearm_protocol.parameters import DEFAULTS, NAMES

FLASH_BYTES = 2 * 4096  # a sector for each copy of the parameters
COUNTS_PER_TURN = 4096 * 100  # motor encoder counts a turn, gear 100:1
RAD_PER_COUNT = 2 * math.pi / COUNTS_PER_TURN
ARCMIN = math.radians(1 / 60)
SUPPLY_V = 24.0
STEP_S = 250e-6  # of the plant
TICK_S = 1e-3  # of the servo

BACKLASH_RAD = 0.5 * ARCMIN  # lost motion from end to end
TRANSMISSION_ERROR_RAD = 1.0 * ARCMIN  # from peak to peak

# servo design: bandwidths in rad/s
_SPEED_BANDWIDTH = 350.0
_POSITION_BANDWIDTH = 35.0
_INTEGRAL_RATE = 40.0
_STOP_DECELERATION = math.radians(400)
_STOP_JERK_TICKS = 10
_FOLLOWING_ERROR_RAD = math.radians(1)
_ENCODERS_DISAGREE_RAD = math.radians(1)
_TRIP_MARGIN_RAD = math.radians(1)
_OVER_CURRENT = 1.3  # of the current limit
_BRAKE_TEST = 0.5  # of the brake's torque; with the load on top it still has to hold
_HOME_SPEED = math.radians(10)
_HOME_TORQUE = 0.7  # of the torque limit
NO_STOP = 0x70000000  # Q10 counts: further than any joint goes


@dataclass(frozen=True)
class Drivetrain:
    """Motor, gear and brake of one joint, everything seen at the output.

    Fields: motor_inertia kg m^2; stiffness Nm/rad; torque_per_ampere Nm/A (also back-EMF, V s/rad);
    resistance ohm; friction and brake_torque Nm.
    """

    motor_inertia: float
    stiffness: float
    torque_per_ampere: float
    resistance: float
    friction: float
    brake_torque: float


# turns at 180 deg/s on SUPPLY_V with torque to spare, within the servo's bounds of current and gain
HEAVY = Drivetrain(2.0, 40e3, 6.6, 0.25, 5.0, 200.0)
LARGE = Drivetrain(1.0, 20e3, 5.0, 0.5, 3.0, 120.0)
SMALL = Drivetrain(0.1, 8e3, 2.5, 1.2, 0.5, 30.0)
_HEAVY_FROM_NM = 100.0
_LARGE_FROM_NM = 50.0


def drivetrain(arm: Arm, joint: int) -> Drivetrain:
    """Return the size that fits the torque of joint 0..5."""
    torque = float(arm.torque[joint])
    if torque >= _HEAVY_FROM_NM:
        return HEAVY
    return LARGE if torque >= _LARGE_FROM_NM else SMALL


def servo_parameters(arm: Arm, joint: int, address: int, arm_id: int) -> list[int]:
    """Return the parameters of joint 0..5 with a bus address, in the order of their table.

    The speed loop's gain puts its crossover above the joint's resonance at `_SPEED_BANDWIDTH` of
    the motor's inertia alone; feed-forward cancels back-EMF and the inertia of motor and link.
    """
    d = drivetrain(arm, joint)
    duty_per_volt = 32768 / SUPPLY_V
    speed_unit = 256 * TICK_S / RAD_PER_COUNT  # Q8 counts per tick in one rad/s
    acceleration_unit = 65536 * TICK_S**2 / RAD_PER_COUNT  # Q16 counts per tick^2 in one rad/s^2
    kv = _SPEED_BANDWIDTH * d.resistance * d.motor_inertia / d.torque_per_ampere * duty_per_volt
    inertia = d.motor_inertia + float(arm.inertia[joint])
    ka = inertia * d.resistance / d.torque_per_ampere * duty_per_volt
    current_limit = float(arm.torque[joint]) / d.torque_per_ampere
    per_newton_metre = d.resistance / d.torque_per_ampere * duty_per_volt
    deceleration = _STOP_DECELERATION * acceleration_unit
    lower, upper = float(arm.lower[joint]), float(arm.upper[joint])
    turn24 = (1 << 24) / (2 * math.pi)
    values = {
        "counts_per_turn": COUNTS_PER_TURN,
        "kp": 65536 * _POSITION_BANDWIDTH * TICK_S,
        "kv": 256 * kv / speed_unit,
        "ki": 65536 * kv / speed_unit * _INTEGRAL_RATE * TICK_S,
        "ke": 4096 * d.torque_per_ampere * duty_per_volt / speed_unit,
        "ka": 65536 * ka / acceleration_unit,
        "current_duty": current_limit * d.resistance * duty_per_volt,
        "following_error": _FOLLOWING_ERROR_RAD / RAD_PER_COUNT,
        "over_speed": 1.3 * float(arm.velocity[joint]) * speed_unit,
        "deceleration": deceleration,
        "jerk": deceleration / _STOP_JERK_TICKS,
        "encoders_disagree": _ENCODERS_DISAGREE_RAD / (2 * math.pi) * 16384,
        "lower_trip": (lower - _TRIP_MARGIN_RAD) / RAD_PER_COUNT,
        "upper_trip": (upper + _TRIP_MARGIN_RAD) / RAD_PER_COUNT,
        "lower_limit": math.ceil(lower * turn24),
        "upper_limit": math.floor(upper * turn24),
        "over_current": 1000 * _OVER_CURRENT * current_limit,
        "brake_test": _BRAKE_TEST * d.brake_torque * per_newton_metre,
        "brake_feedback": 1,
        "home_speed": -65536 * _HOME_SPEED * TICK_S / RAD_PER_COUNT,
        "home_duty": _HOME_TORQUE * float(arm.torque[joint]) * per_newton_metre,
        "address": address,
        "arm_id": arm_id,
    }
    return [round(values.get(name, default)) for name, default in zip(NAMES, DEFAULTS, strict=True)]


def flash_image(parameters: list[int]) -> bytes:
    """Return a joint's flash after its first commit: one copy of its parameters."""
    return encode(parameters).ljust(FLASH_BYTES, b"\xff")


def plant_words(
    arm: Arm, joint: int, position_rad: float, load_nm: float, motor_offset: int
) -> list[int]:
    """Return the words of `virtual_board.plant` for joint 0..5 at rest under its load, brake on."""
    d = drivetrain(arm, joint)
    link_inertia = float(arm.inertia[joint])
    # what one mNm does to 1 kg m^2 in one step, Q24 counts a step in Q4
    gain = 1e-3 / RAD_PER_COUNT * STEP_S**2 * (1 << 24) * 16
    speed_unit = 1024 * STEP_S / RAD_PER_COUNT  # Q10 counts a step in one rad/s
    reduced = link_inertia * d.motor_inertia / (link_inertia + d.motor_inertia)
    damping = 2 * 0.05 * math.sqrt(d.stiffness * reduced)
    half_backlash = BACKLASH_RAD / 2 / RAD_PER_COUNT
    link = position_rad / RAD_PER_COUNT
    motor = link + load_nm / d.stiffness / RAD_PER_COUNT + math.copysign(half_backlash, load_nm)
    return [
        round(d.stiffness * 1e3 * RAD_PER_COUNT),
        round(damping * 1e3 / speed_unit * 256),
        round(half_backlash * 1024),
        round(TRANSMISSION_ERROR_RAD / 2 / RAD_PER_COUNT * 1024),
        round(gain / d.motor_inertia),
        round(gain / link_inertia),
        round(d.torque_per_ampere / d.resistance * SUPPLY_V * 1e3 / 32),
        round(d.torque_per_ampere**2 / d.resistance * 1e3 / speed_unit * 256),
        round(float(arm.torque[joint]) * 1e3),
        round(d.friction * 1e3),
        round(d.brake_torque * 1e3),
        round(0.04 / STEP_S),
        round(65536 / d.torque_per_ampere),
        COUNTS_PER_TURN * 1024 // 16384,
        motor_offset,
        round(motor * 1024),
        0,
        0,
        round(link * 1024),
        0,
        0,
        0,
        0,
        round(load_nm * 1e3),
        0,
        0,
        *(250, round(SUPPLY_V * 1e3), 0, 0, 0, 0, 0, -NO_STOP, NO_STOP),
    ]
