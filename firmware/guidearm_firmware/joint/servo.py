"""The servo tick: encoders, faults, trajectory, cascade, ramps, limits, capture; each millisecond.

A viper function on an `array('i')`; it never allocates and never imports a board. The board's
interrupt fills the inputs, calls `tick` once and applies the outputs. Commands, stops and the
brake's sequence are `supervisor.supervise`, which the tick gets as an argument and calls before it
moves the set-point, when there is reason to. A fault that an input tells is latched in its tick,
one that the tick itself finds at the beginning of the next one; torque that must not wait for that
is off at once.

A bench searches for the dearest tick. What keeps that cheap is that rare things exclude each other:
a tick that latches a fault calls nothing and leaves out its slice of what is looked at in turn, a
stop comes before inputs that are no more than a stop, and what else is rare waits for a tick whose
slice is cheap.

Numbers and why nothing overflows 31 signed bits
- positions: motor counts, and Q8 (1/256 count). +-4 output turns of 409,600 counts are
  1.7e6 counts, 4.2e8 in Q8 (limit 1.07e9).
- a segment's polynomial: Q12 counts relative to its start. Steps and tangents stay under 10,240
  counts (`segments.push`), 4.2e7 in Q12; three steps and three tangents are 2.5e8.
- set-point speed and acceleration: Q16 counts per tick (per tick squared). 2 turn/s is 819 counts
  a tick, 5.4e7. Measured speed: Q8 counts per tick.
- products are taken after clamping, the bounds stand where they are taken.
On 64-bit builds a loaded word has lost its sign. `x << s[LIFT] >> s[LIFT]` gives it back, before a
right shift or a comparison; LIFT is 0 on the target. Two tests need no sign: `(x + limit) & _TIME`
is above 2 * limit just where x is outside +-limit, and `x & _NEGATIVE` tells the sign of an x
within +-2^29.

The form is what viper's compiler makes fast: its first local is in a register; a word below 32
takes one instruction, any other three; the test of an integer takes half of a comparison. A global
name would take 190 instructions, a call 100.

Hand-over from the main loop: it writes the arguments, then COMMAND, which the tick takes and
clears. STOP_REQUEST is a word of its own, so a stop is never kept waiting.
"""

import sys
from array import array

import micropython
from micropython import const

