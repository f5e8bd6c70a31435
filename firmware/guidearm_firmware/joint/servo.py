"""The servo tick: encoders, trajectory, cascade, ramps, limits, capture; once a millisecond.

A viper function on an `array('i')`; it never allocates and never imports a board. The board's
interrupt fills the inputs, calls `tick` once and applies the outputs. Whatever does not happen in
every tick (commands, stops, faults, the brake's sequence) is `supervisor.supervise`, which the tick
gets as an argument and calls before it moves the set-point, when there is reason to. A fault that
the tick itself finds is latched there at the next one; torque that must not wait for that is off at
once.

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
STOP_REQUEST = const(12)
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
CAPTURING = const(27)  # 1: a capture wants its sample
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
FAULT_LATE = const(49)
# --- private to the interrupt
POLYNOMIAL = const(50)  # Q12, the segment's at the previous tick
CLOCK_JOINT = const(51)
CLOCK_HOST = const(52)
CLOCK_DRIFT = const(53)
CLOCK_LAG = const(54)  # 2^-28: by so much a time is shorter on the joint's clock
SEGMENT_REST = const(55)  # us, Q28: what was left out of the segments' lengths
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
BOOT_FAULT = const(73)  # latched at the first tick (main loop writes before)
# --- parameters, copied in by the main loop while not enabled
P_COUNTS_PER_TURN = const(74)
P_KP = const(75)  # Q16, 1/tick
P_KV = const(76)  # Q8, duty per Q8 speed
P_KI = const(77)  # Q16, duty Q8 per Q8 speed and tick
P_KE = const(78)  # Q12, duty per Q8 speed: back-EMF
P_KA = const(79)  # Q16, duty per Q16 acceleration
P_CURRENT_DUTY = const(80)  # duty across the winding at the current limit
P_FOLLOWING = const(81)  # counts
P_OVER_SPEED = const(82)  # Q8 counts per tick
P_DECELERATION = const(83)  # Q16 counts per tick squared
P_JERK = const(84)  # Q16 counts per tick cubed
P_LINK_TIMEOUT = const(85)  # us
P_BRAKE_TICKS = const(86)  # release or apply, ticks
P_DISAGREE = const(87)  # output encoder steps
P_LOWER = const(88)  # counts, where the soft limit trips
P_UPPER = const(89)
P_OVER_CURRENT = const(90)  # mA
P_OVER_TEMPERATURE = const(91)  # 0.1 degC
P_SUPPLY_LOW = const(92)  # mV
P_SUPPLY_HIGH = const(93)
P_STALL_TICKS = const(94)
P_BRAKE_TEST = const(95)  # duty across the winding against the closed brake, 0: no test
P_BRAKE_FEEDBACK = const(96)  # 1: INPUT_BRAKE_OPEN is wired
P_HAS_ABSOLUTE_ENCODER = const(97)
P_HOME_SPEED = const(98)  # Q16 counts per tick, its sign says which stop
P_HOME_DUTY = const(99)  # duty across the winding on the way to it
P_HOME_POSITION = const(100)  # counts, where it is
STATE_WORDS = const(101)

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
RESET = const(2)
START = const(3)  # ARGUMENT: joint us
CANCEL = const(4)
HOME = const(5)
SET_CLOCK = const(6)  # ARGUMENT: joint us, host us, drift 2^-26, lag 2^-28

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
_CAUSE_SOFT_LIMIT = const(5)
_CAUSE_OVER_SPEED = const(6)
_CAUSE_ENCODERS_DISAGREE = const(7)
_CAUSE_OVER_CURRENT = const(10)
_CAUSE_OUTPUT_ENCODER = const(12)
_CAUSE_STALL = const(13)
_CAUSE_OVER_TEMPERATURE = const(14)
_CAUSE_SUPPLY = const(15)
_CAUSE_HOMING = const(19)
AT_ONCE = const(32)  # added to a fault: torque off now, whatever the table says

# ring of segments behind the words: slots of 8 words, read in place
RING_SLOTS = const(64)
SLOTS = const(101)
SLOT_START = const(0)  # Q8 counts
SLOT_C1 = const(1)  # Q12 counts: start + u (c1 + u (c2 + u c3)), u from 0 to 1
SLOT_C2 = const(2)
SLOT_C3 = const(3)
SLOT_END = const(4)  # Q8 counts
SLOT_END_SPEED = const(5)  # turn/2^24/s; non-zero means that another segment must follow
SLOT_US = const(6)  # duration by the host's clock
SLOT_RATE = const(7)  # 2^31 / SLOT_US

# the capture behind the slots: its words, then the samples. Places are in bytes from the first word
CAPTURE = const(613)
C_PHASE = const(0)  # of CAPTURE_PHASES; these words are counted from CAPTURE on
C_COUNTDOWN = const(1)
C_DIVIDER = const(2)  # ticks per sample
C_COLUMNS = const(3)
C_ROW = const(4)  # bytes of a sample
C_NEXT = const(5)  # place of the sample to be written
C_END = const(6)  # place behind the last one
C_ROOM = const(7)  # samples that have not been written yet
C_SAMPLES = const(8)
C_BEFORE = const(9)  # of them wanted before the trigger; what was there of them once it came
C_AFTER = const(10)  # from the trigger's on; counts down
C_WAITS = const(11)  # 1: for its trigger
C_WATCHED = const(12)  # place of the word that it looks at
C_SENSE = const(13)  # times that word, less C_LEVEL: has to come from below 0 to 0 or over
C_LEVEL = const(14)
C_EXACT = const(15)  # 1: to 0 from either side
C_BELOW = const(16)  # 1: it has been there
C_TRIGGER_TIME = const(17)  # us, joint clock
C_LAST_TIME = const(18)
C_CHOSEN = const(19)  # places of words of the state, C_COLUMNS of them
MOST_COLUMNS = const(24)
SAMPLES = const(656)  # from the first word on
CAPTURE_WORDS = const(8192)  # of them: 32 KB, 1.3 s of six signals at every tick
MEMORY_WORDS = const(8848)
_COMPLETE = const(2)  # C_PHASE
_TRIGGERED = const(3)

_TIME = const(0x3FFFFFFF)
_HALF_TIME = const(0x20000000)
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

    if (s[INPUTS] & _ATTENTION) | s[COMMAND] | s[STOP_REQUEST] | s[SEQUENCE] | s[FOUND]:
        supervise(int(s) >> 2)  # pyright: ignore[reportCallIssue]
    mode = s[MODE]
    fault = 0
    acceleration = 0
    reach = s[P_CURRENT_DUTY]

    # ---- set-point
    if _QUEUED >> mode & 1:
        slot = ptr32((s[TAIL] << 5) + int(s) + 4 * SLOTS)
        elapsed = (now - s[SEGMENT_START]) & _TIME
        while elapsed >= s[SEGMENT_US]:
            if elapsed & _NEGATIVE:
                break  # the start is still to come
            elapsed -= s[SEGMENT_US]
            s[SEGMENT_START] = (now - elapsed) & _TIME
            tail = s[TAIL]
            if s[SEGMENT_US]:
                tail = (tail + 1) & (RING_SLOTS - 1)
            if tail == s[HEAD]:
                # an empty queue is the end of the move if it ends at rest
                s[TAIL] = tail
                if slot[SLOT_END_SPEED]:
                    mode = RAMP  # from the next tick on; for this one, on at the same speed
                    fault = _CAUSE_UNDERRUN
                    s[SET_POINT] = (s[SET_SPEED] << s[LIFT] >> s[LIFT] >> 8) + s[SET_POINT]
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
            # to the joint's clock: 20,000 times 2^16 is 1.3e9
            lag = s[CLOCK_LAG] << s[LIFT] >> s[LIFT]
            rest = slot[SLOT_US] * lag + s[SEGMENT_REST]
            s[SEGMENT_REST] = rest & 0xFFFFFFF
            s[SEGMENT_US] = slot[SLOT_US] - (rest >> 28)
            s[SEGMENT_RATE] = ((slot[SLOT_RATE] >> 7) * lag >> 21) + slot[SLOT_RATE]
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
            step = (c - s[POLYNOMIAL]) << 4
            s[POLYNOMIAL] = c
            s[SET_POINT] = (c >> 4) + slot[SLOT_START]
            acceleration = (step - s[SET_SPEED]) << s[LIFT] >> s[LIFT]
            s[SET_SPEED] = step
            if (acceleration + 0x20000) >> 18:
                acceleration = 0x1FFFF if acceleration > 0 else -0x1FFFF
    elif _RAMPED >> mode & 1:
        if mode == RAMP:
            # decelerate with limited jerk: less and less once v <= d^2 / 2j
            set_speed = s[SET_SPEED] << s[LIFT] >> s[LIFT]
            sign = set_speed >> 31
            v = (set_speed ^ sign) - sign
            d = (0 - s[SET_ACCELERATION] << s[LIFT] >> s[LIFT] ^ sign) - sign
            jerk = s[P_JERK]
            if d > 0 and (d >> 6) * (d >> 6) >= (v >> 12) * jerk * 2:
                d -= jerk
                if d < jerk:
                    d = jerk
            else:
                d += jerk
                if d > s[P_DECELERATION]:
                    d = s[P_DECELERATION]
            v -= d
            if v <= 0:
                v = 0
                if s[SEQUENCE] != APPLYING:
                    # at rest: the brake closes while torque still holds
                    s[SEQUENCE] = APPLYING
                    s[TIMER] = s[P_BRAKE_TICKS]
                    s[BRAKE] = 0
            v = (v ^ sign) - sign
            acceleration = v - set_speed
            s[SET_SPEED] = v
            step = v + s[RAMP_REMAINDER]
            s[RAMP_REMAINDER] = step & 255
            s[SET_POINT] = (step >> 8) + s[SET_POINT]
        elif mode == SEEK:
            reach = s[P_HOME_DUTY]
            s[SET_SPEED] = s[P_HOME_SPEED]
            full = s[P_COUNTS_PER_TURN] << 1
            if (s[POSITION] - s[SEEK_FROM] + full) & _TIME > full << 1:
                fault = _CAUSE_HOMING  # no stop within two turns
            lead = s[SET_POINT] - (s[POSITION] << 8) + (s[P_FOLLOWING] << 7)
            if lead & _TIME < s[P_FOLLOWING] << 8:
                # against the stop the set-point waits, and the integrator pushes
                step = (s[P_HOME_SPEED] << s[LIFT] >> s[LIFT]) + s[RAMP_REMAINDER]
                s[RAMP_REMAINDER] = step & 255
                s[SET_POINT] = (step >> 8) + s[SET_POINT]
    s[SET_ACCELERATION] = acceleration
    error = (s[SET_POINT] - (s[POSITION] << 8)) << s[LIFT] >> s[LIFT]
    s[ERROR] = error

    # ---- cascade: position P, speed PI, back-EMF and inertia fed forward
    duty = 0
    if _CLOSED_LOOP >> mode & 1:
        if uint(speed + s[P_OVER_SPEED]) > uint(s[P_OVER_SPEED] << 1):
            fault = _CAUSE_OVER_SPEED + AT_ONCE
        elif (s[CURRENT] + s[P_OVER_CURRENT]) & _TIME > s[P_OVER_CURRENT] << 1:
            fault = _CAUSE_OVER_CURRENT + AT_ONCE
        else:
            far = s[P_FOLLOWING] << 8
            if uint(error + far) > uint(far << 1):
                fault = _CAUSE_FOLLOWING_ERROR
                if uint(error + far + far) > uint(far << 2):
                    fault = _CAUSE_FOLLOWING_ERROR + AT_ONCE  # the ramp is not followed either
                error = far if error > 0 else 0 - far
            forward = s[SET_SPEED] << s[LIFT] >> s[LIFT] >> 8
            want = ((error >> 1) * s[P_KP] >> 15) + forward - speed  # 2^19 times 4,095
            if (want + 0x40000) >> 19:
                want = 0x3FFFF if want > 0 else -0x3FFFF
            integral = s[INTEGRAL] << s[LIFT] >> s[LIFT]
            emf = speed * s[P_KE] >> 12
            grow = want * s[P_KI] >> 8
            if s[SEQUENCE] and s[SEQUENCE] == RELEASING:
                grow = grow << 2  # a load nobody knew comes onto the motor as the brake opens
            duty = (want * s[P_KV] >> 8) + (integral >> 8)
            duty = (forward * s[P_KE] >> 12) + duty
            duty = (acceleration * s[P_KA] >> 16) + duty
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
                s[STALLED] = s[STALLED] + 1
                if uint(speed + 256) > uint(512):
                    s[STALLED] = 0
                elif s[STALLED] >= s[P_STALL_TICKS] and not fault:
                    fault = _CAUSE_STALL
            else:
                s[STALLED] = 0
            # within one count at rest friction holds; integrating there would only hunt
            if (
                _QUEUED >> mode & 1
                or uint(error + 256) > uint(512)
                or (_RAMPED >> mode & 1 and s[SEQUENCE] != APPLYING)
            ):
                integral += grow
                if (integral + 0x800000) >> 24:
                    integral = 0x7FFF00 if integral > 0 else -0x7FFF00
                s[INTEGRAL] = integral
            if (
                forward
                and not fault
                and (s[POSITION] - s[P_LOWER]) & _TIME > s[SOFT_SPAN]
                and s[HOMED]
            ):
                # outside, the way back is free; less than 1/8 count a tick is no direction
                below = (s[POSITION] - s[P_LOWER]) & _NEGATIVE
                if (below and forward < -32) or (below == 0 and forward > 32):
                    fault = _CAUSE_SOFT_LIMIT
    elif mode:
        duty = s[TEST_DUTY]

    # ---- what may take a few milliseconds, a slice a tick
    if ticks & 4:
        if ticks & 2:
            if ticks & 1:
                if (
                    mode
                    and s[P_HAS_ABSOLUTE_ENCODER]
                    and s[HOMED]
                    and (s[GAP] + s[DISAGREE]) & _TIME > s[DISAGREE] << 1
                    and s[FAULT] != _CAUSE_OUTPUT_ENCODER
                ):
                    fault = (fault & AT_ONCE) | _CAUSE_ENCODERS_DISAGREE
            else:
                full = s[P_COUNTS_PER_TURN]
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
            s[SEEN] = s[OUTPUT] - s[LOOK_OUTPUT]
            s[LOOK_POSITION] = s[POSITION]
            s[LOOK_OUTPUT] = s[OUTPUT]
        elif mode and not fault and (s[P_OVER_TEMPERATURE] - s[TEMPERATURE]) & _NEGATIVE:
            fault = _CAUSE_OVER_TEMPERATURE
    elif mode and not fault:
        if ticks & 2:
            if (s[SUPPLY] - s[P_SUPPLY_LOW]) & _TIME > s[P_SUPPLY_HIGH] - s[P_SUPPLY_LOW]:
                fault = _CAUSE_SUPPLY
        elif (s[LAST_FRAME] + s[P_LINK_TIMEOUT] - now) & _NEGATIVE:
            fault = _CAUSE_LINK_TIMEOUT

    s[FOUND] = fault
    if fault & AT_ONCE:
        duty = 0
        s[BRIDGE] = 0
        s[BRAKE] = 0
    s[DUTY] = duty

    # ---- the capture's sample
    if s[CAPTURING]:
        h = ptr32(int(s) + 4 * CAPTURE)
        left = h[C_COUNTDOWN] - 1
        h[C_COUNTDOWN] = left
        if not left:
            h[C_COUNTDOWN] = h[C_DIVIDER]
            h[C_LAST_TIME] = now
            place = h[C_NEXT]
            following = place + h[C_ROW]
            if following == h[C_END]:
                following = 4 * SAMPLES
            h[C_NEXT] = following
            if h[C_ROOM]:
                h[C_ROOM] = h[C_ROOM] - 1
            waits = h[C_WAITS]
            if waits:
                beyond = ptr32(h[C_WATCHED] + int(s))[0] * h[C_SENSE]
                beyond = (beyond - h[C_LEVEL]) << s[LIFT] >> s[LIFT]
                if h[C_EXACT] and beyond > 0:
                    beyond = 0 - beyond
                if beyond < 0:
                    h[C_BELOW] = 1
                elif h[C_BELOW]:
                    waits = 0
                    h[C_WAITS] = 0
                    h[C_PHASE] = _TRIGGERED
                    h[C_TRIGGER_TIME] = now
                    # a trigger that comes early has less before it
                    there = h[C_SAMPLES] - h[C_ROOM] - 1
                    if there < h[C_BEFORE]:
                        h[C_BEFORE] = there
            if not waits:
                left = h[C_AFTER] - 1
                h[C_AFTER] = left
                if not left:
                    h[C_PHASE] = _COMPLETE
                    s[CAPTURING] = 0
            columns = h[C_COLUMNS]
            chosen = ptr32(int(s) + 4 * (CAPTURE + C_CHOSEN))
            to = ptr32(place + int(s))
            while columns >> 2:
                to[0] = ptr32(chosen[0] + int(s))[0]
                to[1] = ptr32(chosen[1] + int(s))[0]
                to[2] = ptr32(chosen[2] + int(s))[0]
                to[3] = ptr32(chosen[3] + int(s))[0]
                to = ptr32(int(to) + 16)
                chosen = ptr32(int(chosen) + 16)
                columns -= 4
            if columns & 2:
                to[0] = ptr32(chosen[0] + int(s))[0]
                to[1] = ptr32(chosen[1] + int(s))[0]
                to = ptr32(int(to) + 8)
                chosen = ptr32(int(chosen) + 8)
            if columns & 1:
                to[0] = ptr32(chosen[0] + int(s))[0]


def new_state() -> "array[int]":
    """Return a servo's words, the ring and the capture behind them."""
    state = array("i", bytes(4 * MEMORY_WORDS))
    state[LIFT] = 32 if sys.maxsize >> 32 else 0
    return state
