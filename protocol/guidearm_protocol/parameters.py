"""The parameter table: what a joint can be told of itself, with ids, units, bounds and access.

MicroPython on the joints and CPython on the host import this file, as they do `messages.py`. A
parameter is named by people, goes over the wire by its index in the table (which host and joint
share: it is in the table hash), and is stored by its id, which outlives the table.

Ids are never given again. A parameter whose unit or meaning changes gets a new name and a new id.
A new one needs a default that suits joints whose stored set does not have it yet; then
TABLE_VERSION goes up by one.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE_VERSION = 2

READ_WRITE = 0
NEEDS_DISABLE = 1
READ_ONLY = 2
ACCESS = ("read-write", "needs disable", "read-only")

CORRECTIONS = 32  # places on the output encoder's turn
OUTPUT_STEPS = 1 << 14  # of that turn


# (id, name, unit, lowest, highest, default, access). The first SERVO_PARAMETERS stand in the order
# of the servo's parameter words. The servo takes each gain as one word at every tick, so gains can
# change under way; the rest only while no torque is on.
_OF_THE_SERVO = (
    (1, "counts_per_turn", "motor count per output turn", 1024, 1 << 19, 409600, NEEDS_DISABLE),
    (2, "kp", "Q16 per tick: speed asked per position error", 1, 4095, 1638, READ_WRITE),
    (3, "kv", "Q8 duty per count/tick: duty per speed error", 1, 4095, 628, READ_WRITE),
    (4, "ki", "Q16 duty per count/tick and tick", 0, 8191, 1000, READ_WRITE),
    (5, "ke", "Q12 duty per count/tick: back-EMF", 0, 1 << 13, 1675, READ_WRITE),
    (6, "ka", "Q16 duty per count/tick^2: inertia", 0, 1 << 13, 5000, READ_WRITE),
    (7, "current_duty", "duty across the winding at most", 1, 32767, 10922, NEEDS_DISABLE),
    (8, "following_error", "motor count", 1, 4096, 1138, NEEDS_DISABLE),
    (9, "over_speed", "motor count/tick, Q8", 256, 1 << 17, 78643, NEEDS_DISABLE),
    (10, "deceleration", "motor count/tick^2, Q16", 100, 1 << 17, 29826, NEEDS_DISABLE),
    (11, "jerk", "motor count/tick^3, Q16", 10, 30000, 1490, NEEDS_DISABLE),
    (12, "link_timeout", "us", 10000, 10000000, 500000, NEEDS_DISABLE),
    (13, "brake_ticks", "tick, to release or to close the brake", 1, 1000, 60, NEEDS_DISABLE),
    (14, "encoders_disagree", "turn/2^14", 1, 4096, 46, NEEDS_DISABLE),
    (15, "lower_trip", "motor count", -(1 << 21), 1 << 21, -415289, NEEDS_DISABLE),
    (16, "upper_trip", "motor count", -(1 << 21), 1 << 21, 415289, NEEDS_DISABLE),
    (21, "over_current", "mA", 100, 30000, 20800, NEEDS_DISABLE),
    (22, "over_temperature", "0.1 degC", 0, 2000, 800, NEEDS_DISABLE),
    (23, "supply_low", "mV", 0, 100000, 18000, NEEDS_DISABLE),
    (24, "supply_high", "mV", 0, 100000, 30000, NEEDS_DISABLE),
    (25, "stall_ticks", "tick at the limit without turning", 10, 10000, 200, NEEDS_DISABLE),
    (26, "brake_test", "duty against it, 0: no test", 0, 32767, 8192, NEEDS_DISABLE),
    (27, "brake_feedback", "1: its contact is wired", 0, 1, 0, NEEDS_DISABLE),
    (28, "has_absolute_encoder", "0: home against the stop", 0, 1, 1, NEEDS_DISABLE),
    (29, "home_speed", "motor count/tick, Q16", -(1 << 21), 1 << 21, -745472, NEEDS_DISABLE),
    (30, "home_duty", "duty on the way to the stop", 1, 32767, 7645, NEEDS_DISABLE),
    (31, "home_position", "motor count", -(1 << 21), 1 << 21, 0, NEEDS_DISABLE),
)
# to add to the output encoder's reading where it reads so much, linear between two of them
_CORRECTIONS = tuple(
    [
        (32 + place, "correction_" + str(512 * place), "turn/2^14", -512, 512, 0, NEEDS_DISABLE)
        for place in range(CORRECTIONS)
    ]
)
_OTHERS = (
    (17, "lower_limit", "turn/2^24", -(1 << 26), 1 << 26, -(1 << 24), NEEDS_DISABLE),
    (18, "upper_limit", "turn/2^24", -(1 << 26), 1 << 26, 1 << 24, NEEDS_DISABLE),
    # by default the last address, so that a joint that lost its own speaks in no other's place
    (19, "address", "1..12", 1, 12, 12, READ_ONLY),
    (20, "arm_id", "0..65535", 0, 65535, 0, READ_ONLY),
)
PARAMETERS = _OF_THE_SERVO + _CORRECTIONS + _OTHERS
SERVO_PARAMETERS = len(_OF_THE_SERVO) + CORRECTIONS

IDS = tuple([entry[0] for entry in PARAMETERS])
NAMES = tuple([entry[1] for entry in PARAMETERS])
UNITS = tuple([entry[2] for entry in PARAMETERS])
LOWEST = tuple([entry[3] for entry in PARAMETERS])
HIGHEST = tuple([entry[4] for entry in PARAMETERS])
DEFAULTS = tuple([entry[5] for entry in PARAMETERS])
ACCESSES = tuple([entry[6] for entry in PARAMETERS])

COUNTS_PER_TURN = NAMES.index("counts_per_turn")
COUNTS_STEP = 1024  # of counts_per_turn: the servo compares both encoders in 1/1024 turn
LOWER_LIMIT = NAMES.index("lower_limit")
UPPER_LIMIT = NAMES.index("upper_limit")
ADDRESS = NAMES.index("address")
ARM_ID = NAMES.index("arm_id")
CORRECTION = NAMES.index("correction_0")  # the first
RANGES = (
    (NAMES.index("lower_trip"), NAMES.index("upper_trip")),
    (NAMES.index("supply_low"), NAMES.index("supply_high")),
    (LOWER_LIMIT, UPPER_LIMIT),
)
"""Indices of two parameters that span a range: the first must be below the second."""


def in_bounds(index: int, value: int) -> bool:
    """Tell whether a parameter, by its index, may have a value."""
    if index == COUNTS_PER_TURN and value % COUNTS_STEP:
        return False
    return LOWEST[index] <= value <= HIGHEST[index]


def is_correction(index: int) -> bool:
    """Tell whether a parameter, by its index, is one of the output encoder's corrections."""
    return CORRECTION <= index < CORRECTION + CORRECTIONS


def empty_range(values: "Sequence[int]") -> int:
    """Return the index of the lower end of a range that is empty, -1 if there is none."""
    for lower, upper in RANGES:
        if values[lower] >= values[upper]:
            return lower
    return -1