# --- inputs, written by the board before each tick
NOW = const(0)  # us, joint clock modulo 2^30
MOTOR = const(1)  # motor counts, free-running
OUTPUT = const(2)  # absolute output encoder, 14 bits
INPUTS = const(3)  # INPUT_* bits
CURRENT = const(4)  # motor current, mA
TEMPERATURE = const(5)  # winding or power stage, 0.1 degC
SUPPLY = const(6)  # mV
# --- outputs, applied by the board after each tick
DUTY = const(7)  # +-32767 of the supply
BRIDGE = const(8)  # 1: power stage on
BRAKE = const(9)  # 1: release the holding brake
PULL_LINE = const(10)  # 1: pull the stop line
# --- what every tick needs, below 32
COMMAND = const(11)  # hand-over
STOP_REQUEST = const(12)  # STOP; the tick's own requests are REST and AT_STOP
SEQUENCE = const(13)  # brake sequence
FOUND = const(14)  # fault that the last tick has found
MODE = const(15)
TICKS = const(16)
LAST_MOTOR = const(17)
POSITION = const(18)  # motor counts, referenced
SPEED = const(19)  # Q8 counts per tick, measured
OBSERVER = const(20)  # measured minus estimated position, Q8
SET_POINT = const(21)  # Q8 counts
SET_SPEED = const(22)  # Q16 counts per tick
SET_ACCELERATION = const(23)  # Q16 counts per tick squared
ERROR = const(24)  # Q8 counts, set-point minus position
INTEGRAL = const(25)  # Q8 duty
LIFT = const(26)  # bits that a word lacks to an integer of this build
CAPTURING = const(27)  # ticks until a capture takes its next sample, 0: none does
SEGMENT_START = const(28)  # us, joint clock
SEGMENT_US = const(29)  # its length by the joint's clock, 0: the first is still to be taken
SEGMENT_RATE = const(30)  # 2^31 / that length
TAIL = const(31)  # ring: slot being executed (tick writes)
# --- hand-over
ARGUMENT = const(32)  # four words
LAST_FRAME = const(36)  # us, joint clock: last valid frame from the host (main loop writes)
HEAD = const(37)  # ring: next slot to fill (main loop writes)
# --- what the main loop reports besides
STATE = const(38)
AUTHORISED = const(39)
HOMED = const(40)
CLOCK_SET = const(41)
# --- first cause
FAULT = const(42)
FAULT_TIME = const(43)
FAULT_POSITION = const(44)
FAULT_ERROR = const(45)
FAULT_SPEED = const(46)
FAULT_CURRENT = const(47)
FAULT_STATE_BEFORE = const(48)
FAULT_HEARD = const(49)  # us, joint clock: last frame from the host before it
# --- private to the interrupt
POLYNOMIAL = const(50)  # Q12, the segment's at the previous tick
CLOCK_JOINT = const(51)
CLOCK_HOST = const(52)
CLOCK_DRIFT = const(53)
CLOCK_LAG = const(54)  # 2^-28: by so much a time is shorter on the joint's clock
CORRECTED = const(55)  # output encoder as its table corrects it, 14 bits
RAMP_REMAINDER = const(56)
STALLED = const(57)  # ticks at the current limit without turning
SOFT_SPAN = const(58)  # counts between the soft limits
DISAGREE = const(59)  # counts that the encoders may be apart
LOOK_POSITION = const(60)  # motor and output encoder at the last look at both
LOOK_OUTPUT = const(61)
TURNED = const(62)  # by how much each had turned since the look before
SEEN = const(63)
TURN = const(64)  # counts at the output encoder's zero
GAP = const(65)  # counts between the two
TIMER = const(66)
NEXT_STATE = const(67)
TEST_DUTY = const(68)
HELD = const(69)  # INTEGRAL when the brake had closed, and the motor encoder then
HELD_MOTOR = const(70)
SEEKING = const(71)  # 1: what is enabled is the move to the stop
SEEK_FROM = const(72)  # counts
# --- parameters, copied in by the main loop while not enabled
P = const(73)  # the first
P_COUNTS_PER_TURN = const(73)
P_KP = const(74)  # Q16, 1/tick
P_KV = const(75)  # Q8, duty per Q8 speed
P_KI = const(76)  # Q16, duty Q8 per Q8 speed and tick
P_KE = const(77)  # Q12, duty per Q8 speed: back-EMF
P_KA = const(78)  # Q16, duty per Q16 acceleration
P_CURRENT_DUTY = const(79)  # duty across the winding at the current limit
P_FOLLOWING = const(80)  # counts
P_OVER_SPEED = const(81)  # Q8 counts per tick
P_DECELERATION = const(82)  # Q16 counts per tick squared
P_JERK = const(83)  # Q16 counts per tick cubed
P_LINK_TIMEOUT = const(84)  # us
P_BRAKE_TICKS = const(85)  # release or apply, ticks
P_DISAGREE = const(86)  # output encoder steps
P_LOWER = const(87)  # counts, where the soft limit trips
P_UPPER = const(88)
P_OVER_CURRENT = const(89)  # mA
P_OVER_TEMPERATURE = const(90)  # 0.1 degC
P_SUPPLY_LOW = const(91)  # mV
P_SUPPLY_HIGH = const(92)
P_STALL_TICKS = const(93)
P_BRAKE_TEST = const(94)  # duty across the winding against the closed brake, 0: no test
P_BRAKE_FEEDBACK = const(95)  # 1: INPUT_BRAKE_OPEN is wired
P_HAS_ABSOLUTE_ENCODER = const(96)
P_HOME_SPEED = const(97)  # Q16 counts per tick, its sign says which stop
P_HOME_DUTY = const(98)  # duty across the winding on the way to it
P_HOME_POSITION = const(99)  # counts, where it is
P_CORRECTION = const(100)  # output encoder steps to add to it, CORRECTIONS of them
CORRECTION_CLOSED = const(132)  # the first again, which closes the turn
STATE_WORDS = const(133)

CORRECTIONS = const(32)  # every 512 steps one

INPUT_STOP_LINE = const(1)
INPUT_EMERGENCY_STOP = const(2)
INPUT_LIMIT_LOWER = const(4)  # limit switches
INPUT_LIMIT_UPPER = const(8)
INPUT_MOTOR_ENCODER = const(16)  # the encoder itself reports an error
INPUT_OUTPUT_ENCODER = const(32)
INPUT_WATCHDOG = const(64)  # at boot: it was the watchdog's
INPUT_BRAKE_OPEN = const(128)  # feedback: no fault, all above want attention
_ATTENTION = const(127)

