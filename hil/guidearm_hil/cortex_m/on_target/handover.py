"""What main loop and tick hand over to each other, interrupted; `try_all` prints a line of JSON."""

import json
import struct
from array import array

from uctypes import addressof

import board as stub
from guidearm_protocol import messages as wire
from guidearm_protocol import parameters
from interrupting import Operation, Situation, attach
from joint import segments, servo
from joint.supervisor import supervise
from joint_in_memory import SEGMENT_US, Joint

GAIN = 1  # a parameter that may change in mid-move


class Situations:
    """Where a joint can be between two ticks."""

    def __init__(self, joint: Joint) -> None:
        """Walk a joint through them."""
        attach(joint)
        self.joint = joint
        for _ in range(10):
            joint.tick()
        self.off = Situation(joint)
        joint.enable()
        joint.tick()
        self.holding = Situation(joint)
        joint.go(5, True)
        self.queued = Situation(joint)
        self.instant = joint.board.now + 20000
        joint.drive.start(self.instant)
        joint.tick()
        self.armed = Situation(joint)
        while joint.state[servo.MODE] != servo.RUN:
            joint.tick()
        self.moving = Situation(joint)
        joint.request(wire.CAPTURE_SETUP, capture_body(wire.CAPTURE_AT_ONCE))
        self.capturing = Situation(joint)
        joint.run("")
        joint.request(wire.CAPTURE_SETUP, capture_body(wire.CAPTURE_AT_ONCE, 0))
        self.dry = self._queue_runs_dry()
        joint.brake("")
        joint.tick()
        self.faulty = Situation(joint)
        joint.request(wire.RESET_FAULT)
        joint.tick()
        joint.enable()
        self.silent = self._silence()

    def _queue_runs_dry(self) -> Situation:
        """Return where the next tick finds the queue empty although the joint moves."""
        joint = self.joint
        joint.go(3, False)
        joint.start()
        while True:
            situation = Situation(joint)
            joint.tick()
            if joint.state[servo.MODE] != servo.RUN:
                return situation

    def _silence(self) -> Situation:
        """Return where the host's silence leaves an enabled joint: brake shut, still authorised."""
        joint = self.joint
        s = joint.state
        heard = joint.board.now
        while s[servo.STATE] != servo.SWITCHED_ON or s[servo.MODE] != servo.OFF:
            joint.board.step(s)
            s[servo.LAST_FRAME] = heard
            servo.tick(joint.address, supervise)
        s[servo.LAST_FRAME] = joint.board.now
        return Situation(joint)


def capture_body(kind: int, signals: int = 0x3F) -> bytes:
    """Return the body of a CAPTURE_SETUP of 100 samples; without signals it ends a capture."""
    return struct.pack("<IHHHBBi", signals, 1, 100, 10, kind, 0, 0x3FFFFFFF)


def offering(at: Situation, queue: bool = True) -> Operation:
    """Return the offer of the next segment, which goes on at the speed of the queue's last one."""
    joint = at.joint
    at.restore()
    state, words, offer = joint.state, joint.drive.queue, segments.offer
    addresses = joint.address, addressof(words)
    speed = 0
    if state[servo.HEAD] != state[servo.TAIL]:
        last = (state[servo.HEAD] - 1) & (servo.RING_SLOTS - 1)
        speed = state[servo.SLOTS + 8 * last + servo.SLOT_END_SPEED]
    position = joint.angle() + speed * SEGMENT_US // 1000000 + 100
    number = (words[segments.NEWEST] + 1) & 0xFFFF

    def prepare() -> None:
        words[segments.NUMBER] = number
        words[segments.POSITION] = position
        words[segments.VELOCITY] = 0
        words[segments.DURATION] = SEGMENT_US

    def step() -> int:
        return offer(*addresses)

    return Operation(at, (step,), prepare, queue=queue)


def setting_up_capture(at: Situation) -> object:
    """Return what sets a capture up."""
    set_up = at.joint.drive.capture.set_up
    values = array("i", struct.unpack("<IHHHBBi", capture_body(wire.CAPTURE_RISING)))
    return lambda: set_up(values)


def replying(at: Situation, address: int, message: int, body: bytes = b"") -> Operation:
    """Return the reply to a request as an operation: its fields have to be of one tick."""
    joint = at.joint
    poll = joint.session.poll

    def ask() -> None:
        joint.frame(address, message, body)
        # that the host was heard is a step of its own, and not what this is about
        joint.state[servo.LAST_FRAME] = at.now + 300

    def replied() -> bytes:
        return bytes(joint.board.reply()[6 : joint.board.sent - 5])

    return Operation(at, (poll,), ask, replied)


def operations(at: Situations) -> list:
    """Return the operations to interrupt: name, what makes the operation, and the stride."""
    drive = at.joint.drive
    address = stub.ADDRESS
    cycle = struct.pack("<HHHH", 7, 500, 0, 0)

    def doing(situation: Situation, *steps: object) -> object:
        return lambda: Operation(situation, steps)

    def enable() -> int:
        return drive.enable(0)

    def enable_again() -> int:
        return drive.enable(1)

    def start() -> None:
        drive.start(at.instant)

    def set_clock() -> int:
        return drive.set_clock(at.holding.now, 123456, -77)

    def set_counts_per_turn() -> int:
        return drive.set_parameter(parameters.COUNTS_PER_TURN, 204800)

    def set_gain() -> int:
        return drive.set_parameter(GAIN, 1500)

    # a bytecode takes more than seven instructions, so that is between any two of them
    return [
        ("enable", doing(at.off, enable), 7),
        ("enable after silence", doing(at.silent, enable_again), 7),
        ("stop, then enable", doing(at.silent, drive.stop, enable), 7),
        ("home", doing(at.off, drive.home), 7),
        ("reset a fault", doing(at.faulty, drive.reset_fault), 7),
        ("stop in mid-move", doing(at.moving, drive.stop), 1),
        ("stop as the queue runs dry", doing(at.dry, drive.stop), 1),
        ("start", doing(at.queued, start), 1),
        ("start, then cancel", doing(at.queued, start, drive.cancel), 7),
        ("cancel", doing(at.armed, drive.cancel), 1),
        ("set the clock", doing(at.holding, set_clock), 1),
        ("first segment", lambda: offering(at.holding), 1),
        ("segment in mid-move", lambda: offering(at.moving), 1),
        ("segment as the queue runs dry", lambda: offering(at.dry, False), 1),
        ("counts per turn", doing(at.off, set_counts_per_turn), 7),
        ("gain in mid-move", doing(at.moving, set_gain), 7),
        ("capture set up", doing(at.moving, setting_up_capture(at.moving)), 7),
        ("capture set up anew", doing(at.capturing, setting_up_capture(at.capturing)), 7),
        ("state in mid-move", lambda: replying(at.moving, wire.BROADCAST, wire.CYCLE, cycle), 3),
        (
            "state as the queue runs dry",
            lambda: replying(at.dry, wire.BROADCAST, wire.CYCLE, cycle),
            3,
        ),
        ("fault as the queue runs dry", lambda: replying(at.dry, address, wire.FAULT), 7),
        ("state of a capture", lambda: replying(at.capturing, address, wire.CAPTURE_STATE), 7),
    ]


def try_all() -> None:
    """Interrupt every operation everywhere, and print what came out."""
    found = {}
    for name, make, stride in operations(Situations(Joint())):
        found[name] = make().sweep(stride)
    print(json.dumps(found))
