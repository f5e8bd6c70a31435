"""The servo tick: encoders, trajectory, cascade, ramps and limits, once a millisecond.

A viper function on an `array('i')`; it never allocates and never imports a board. The board's
interrupt fills the inputs, calls `tick` once and applies the outputs. Whatever does not happen in
every tick (commands, faults, the brake's sequence, slow inputs) is in `supervisor`, which the tick
calls at its end when there is reason to, and in every eighth tick.

Numbers and why nothing overflows 31 signed bits
- positions: motor counts, and Q8 (1/256 count). +-4 output turns of 409,600 counts are
  1.7e6 counts, 4.2e8 in Q8 (limit 1.07e9).
- a segment's polynomial: Q12 counts relative to its start. Steps and tangents stay under 10,240
  counts (`segments.push`), 4.2e7 in Q12; three steps and three tangents are 2.5e8.
- set-point speed and acceleration: Q16 counts per tick (per tick squared). 2 turn/s is 819 counts
  a tick, 5.4e7. Measured speed: Q8 counts per tick.
- products are taken after clamping, the bounds stand where they are taken.
On 64-bit builds `(s[i] ^ m) - m` restores a loaded word's sign; with 32 bits it does nothing.

Hand-over from the main loop: it writes the arguments, then COMMAND, which the tick takes and
clears. STOP_REQUEST is a word of its own, so a stop is never kept waiting.
"""

import micropython
from micropython import const

from joint.recorder import record
from joint.supervisor import supervise

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
# --- hand-over
COMMAND = const(11)
ARGUMENT = const(12)  # three words
STOP_REQUEST = const(15)
LAST_FRAME = const(16)  # us, joint clock: last valid frame from the host
HEAD = const(17)  # ring: next slot to fill (main loop writes)
TAIL = const(18)  # ring: slot being executed (tick writes)
# --- what the main loop reports
STATE = const(19)
MODE = const(20)
POSITION = const(21)  # motor counts, referenced
SET_POINT = const(22)  # Q8 counts
SPEED = const(23)  # Q8 counts per tick, measured
ERROR = const(24)  # Q8 counts, set-point minus position
AUTHORISED = const(25)
HOMED = const(26)
CLOCK_SET = const(27)
TICKS = const(28)
END_SPEED = const(29)  # turn/2^24/s at the end of the newest segment (main loop writes)
# --- first cause
FAULT = const(30)
FAULT_TIME = const(31)
FAULT_POSITION = const(32)
FAULT_ERROR = const(33)
FAULT_SPEED = const(34)
FAULT_CURRENT = const(35)
FAULT_STATE_BEFORE = const(36)
FAULT_LATE = const(37)
# --- private to the tick
LAST_MOTOR = const(38)
OBSERVER = const(39)  # estimated minus measured position, Q8
INTEGRAL = const(40)  # Q8 duty
SET_SPEED = const(41)  # Q16 counts per tick
SET_ACCELERATION = const(42)  # Q16 counts per tick squared
PREVIOUS_START = const(43)  # Q8, start of the segment of the previous tick
PREVIOUS_VALUE = const(44)  # Q12, its polynomial at the previous tick
SEGMENT_START = const(45)  # us, host clock
CLOCK_JOINT = const(46)
CLOCK_HOST = const(47)
CLOCK_DRIFT = const(48)
SEQUENCE = const(49)  # brake sequence
TIMER = const(50)
NEXT_STATE = const(51)
RAMP_REMAINDER = const(52)
STALLED = const(53)  # ticks at the current limit without turning
WINDOW_POSITION = const(54)  # motor and output encoder at the last look at both
WINDOW_OUTPUT = const(55)
TEST_DUTY = const(56)
HELD = const(57)  # INTEGRAL when the brake had closed, and the motor encoder then
HELD_MOTOR = const(58)
SEEKING = const(59)  # 1: what is enabled is the move to the stop
SEEK_FROM = const(60)  # counts
BOOT_FAULT = const(61)  # latched at the first tick (main loop writes before)
# --- parameters, copied in by the main loop while not enabled
P_COUNTS_PER_TURN = const(62)
P_KP = const(63)  # Q16, 1/tick
P_KV = const(64)  # Q8, duty per Q8 speed
P_KI = const(65)  # Q16, duty Q8 per Q8 speed and tick
P_KE = const(66)  # Q12, duty per Q8 speed: back-EMF
P_KA = const(67)  # Q16, duty per Q16 acceleration
P_CURRENT_DUTY = const(68)  # duty across the winding at the current limit
P_FOLLOWING = const(69)  # counts
P_OVER_SPEED = const(70)  # Q8 counts per tick
P_DECELERATION = const(71)  # Q16 counts per tick squared
P_JERK = const(72)  # Q16 counts per tick cubed
P_LINK_TIMEOUT = const(73)  # us
P_BRAKE_TICKS = const(74)  # release or apply, ticks
P_DISAGREE = const(75)  # output encoder steps
P_LOWER = const(76)  # counts, where the soft limit trips
P_UPPER = const(77)
P_OVER_CURRENT = const(78)  # mA
P_OVER_TEMPERATURE = const(79)  # 0.1 degC
P_SUPPLY_LOW = const(80)  # mV
P_SUPPLY_HIGH = const(81)
P_STALL_TICKS = const(82)
P_BRAKE_TEST = const(83)  # duty across the winding against the closed brake, 0: no test
P_BRAKE_FEEDBACK = const(84)  # 1: INPUT_BRAKE_OPEN is wired
P_HAS_ABSOLUTE_ENCODER = const(85)
P_HOME_SPEED = const(86)  # Q16 counts per tick, its sign says which stop
P_HOME_DUTY = const(87)  # duty across the winding on the way to it
P_HOME_POSITION = const(88)  # counts, where it is
STATE_WORDS = const(89)

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
START = const(3)  # ARGUMENT: host us
CANCEL = const(4)
HOME = const(5)
SET_CLOCK = const(6)  # ARGUMENT: joint us, host us, drift 2^-26