# COMMAND
ENABLE = const(1)  # ARGUMENT: 1 = resume only
RESET = const(2)  # ARGUMENT: the fault that is meant
START = const(3)  # ARGUMENT: joint us
CANCEL = const(4)
HOME = const(5)  # ARGUMENT, at boot: the fault to begin with, or 0

# STOP_REQUEST
STOP = const(1)
REST = const(2)  # the host is silent while the joint holds still: close the brake
AT_STOP = const(3)  # both: the motor stands against the stop it sought

# MODE
OFF = const(0)
HOLD = const(1)
ARMED = const(2)
RUN = const(3)
RAMP = const(4)
SEEK = const(5)  # towards the stop, slowly and with little torque
TEST = const(6)  # torque against the closed brake
# sets of modes, a bit each
_QUEUED = const(0x0C)  # ARMED, RUN
_RAMPED = const(0x30)  # RAMP, SEEK
_BUSY = const(0x18)  # RUN, RAMP
_MOVING = const(0x28)  # RUN, SEEK: silence is a fault
_RESTING = const(0x06)  # HOLD, ARMED: silence closes the brake
_CLOSED_LOOP = const(0x3E)  # all but OFF and TEST

# SEQUENCE
TESTING_UP = const(1)
TESTING_DOWN = const(2)
RELEASING = const(3)
APPLYING = const(4)

# STATE, as in the message table
NOT_READY_TO_SWITCH_ON = const(0)
SWITCH_ON_DISABLED = const(1)
SWITCHED_ON = const(3)
OPERATION_ENABLED = const(4)
QUICK_STOP_ACTIVE = const(5)
FAULT_REACTION_ACTIVE = const(6)
FAULT_STATE = const(7)

# causes of a fault, as in the message table
_CAUSE_FOLLOWING_ERROR = const(1)
_CAUSE_LINK_TIMEOUT = const(2)
_CAUSE_UNDERRUN = const(3)
_CAUSE_STOP_LINE = const(4)
_CAUSE_SOFT_LIMIT = const(5)
_CAUSE_OVER_SPEED = const(6)
_CAUSE_ENCODERS_DISAGREE = const(7)
_CAUSE_EMERGENCY_STOP = const(8)
_CAUSE_OVER_CURRENT = const(10)
_CAUSE_MOTOR_ENCODER = const(11)
_CAUSE_OUTPUT_ENCODER = const(12)
_CAUSE_STALL = const(13)
_CAUSE_OVER_TEMPERATURE = const(14)
_CAUSE_SUPPLY = const(15)
_CAUSE_HARD_LIMIT = const(17)
_CAUSE_HOMING = const(19)
_TORQUE_OFF = const(0x10EC0)  # by their reaction in the message table: 6 7 9 10 11 16
_OF_ENCODERS = const(0x82)  # to be looked at beside both encoders: 1 7
AT_ONCE = const(32)  # added to a fault: torque off now, whatever the table says

# ring of segments behind the words: slots of 8 words, read in place
RING_SLOTS = const(64)
SLOTS = const(133)
SLOT_START = const(0)  # Q8 counts
SLOT_C1 = const(1)  # Q12 counts: start + u (c1 + u (c2 + u c3)), u from 0 to 1
SLOT_C2 = const(2)
SLOT_C3 = const(3)
SLOT_END = const(4)  # Q8 counts
SLOT_END_SPEED = const(5)  # turn/2^24/s; non-zero means that another segment must follow
SLOT_US = const(6)  # duration by the joint's clock
SLOT_RATE = const(7)  # 2^31 / SLOT_US

# the capture behind the slots: its words, then the samples. Places are in bytes from the first word
CAPTURE = const(645)
C_DIVIDER = const(0)  # ticks per sample; these words are counted from CAPTURE on
C_SIXES = const(1)  # columns, of six at a time and of the rest
C_REST = const(2)
C_ROW = const(3)  # bytes of a sample
C_BEGIN = const(4)  # place of the first sample
C_END = const(5)  # place behind the last one
C_NEXT = const(6)  # place of the sample to be written
C_ROUND = const(7)  # 1: all places have been written
C_AFTER = const(8)  # samples from the trigger's on; counts down
C_WAITS = const(9)  # 1: for its trigger
C_WATCHED = const(10)  # place of the word that it looks at
C_SENSE = const(11)  # times that word, less C_LEVEL: the bits of C_MASK have to become 0
C_LEVEL = const(12)
C_MASK = const(13)  # the sign, or all of them
C_BELOW = const(14)  # 1: they have not been 0
C_TRIGGER_TIME = const(15)  # us, joint clock
C_LAST_TIME = const(16)
C_COLUMNS = const(17)  # for the main loop alone: columns, samples, those before the trigger
C_SAMPLES = const(18)
C_BEFORE = const(19)
C_CHOSEN = const(20)  # places of words of the state, C_COLUMNS of them
MOST_COLUMNS = const(24)
SAMPLES = const(689)  # from the first word on
CAPTURE_WORDS = const(8192)  # of them: 32 KB, 1.3 s of six signals at every tick
MEMORY_WORDS = const(8881)
_OUTPUT_COUNTS = const(32)  # motor counts that the output encoder cannot miss
_LEAP = const(48)  # output encoder steps in 8 ticks that no joint can do

