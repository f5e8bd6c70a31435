"""The message table: every name, id, field, unit and bound on the wire.

MicroPython on the joints and CPython on the host import this file and `parameters.py`, so they hold
plain tuples and integers only. README.md beside them is the specification; these tables are its
normative part.

A field is `(name, code, unit, low, high)`. Codes are those of `struct`, little-endian, unpadded;
`<n>s` is n raw bytes with no bounds. Every integer fits 31 signed bits, because a larger one
would be allocated on the heap of a joint.
"""

from guidearm_protocol import parameters

PROTOCOL_VERSION = 1

# Frame geometry (README, "Frame")
HEADER_BYTES = 5
CRC_BYTES = 4
MAX_DECODED_BYTES = 253
MIN_DECODED_BYTES = HEADER_BYTES + CRC_BYTES
MAX_BODY_BYTES = MAX_DECODED_BYTES - MIN_DECODED_BYTES

FROM_JOINT = 1  # direction bit of the flags byte; the version is in its upper nibble
BROADCAST = 255
MAX_JOINTS = 12  # addresses 1..12 fit the cycle's mask

# Timing
TURNAROUND_US = 250  # a joint never transmits sooner after the last byte of a request
SLOT_GUARD_US = 40  # idle time between two slots of a chained read
START_LEAD_US = 20000  # START names an instant at least this far ahead
MAX_SEGMENT_US = 20000
COMMIT_US = 500000  # a joint may take this long over COMMIT_PARAMETERS: it erases flash
TIME_MODULUS = 1 << 30  # wire time is microseconds modulo this

# Angles are binary fractions of an output turn: exact for encoders, and no pi on the joint.
ANGLE_UNITS_PER_TURN = 1 << 24
_ANGLE = (-(1 << 26), 1 << 26)  # +-4 turns
_SPEED = (-(1 << 25), 1 << 25)  # +-2 turn/s
_U8 = (0, 255)
_U16 = (0, 65535)
_I16 = (-32768, 32767)
_U30 = (0, (1 << 30) - 1)
_I31 = (-(1 << 30), (1 << 30) - 1)

# ---- drive states (CiA 402)
NOT_READY_TO_SWITCH_ON = 0
SWITCH_ON_DISABLED = 1
READY_TO_SWITCH_ON = 2
SWITCHED_ON = 3
OPERATION_ENABLED = 4
QUICK_STOP_ACTIVE = 5
FAULT_REACTION_ACTIVE = 6
FAULT_STATE = 7
DRIVE_STATES = (
    "not ready to switch on",
    "switch on disabled",
    "ready to switch on",
    "switched on",
    "operation enabled",
    "quick stop active",
    "fault reaction active",
    "fault",
)

# ---- status flags of STATE
FLAG_ARMED = 1  # START accepted, its instant not yet reached
FLAG_MOVING = 2  # executing segments or ramping down
FLAG_HOMED = 4
FLAG_AUTHORISED = 8  # `enable` was given and neither `disable` nor `stop` came since
FLAG_BRAKE_RELEASED = 16
FLAG_STOP_LINE = 32  # the stop line is pulled, by whomever
FLAG_CLOCK_SET = 64
FLAG_SEGMENT_REFUSED = 128  # the newest segment offered was outside limits or out of order

# ---- results of a request
OK = 0
STALE = 1
REFUSED = 2
UNKNOWN_MESSAGE = 3
BAD_LENGTH = 4
OUT_OF_BOUNDS = 5
BUSY = 6
RESULTS = ("ok", "stale", "refused", "unknown message", "bad length", "out of bounds", "busy")

# ---- reasons behind REFUSED
REASON_NONE = 0
REASON_FAULT = 1
REASON_NOT_HOMED = 2
REASON_NOT_AUTHORISED = 3
REASON_STOP_LINE = 4
REASON_MOVING = 5
REASON_CLOCK_NOT_SET = 6
REASON_NOT_ENABLED = 7
REASON_PARAMETERS = 8
REASON_READ_ONLY = 9
REASON_ENABLED = 10
REASON_ENCODERS = 11
REASON_TEMPERATURE = 12
REASON_SUPPLY = 13
REASON_STORAGE = 14
REASONS = (
    "no reason",
    "a fault is latched: reset it first",
    "not homed",
    "not authorised: enable it first",
    "the stop line is pulled",
    "it is moving",
    "its clock is not set",
    "it is not enabled",
    "its parameters are invalid: restore a dump of them",
    "the parameter is read-only",
    "it is enabled: disable it first",
    "its encoders disagree or one reports an error",
    "it is too hot",
    "its supply is out of range",
    "its storage did not take what was written",
)