# MODE
OFF = const(0)
HOLD = const(1)
ARMED = const(2)
RUN = const(3)
RAMP = const(4)
SEEK = const(5)  # towards the stop, slowly and with little torque
TEST = const(6)  # torque against the closed brake

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

# FAULT, as in the message table
_FOLLOWING_ERROR = const(1)
_LINK_TIMEOUT = const(2)
_UNDERRUN = const(3)
_SOFT_LIMIT = const(5)
_OVER_SPEED = const(6)
_OVER_CURRENT = const(10)
_STALL = const(13)
AT_ONCE = const(32)  # added to a fault: torque off now, whatever the table says

# ring of segments: slots of 8 words, read in place
RING_SLOTS = const(64)
SLOT_START = const(0)  # Q8 counts
SLOT_C1 = const(1)  # Q12 counts: start + u (c1 + u (c2 + u c3)), u from 0 to 1
SLOT_C2 = const(2)
SLOT_C3 = const(3)
SLOT_DURATION = const(4)  # us
SLOT_END_SPEED = const(5)  # turn/2^24/s; non-zero means that another segment must follow
CAPTURE_PHASE = const(512)  # word of the ring's array behind the slots, see `recorder`

_TIME = const(0x3FFFFFFF)
_HALF_TIME = const(0x20000000)


