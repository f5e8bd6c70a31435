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
_BRIDGE = const(8)
_BRAKE = const(9)
_PULL_LINE = const(10)
_COMMAND = const(11)
_STOP_REQUEST = const(12)
_SEQUENCE = const(13)
_FOUND = const(14)
_MODE = const(15)
_POSITION = const(18)
_SPEED = const(19)
_OBSERVER = const(20)
_SET_POINT = const(21)
_SET_SPEED = const(22)
_SET_ACCELERATION = const(23)
_ERROR = const(24)
_INTEGRAL = const(25)
_LIFT = const(26)
_SEGMENT_START = const(28)
_SEGMENT_US = const(29)
_TAIL = const(31)
_ARGUMENT = const(32)
_LAST_FRAME = const(36)
_HEAD = const(37)
_STATE = const(38)
_AUTHORISED = const(39)
_HOMED = const(40)
_CLOCK_SET = const(41)
_FAULT = const(42)
_FAULT_TIME = const(43)
_FAULT_POSITION = const(44)
_FAULT_ERROR = const(45)
_FAULT_SPEED = const(46)
_FAULT_CURRENT = const(47)
_FAULT_STATE_BEFORE = const(48)
_FAULT_LATE = const(49)
_CLOCK_JOINT = const(51)
_CLOCK_HOST = const(52)
_CLOCK_DRIFT = const(53)
_CLOCK_LAG = const(54)
_SEGMENT_REST = const(55)
_RAMP_REMAINDER = const(56)
_STALLED = const(57)
_SOFT_SPAN = const(58)
_DISAGREE = const(59)
_LOOK_POSITION = const(60)
_LOOK_OUTPUT = const(61)
_TURNED = const(62)
_SEEN = const(63)
_TURN = const(64)
_TIMER = const(66)
_NEXT_STATE = const(67)
_TEST_DUTY = const(68)
_HELD = const(69)
_HELD_MOTOR = const(70)
_SEEKING = const(71)
_SEEK_FROM = const(72)
_BOOT_FAULT = const(73)
_P_COUNTS_PER_TURN = const(74)
_P_BRAKE_TICKS = const(86)
_P_DISAGREE = const(87)
_P_LOWER = const(88)
_P_UPPER = const(89)
_P_BRAKE_TEST = const(95)
_P_BRAKE_FEEDBACK = const(96)
_P_HAS_ABSOLUTE_ENCODER = const(97)
_P_HOME_POSITION = const(100)

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
_SET_CLOCK = const(6)

_OFF = const(0)
_HOLD = const(1)
_ARMED = const(2)
_RUN = const(3)
_RAMP = const(4)
_SEEK = const(5)
_TEST = const(6)

_TESTING_UP = const(1)
_TESTING_DOWN = const(2)
_RELEASING = const(3)
_APPLYING = const(4)

_SWITCH_ON_DISABLED = const(1)
_SWITCHED_ON = const(3)
_OPERATION_ENABLED = const(4)
_QUICK_STOP_ACTIVE = const(5)
_FAULT_REACTION_ACTIVE = const(6)
_FAULT_STATE = const(7)

_CAUSE_FOLLOWING_ERROR = const(1)
_CAUSE_LINK_TIMEOUT = const(2)
_CAUSE_STOP_LINE = const(4)
_CAUSE_ENCODERS_DISAGREE = const(7)
_CAUSE_EMERGENCY_STOP = const(8)
_CAUSE_MOTOR_ENCODER = const(11)
_CAUSE_OUTPUT_ENCODER = const(12)
_CAUSE_STALL = const(13)
_CAUSE_WATCHDOG_RESET = const(16)
_CAUSE_HARD_LIMIT = const(17)
_CAUSE_BRAKE = const(18)
_TORQUE_OFF = const(0x10EC0)  # faults by their reaction in the message table: 6 7 9 10 11 16
_TO_BE_EXPLAINED = const(0x2086)  # 1 2 7 13
_AT_ONCE = const(32)
_ATTENTION = const(127)

BRAKE_TEST_TICKS = const(15)  # each way
BRAKE_TEST_COUNTS = const(16)  # motor counts that a good brake may give
_SAME_PLACE = const(8)  # motor counts
_LEAP = const(48)  # output encoder steps in 8 ticks that no joint can do
_OUTPUT_COUNTS = const(32)  # motor counts that the output encoder cannot miss
_TIME = const(0x3FFFFFFF)
_HALF_TIME = const(0x20000000)
_NEGATIVE = const(0x20000000)  # sign of what is bounded by that


