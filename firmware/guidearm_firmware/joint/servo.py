"""The servo tick: encoders, trajectory, cascade, limits, stops and brake, once a millisecond.

One viper function on an `array('i')`; it never allocates and never imports a board. The board's
interrupt fills the inputs, calls `tick` once and applies the outputs.

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

# --- inputs, written by the board before each tick
NOW = const(0)  # us, joint clock modulo 2^30
MOTOR = const(1)  # motor counts, free-running
OUTPUT = const(2)  # absolute output encoder, 14 bits
INPUTS = const(3)  # INPUT_* bits
CURRENT = const(4)  # motor current, mA
# --- outputs, applied by the board after each tick
DUTY = const(5)  # +-32767 of the supply
BRIDGE = const(6)  # 1: power stage on
BRAKE = const(7)  # 1: release the holding brake
PULL_LINE = const(8)  # 1: pull the stop line
# --- hand-over
COMMAND = const(9)
ARGUMENT = const(10)  # three words
STOP_REQUEST = const(13)
LAST_FRAME = const(14)  # us, joint clock: last valid frame from the host
HEAD = const(15)  # ring: next slot to fill (main loop writes)
TAIL = const(16)  # ring: slot being executed (tick writes)
# --- what the main loop reports
STATE = const(17)
MODE = const(18)
POSITION = const(19)  # motor counts, referenced
SET_POINT = const(20)  # Q8 counts
SPEED = const(21)  # Q8 counts per tick, measured
ERROR = const(22)  # Q8 counts, set-point minus position
AUTHORISED = const(23)
HOMED = const(24)
CLOCK_SET = const(25)
TICKS = const(26)
END_SPEED = const(27)  # turn/2^24/s at the end of the newest segment (main loop writes)
# --- first cause
FAULT = const(28)
FAULT_TIME = const(29)
FAULT_POSITION = const(30)
FAULT_ERROR = const(31)
FAULT_SPEED = const(32)
FAULT_CURRENT = const(33)
FAULT_STATE_BEFORE = const(34)
FAULT_LATE = const(35)
# --- private to the tick
LAST_MOTOR = const(36)
OBSERVER = const(37)  # estimated minus measured position, Q8
INTEGRAL = const(38)  # Q8 duty
SET_SPEED = const(39)  # Q16 counts per tick
SET_ACCELERATION = const(40)  # Q16 counts per tick squared
PREVIOUS_START = const(41)  # Q8, start of the segment of the previous tick
PREVIOUS_VALUE = const(42)  # Q12, its polynomial at the previous tick
SEGMENT_START = const(43)  # us, host clock
CLOCK_JOINT = const(44)
CLOCK_HOST = const(45)
CLOCK_DRIFT = const(46)
SEQUENCE = const(47)  # brake sequence
TIMER = const(48)
NEXT_STATE = const(49)
RAMP_REMAINDER = const(50)
# --- parameters, copied in by the main loop while not enabled
P_COUNTS_PER_TURN = const(51)
P_KP = const(52)  # Q16, 1/tick
P_KV = const(53)  # Q8, duty per Q8 speed
P_KI = const(54)  # Q16, duty Q8 per Q8 speed and tick
P_KE = const(55)  # Q12, duty per Q8 speed: back-EMF
P_KA = const(56)  # Q16, duty per Q16 acceleration
P_CURRENT_DUTY = const(57)  # duty across the winding at the current limit
P_FOLLOWING = const(58)  # counts
P_OVER_SPEED = const(59)  # Q8 counts per tick
P_DECELERATION = const(60)  # Q16 counts per tick squared
P_JERK = const(61)  # Q16 counts per tick cubed
P_LINK_TIMEOUT = const(62)  # us
P_BRAKE_TICKS = const(63)  # release or apply, ticks
P_DISAGREE = const(64)  # output encoder steps
P_LOWER = const(65)  # counts, where the position limit trips
P_UPPER = const(66)
STATE_WORDS = const(67)

INPUT_STOP_LINE = const(1)
INPUT_EMERGENCY_STOP = const(2)

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

# SEQUENCE
_RELEASING = const(1)
_APPLYING = const(2)

# STATE, as in the message table
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
_STOP_LINE = const(4)
_POSITION_LIMIT = const(5)
_OVER_SPEED = const(6)
_ENCODERS_DISAGREE = const(7)
_EMERGENCY_STOP = const(8)

# ring of segments: slots of 8 words, read in place
RING_SLOTS = const(64)
SLOT_START = const(0)  # Q8 counts
SLOT_C1 = const(1)  # Q12 counts: start + u (c1 + u (c2 + u c3)), u from 0 to 1
SLOT_C2 = const(2)
SLOT_C3 = const(3)
SLOT_DURATION = const(4)  # us
SLOT_END_SPEED = const(5)  # turn/2^24/s; non-zero means that another segment must follow

_TIME = const(0x3FFFFFFF)
_HALF_TIME = const(0x20000000)


@micropython.viper
def tick(state: object, ring: object) -> object:
    """Take the inputs and one command, move the set-point, and put out duty, bridge and brake."""
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

    # ---- one command from the main loop
    command = s[COMMAND]
    if command != 0:
        if command == ENABLE:
            ready = (drive == SWITCH_ON_DISABLED or drive == SWITCHED_ON) and s[SEQUENCE] == 0
            if ready and (s[ARGUMENT] == 0 or s[AUTHORISED] != 0):
                s[AUTHORISED] = 1
                drive = SWITCHED_ON
                # nothing of an earlier motion may act on a later one
                s[SET_POINT] = position << 8
                s[SET_SPEED] = 0
                s[SET_ACCELERATION] = 0
                s[RAMP_REMAINDER] = 0
                s[INTEGRAL] = 0
                s[TAIL] = s[HEAD]
                mode = HOLD
                s[BRIDGE] = 1
                s[BRAKE] = 1
                s[SEQUENCE] = _RELEASING
                s[TIMER] = s[P_BRAKE_TICKS]
        elif command == RESET:
            if drive == FAULT_STATE:
                drive = SWITCH_ON_DISABLED
                s[FAULT] = 0
                s[PULL_LINE] = 0
        elif command == START:
            # drift is far below the lead that START is given
            ahead = s[ARGUMENT] - s[CLOCK_HOST] - now + s[CLOCK_JOINT]
            ahead = ((ahead + _HALF_TIME) & _TIME) - _HALF_TIME
            waiting = (mode == HOLD or mode == ARMED) and s[HEAD] != s[TAIL]
            if waiting and drive == OPERATION_ENABLED and s[CLOCK_SET] != 0 and ahead > 0:
                s[SEGMENT_START] = s[ARGUMENT]
                mode = ARMED
        elif command == CANCEL:
            if mode == ARMED or mode == HOLD:
                s[TAIL] = s[HEAD]
                mode = HOLD
        elif command == HOME:
            if mode == OFF:
                # centre of the encoder's step, in the half turn around zero
                steps = ((s[OUTPUT] + 8192) & 16383) - 8192
                position = ((steps * 2 + 1) * (s[P_COUNTS_PER_TURN] >> 10)) >> 5
                s[HOMED] = 1
                speed = 0  # the first reading of a free-running counter is no movement
                s[SPEED] = 0
                s[OBSERVER] = 0
        elif command == SET_CLOCK:
            s[CLOCK_JOINT] = s[ARGUMENT]
            s[CLOCK_HOST] = s[ARGUMENT + 1]
            s[CLOCK_DRIFT] = s[ARGUMENT + 2]
            s[CLOCK_SET] = 1
        s[COMMAND] = 0
    s[POSITION] = position

    # ---- stop and silence
    if s[STOP_REQUEST] != 0:
        s[STOP_REQUEST] = 0
        s[AUTHORISED] = 0
        if mode != OFF and drive < QUICK_STOP_ACTIVE:
            drive = QUICK_STOP_ACTIVE
            s[NEXT_STATE] = SWITCH_ON_DISABLED
            mode = RAMP
        elif drive == SWITCHED_ON:
            drive = SWITCH_ON_DISABLED
        elif drive == QUICK_STOP_ACTIVE:
            s[NEXT_STATE] = SWITCH_ON_DISABLED
    late = (((now - s[LAST_FRAME]) + _HALF_TIME) & _TIME) - _HALF_TIME
    if late > s[P_LINK_TIMEOUT] and drive == OPERATION_ENABLED:
        if mode == RUN:
            fault = _LINK_TIMEOUT
        elif mode == HOLD or mode == ARMED:
            drive = QUICK_STOP_ACTIVE
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
        if v == 0 and s[SEQUENCE] != _APPLYING:
            # at rest: the brake closes while torque still holds
            s[SEQUENCE] = _APPLYING
            s[TIMER] = s[P_BRAKE_TICKS]
            s[BRAKE] = 0
    s[SET_ACCELERATION] = acceleration
    s[SET_SPEED] = set_speed
    s[SET_POINT] = set_point

    # ---- cascade: position P, speed PI, back-EMF and inertia fed forward
    error = set_point - (position << 8)
    s[ERROR] = error
    duty = 0
    if mode != OFF:
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
        upper = emf + s[P_CURRENT_DUTY]
        lower = emf - s[P_CURRENT_DUTY]
        if upper > 32767:
            upper = 32767
        if lower < -32767:
            lower = -32767
        grow = (want * s[P_KI]) >> 8
        if duty > upper:
            duty = upper
            if grow > 0:
                grow = 0
        elif duty < lower:
            duty = lower
            if grow < 0:
                grow = 0
        # within one count at rest friction holds; integrating there would only hunt
        if mode != HOLD or error > 256 or error < -256:
            integral += grow
            if integral > 0x7FFF00:
                integral = 0x7FFF00
            elif integral < -0x7FFF00:
                integral = -0x7FFF00
            s[INTEGRAL] = integral

        # ---- limits; `lost` is what torque cannot mend
        lost = 0
        if speed > s[P_OVER_SPEED] or speed < 0 - s[P_OVER_SPEED]:
            lost = _OVER_SPEED
        elif ticks & 7 == 0 and s[HOMED] != 0:
            gap = (position << 4) // (s[P_COUNTS_PER_TURN] >> 10) - s[OUTPUT]
            gap = ((gap + 8192) & 16383) - 8192
            if gap > s[P_DISAGREE] or gap < 0 - s[P_DISAGREE]:
                lost = _ENCODERS_DISAGREE
        far = s[P_FOLLOWING] << 8
        if error > far + far or error < 0 - far - far:
            lost = _FOLLOWING_ERROR
        if s[INPUTS] & INPUT_EMERGENCY_STOP:
            fault = _EMERGENCY_STOP
        elif lost != 0:
            fault = lost
        elif error > far or error < 0 - far:
            fault = _FOLLOWING_ERROR
        elif position < (s[P_LOWER] ^ m) - m or position > (s[P_UPPER] ^ m) - m:
            fault = _POSITION_LIMIT
        elif fault == 0 and s[INPUTS] & INPUT_STOP_LINE and s[PULL_LINE] == 0:
            fault = _STOP_LINE  # last: another joint has the cause
        if fault != 0 and drive < FAULT_REACTION_ACTIVE:
            s[FAULT] = fault
            s[FAULT_TIME] = now
            s[FAULT_POSITION] = position
            s[FAULT_ERROR] = error
            s[FAULT_SPEED] = speed
            s[FAULT_CURRENT] = s[CURRENT]
            s[FAULT_STATE_BEFORE] = drive
            s[FAULT_LATE] = late if late > 0 else 0
            s[AUTHORISED] = 0
            if fault != _STOP_LINE:
                s[PULL_LINE] = 1
            drive = FAULT_REACTION_ACTIVE
            s[NEXT_STATE] = FAULT_STATE
            mode = RAMP  # at the next tick; where it stands still, the brake closes at once
        if lost != 0:
            s[SEQUENCE] = _APPLYING
            s[TIMER] = 1  # torque off in this very tick
            s[BRAKE] = 0

    # ---- brake sequence
    sequence = s[SEQUENCE]
    if sequence != 0:
        s[TIMER] -= 1
        if s[TIMER] <= 0:
            s[SEQUENCE] = 0
            if sequence == _RELEASING:
                if drive == SWITCHED_ON:
                    drive = OPERATION_ENABLED
            else:
                s[BRIDGE] = 0
                duty = 0
                mode = OFF
                drive = s[NEXT_STATE]
                s[TAIL] = s[HEAD]
    s[DUTY] = duty
    s[MODE] = mode
    s[STATE] = drive