@micropython.viper
def tick(state: object, ring: object) -> object:
    """Take the inputs, move the set-point, put out the duty, and have the supervisor see to it."""
    s = ptr32(state)
    r = ptr32(ring)
    m = 0x20000000
    m = m << 2

    # ---- encoders. Alpha-beta observer for speed: corrections of 1/2 and 1/8 settle in 10 ticks.
    now = s[NOW]
    raw = (s[MOTOR] ^ m) - m
    moved = raw - ((s[LAST_MOTOR] ^ m) - m)
    s[LAST_MOTOR] = raw
    position = ((s[POSITION] ^ m) - m) + moved
    s[POSITION] = position
    speed = (s[SPEED] ^ m) - m
    estimate = ((s[OBSERVER] ^ m) - m) + speed - (moved << 8)
    s[OBSERVER] = estimate - (estimate >> 1)
    speed -= estimate >> 3
    s[SPEED] = speed
    ticks = (s[TICKS] + 1) & _TIME
    s[TICKS] = ticks

    drive = s[STATE]
    mode = s[MODE]
    fault = 0

    # ---- silence
    late = (((now - s[LAST_FRAME]) + _HALF_TIME) & _TIME) - _HALF_TIME
    if late > s[P_LINK_TIMEOUT] and drive == OPERATION_ENABLED:
        if mode == RUN or mode == SEEK:
            fault = _LINK_TIMEOUT
        elif mode == HOLD or mode == ARMED:
            drive = SWITCHED_ON
            mode = RAMP
            s[NEXT_STATE] = SWITCHED_ON

    # ---- set-point
    set_point = (s[SET_POINT] ^ m) - m
    set_speed = (s[SET_SPEED] ^ m) - m
    acceleration = 0
    if mode == ARMED or mode == RUN:
        # host time: joint time, corrected. 67 s in 2^-10 s times 2^14 of drift is 2^30
        since = (((now - s[CLOCK_JOINT]) + _HALF_TIME) & _TIME) - _HALF_TIME
        drift = (s[CLOCK_DRIFT] ^ m) - m
        host = (s[CLOCK_HOST] + since + (((since >> 10) * drift) >> 16)) & _TIME
        if since > 0x2000000:
            # a long move: count on from here, before that product grows out of range
            s[CLOCK_JOINT] = now
            s[CLOCK_HOST] = host
        elapsed = (((host - s[SEGMENT_START]) + _HALF_TIME) & _TIME) - _HALF_TIME
        if mode == ARMED and elapsed >= 0:
            mode = RUN
            s[PREVIOUS_START] = set_point
            s[PREVIOUS_VALUE] = 0
        if mode == RUN:
            slot = s[TAIL] << 3
            duration = r[slot + SLOT_DURATION]
            while elapsed >= duration and mode == RUN:
                # this segment is over. An empty queue is the end of the move if it ends at rest
                elapsed -= duration
                s[SEGMENT_START] = (s[SEGMENT_START] + duration) & _TIME
                tail = (s[TAIL] + 1) & (RING_SLOTS - 1)
                s[TAIL] = tail
                if tail != s[HEAD]:
                    slot = tail << 3
                    duration = r[slot + SLOT_DURATION]
                elif r[slot + SLOT_END_SPEED] == 0:
                    mode = HOLD
                else:
                    mode = RAMP
                    fault = _UNDERRUN
            start = (r[slot + SLOT_START] ^ m) - m
            c1 = (r[slot + SLOT_C1] ^ m) - m
            c2 = (r[slot + SLOT_C2] ^ m) - m
            c3 = (r[slot + SLOT_C3] ^ m) - m
            if mode == RUN:
                # products split at 15 bits: the upper part is below 2^14, the lower below 2^15
                u = ((elapsed << 15) + (duration >> 1)) // duration
                c = (c3 >> 15) * u + (((c3 & 0x7FFF) * u) >> 15) + c2
                c = (c >> 15) * u + (((c & 0x7FFF) * u) >> 15) + c1
                c = (c >> 15) * u + (((c & 0x7FFF) * u) >> 15)
                step = (start - ((s[PREVIOUS_START] ^ m) - m)) << 4
                step = (step + c - ((s[PREVIOUS_VALUE] ^ m) - m)) << 4
                s[PREVIOUS_START] = start
                s[PREVIOUS_VALUE] = c
                set_point = start + (c >> 4)
                acceleration = step - set_speed
                set_speed = step
            elif mode == HOLD:
                set_point = start + ((c1 + c2 + c3) >> 4)
                set_speed = 0
    if mode == RAMP:
        # decelerate with limited jerk: less and less once v <= d^2 / 2j
        v = set_speed
        d = 0 - ((s[SET_ACCELERATION] ^ m) - m)
        if v < 0:
            v = 0 - v
            d = 0 - d
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
        if v < 0:
            v = 0
        if set_speed < 0:
            v = 0 - v
        acceleration = v - set_speed
        set_speed = v
        step = v + s[RAMP_REMAINDER]
        s[RAMP_REMAINDER] = step & 255
        set_point += step >> 8
        if v == 0 and s[SEQUENCE] != APPLYING:
            # at rest: the brake closes while torque still holds
            s[SEQUENCE] = APPLYING
            s[TIMER] = s[P_BRAKE_TICKS]
            s[BRAKE] = 0
    elif mode == SEEK:
        set_speed = (s[P_HOME_SPEED] ^ m) - m
        lead = set_point - (position << 8)
        reach = s[P_FOLLOWING] << 7
        if lead < reach and lead > 0 - reach:
            # against the stop the set-point waits, and the integrator pushes
            step = set_speed + s[RAMP_REMAINDER]
            s[RAMP_REMAINDER] = step & 255
            set_point += step >> 8
    s[SET_ACCELERATION] = acceleration
    s[SET_SPEED] = set_speed
    s[SET_POINT] = set_point

    # ---- cascade: position P, speed PI, back-EMF and inertia fed forward
    error = set_point - (position << 8)
    s[ERROR] = error
    duty = 0
    if mode == TEST:
        duty = (s[TEST_DUTY] ^ m) - m
    elif mode != OFF:
        e = error
        if e > 0x7FFFF:
            e = 0x7FFFF
        elif e < -0x7FFFF:
            e = -0x7FFFF
        a = acceleration
        if a > 0x20000:
            a = 0x20000
        elif a < -0x20000:
            a = -0x20000
        want = ((e * s[P_KP]) >> 16) + (set_speed >> 8) - speed
        if want > 0x40000:
            want = 0x40000
        elif want < -0x40000:
            want = -0x40000
        integral = (s[INTEGRAL] ^ m) - m
        duty = ((want * s[P_KV]) >> 8) + (integral >> 8)
        duty += ((set_speed >> 8) * s[P_KE]) >> 12
        duty += (a * s[P_KA]) >> 16
        # the winding carries (supply - back-EMF) / R: a window around the back-EMF limits current
        emf = (speed * s[P_KE]) >> 12
        reach = s[P_CURRENT_DUTY] if mode != SEEK else s[P_HOME_DUTY]
        upper = emf + reach
        lower = emf - reach
        if upper > 32767:
            upper = 32767
        if lower < -32767:
            lower = -32767
        grow = (want * s[P_KI]) >> 8
        if s[SEQUENCE] == RELEASING:
            grow = grow << 2  # a load that nobody knew comes onto the motor as the brake opens
        limited = 1
        if duty > upper:
            duty = upper
            if grow > 0:
                grow = 0
        elif duty < lower:
            duty = lower
            if grow < 0:
                grow = 0
        else:
            limited = 0
        # within one count at rest friction holds; integrating there would only hunt
        if error > 256 or error < -256 or not (mode == HOLD or s[SEQUENCE] == APPLYING):
            integral += grow
            if integral > 0x7FFF00:
                integral = 0x7FFF00
            elif integral < -0x7FFF00:
                integral = -0x7FFF00
            s[INTEGRAL] = integral

        # ---- limits, the worst last
        if limited == 0 or speed > 256 or speed < -256:
            s[STALLED] = 0
        else:
            s[STALLED] += 1
            if s[STALLED] >= s[P_STALL_TICKS] and fault == 0:
                fault = _STALL
        if s[HOMED] != 0 and fault == 0:
            # outside, the way back is free; less than 1/8 count a tick is no direction
            if position < (s[P_LOWER] ^ m) - m:
                if set_speed < -0x2000:
                    fault = _SOFT_LIMIT
            elif position > (s[P_UPPER] ^ m) - m and set_speed > 0x2000:
                fault = _SOFT_LIMIT
        far = s[P_FOLLOWING] << 8
        if error > far or error < 0 - far:
            fault = _FOLLOWING_ERROR
            if error > far + far or error < 0 - far - far:
                fault = _FOLLOWING_ERROR + AT_ONCE  # the ramp is not followed either
        current = (s[CURRENT] ^ m) - m
        if speed > s[P_OVER_SPEED] or speed < 0 - s[P_OVER_SPEED]:
            fault = _OVER_SPEED
        elif current > s[P_OVER_CURRENT] or current < 0 - s[P_OVER_CURRENT]:
            fault = _OVER_CURRENT
    s[DUTY] = duty
    s[MODE] = mode
    s[STATE] = drive
    rare = fault | s[COMMAND] | s[STOP_REQUEST] | s[SEQUENCE] | (s[INPUTS] & _ATTENTION)
    if rare != 0 or ticks & 7 == 0:
        supervise(state, fault, late)
    if r[CAPTURE_PHASE] & 1 != 0:
        record(state, ring)