@micropython.viper
def supervise(where: int) -> object:
    """See to everything rare in the state, whose address is 4 times `where`."""
    s = ptr32(where << 2)
    drive = s[_STATE]
    mode = s[_MODE]
    sequence = s[_SEQUENCE]
    found = s[_FOUND] & (_AT_ONCE - 1)

    # ---- one command from the main loop
    command = s[_COMMAND]
    if command:
        s[_COMMAND] = 0
        begin = 0
        if command == _SET_CLOCK:
            s[_CLOCK_JOINT] = s[_ARGUMENT]
            s[_CLOCK_HOST] = s[_ARGUMENT + 1]
            s[_CLOCK_DRIFT] = s[_ARGUMENT + 2]
            s[_CLOCK_LAG] = s[_ARGUMENT + 3]
            s[_CLOCK_SET] = 1
        elif command == _START:
            in_time = (s[_NOW] - s[_ARGUMENT]) & _NEGATIVE
            waiting = drive == _OPERATION_ENABLED and s[_HEAD] != s[_TAIL]
            if in_time and waiting and (mode == _HOLD or mode == _ARMED):
                s[_SEGMENT_START] = s[_ARGUMENT]
                s[_SEGMENT_US] = 0
                s[_SEGMENT_REST] = 0
                mode = _ARMED
        elif command == _CANCEL:
            if mode == _ARMED or mode == _HOLD:
                s[_TAIL] = s[_HEAD]
                mode = _HOLD
        elif command == _RESET:
            if drive == _FAULT_STATE:
                drive = _SWITCH_ON_DISABLED
                s[_FAULT] = 0
                s[_PULL_LINE] = 0
        elif mode == _OFF:
            if command == _ENABLE:
                permitted = s[_ARGUMENT] == 0 or s[_AUTHORISED] != 0
                if permitted and (drive == _SWITCH_ON_DISABLED or drive == _SWITCHED_ON):
                    begin = 1
            elif s[_P_HAS_ABSOLUTE_ENCODER]:
                # centre of the encoder's step, in the half turn around zero
                steps = ((s[_OUTPUT] + 8192) & 16383) - 8192
                s[_POSITION] = ((steps * 2 + 1) * (s[_P_COUNTS_PER_TURN] >> 10)) >> 5
                s[_HOMED] = 1
                s[_SPEED] = 0  # the first reading of a free-running counter is no movement
                s[_OBSERVER] = 0
                s[_TURN] = 0
            elif drive == _SWITCH_ON_DISABLED:
                begin = 1
                s[_HOMED] = 0
                s[_SEEKING] = 1
                s[_SEEK_FROM] = s[_POSITION]
        if begin:
            s[_AUTHORISED] = 1
            drive = _SWITCHED_ON
            # nothing of an earlier motion may act on a later one, but what the brake took over
            s[_SET_POINT] = s[_POSITION] << 8
            s[_SET_SPEED] = 0
            s[_SET_ACCELERATION] = 0
            s[_RAMP_REMAINDER] = 0
            s[_STALLED] = 0
            s[_INTEGRAL] = 0
            if (s[_MOTOR] - s[_HELD_MOTOR] + _SAME_PLACE) & _TIME <= 2 * _SAME_PLACE:
                s[_INTEGRAL] = s[_HELD]
            s[_TAIL] = s[_HEAD]
            s[_SOFT_SPAN] = s[_P_UPPER] - s[_P_LOWER]
            s[_DISAGREE] = s[_P_DISAGREE] * (s[_P_COUNTS_PER_TURN] >> 10) >> 4
            s[_BRIDGE] = 1
            if s[_P_BRAKE_TEST]:
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
    if s[_STOP_REQUEST]:
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
        timer = (s[_TIMER] << s[_LIFT] >> s[_LIFT]) - 1
        s[_TIMER] = timer
        if mode == _TEST:
            moved = s[_POSITION] - (s[_SET_POINT] << s[_LIFT] >> s[_LIFT] >> 8)
            if (moved + BRAKE_TEST_COUNTS) & _TIME > 2 * BRAKE_TEST_COUNTS:
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
            is_open = s[_INPUTS] & _INPUT_BRAKE_OPEN
            confirmed = 1
            if s[_P_BRAKE_FEEDBACK]:
                confirmed = is_open if sequence == _RELEASING else is_open ^ _INPUT_BRAKE_OPEN
            if confirmed == 0:
                if timer < 0 - (s[_P_BRAKE_TICKS] << 1):
                    s[_TIMER] = timer + 1
                    found = _CAUSE_BRAKE  # it has not followed; torque goes on holding
            elif sequence == _RELEASING:
                sequence = 0
                drive = _OPERATION_ENABLED
                if s[_SEEKING]:
                    mode = _SEEK
            else:
                sequence = 0
                s[_HELD] = s[_INTEGRAL]
                s[_HELD_MOTOR] = s[_MOTOR]
                s[_BRIDGE] = 0
                mode = _OFF
                drive = s[_NEXT_STATE]
                s[_TAIL] = s[_HEAD]

    # ---- what the tick has found, looked at more closely
    if _TO_BE_EXPLAINED >> found & 1:
        if found == _CAUSE_LINK_TIMEOUT:
            if drive != _OPERATION_ENABLED:
                found = 0
            elif mode != _RUN and mode != _SEEK:
                # silence at rest is no fault: the brake closes
                found = 0
                mode = _RAMP
                drive = _SWITCHED_ON
                s[_NEXT_STATE] = _SWITCHED_ON
        elif found == _CAUSE_STALL:
            if mode == _SEEK:
                # the stop is where the motor stands although it pushes
                found = 0
                s[_POSITION] = s[_P_HOME_POSITION]
                s[_SET_POINT] = s[_POSITION] << 8
                s[_SET_SPEED] = 0
                s[_HOMED] = 1
                s[_SEEKING] = 0
                s[_AUTHORISED] = 0
                drive = _QUICK_STOP_ACTIVE
                s[_NEXT_STATE] = _SWITCH_ON_DISABLED
                mode = _RAMP
        else:
            both = s[_P_HAS_ABSOLUTE_ENCODER] and s[_HOMED] and s[_FAULT] != _CAUSE_OUTPUT_ENCODER
            if found == _CAUSE_FOLLOWING_ERROR and both:
                s[_TURNED] = s[_POSITION] - s[_LOOK_POSITION]
                s[_SEEN] = s[_OUTPUT] - s[_LOOK_OUTPUT]
                turns = (s[_POSITION] << s[_LIFT] >> s[_LIFT]) << 4
                gap = turns // (s[_P_COUNTS_PER_TURN] >> 10) - s[_OUTPUT]
                gap = ((gap + 8192) & 16383) - 8192
                if s[_TURNED] == 0:
                    gap = gap << 1  # a motor that seems to stand while the output turns is suspect
                if (gap + s[_P_DISAGREE]) & _TIME > s[_P_DISAGREE] << 1:
                    found = _CAUSE_ENCODERS_DISAGREE
            if found == _CAUSE_ENCODERS_DISAGREE:
                # the one that stands still while the other turns is the one that is lost
                seen = (s[_SEEN] + _LEAP) & 16383
                moved = (s[_TURNED] + _OUTPUT_COUNTS) & _TIME
                if s[_TURNED] == 0 and seen != _LEAP and seen > 0 and seen < 2 * _LEAP:
                    found = _CAUSE_MOTOR_ENCODER
                elif seen == _LEAP and moved > 2 * _OUTPUT_COUNTS:
                    found = _CAUSE_OUTPUT_ENCODER

    # ---- inputs that stop. The stop line comes last: another joint has the cause
    inputs = s[_INPUTS]
    if inputs & _ATTENTION:
        if mode != _OFF:
            if inputs & (_INPUT_LIMIT_LOWER | _INPUT_LIMIT_UPPER):
                outward = _INPUT_LIMIT_UPPER
                if s[_SET_SPEED] & _NEGATIVE:
                    outward = _INPUT_LIMIT_LOWER
                if s[_SET_SPEED] != 0 and inputs & outward:
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
    if not drive:  # not ready to switch on
        drive = _SWITCH_ON_DISABLED
        found = s[_BOOT_FAULT]
        if found == 0 and inputs & _INPUT_WATCHDOG:
            found = _CAUSE_WATCHDOG_RESET

    if found:
        # ---- latch the first cause
        if drive < _FAULT_REACTION_ACTIVE:
            s[_FAULT] = found
            s[_FAULT_TIME] = s[_NOW]
            s[_FAULT_POSITION] = s[_POSITION]
            s[_FAULT_ERROR] = s[_ERROR]
            s[_FAULT_SPEED] = s[_SPEED]
            s[_FAULT_CURRENT] = s[_CURRENT]
            s[_FAULT_STATE_BEFORE] = drive
            late = (s[_NOW] - s[_LAST_FRAME]) & _TIME
            s[_FAULT_LATE] = late if late < _HALF_TIME else 0
            s[_AUTHORISED] = 0
            s[_SEEKING] = 0
            if found != _CAUSE_STOP_LINE:
                s[_PULL_LINE] = 1
            if mode == _OFF:
                drive = _FAULT_STATE
            else:
                drive = _FAULT_REACTION_ACTIVE
                s[_NEXT_STATE] = _FAULT_STATE
                mode = _RAMP  # where it stands still, the brake closes at once
                if found == _CAUSE_STALL:
                    s[_SET_POINT] = s[_POSITION] << 8  # hold, but push no more
                    s[_SET_SPEED] = 0
        # what torque cannot mend: running away, or an encoder, or a ramp that is not followed
        if (s[_FOUND] & _AT_ONCE | (_TORQUE_OFF >> found) & 1) and mode != _OFF:
            s[_BRIDGE] = 0
            s[_BRAKE] = 0
            s[_TAIL] = s[_HEAD]
            sequence = 0
            mode = _OFF
            drive = _FAULT_STATE
    s[_SEQUENCE] = sequence
    s[_MODE] = mode
    s[_STATE] = drive
