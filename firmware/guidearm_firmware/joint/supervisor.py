"""What does not happen in every tick: commands, stops, the brake's sequence.

`servo.tick` calls `supervise` in the same interrupt, before it moves the set-point: when a command
or stop waits, and while the brake's sequence runs; but not in a tick that latches a fault, after
which all that can wait a tick. The transitions made here are those of `guidearm_protocol.drive`.

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
_INPUTS = const(3)
_BRIDGE = const(8)
_BRAKE = const(9)
_PULL_LINE = const(10)
_COMMAND = const(11)
_STOP_REQUEST = const(12)
_SEQUENCE = const(13)
_FOUND = const(14)
_MODE = const(15)
_TICKS = const(16)
_POSITION = const(18)
_SPEED = const(19)
_OBSERVER = const(20)
_SET_POINT = const(21)
_SET_SPEED = const(22)
_SET_ACCELERATION = const(23)
_INTEGRAL = const(25)
_LIFT = const(26)
_SEGMENT_START = const(28)
_SEGMENT_US = const(29)
_TAIL = const(31)
_ARGUMENT = const(32)
_HEAD = const(37)
_STATE = const(38)
_AUTHORISED = const(39)
_HOMED = const(40)
_FAULT = const(42)
_CORRECTED = const(55)
_RAMP_REMAINDER = const(56)
_STALLED = const(57)
_SOFT_SPAN = const(58)
_DISAGREE = const(59)
_TURN = const(64)
_TIMER = const(66)
_NEXT_STATE = const(67)
_TEST_DUTY = const(68)
_HELD = const(69)
_HELD_MOTOR = const(70)
_SEEKING = const(71)
_SEEK_FROM = const(72)
_P_COUNTS_PER_TURN = const(73)
_P_BRAKE_TICKS = const(85)
_P_DISAGREE = const(86)
_P_LOWER = const(87)
_P_UPPER = const(88)
_P_BRAKE_TEST = const(94)
_P_BRAKE_FEEDBACK = const(95)
_P_HAS_ABSOLUTE_ENCODER = const(96)
_P_HOME_POSITION = const(99)

_INPUT_WATCHDOG = const(64)
_INPUT_BRAKE_OPEN = const(128)

_ENABLE = const(1)
_RESET = const(2)
_START = const(3)
_CANCEL = const(4)

_STOP = const(1)
_REST = const(2)

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

_STOPPABLE = const(0x18)  # states: 3 4
_SWITCH_ON_DISABLED = const(1)
_SWITCHED_ON = const(3)
_OPERATION_ENABLED = const(4)
_QUICK_STOP_ACTIVE = const(5)
_FAULT_STATE = const(7)

_CAUSE_WATCHDOG_RESET = const(16)
_CAUSE_BRAKE = const(18)

BRAKE_TEST_TICKS = const(15)  # each way
BRAKE_TEST_COUNTS = const(16)  # motor counts that a good brake may give
_SAME_PLACE = const(8)  # motor counts
_TIME = const(0x3FFFFFFF)
_NEGATIVE = const(0x20000000)  # sign of what is bounded by that


@micropython.viper
def supervise(where: int) -> object:
    """See to everything rare in the state, whose address is 4 times `where`."""
    s = ptr32(where << 2)
    drive = s[_STATE]
    mode = s[_MODE]
    sequence = s[_SEQUENCE]

    # ---- stop, and what the tick itself asks for; it is no more than a stop while one is under way
    request = s[_STOP_REQUEST]
    command = s[_COMMAND]
    s[_STOP_REQUEST] = 0
    if request and _STOPPABLE >> drive & 1:
        if request & _STOP:
            s[_AUTHORISED] = 0
            s[_SEEKING] = 0
            s[_NEXT_STATE] = _SWITCH_ON_DISABLED
            drive = _SWITCH_ON_DISABLED
            if mode:
                drive = _QUICK_STOP_ACTIVE
                mode = _RAMP
                if request & _REST:
                    # the stop is where the motor stands although it pushes
                    s[_POSITION] = s[_P_HOME_POSITION]
                    s[_SET_POINT] = s[_POSITION] << 8
                    s[_SET_SPEED] = 0
                    s[_HOMED] = 1
        elif drive == _OPERATION_ENABLED:
            # silence at rest is no fault: the brake closes
            mode = _RAMP
            drive = _SWITCHED_ON
            s[_NEXT_STATE] = _SWITCHED_ON
    # ---- else one command from the main loop; the brake's sequence has every other tick for itself
    elif command and not (sequence and s[_TICKS] & 1):
        s[_COMMAND] = 0
        begin = 0
        if command == _START:
            in_time = (s[_NOW] - s[_ARGUMENT]) & _NEGATIVE
            waiting = drive == _OPERATION_ENABLED and s[_HEAD] != s[_TAIL]
            if in_time and waiting and (mode == _HOLD or mode == _ARMED):
                s[_SEGMENT_START] = s[_ARGUMENT]
                s[_SEGMENT_US] = 0
                mode = _ARMED
        elif command == _CANCEL:
            if mode == _ARMED or mode == _HOLD:
                s[_TAIL] = s[_HEAD]
                mode = _HOLD
        elif command == _RESET:
            # a fault that came since the host asked for it stays
            if drive == _FAULT_STATE and s[_FAULT] == s[_ARGUMENT]:
                drive = _SWITCH_ON_DISABLED
                s[_FAULT] = 0
                s[_PULL_LINE] = 0
        elif mode == _OFF:
            if command == _ENABLE:
                permitted = s[_ARGUMENT] == 0 or s[_AUTHORISED] != 0
                if permitted and (drive == _SWITCH_ON_DISABLED or drive == _SWITCHED_ON):
                    begin = 1
                    s[_SEEKING] = 0
            elif s[_P_HAS_ABSOLUTE_ENCODER]:
                # centre of the encoder's step, in the half turn around zero
                steps = ((s[_CORRECTED] + 8192) & 16383) - 8192
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
        if begin and not request:
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
        if not drive:  # not ready to switch on: the first tick, whose HOME has no more to move
            drive = _SWITCH_ON_DISABLED
            s[_FOUND] = s[_ARGUMENT]
            if s[_ARGUMENT] == 0 and s[_INPUTS] & _INPUT_WATCHDOG:
                s[_FOUND] = _CAUSE_WATCHDOG_RESET
    # ---- else the brake's sequence; what comes to rest or is stopped has `_APPLYING` from the tick
    elif sequence:
        timer = s[_TIMER] - 1
        s[_TIMER] = timer
        over = (timer - 1) & _NEGATIVE
        if mode == _TEST:
            moved = s[_POSITION] - (s[_SET_POINT] << s[_LIFT] >> s[_LIFT] >> 8)
            if (moved + BRAKE_TEST_COUNTS) & _TIME > 2 * BRAKE_TEST_COUNTS:
                s[_FOUND] = _CAUSE_BRAKE
            elif over and sequence == _TESTING_UP:
                sequence = _TESTING_DOWN
                s[_TEST_DUTY] = 0 - s[_P_BRAKE_TEST]
                s[_TIMER] = BRAKE_TEST_TICKS
            elif over:
                sequence = _RELEASING
                s[_TIMER] = s[_P_BRAKE_TICKS]
                s[_BRAKE] = 1
                mode = _HOLD
        elif over:
            is_open = s[_INPUTS] & _INPUT_BRAKE_OPEN
            confirmed = 1
            if s[_P_BRAKE_FEEDBACK]:
                confirmed = is_open if sequence == _RELEASING else is_open ^ _INPUT_BRAKE_OPEN
            if confirmed == 0:
                if (timer + (s[_P_BRAKE_TICKS] << 1)) & _NEGATIVE:
                    s[_TIMER] = timer + 1
                    s[_FOUND] = _CAUSE_BRAKE  # it has not followed; torque goes on holding
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
    s[_SEQUENCE] = sequence
    s[_MODE] = mode
    s[_STATE] = drive
