"""What a host may ask of the drive: checks that need no hurry, then one word to the servo tick."""

from array import array

from guidearm_protocol import messages as wire
from guidearm_protocol import parameters
from joint import segments, servo
from joint.capture import Capture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from joint.storage import Storage


class Drive:
    """The servo's state, and the commands that reach it from the main loop."""

    def __init__(self, storage: "Storage") -> None:
        """Take the stored parameters; without valid ones a fault is latched."""
        self.state = servo.new_state()
        self.queue = array("i", [0] * segments.QUEUE_WORDS)
        self.capture = Capture(self.state)
        self.storage = storage
        values = storage.values
        self.parameters_valid = values is not None
        self.parameters = array("i", parameters.DEFAULTS if values is None else values)
        # without a stored set every parameter has to be given before one can be stored
        self._given = bytearray(len(self.parameters))
        for index in range(parameters.SERVO_PARAMETERS):
            self.state[servo.P + index] = self.parameters[index]
        self.state[servo.CORRECTION_CLOSED] = self.state[servo.P_CORRECTION]
        self.queue[segments.LOWER_LIMIT] = self.parameters[parameters.LOWER_LIMIT]
        self.queue[segments.UPPER_LIMIT] = self.parameters[parameters.UPPER_LIMIT]
        # absolute encoders: referenced at the first tick
        self.state[servo.ARGUMENT] = wire.NO_FAULT if self.parameters_valid else wire.PARAMETER_CRC
        self.state[servo.COMMAND] = servo.HOME

    def busy(self) -> bool:
        """Tell whether the tick has not yet taken the last command."""
        return self.state[servo.COMMAND] != 0

    # ---- each of these returns REASON_NONE when the command went to the tick

    def enable(self, resume: int) -> int:
        """Torque on, brake tested and off; with `resume` only if `enable` still holds."""
        s = self.state
        if s[servo.STATE] == servo.OPERATION_ENABLED:
            return wire.REASON_NONE
        if not s[servo.HOMED] and s[servo.MODE] == servo.OFF and not s[servo.FAULT]:
            return wire.REASON_NOT_HOMED
        reason = self._may_power()
        if reason != wire.REASON_NONE:
            return reason
        if resume and not s[servo.AUTHORISED]:
            return wire.REASON_NOT_AUTHORISED
        self.queue[segments.REFUSED] = 0
        s[servo.ARGUMENT] = resume
        s[servo.COMMAND] = servo.ENABLE
        return wire.REASON_NONE

    def _may_power(self) -> int:
        """Return why torque may not be put on, REASON_NONE if it may."""
        s = self.state
        if not self.parameters_valid:
            return wire.REASON_PARAMETERS
        if s[servo.FAULT]:
            return wire.REASON_FAULT
        if s[servo.MODE] != servo.OFF:
            return wire.REASON_MOVING
        inputs = s[servo.INPUTS]
        if inputs & (servo.INPUT_STOP_LINE | servo.INPUT_EMERGENCY_STOP):
            return wire.REASON_STOP_LINE
        if inputs & (servo.INPUT_MOTOR_ENCODER | servo.INPUT_OUTPUT_ENCODER):
            return wire.REASON_ENCODERS
        if s[servo.HOMED] and s[servo.P_HAS_ABSOLUTE_ENCODER]:
            gap = (s[servo.POSITION] << 4) // (s[servo.P_COUNTS_PER_TURN] >> 10)
            gap = ((gap - s[servo.CORRECTED] + 8192) & 16383) - 8192
            if not -s[servo.P_DISAGREE] <= gap <= s[servo.P_DISAGREE]:
                return wire.REASON_ENCODERS
        if s[servo.TEMPERATURE] > s[servo.P_OVER_TEMPERATURE]:
            return wire.REASON_TEMPERATURE
        if not s[servo.P_SUPPLY_LOW] <= s[servo.SUPPLY] <= s[servo.P_SUPPLY_HIGH]:
            return wire.REASON_SUPPLY
        return wire.REASON_NONE

    def stop(self) -> int:
        """Stop under control, then brake; never refused and never kept waiting."""
        self.state[servo.STOP_REQUEST] = 1
        return wire.REASON_NONE

    def reset_fault(self) -> int:
        """Clear a latched fault and let go of the stop line."""
        fault = self.state[servo.FAULT]
        if fault and self.state[servo.STATE] != servo.FAULT_STATE:
            return wire.REASON_MOVING
        if not self.parameters_valid:
            return wire.REASON_PARAMETERS
        self.state[servo.ARGUMENT] = fault
        self.state[servo.COMMAND] = servo.RESET
        return wire.REASON_NONE

    def home(self) -> int:
        """Set the position by the absolute output encoder, or where there is none by the stop.

        To find the stop the joint moves, slowly and with little torque.
        """
        if self.state[servo.MODE] != servo.OFF:
            return wire.REASON_ENABLED
        if not self.state[servo.P_HAS_ABSOLUTE_ENCODER]:
            if self.state[servo.STATE] == servo.SWITCHED_ON:
                return wire.REASON_ENABLED
            reason = self._may_power()
            if reason != wire.REASON_NONE:
                return reason
        self.state[servo.COMMAND] = servo.HOME
        return wire.REASON_NONE

    def set_clock(self, joint_us: int, host_us: int, drift: int) -> int:
        """Give the relation of the joint's clock to the host's.

        Refused while segments are queued or run: their lengths are by the relation that was.
        """
        s = self.state
        pending = s[servo.MODE] == servo.RUN or s[servo.HEAD] != s[servo.TAIL]
        if pending and s[servo.STATE] == servo.OPERATION_ENABLED:
            return wire.REASON_MOVING
        s[servo.CLOCK_JOINT] = joint_us
        s[servo.CLOCK_HOST] = host_us
        s[servo.CLOCK_DRIFT] = drift
        s[servo.CLOCK_LAG] = segments.lag(drift)
        s[servo.CLOCK_SET] = 1
        return wire.REASON_NONE

    def start(self, host_us: int) -> None:
        """Arm the queued segments for an instant of the host's clock.

        Dropped while another command waits for the tick, whose arguments these would replace, and
        while the clock is not set.
        """
        pending = self.state[servo.COMMAND]
        if self.state[servo.CLOCK_SET] and (pending == 0 or pending == servo.START):
            self.state[servo.ARGUMENT] = segments.on_joint_clock(self.state, host_us)
            self.state[servo.COMMAND] = servo.START

    def cancel(self) -> None:
        """Forget queued segments that have not started, and a START that the tick has not seen."""
        pending = self.state[servo.COMMAND]
        if pending == 0 or pending == servo.START:
            self.state[servo.COMMAND] = servo.CANCEL

    def set_parameter(self, index: int, value: int) -> int:
        """Change one parameter, until the next power cycle unless it is committed."""
        access = parameters.ACCESSES[index]
        if access == parameters.READ_ONLY:
            return wire.REASON_READ_ONLY
        if access == parameters.NEEDS_DISABLE and self.state[servo.MODE] != servo.OFF:
            return wire.REASON_ENABLED
        self._given[index] = 1
        if value == self.parameters[index]:
            return wire.REASON_NONE
        self.parameters[index] = value
        if index < parameters.SERVO_PARAMETERS:
            self.state[servo.P + index] = value
        elif index == parameters.LOWER_LIMIT:
            self.queue[segments.LOWER_LIMIT] = value
        elif index == parameters.UPPER_LIMIT:
            self.queue[segments.UPPER_LIMIT] = value
        if index == parameters.CORRECTION:
            self.state[servo.CORRECTION_CLOSED] = value
        if index == parameters.COUNTS_PER_TURN or parameters.is_correction(index):
            # positions count anew; against the stop a joint homes only when it is told to
            if self.state[servo.P_HAS_ABSOLUTE_ENCODER]:
                self.state[servo.COMMAND] = servo.HOME
            elif index == parameters.COUNTS_PER_TURN:
                self.state[servo.HOMED] = 0
        return wire.REASON_NONE

    def commit_parameters(self) -> int:
        """Store the parameters in use. Blocks the servo: only while no torque is on."""
        if self.state[servo.MODE] != servo.OFF:
            return wire.REASON_ENABLED
        if parameters.empty_range(self.parameters) >= 0:
            return wire.REASON_PARAMETERS
        if not self.parameters_valid:
            # defaults that nobody chose must not become this joint's
            for index in range(len(self._given)):
                if not self._given[index] and parameters.ACCESSES[index] != parameters.READ_ONLY:
                    return wire.REASON_PARAMETERS
        if not self.storage.commit(self.parameters):
            return wire.REASON_STORAGE
        self.parameters_valid = True
        return wire.REASON_NONE

    def set_identity(self, address: int, arm_id: int) -> int:
        """Take another address and arm, and store them with what is stored already.

        Without a stored set they hold until one is committed. Only with torque off: a host knows
        joints by address, and storing blocks the servo.
        """
        if self.state[servo.MODE] != servo.OFF:
            return wire.REASON_ENABLED
        self.parameters[parameters.ADDRESS] = address
        self.parameters[parameters.ARM_ID] = arm_id
        if not self.parameters_valid:
            return wire.REASON_NONE
        if self.storage.keep(self.parameters, parameters.ADDRESS, parameters.ARM_ID):
            return wire.REASON_NONE
        return wire.REASON_STORAGE