# ---- faults: (code, name, meaning, reaction)
CONTROLLED_STOP = 0  # ramp down, brake, torque off once the brake is confirmed
TORQUE_OFF = 1  # torque off and brake at once: a ramp would rely on what has failed
REACTIONS = ("controlled stop, then brake", "torque off and brake at once")
NO_FAULT = 0
FOLLOWING_ERROR = 1
LINK_TIMEOUT = 2
UNDERRUN = 3
STOP_LINE = 4
SOFT_LIMIT = 5
OVER_SPEED = 6
ENCODERS_DISAGREE = 7
EMERGENCY_STOP = 8
PARAMETER_CRC = 9
OVER_CURRENT = 10
MOTOR_ENCODER = 11
OUTPUT_ENCODER = 12
STALL = 13
OVER_TEMPERATURE = 14
SUPPLY = 15
WATCHDOG_RESET = 16
HARD_LIMIT = 17
BRAKE = 18
HOMING = 19
FAULTS = (
    (0, "none", "no fault", 0),
    (1, "following error", "the motor did not follow its set-point", 0),
    (2, "link timeout", "no frame from the host for longer than the link timeout in mid-move", 0),
    (3, "underrun", "the segment queue ran empty in mid-move: the host was late", 0),
    (4, "stop line", "another joint or the emergency button pulled the stop line", 0),
    (5, "soft limit", "the joint ran out of its position range", 0),
    (6, "over-speed", "the motor ran faster than the speed limit", 1),
    (7, "encoders disagree", "motor and output encoder differ by more than the limit", 1),
    (8, "emergency stop", "the emergency stop was pressed", 0),
    (9, "parameter crc", "no good copy of the parameters is stored", 1),
    (10, "over-current", "the motor drew more than the current limit", 1),
    (11, "motor encoder", "the motor encoder is lost", 1),
    (12, "output encoder", "the output encoder is lost", 0),
    (13, "stall", "the motor pushed at its current limit and did not turn", 0),
    (14, "over-temperature", "the motor is too hot", 0),
    (15, "supply", "the supply voltage is out of range", 0),
    (16, "watchdog reset", "the joint's program hung and was restarted", 1),
    (17, "hard limit", "the joint ran into a limit switch", 0),
    (18, "brake", "the brake slipped under test, or did not open or close", 0),
    (19, "homing", "no stop was found within two turns", 0),
)

# ---- what a joint can capture: (name, unit, fraction bits). A word counts 2^-bits of the unit.
TICK_US = 1000  # of the servo, by the joint's clock
MODES = ("off", "hold", "armed", "run", "ramp", "seek", "test")
CAPTURE_SIGNALS = (
    ("position", "motor count", 0),
    ("set_point", "motor count", 8),
    ("following_error", "motor count", 8),
    ("speed", "motor count/tick", 8),
    ("set_speed", "motor count/tick", 16),
    ("set_acceleration", "motor count/tick^2", 16),
    ("current", "mA", 0),
    ("duty", "supply/32767", 0),
    ("integral", "supply/32767", 8),
    ("output", "turn/2^14", 0),
    ("mode", "MODES", 0),
    ("state", "DRIVE_STATES", 0),
    ("fault", "FAULTS", 0),
    ("inputs", "INPUT_*", 0),
    ("brake", "1: released", 0),
    ("temperature", "0.1 degC", 0),
    ("supply", "mV", 0),
    ("segment", "slot of the queue", 0),
    ("time", "us, joint clock", 0),
)
CAPTURE_WORDS = 8192  # that a joint holds: samples times signals
CAPTURE_CHUNK_WORDS = 60  # of them in one CAPTURE_READ
CAPTURE_AT_ONCE = 0
CAPTURE_RISING = 1
CAPTURE_FALLING = 2
CAPTURE_BECOMING = 3
CAPTURE_TRIGGERS = (
    "at once",
    "the signal rises from under the level to it or over",
    "the signal falls from over the level to it or under",
    "the signal becomes the level",
)
CAPTURE_OFF = 0
CAPTURE_WAITING = 1
CAPTURE_COMPLETE = 2
CAPTURE_TRIGGERED = 3
CAPTURE_PHASES = ("off", "waiting", "complete", "triggered")

