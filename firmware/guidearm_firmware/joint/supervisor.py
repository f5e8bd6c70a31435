"""What does not happen in every tick: commands, stops, slow inputs, faults, the brake's sequence.

`servo.tick` calls `supervise` at its end, in the same interrupt: when it has found a fault, when a
command or stop waits, while the brake's sequence runs, while a watched input is set, and in every
eighth tick. The transitions made here are those of `guidearm_protocol.drive`.

The brake's sequence on enabling: torque against the closed brake both ways, which must not turn the
motor; then the torque that the brake took over when it closed, if the motor still stands where it
did; then the brake opens. On stopping, torque holds until the brake is confirmed, by its feedback
or, where none is wired, by time.
"""

import micropython
from micropython import const

# the compiler folds constants of its own file only; a test holds them against servo.py
_NOW = const(0)
_MOTOR = const(1)
_OUTPUT = const(2)
_INPUTS = const(3)
_CURRENT = const(4)
_TEMPERATURE = const(5)
_SUPPLY = const(6)
_DUTY = const(7)
_BRIDGE = const(8)
_BRAKE = const(9)
_PULL_LINE = const(10)
_COMMAND = const(11)
_ARGUMENT = const(12)
_STOP_REQUEST = const(15)
_HEAD = const(17)
_TAIL = const(18)
_STATE = const(19)
_MODE = const(20)
_POSITION = const(21)
_SET_POINT = const(22)
_SPEED = const(23)
_ERROR = const(24)
_AUTHORISED = const(25)
_HOMED = const(26)
_CLOCK_SET = const(27)
_TICKS = const(28)
_FAULT = const(30)
_FAULT_TIME = const(31)
_FAULT_POSITION = const(32)
_FAULT_ERROR = const(33)
_FAULT_SPEED = const(34)
_FAULT_CURRENT = const(35)
_FAULT_STATE_BEFORE = const(36)
_FAULT_LATE = const(37)
_OBSERVER = const(39)
_INTEGRAL = const(40)
_SET_SPEED = const(41)
_SET_ACCELERATION = const(42)
_SEGMENT_START = const(45)
_CLOCK_JOINT = const(46)
_CLOCK_HOST = const(47)
_CLOCK_DRIFT = const(48)
_SEQUENCE = const(49)
_TIMER = const(50)
_NEXT_STATE = const(51)
_RAMP_REMAINDER = const(52)
_STALLED = const(53)
_WINDOW_POSITION = const(54)
_WINDOW_OUTPUT = const(55)
_TEST_DUTY = const(56)
_HELD = const(57)
_HELD_MOTOR = const(58)
_SEEKING = const(59)
_SEEK_FROM = const(60)
_BOOT_FAULT = const(61)
_P_COUNTS_PER_TURN = const(62)
_P_BRAKE_TICKS = const(74)
_P_DISAGREE = const(75)
_P_OVER_TEMPERATURE = const(79)
_P_SUPPLY_LOW = const(80)
_P_SUPPLY_HIGH = const(81)
_P_BRAKE_TEST = const(83)
_P_BRAKE_FEEDBACK = const(84)
_P_HAS_ABSOLUTE_ENCODER = const(85)
_P_HOME_POSITION = const(88)

_INPUT_STOP_LINE = const(1)
_INPUT_EMERGENCY_STOP = const(2)
_INPUT_LIMIT_LOWER = const(4)
_INPUT_LIMIT_UPPER = const(8)
_INPUT_MOTOR_ENCODER = const(16)
_INPUT_OUTPUT_ENCODER = const(32)
_INPUT_WATCHDOG = const(64)
_INPUT_BRAKE_OPEN = const(128)

_ENABLE = const(1)
_RESET = const(2)
_START = const(3)
_CANCEL = const(4)
_HOME = const(5)
_SET_CLOCK = const(6)

_OFF = const(0)
_HOLD = const(1)
_ARMED = const(2)
_RAMP = const(4)
_SEEK = const(5)
_TEST = const(6)

_TESTING_UP = const(1)
_TESTING_DOWN = const(2)
_RELEASING = const(3)
_APPLYING = const(4)

_NOT_READY_TO_SWITCH_ON = const(0)
_SWITCH_ON_DISABLED = const(1)
_SWITCHED_ON = const(3)
_OPERATION_ENABLED = const(4)
_QUICK_STOP_ACTIVE = const(5)
_FAULT_REACTION_ACTIVE = const(6)
_FAULT_STATE = const(7)