_TIME = const(0x3FFFFFFF)
_CHEAPEST_SLICE = const(4)  # of what is looked at in turn
_SLICE_OF_THE_GAP = const(6)
_DEAR_SLICES = const(4)  # 4 to 7
_NEGATIVE = const(0x20000000)


@micropython.viper
def tick(s: ptr32, supervise: object) -> object:
    """Take the inputs, move the set-point, put out the duty, and have the rest seen to.

    For the array `s` its address will do. `supervise` gets a quarter of that: a small integer.
    """
    # ---- encoders. Alpha-beta observer for speed: corrections of 1/2 and 1/8 settle in 10 ticks.
    now = s[NOW]
    moved = s[MOTOR] - s[LAST_MOTOR]
    s[LAST_MOTOR] = s[MOTOR]
    s[POSITION] = moved + s[POSITION]
    surprise = ((moved << 8) - s[SPEED] + s[OBSERVER]) << s[LIFT] >> s[LIFT]
    s[OBSERVER] = (surprise + 1) >> 1
    speed = ((surprise >> 3) + s[SPEED]) << s[LIFT] >> s[LIFT]
    s[SPEED] = speed
    ticks = (s[TICKS] + 1) & _TIME
    s[TICKS] = ticks

    # ---- output encoder, as its table has it between two points
    by = ptr32((s[OUTPUT] >> 7 & 4 * (CORRECTIONS - 1)) + int(s) + 4 * P_CORRECTION)
    s[CORRECTED] = (((by[1] - by[0]) * (s[OUTPUT] & 511) + 256 >> 9) + by[0] + s[OUTPUT]) & 16383

    fault = 0
    rare = 0
    if (s[INPUTS] & _ATTENTION) | s[COMMAND] | s[STOP_REQUEST] | s[SEQUENCE] | s[FOUND]:
        rare = 1
        latched = 0  # in a joint with torque on
        looked = 0
        inputs = s[INPUTS] & _ATTENTION
        stops = 0
        if s[STOP_REQUEST]:
            if s[STATE] < QUICK_STOP_ACTIVE:
                stops = 1
            else:
                s[STOP_REQUEST] = 0  # it is being done
        if s[FOUND] or (inputs and not stops):
            # ---- faults that the last tick has found, and inputs that stop: no more than a stop
            # does, so in its tick they are not looked at
            looked = 1
            drive = s[STATE]
            found = s[FOUND] & (AT_ONCE - 1)
            if drive < FAULT_REACTION_ACTIVE:
                if s[MODE]:
                    if inputs & (INPUT_MOTOR_ENCODER | INPUT_OUTPUT_ENCODER):
                        found = _CAUSE_OUTPUT_ENCODER
                        if inputs & INPUT_MOTOR_ENCODER:
                            found = _CAUSE_MOTOR_ENCODER
                    elif _OF_ENCODERS >> found & 1:
                        turned = s[TURNED]
                        both = s[P_HAS_ABSOLUTE_ENCODER] and s[HOMED]
                        if found == _CAUSE_FOLLOWING_ERROR and both:
                            gap = s[GAP]
                            if not turned:
                                gap <<= 1  # standing while the output turns is suspect
                            if (gap + s[DISAGREE]) & _TIME > s[DISAGREE] << 1:
                                found = _CAUSE_ENCODERS_DISAGREE
                        if found == _CAUSE_ENCODERS_DISAGREE:
                            # the one that stands still while the other turns is the lost one
                            seen = (s[SEEN] + _LEAP) & 16383
                            if seen == _LEAP:
                                if (turned + _OUTPUT_COUNTS) & _TIME > 2 * _OUTPUT_COUNTS:
                                    found = _CAUSE_OUTPUT_ENCODER
                            elif not turned and seen and seen < 2 * _LEAP:
                                found = _CAUSE_MOTOR_ENCODER
                    elif inputs & (INPUT_LIMIT_LOWER | INPUT_LIMIT_UPPER) and s[SET_SPEED]:
                        outward = INPUT_LIMIT_UPPER
                        if s[SET_SPEED] & _NEGATIVE:
                            outward = INPUT_LIMIT_LOWER
                        if inputs & outward:
                            found = _CAUSE_HARD_LIMIT  # the way back is free
                if inputs & (INPUT_STOP_LINE | INPUT_EMERGENCY_STOP) and s[MODE] | s[AUTHORISED]:
                    if inputs & INPUT_EMERGENCY_STOP:
                        if not _TORQUE_OFF >> found & 1:
                            found = _CAUSE_EMERGENCY_STOP
                    elif not (found | s[PULL_LINE]):
                        found = _CAUSE_STOP_LINE  # it comes last: another joint has the cause
                if found:
                    # the first cause is latched, and the stop begins; all else waits for a tick
                    s[FAULT] = found
                    s[FAULT_TIME] = now
                    s[FAULT_POSITION] = s[POSITION]
                    s[FAULT_ERROR] = s[ERROR]
                    s[FAULT_SPEED] = speed
                    s[FAULT_CURRENT] = s[CURRENT]
                    s[FAULT_HEARD] = s[LAST_FRAME]
                    s[FAULT_STATE_BEFORE] = drive
                    s[AUTHORISED] = 0
                    if found - _CAUSE_STOP_LINE:
                        s[PULL_LINE] = 1
                    s[STATE] = FAULT_STATE
                    if s[MODE]:
                        latched = 1
                        ticks = _CHEAPEST_SLICE
                        s[STATE] = FAULT_REACTION_ACTIVE
                        s[NEXT_STATE] = FAULT_STATE
                        s[MODE] = RAMP  # where it stands still, the brake closes at once
            elif inputs & INPUT_MOTOR_ENCODER:
                found = _CAUSE_MOTOR_ENCODER
            if found and s[MODE] and s[FOUND] & AT_ONCE | _TORQUE_OFF >> found & 1:
                # what torque cannot mend: running away, or an encoder, or a ramp not followed
                s[BRIDGE] = 0
                s[BRAKE] = 0
                s[TAIL] = s[HEAD]
                s[SEQUENCE] = 0
                s[MODE] = OFF
                s[STATE] = FAULT_STATE
            s[FOUND] = 0
        if not latched:
            # in motion and in a ramp a command means nothing
            if s[COMMAND]:
                if _BUSY >> s[MODE] & 1:
                    s[COMMAND] = 0
                elif s[MODE] == ARMED and not (now - s[SEGMENT_START]) & _NEGATIVE:
                    s[COMMAND] = 0  # it starts now
            dear = ticks & _DEAR_SLICES
            if stops:
                dear = 0
                ticks = _CHEAPEST_SLICE
            # one thing at a time: a stop at once, all else where no slice is dear
            if dear and s[SEQUENCE] | looked:
                s[TIMER] = s[TIMER] - 1
            elif s[COMMAND] | s[STOP_REQUEST] | s[SEQUENCE]:
                supervise(int(s) >> 2)  # pyright: ignore[reportCallIssue]
                fault = s[FOUND]
    mode = s[MODE]
    acceleration = 0
    forward = 0  # Q8 counts per tick, the set-point's
    p = ptr32(int(s) + 4 * P)
    reach = p[P_CURRENT_DUTY - P]

    # ---- set-point
    if _QUEUED >> mode & 1:
        slot = ptr32((s[TAIL] << 5) + int(s) + 4 * SLOTS)
        elapsed = (now - s[SEGMENT_START]) & _TIME
        while elapsed >= s[SEGMENT_US]:
            if elapsed & _NEGATIVE:
                break  # the start is still to come
            elapsed -= s[SEGMENT_US]
            s[SEGMENT_START] = s[SEGMENT_START] + s[SEGMENT_US]
            tail = s[TAIL]
            if s[SEGMENT_US]:
                tail = (tail + 1) & (RING_SLOTS - 1)
            if tail == s[HEAD]:
                # an empty queue is the end of the move if it ends at rest
                s[TAIL] = tail
                if slot[SLOT_END_SPEED]:
                    mode = RAMP  # from the next tick on; for this one, on at the same speed
                    fault = _CAUSE_UNDERRUN
                    forward = s[SET_SPEED] << s[LIFT] >> s[LIFT] >> 8
                    s[SET_POINT] = s[SET_POINT] + forward
                else:
                    mode = HOLD
                    s[SET_POINT] = slot[SLOT_END]
                    s[SET_SPEED] = 0
                s[MODE] = mode
                break
            mode = RUN
            s[MODE] = RUN
            s[TAIL] = tail
            slot = ptr32((tail << 5) + int(s) + 4 * SLOTS)
            s[SEGMENT_US] = slot[SLOT_US]
            s[SEGMENT_RATE] = slot[SLOT_RATE]
            s[POLYNOMIAL] = (s[SET_POINT] - slot[SLOT_START]) << 4  # reached, from the new start
        if mode == RUN:
            # products split at 16 bits: the upper part is below 2^12, the lower unsigned
            u = int(uint(elapsed * s[SEGMENT_RATE] + 0x4000) >> 15)
            c = slot[SLOT_C3] << s[LIFT] >> s[LIFT]
            c = (
                ((c >> 16) * u + int(uint(c & 0xFFFF) * uint(u) >> 16) + slot[SLOT_C2])
                << s[LIFT]
                >> s[LIFT]
            )
            c = (
                ((c >> 16) * u + int(uint(c & 0xFFFF) * uint(u) >> 16) + slot[SLOT_C1])
                << s[LIFT]
                >> s[LIFT]
            )
            c = (c >> 16) * u + int(uint(c & 0xFFFF) * uint(u) >> 16)
            step = (c - s[POLYNOMIAL]) << 4 << s[LIFT] >> s[LIFT]
            forward = step >> 8
            s[POLYNOMIAL] = c
            s[SET_POINT] = (c >> 4) + slot[SLOT_START]
            acceleration = (step - s[SET_SPEED]) << s[LIFT] >> s[LIFT]
            s[SET_SPEED] = step
            if (acceleration + 0x20000) >> 18:
                acceleration = 0x1FFFF if acceleration > 0 else -0x1FFFF
    elif mode == RAMP:
        # decelerate with limited jerk: less and less once v <= d^2 / 2j
        set_speed = s[SET_SPEED] << s[LIFT] >> s[LIFT]
        sign = set_speed >> 31
        v = (set_speed ^ sign) - sign
        d = sign - (s[SET_ACCELERATION] << s[LIFT] >> s[LIFT] ^ sign)
        jerk = p[P_JERK - P]
        if d > 0 and (d >> 6) * (d >> 6) >= (v >> 11) * jerk:
            d -= jerk
            if d < jerk:
                d = jerk
        else:
            d += jerk
            if d > p[P_DECELERATION - P]:
                d = p[P_DECELERATION - P]
        v -= d
        if v <= 0:
            v = 0
            if s[SEQUENCE] != APPLYING:
                # at rest: the brake closes while torque still holds
                s[SEQUENCE] = APPLYING
                s[TIMER] = p[P_BRAKE_TICKS - P]
                s[BRAKE] = 0
        v = (v ^ sign) - sign
        forward = v >> 8
        acceleration = v - set_speed
        s[SET_SPEED] = v
        step = v + s[RAMP_REMAINDER]
        s[RAMP_REMAINDER] = step & 255
        s[SET_POINT] = (step >> 8) + s[SET_POINT]
    elif mode == SEEK:
        reach = p[P_HOME_DUTY - P]
        s[SET_SPEED] = p[P_HOME_SPEED - P]
        forward = p[P_HOME_SPEED - P] << s[LIFT] >> s[LIFT] >> 8
        full = p[P_COUNTS_PER_TURN - P] << 1
        if (s[POSITION] - s[SEEK_FROM] + full) & _TIME > full << 1:
            fault = _CAUSE_HOMING  # no stop within two turns
        lead = s[SET_POINT] - (s[POSITION] << 8) + (p[P_FOLLOWING - P] << 7)
        if lead & _TIME < p[P_FOLLOWING - P] << 8:
            # against the stop the set-point waits, and the integrator pushes
            step = (p[P_HOME_SPEED - P] << s[LIFT] >> s[LIFT]) + s[RAMP_REMAINDER]
            s[RAMP_REMAINDER] = step & 255
            s[SET_POINT] = (step >> 8) + s[SET_POINT]
    s[SET_ACCELERATION] = acceleration
    error = (s[SET_POINT] - (s[POSITION] << 8)) << s[LIFT] >> s[LIFT]
    s[ERROR] = error

    # ---- cascade: position P, speed PI, back-EMF and inertia fed forward
    duty = 0
    if _CLOSED_LOOP >> mode & 1:
        if uint(speed + p[P_OVER_SPEED - P]) > uint(p[P_OVER_SPEED - P] << 1):
            fault = _CAUSE_OVER_SPEED + AT_ONCE
        elif (s[CURRENT] + p[P_OVER_CURRENT - P]) & _TIME > p[P_OVER_CURRENT - P] << 1:
            fault = _CAUSE_OVER_CURRENT + AT_ONCE
        else:
            far = p[P_FOLLOWING - P] << 8
            if uint(error + far) > uint(far << 1):
                if s[STATE] < FAULT_REACTION_ACTIVE:
                    fault = _CAUSE_FOLLOWING_ERROR
                    ticks = _CHEAPEST_SLICE
                    if not rare:
                        # both encoders at one instant, for the next tick to judge
                        s[TURNED] = s[POSITION] - s[LOOK_POSITION]
                        s[SEEN] = s[CORRECTED] - s[LOOK_OUTPUT]
                        s[LOOK_POSITION] = s[POSITION]
                        s[LOOK_OUTPUT] = s[CORRECTED]
                        ticks = _SLICE_OF_THE_GAP
                if uint(error + far + far) > uint(far << 2):
                    fault = _CAUSE_FOLLOWING_ERROR + AT_ONCE  # the ramp is not followed either
                error = far if error > 0 else 0 - far
            want = ((error >> 1) * p[P_KP - P] >> 15) + forward - speed  # 2^19 times 4,095
            if (want + 0x40000) >> 19:
                want = 0x3FFFF if want > 0 else -0x3FFFF
            integral = s[INTEGRAL] << s[LIFT] >> s[LIFT]
            emf = speed * p[P_KE - P] >> 12
            grow = want * p[P_KI - P] >> 8
            if s[SEQUENCE] and s[SEQUENCE] == RELEASING:
                grow = grow << 2  # a load nobody knew comes onto the motor as the brake opens
            duty = (want * p[P_KV - P] >> 8) + (integral >> 8)
            duty = (forward * p[P_KE - P] >> 12) + duty
            duty = (acceleration * p[P_KA - P] >> 16) + duty
            # the winding carries (supply - back-EMF) / R: a window around it limits the current
            if uint(duty - emf + reach) > uint(reach << 1) or uint(duty + 32767) > uint(65534):
                upper = emf + reach
                lower = emf - reach
                if upper > 32767:
                    upper = 32767
                if lower < -32767:
                    lower = -32767
                if duty > upper:
                    duty = upper
                    if grow > 0:
                        grow = 0
                else:
                    duty = lower
                    if grow < 0:
                        grow = 0
                if uint(speed + 256) > uint(512):
                    s[STALLED] = 0
                else:
                    s[STALLED] = s[STALLED] + 1
                    if s[STALLED] >= p[P_STALL_TICKS - P] and not fault:
                        if mode == SEEK:
                            s[STOP_REQUEST] = AT_STOP
                        else:
                            fault = _CAUSE_STALL
                            s[STALLED] = 0
                            s[SET_POINT] = s[POSITION] << 8  # hold, but push no more
                            s[SET_SPEED] = 0
            else:
                s[STALLED] = 0
            # within one count at rest friction holds; integrating there would only hunt
            if (
                uint(error + 256) > uint(512)
                or _QUEUED >> mode & 1
                or (_RAMPED >> mode & 1 and s[SEQUENCE] != APPLYING)
            ):
                integral += grow
                if (integral + 0x800000) >> 24:
                    integral = 0x7FFF00 if integral > 0 else -0x7FFF00
                s[INTEGRAL] = integral
            if (
                forward
                and not fault
                and (s[POSITION] - p[P_LOWER - P]) & _TIME > s[SOFT_SPAN]
                and s[HOMED]
            ):
                # outside, the way back is free; less than 1/8 count a tick is no direction
                below = (s[POSITION] - p[P_LOWER - P]) & _NEGATIVE
                if s[STATE] < FAULT_REACTION_ACTIVE and (
                    (below and forward < -32) or (below == 0 and forward > 32)
                ):
                    fault = _CAUSE_SOFT_LIMIT
    elif mode:
        duty = s[TEST_DUTY]

    # ---- what may take a few milliseconds, a slice a tick
    if ticks & 4:
        if ticks & 2:
            if ticks & 1:
                if (
                    mode
                    and p[P_HAS_ABSOLUTE_ENCODER - P]
                    and s[HOMED]
                    and (s[GAP] + s[DISAGREE]) & _TIME > s[DISAGREE] << 1
                    and s[FAULT] != _CAUSE_OUTPUT_ENCODER
                ):
                    fault = (fault & AT_ONCE) | _CAUSE_ENCODERS_DISAGREE
            else:
                full = p[P_COUNTS_PER_TURN - P]
                gap = s[LOOK_POSITION] - s[TURN] - (s[LOOK_OUTPUT] * (full >> 10) >> 4)
                if (gap + (full >> 1)) & _TIME > full:
                    if gap & _NEGATIVE:
                        full = 0 - full
                    s[TURN] = s[TURN] + full
                    gap -= full
                s[GAP] = gap
        elif ticks & 1:
            # both encoders at one instant
            s[TURNED] = s[POSITION] - s[LOOK_POSITION]
            s[SEEN] = s[CORRECTED] - s[LOOK_OUTPUT]
            s[LOOK_POSITION] = s[POSITION]
            s[LOOK_OUTPUT] = s[CORRECTED]
        elif mode and not fault and (p[P_OVER_TEMPERATURE - P] - s[TEMPERATURE]) & _NEGATIVE:
            fault = _CAUSE_OVER_TEMPERATURE
    elif mode and not fault:
        if ticks & 2:
            low = p[P_SUPPLY_LOW - P]
            if (s[SUPPLY] - low) & _TIME > p[P_SUPPLY_HIGH - P] - low:
                fault = _CAUSE_SUPPLY
        elif (s[LAST_FRAME] + p[P_LINK_TIMEOUT - P] - now) & _NEGATIVE:
            if _MOVING >> mode & 1:
                fault = _CAUSE_LINK_TIMEOUT
            elif _RESTING >> mode & 1:
                s[STOP_REQUEST] = REST

    s[FOUND] = fault
    if fault & AT_ONCE:
        duty = 0
        s[BRIDGE] = 0
        s[BRAKE] = 0
    s[DUTY] = duty

    # ---- the capture's sample
    if s[CAPTURING]:
        left = s[CAPTURING] - 1
        if left:
            s[CAPTURING] = left
        else:
            h = ptr32(int(s) + 4 * CAPTURE)
            s[CAPTURING] = h[C_DIVIDER]
            h[C_LAST_TIME] = now
            place = h[C_NEXT]
            following = place + h[C_ROW]
            if following == h[C_END]:
                following = h[C_BEGIN]
                h[C_ROUND] = 1
            h[C_NEXT] = following
            if h[C_WAITS]:
                if (ptr32(h[C_WATCHED] + int(s))[0] * h[C_SENSE] - h[C_LEVEL]) & h[C_MASK]:
                    h[C_BELOW] = 1
                elif h[C_BELOW]:
                    h[C_WAITS] = 0
                    h[C_TRIGGER_TIME] = now
            if not h[C_WAITS]:
                left = h[C_AFTER] - 1
                h[C_AFTER] = left
                if not left:
                    s[CAPTURING] = 0
            to = ptr32(place + int(s))
            chosen = ptr32(int(s) + 4 * (CAPTURE + C_CHOSEN))
            left = h[C_SIXES]
            while left:
                to[0] = ptr32(chosen[0] + int(s))[0]
                to[1] = ptr32(chosen[1] + int(s))[0]
                to[2] = ptr32(chosen[2] + int(s))[0]
                to[3] = ptr32(chosen[3] + int(s))[0]
                to[4] = ptr32(chosen[4] + int(s))[0]
                to[5] = ptr32(chosen[5] + int(s))[0]
                to = ptr32(int(to) + 24)
                chosen = ptr32(int(chosen) + 24)
                left -= 1
            left = h[C_REST]
            while left:
                to[0] = ptr32(chosen[0] + int(s))[0]
                to = ptr32(int(to) + 4)
                chosen = ptr32(int(chosen) + 4)
                left -= 1


def new_state() -> "array[int]":
    """Return a servo's words, the ring and the capture behind them."""
    state = array("i", bytes(4 * MEMORY_WORDS))
    state[LIFT] = 32 if sys.maxsize >> 32 else 0
    return state