# ---- message ids. 1..15 are frozen for ever and outside the table hash.
IDENTIFY = 1
STOP = 2
FAULT = 3
CYCLE = 16
SET_CLOCK = 17
START = 18
CANCEL = 19
ENABLE = 20
DISABLE = 21
RESET_FAULT = 22
HOME = 23
GET_PARAMETER = 24
SET_PARAMETER = 25
COUNTERS = 26
COMMIT_PARAMETERS = 27
PARAMETER_STORE = 28
DISCOVER = 29
ASSIGN_ADDRESS = 30
CAPTURE_SETUP = 32
CAPTURE_STATE = 33
CAPTURE_READ = 34
FIRST_UNFROZEN = 16

# Every reply body starts with these two; after a result other than OK only `reason` follows.
REPLY_PREFIX = (
    ("boot", "B", "", 0, 255),
    ("result", "B", "RESULTS", 0, 6),
)
REFUSAL = (("reason", "B", "REASONS", 0, 255),)

# One entry of CYCLE per joint in its mask, in order of address.
SET_POINT = (
    ("position", "i", "turn/2^24", _ANGLE[0], _ANGLE[1]),
    ("velocity", "i", "turn/2^24/s", _SPEED[0], _SPEED[1]),
)

STATE = (
    ("received_us", "I", "us, joint clock", 0, _U30[1]),  # last byte of the broadcast
    ("position", "i", "turn/2^24", _ANGLE[0], _ANGLE[1]),  # from the motor encoder
    ("following_error", "h", "motor count", _I16[0], _I16[1]),  # set-point minus position
    ("output", "H", "turn/2^14", 0, 16383),  # absolute encoder on the output
    ("current_ma", "h", "mA", _I16[0], _I16[1]),
    ("age_us", "h", "us", _I16[0], _I16[1]),  # received_us minus the instant of position
    ("state", "B", "DRIVE_STATES", 0, 7),
    ("flags", "B", "FLAG_*", 0, 255),
    ("fault", "B", "FAULTS", 0, 255),
    ("segment", "H", "", 0, 65535),  # last one queued
    ("depth", "B", "segments", 0, 255),  # queued and not finished
)