_CAUSE_FOLLOWING_ERROR = const(1)
_CAUSE_STOP_LINE = const(4)
_CAUSE_ENCODERS_DISAGREE = const(7)
_CAUSE_EMERGENCY_STOP = const(8)
_CAUSE_MOTOR_ENCODER = const(11)
_CAUSE_OUTPUT_ENCODER = const(12)
_CAUSE_STALL = const(13)
_CAUSE_OVER_TEMPERATURE = const(14)
_CAUSE_SUPPLY = const(15)
_CAUSE_WATCHDOG_RESET = const(16)
_CAUSE_HARD_LIMIT = const(17)
_CAUSE_BRAKE = const(18)
_CAUSE_HOMING = const(19)
_TORQUE_OFF = const(0x10EC0)  # faults by their reaction in the message table: 6 7 9 10 11 16
_AT_ONCE = const(32)

BRAKE_TEST_TICKS = const(15)  # each way
BRAKE_TEST_COUNTS = const(16)  # motor counts that a good brake may give
_SAME_PLACE = const(8)  # motor counts
_LEAP = const(48)  # output encoder steps in 8 ticks that no joint can do
_OUTPUT_COUNTS = const(32)  # motor counts that the output encoder cannot miss
_TIME = const(0x3FFFFFFF)
_HALF_TIME = const(0x20000000)


