"""A joint's parameters: one table of names, units, bounds and defaults, and their stored form.

Stored: every value in table order as a little-endian 32-bit integer, then CRC-32 of those bytes.
Imports nothing of MicroPython, so that tools on CPython write what the joint reads.
"""

import binascii
import struct

# (name, unit, lowest, highest, default). The first servo ones stand in the order of the servo's
# parameter words, from P_COUNTS_PER_TURN on.
PARAMETERS = (
    ("counts_per_turn", "motor count per output turn, in 1024s", 1024, 1 << 19, 409600),
    ("kp", "Q16 per tick: speed asked per position error", 1, 4095, 1638),
    ("kv", "Q8 duty per count/tick: duty per speed error", 1, 4095, 628),
    ("ki", "Q16 duty per count/tick and tick", 0, 8191, 1000),
    ("ke", "Q12 duty per count/tick: back-EMF", 0, 1 << 13, 1675),
    ("ka", "Q16 duty per count/tick^2: inertia", 0, 1 << 13, 5000),
    ("current_duty", "duty across the winding at the current limit", 1, 32767, 10922),
    ("following_error", "motor count", 1, 4096, 1138),
    ("over_speed", "motor count/tick, Q8", 256, 1 << 17, 78643),
    ("deceleration", "motor count/tick^2, Q16", 100, 1 << 17, 29826),
    ("jerk", "motor count/tick^3, Q16", 10, 30000, 1490),
    ("link_timeout", "us", 10000, 10000000, 500000),
    ("brake_ticks", "tick, to release or to close the brake", 1, 1000, 60),
    ("encoders_disagree", "turn/2^14", 1, 4096, 46),
    ("lower_trip", "motor count", -(1 << 21), 1 << 21, -415289),
    ("upper_trip", "motor count", -(1 << 21), 1 << 21, 415289),
    ("over_current", "mA", 100, 30000, 20800),
    ("over_temperature", "0.1 degC", 0, 2000, 800),
    ("supply_low", "mV", 0, 100000, 18000),
    ("supply_high", "mV", 0, 100000, 30000),
    ("stall_ticks", "tick at the current limit without turning", 10, 10000, 200),
    ("brake_test", "duty against the closed brake, 0: no test", 0, 32767, 8192),
    ("brake_feedback", "1: the brake's contact is wired", 0, 1, 0),
    ("has_absolute_encoder", "0: home against the stop", 0, 1, 1),
    ("home_speed", "motor count/tick, Q16, signed", -(1 << 21), 1 << 21, -745472),
    ("home_duty", "duty across the winding on the way to the stop", 1, 32767, 7645),
    ("home_position", "motor count at the stop", -(1 << 21), 1 << 21, 0),
    ("lower_limit", "turn/2^24", -(1 << 26), 1 << 26, -(1 << 24)),
    ("upper_limit", "turn/2^24", -(1 << 26), 1 << 26, 1 << 24),
    ("address", "1..12", 1, 12, 1),
    ("arm_id", "0..65535", 0, 65535, 0),
)
SERVO_PARAMETERS = 27
COUNTS_PER_TURN = 0
LOWER_LIMIT = 27
UPPER_LIMIT = 28
ADDRESS = 29
ARM_ID = 30
# what identifies the joint cannot change while a host talks to it
READ_ONLY = (COUNTS_PER_TURN, ADDRESS, ARM_ID)

_FORMAT = "<" + "i" * len(PARAMETERS)
STORED_BYTES = struct.calcsize(_FORMAT) + 4


def defaults() -> "list[int]":
    """Return the default of every parameter in table order."""
    return [entry[4] for entry in PARAMETERS]


def in_bounds(index: int, value: int) -> bool:
    """Tell whether a value may be stored at a table index."""
    if index == COUNTS_PER_TURN and value % 1024:
        return False  # the servo compares both encoders in 1/1024 turn
    return PARAMETERS[index][2] <= value <= PARAMETERS[index][3]


def encode(values: "list[int]") -> bytes:
    """Return the stored form; ValueError names the first value out of bounds."""
    for index, value in enumerate(values):
        if not in_bounds(index, value):
            raise ValueError("parameter %s is out of bounds: %d" % (PARAMETERS[index][0], value))
    data = struct.pack(_FORMAT, *values)
    return data + struct.pack("<I", binascii.crc32(data) & 0xFFFFFFFF)


def decode(stored: "bytes | None") -> "list[int] | None":
    """Return the values of a stored form, None if it is missing, damaged or out of bounds."""
    if stored is None or len(stored) != STORED_BYTES:
        return None
    data = stored[:-4]
    if struct.unpack("<I", stored[-4:])[0] != binascii.crc32(data) & 0xFFFFFFFF:
        return None
    values = list(struct.unpack(_FORMAT, data))
    for index, value in enumerate(values):
        if not in_bounds(index, value):
            return None
    return values