# (id, name, request fields, reply fields or None where no joint replies)
MESSAGES = (
    (
        IDENTIFY,
        "IDENTIFY",
        (("nonce", "I", "", 0, _U30[1]),),
        (
            ("protocol", "B", "", 0, 255),
            ("firmware_major", "B", "", 0, 255),
            ("firmware_minor", "B", "", 0, 255),
            ("firmware_patch", "B", "", 0, 255),
            ("table_hash", "I", "", 0, _U30[1]),
            ("unique_id", "8s", "", 0, 0),
            ("arm_id", "H", "", 0, 65535),
            ("boot_count", "H", "", 0, 65535),
            ("counts_per_turn", "I", "motor count per output turn", 0, _U30[1]),
            ("micropython_major", "B", "", 0, 255),
            ("micropython_minor", "B", "", 0, 255),
            ("micropython_patch", "B", "", 0, 255),
            ("word_bits", "B", "bit", 0, 64),
            ("board", "12s", "", 0, 0),
        ),
    ),
    (STOP, "STOP", (), ()),
    (
        FAULT,
        "FAULT",
        (),
        (
            ("fault", "B", "FAULTS", 0, 255),
            ("state_before", "B", "DRIVE_STATES", 0, 7),
            ("time_us", "I", "us, joint clock", 0, _U30[1]),
            ("position", "i", "turn/2^24", _ANGLE[0], _ANGLE[1]),
            ("following_error", "i", "motor count", _I31[0], _I31[1]),
            ("velocity", "i", "turn/2^24/s", _SPEED[0], _SPEED[1]),
            ("current_ma", "h", "mA", _I16[0], _I16[1]),
            ("segment", "H", "", 0, 65535),
            ("late_us", "I", "us since the last valid frame", 0, _U30[1]),
        ),
    ),
    (
        CYCLE,
        "CYCLE",
        (
            ("joints", "H", "mask, bit 0 is address 1", 0, (1 << MAX_JOINTS) - 1),
            ("slot_us", "H", "us", 0, 65535),
            ("segment", "H", "", 0, 65535),
            ("duration_us", "H", "us, 0: no set-points follow", 0, MAX_SEGMENT_US),
        ),
        STATE,
    ),
    (
        SET_CLOCK,
        "SET_CLOCK",
        (
            ("joint_us", "I", "us, joint clock", 0, _U30[1]),
            ("master_us", "I", "us, host clock at that instant", 0, _U30[1]),
            ("drift", "i", "2^-26, host per joint minus 1", -(1 << 14), 1 << 14),
        ),
        (),
    ),
    (START, "START", (("master_us", "I", "us, host clock", 0, _U30[1]),), None),
    (CANCEL, "CANCEL", (), None),
    (ENABLE, "ENABLE", (("resume", "B", "1: only if still authorised", 0, 1),), ()),
    (DISABLE, "DISABLE", (), ()),
    (RESET_FAULT, "RESET_FAULT", (), ()),
    (HOME, "HOME", (), ()),
    (
        GET_PARAMETER,
        "GET_PARAMETER",
        (("index", "B", "", 0, 255),),
        (("value", "i", "", _I31[0], _I31[1]),),
    ),
    (
        SET_PARAMETER,
        "SET_PARAMETER",
        (("index", "B", "", 0, 255), ("value", "i", "", _I31[0], _I31[1])),
        (),
    ),
    (
        COUNTERS,
        "COUNTERS",
        (),
        (
            ("accepted", "I", "frames", 0, _U30[1]),
            ("damaged", "I", "frames", 0, _U30[1]),
            ("executed", "I", "requests", 0, _U30[1]),
            ("repeated", "I", "requests", 0, _U30[1]),
            ("stale", "I", "requests", 0, _U30[1]),
            ("missed_slots", "I", "replies", 0, _U30[1]),
            ("ticks", "I", "", 0, _U30[1]),
        ),
    ),
    (COMMIT_PARAMETERS, "COMMIT_PARAMETERS", (), ()),
    (
        PARAMETER_STORE,
        "PARAMETER_STORE",
        (),
        (
            ("valid", "B", "0: the joint cannot be enabled", 0, 1),
            ("copies", "B", "good copies in storage", 0, 2),
            ("generation", "I", "commits of the newest", 0, _U30[1]),
            ("version", "H", "of the table it was stored by", 0, 65535),
            ("unsaved", "B", "parameters in use that differ from it", 0, 255),
        ),
    ),
    (
        DISCOVER,
        "DISCOVER",
        (
            ("slots", "B", "", 1, 255),
            ("slot_us", "H", "us", 0, 65535),
            ("salt", "H", "", 0, 65535),
        ),
        (
            ("unique_id", "8s", "", 0, 0),
            ("arm_id", "H", "", 0, 65535),
        ),
    ),
    (
        ASSIGN_ADDRESS,
        "ASSIGN_ADDRESS",
        (
            ("unique_id", "8s", "", 0, 0),
            ("address", "B", "", 1, MAX_JOINTS),
            ("arm_id", "H", "", 0, 65535),
        ),
        (),
    ),
    (
        CAPTURE_SETUP,
        "CAPTURE_SETUP",
        (
            ("signals", "I", "mask, bit 0 is the first", 0, (1 << len(CAPTURE_SIGNALS)) - 1),
            ("divider", "H", "ticks per sample", 1, 1000),
            ("samples", "H", "", 1, CAPTURE_WORDS),
            ("before", "H", "samples before the trigger", 0, CAPTURE_WORDS - 1),
            ("trigger", "B", "CAPTURE_TRIGGERS", 0, 3),
            ("signal", "B", "CAPTURE_SIGNALS", 0, len(CAPTURE_SIGNALS) - 1),
            ("level", "i", "as the signal's word", _I31[0] + 1, _I31[1]),
        ),
        (("capture", "H", "number of this set-up", 0, 65535),),
    ),
    (
        CAPTURE_STATE,
        "CAPTURE_STATE",
        (),
        (
            ("phase", "B", "CAPTURE_PHASES", 0, 3),
            ("capture", "H", "number of the last set-up", 0, 65535),
            ("samples", "H", "taken", 0, CAPTURE_WORDS),
            ("before", "H", "of them before the trigger", 0, CAPTURE_WORDS - 1),
            ("trigger_us", "I", "us, joint clock", 0, _U30[1]),
            ("last_us", "I", "us, joint clock, newest sample", 0, _U30[1]),
        ),
    ),
    (
        CAPTURE_READ,
        "CAPTURE_READ",
        (("first", "H", "word", 0, CAPTURE_WORDS - 1),),
        (
            ("capture", "H", "number of the set-up", 0, 65535),
            ("words", f"{4 * CAPTURE_CHUNK_WORDS}s", "i32, from first on", 0, 0),
        ),
    ),
)