@micropython.viper
def supervise(state: object, fault: int, late: int) -> object:
    """See to everything rare; `fault` is what the tick found, `late` us since the host spoke."""
    s = ptr32(state)
    m = 0x20000000
    m = m << 2
    drive = s[_STATE]
    mode = s[_MODE]
    inputs = s[_INPUTS]
    now = s[_NOW]
    position = (s[_POSITION] ^ m) - m
    sequence = s[_SEQUENCE]
    found = fault & (_AT_ONCE - 1)
    at_once = fault & _AT_ONCE

    # ---- one command from the main loop
    command = s[_COMMAND]
    if command != 0:
        idle = (drive == _SWITCH_ON_DISABLED or drive == _SWITCHED_ON) and mode == _OFF
        begin = 0
        if command == _ENABLE:
            if idle and (s[_ARGUMENT] == 0 or s[_AUTHORISED] != 0):
                begin = 1
        elif command == _RESET:
            if drive == _FAULT_STATE:
                drive = _SWITCH_ON_DISABLED
                s[_FAULT] = 0
                s[_PULL_LINE] = 0
        elif command == _START:
            # drift is far below the lead that START is given
            ahead = s[_ARGUMENT] - s[_CLOCK_HOST] - now + s[_CLOCK_JOINT]
            ahead = ((ahead + _HALF_TIME) & _TIME) - _HALF_TIME
            waiting = (mode == _HOLD or mode == _ARMED) and s[_HEAD] != s[_TAIL]
            if waiting and drive == _OPERATION_ENABLED and s[_CLOCK_SET] != 0 and ahead > 0:
                s[_SEGMENT_START] = s[_ARGUMENT]
                mode = _ARMED
        elif command == _CANCEL:
            if mode == _ARMED or mode == _HOLD:
                s[_TAIL] = s[_HEAD]
                mode = _HOLD
        elif command == _HOME:
            if s[_P_HAS_ABSOLUTE_ENCODER] != 0:
                if mode == _OFF:
                    # centre of the encoder's step, in the half turn around zero
                    steps = ((s[_OUTPUT] + 8192) & 16383) - 8192
                    position = ((steps * 2 + 1) * (s[_P_COUNTS_PER_TURN] >> 10)) >> 5
                    s[_POSITION] = position
                    s[_HOMED] = 1
                    s[_SPEED] = 0  # the first reading of a free-running counter is no movement
                    s[_OBSERVER] = 0
            elif idle and drive == _SWITCH_ON_DISABLED:
                begin = 1
                s[_HOMED] = 0
                s[_SEEKING] = 1
                s[_SEEK_FROM] = position
        elif command == _SET_CLOCK:
            s[_CLOCK_JOINT] = s[_ARGUMENT]
            s[_CLOCK_HOST] = s[_ARGUMENT + 1]
            s[_CLOCK_DRIFT] = s[_ARGUMENT + 2]
            s[_CLOCK_SET] = 1
        s[_COMMAND] = 0
        if begin != 0:
            s[_AUTHORISED] = 1
            drive = _SWITCHED_ON
            # nothing of an earlier motion may act on a later one, but what the brake took over
            s[_SET_POINT] = position << 8
            s[_SET_SPEED] = 0
            s[_SET_ACCELERATION] = 0
            s[_RAMP_REMAINDER] = 0
            s[_STALLED] = 0
            s[_INTEGRAL] = 0
            away = ((s[_MOTOR] ^ m) - m) - ((s[_HELD_MOTOR] ^ m) - m)
            if away <= _SAME_PLACE and away >= -_SAME_PLACE:
                s[_INTEGRAL] = s[_HELD]
            s[_TAIL] = s[_HEAD]
            s[_BRIDGE] = 1
            if s[_P_BRAKE_TEST] != 0:
                mode = _TEST
                s[_TEST_DUTY] = s[_P_BRAKE_TEST]
                sequence = _TESTING_UP
                s[_TIMER] = BRAKE_TEST_TICKS
            else:
                mode = _HOLD
                s[_BRAKE] = 1
                sequence = _RELEASING
                s[_TIMER] = s[_P_BRAKE_TICKS]

    # ---- stop
    if s[_STOP_REQUEST] != 0:
        s[_STOP_REQUEST] = 0
        s[_AUTHORISED] = 0
        s[_SEEKING] = 0
        if drive == _SWITCHED_ON or drive == _OPERATION_ENABLED or drive == _QUICK_STOP_ACTIVE:
            s[_NEXT_STATE] = _SWITCH_ON_DISABLED
            if mode == _OFF:
                drive = _SWITCH_ON_DISABLED
            else:
                drive = _QUICK_STOP_ACTIVE
                mode = _RAMP

    # ---- the brake's sequence; what comes to rest or is stopped has had `_APPLYING` from the tick
    if sequence != 0 and (mode != _RAMP or sequence == _APPLYING):
        timer = ((s[_TIMER] ^ m) - m) - 1
        s[_TIMER] = timer
        if mode == _TEST:
            moved = position - (((s[_SET_POINT] ^ m) - m) >> 8)
            if moved > BRAKE_TEST_COUNTS or moved < -BRAKE_TEST_COUNTS:
                found = _CAUSE_BRAKE
            elif timer <= 0 and sequence == _TESTING_UP:
                sequence = _TESTING_DOWN
                s[_TEST_DUTY] = 0 - s[_P_BRAKE_TEST]
                s[_TIMER] = BRAKE_TEST_TICKS
            elif timer <= 0:
                sequence = _RELEASING
                s[_TIMER] = s[_P_BRAKE_TICKS]
                s[_BRAKE] = 1
                mode = _HOLD
        elif timer <= 0:
            is_open = inputs & _INPUT_BRAKE_OPEN
            confirmed = 1
            if s[_P_BRAKE_FEEDBACK] != 0:
                confirmed = is_open if sequence == _RELEASING else is_open ^ _INPUT_BRAKE_OPEN
            if confirmed == 0:
                if timer < 0 - s[_P_BRAKE_TICKS] - s[_P_BRAKE_TICKS]:
                    s[_TIMER] = timer + 1
                    found = _CAUSE_BRAKE  # it has not followed; torque goes on holding
            elif sequence == _RELEASING:
                sequence = 0
                drive = _OPERATION_ENABLED
                if s[_SEEKING] != 0:
                    mode = _SEEK
            else:
                sequence = 0
                s[_HELD] = s[_INTEGRAL]
                s[_HELD_MOTOR] = s[_MOTOR]
                s[_BRIDGE] = 0
                s[_DUTY] = 0
                mode = _OFF
                drive = s[_NEXT_STATE]
                s[_TAIL] = s[_HEAD]

    # ---- the stop is where the motor stands although it pushes
    if mode == _SEEK:
        travelled = position - ((s[_SEEK_FROM] ^ m) - m)
        full = s[_P_COUNTS_PER_TURN] << 1
        if found == _CAUSE_STALL:
            found = 0
            position = (s[_P_HOME_POSITION] ^ m) - m
            s[_POSITION] = position
            s[_SET_POINT] = position << 8
            s[_SET_SPEED] = 0
            s[_HOMED] = 1
            s[_SEEKING] = 0
            s[_AUTHORISED] = 0
            drive = _QUICK_STOP_ACTIVE
            s[_NEXT_STATE] = _SWITCH_ON_DISABLED
            mode = _RAMP
        elif travelled > full or travelled < 0 - full:
            found = _CAUSE_HOMING

    # ---- slow inputs, and both encoders beside each other
    looking = s[_TICKS] & 7 == 0
    if looking or found == _CAUSE_FOLLOWING_ERROR:
        output = s[_OUTPUT]
        turned = position - ((s[_WINDOW_POSITION] ^ m) - m)
        seen = ((output - s[_WINDOW_OUTPUT] + 8192) & 16383) - 8192
        if looking:
            s[_WINDOW_POSITION] = position
            s[_WINDOW_OUTPUT] = output
        if mode != _OFF and found == 0:
            supply = s[_SUPPLY]
            if ((s[_TEMPERATURE] ^ m) - m) > s[_P_OVER_TEMPERATURE]:
                found = _CAUSE_OVER_TEMPERATURE
            elif supply < s[_P_SUPPLY_LOW] or supply > s[_P_SUPPLY_HIGH]:
                found = _CAUSE_SUPPLY
        both = s[_P_HAS_ABSOLUTE_ENCODER] != 0 and s[_HOMED] != 0
        if mode != _OFF and both and s[_FAULT] != _CAUSE_OUTPUT_ENCODER:
            gap = (position << 4) // (s[_P_COUNTS_PER_TURN] >> 10) - output
            gap = ((gap + 8192) & 16383) - 8192
            if found == _CAUSE_FOLLOWING_ERROR and turned == 0:
                gap = gap << 1  # a motor that seems to stand while the output turns is suspect
            if gap > s[_P_DISAGREE] or gap < 0 - s[_P_DISAGREE]:
                # the one that stands still while the other turns is the one that is lost
                found = _CAUSE_ENCODERS_DISAGREE
                if turned == 0 and seen != 0 and seen < _LEAP and seen > -_LEAP:
                    found = _CAUSE_MOTOR_ENCODER
                elif seen == 0 and (turned > _OUTPUT_COUNTS or turned < -_OUTPUT_COUNTS):
                    found = _CAUSE_OUTPUT_ENCODER

    # ---- inputs that stop. The stop line comes last: another joint has the cause
    if mode != _OFF:
        speed = (s[_SET_SPEED] ^ m) - m
        outward = _INPUT_LIMIT_LOWER if speed < 0 else _INPUT_LIMIT_UPPER
        if speed != 0 and inputs & outward:
            found = _CAUSE_HARD_LIMIT  # the way back is free
        if inputs & _INPUT_OUTPUT_ENCODER:
            found = _CAUSE_OUTPUT_ENCODER
        if inputs & _INPUT_MOTOR_ENCODER:
            found = _CAUSE_MOTOR_ENCODER
    if mode != _OFF or s[_AUTHORISED] != 0:
        off_at_once = (_TORQUE_OFF >> found) & 1
        if inputs & _INPUT_EMERGENCY_STOP and off_at_once == 0:
            found = _CAUSE_EMERGENCY_STOP
        elif found == 0 and inputs & _INPUT_STOP_LINE and s[_PULL_LINE] == 0:
            found = _CAUSE_STOP_LINE
    if drive == _NOT_READY_TO_SWITCH_ON:
        drive = _SWITCH_ON_DISABLED
        found = s[_BOOT_FAULT]
        if found == 0 and inputs & _INPUT_WATCHDOG:
            found = _CAUSE_WATCHDOG_RESET

    # ---- latch the first cause
    if found != 0 and drive < _FAULT_REACTION_ACTIVE:
        s[_FAULT] = found
        s[_FAULT_TIME] = now
        s[_FAULT_POSITION] = position
        s[_FAULT_ERROR] = s[_ERROR]
        s[_FAULT_SPEED] = s[_SPEED]
        s[_FAULT_CURRENT] = s[_CURRENT]
        s[_FAULT_STATE_BEFORE] = drive
        s[_FAULT_LATE] = late if late > 0 else 0
        s[_AUTHORISED] = 0
        s[_SEEKING] = 0
        if found != _CAUSE_STOP_LINE:
            s[_PULL_LINE] = 1
        if mode == _OFF:
            drive = _FAULT_STATE
        else:
            drive = _FAULT_REACTION_ACTIVE
            s[_NEXT_STATE] = _FAULT_STATE
            mode = _RAMP  # at the next tick; where it stands still, the brake closes at once
            if found == _CAUSE_STALL:
                s[_SET_POINT] = position << 8  # hold, but push no more
                s[_SET_SPEED] = 0
    # what torque cannot mend: running away, or an encoder, or a ramp that is not followed
    if mode != _OFF and (at_once != 0 or (_TORQUE_OFF >> found) & 1 != 0):
        s[_BRIDGE] = 0
        s[_BRAKE] = 0
        s[_DUTY] = 0
        s[_TAIL] = s[_HEAD]
        sequence = 0
        mode = _OFF
        drive = _FAULT_STATE
    s[_SEQUENCE] = sequence
    s[_MODE] = mode
    s[_STATE] = drive