def field_size(code: str) -> int:
    """Return the bytes that a field of struct code `code` takes."""
    if code[-1] == "s":
        return int(code[:-1])
    return (1, 2, 4)["BbHhIi".index(code) // 2]


def body_size(fields: tuple[tuple[str, str, str, int, int], ...]) -> int:
    """Return the bytes that a tuple of fields takes."""
    return sum([field_size(field[1]) for field in fields])


def body_format(fields: tuple[tuple[str, str, str, int, int], ...]) -> str:
    """Return the little-endian struct format of a tuple of fields."""
    return "<" + "".join([field[1] for field in fields])


def offset_of(fields: tuple[tuple[str, str, str, int, int], ...], name: str) -> int:
    """Return where the field `name` starts in a body made of `fields`."""
    offset = 0
    for field in fields:
        if field[0] == name:
            return offset
        offset += field_size(field[1])
    raise KeyError(name)


def request_fields(message: int) -> tuple[tuple[str, str, str, int, int], ...]:
    """Return the request fields of a message id."""
    for entry in MESSAGES:
        if entry[0] == message:
            return entry[2]
    raise KeyError(message)


def reply_fields(message: int) -> tuple[tuple[str, str, str, int, int], ...] | None:
    """Return the reply fields of a message id, without the prefix; None if it has no reply."""
    for entry in MESSAGES:
        if entry[0] == message:
            return entry[3]
    raise KeyError(message)


def table_hash() -> int:
    """Return 30 bits that change with any value two peers must agree on.

    FNV-1a over the text of the unfrozen messages, folded to 30 bits. Both interpreters print
    small tuples of strings and integers alike, which a test holds against the committed vectors.
    """
    text = repr(
        (
            [entry for entry in MESSAGES if entry[0] >= FIRST_UNFROZEN],
            REPLY_PREFIX,
            REFUSAL,
            SET_POINT,
            (DRIVE_STATES, RESULTS, REASONS, [fault[:2] for fault in FAULTS]),
            (TURNAROUND_US, SLOT_GUARD_US, START_LEAD_US, MAX_SEGMENT_US),
            (parameters.TABLE_VERSION, parameters.PARAMETERS),
            (TICK_US, CAPTURE_SIGNALS, CAPTURE_TRIGGERS, CAPTURE_PHASES),
        )
    )
    # 0x811C9DC5 in halves, times 2^24 + 0x193: what stays below 2^30 needs no memory on a joint
    high, low = 0x811C, 0x9DC5
    for byte in text.encode():
        low ^= byte
        product = low * 0x193
        high = (high * 0x193 + (product >> 16) + (low << 8)) & 0xFFFF
        low = product & 0xFFFF
    return (high & 0x3FFF) << 16 | (low ^ high >> 14)
