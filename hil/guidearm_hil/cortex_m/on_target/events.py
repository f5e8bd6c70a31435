"""What can meet a tick, planted in every tick of a joint's life, and what the dearest tick took.

A joint is walked through its life, towards either side: off, its brake tested and opened, at rest,
armed, in motion with short segments, at a move's end, out of segments, stopped, its brake closing,
homing against its stop. From each tick of that walk on events happen for a few ticks: each event
alone and lasting, then some drawn for each tick, none to three, the same ones each time. All the
while a capture of the usual six signals has most to do: in each tick its trigger comes, at the end
of its memory, with the last sample asked for.
"""

import json
import struct
from array import array

import clock
from guidearm_protocol import messages as wire
from joint import servo
from joint.supervisor import supervise
from joint_in_memory import HOST_NONCE, Joint

CAPTURED = 6  # signals
LASTS = 4  # ticks
DRAWS = 16  # from each tick of the walk on
TOGETHER = 3  # events at most
SEGMENT_US = 2000  # the shortest: every second tick finds one over
SEGMENTS = 10  # of a move, ticks in all of whatever else: each of the 8 slices comes
SPEED = 1 << 21  # turn/2^24/s
_TIME = 0x3FFFFFFF
_MODES = ("off", "hold", "armed", "run", "ramp", "seek", "brake test")


class Walked(Joint):
    """A joint on its way, with every event in every tick of its life."""

    def __init__(self) -> None:
        """Build it."""
        super().__init__()
        s = self.state
        s[servo.P_BRAKE_TICKS] = SEGMENTS
        self.dearest = {}  # of each situation: instructions, and what happened
        self._side = 1  # or -1
        self._planting = False
        self._words = memoryview(s)[: servo.SAMPLES]
        self._kept = array("i", bytes(4 * servo.SAMPLES))
        self._header = memoryview(s)[servo.CAPTURE : servo.SAMPLES]
        events = [
            ("nothing", ()),
            ("stop line", (self._input(servo.INPUT_STOP_LINE),)),
            ("emergency button", (self._input(servo.INPUT_EMERGENCY_STOP),)),
            ("limit switches", (self._input(servo.INPUT_LIMIT_LOWER | servo.INPUT_LIMIT_UPPER),)),
            ("motor encoder's error", (self._input(servo.INPUT_MOTOR_ENCODER),)),
            ("output encoder's error", (self._input(servo.INPUT_OUTPUT_ENCODER),)),
            ("stop", (self._word(servo.STOP_REQUEST, 1),)),
            ("START", (self._start,)),
            ("jam", (self._behind(2000), self._output_behind(2000))),
            ("ramp not followed", (self._behind(4000), self._output_behind(4000))),
            ("joint ahead", (self._behind(-2000), self._output_behind(-2000))),
            ("run-away", (self._runs_away,)),
            ("encoders apart", (self._behind(2000),)),
            ("output encoder leaps", (self._output_behind(-20000),)),
            ("output encoder stands", (self._output_stands, self._behind(-1900))),
            ("motor encoder stands", (self._motor_stands, self._behind(1200))),
            ("encoders found apart", (self._motor_stands, self._word(servo.FOUND, 7))),
            ("saturation", (self._word(servo.INTEGRAL, 0x7FFF00),)),
            ("saturation the other way", (self._word(servo.INTEGRAL, -0x7FFF00),)),
            ("stall", (self._pushes,)),
            ("soft limit", (self._word(servo.SOFT_SPAN, 0),)),
            ("silence", (self._silence,)),
            ("heat", (self._word(servo.TEMPERATURE, 2001),)),
            ("low supply", (self._word(servo.SUPPLY, 100),)),
            ("over-current", (self._word(servo.CURRENT, 30001),)),
        ]
        for name in ("CANCEL", "RESET", "ENABLE", "HOME"):
            events.append((name, (self._word(servo.COMMAND, getattr(servo, name)),)))
        self._events = events
        self._random = 1

    # ---- what happens, between the board's inputs and the tick

    def _word(self, word: int, value: int) -> object:
        """Have a word be that."""
        s = self.state

        def happen() -> None:
            s[word] = value

        return happen

    def _input(self, bits: int) -> object:
        s = self.state

        def happen() -> None:
            s[servo.INPUTS] |= bits

        return happen

    def _start(self) -> None:
        s = self.state
        s[servo.ARGUMENT] = (self.board.now + 5000) & _TIME
        s[servo.COMMAND] = servo.START

    def _behind(self, counts: int) -> object:
        """Have the motor stay behind its set-point, and have got there slowly."""
        s = self.state

        def happen() -> None:
            s[servo.POSITION] -= self._side * counts

        return happen

    def _output_behind(self, counts: int) -> object:
        s = self.state
        steps = counts * 16384 // s[servo.P_COUNTS_PER_TURN]

        def happen() -> None:
            s[servo.OUTPUT] = (s[servo.OUTPUT] - self._side * steps) & 16383

        return happen

    def _runs_away(self) -> None:
        self.state[servo.MOTOR] += self._side * 4000

    def _output_stands(self) -> None:
        s = self.state
        s[servo.OUTPUT] = s[servo.LOOK_OUTPUT]

    def _motor_stands(self) -> None:
        s = self.state
        s[servo.MOTOR] = s[servo.LAST_MOTOR]
        s[servo.LOOK_POSITION] = s[servo.POSITION]
        s[servo.TURNED] = 0

    def _pushes(self) -> None:
        """Have the motor stand and push for as long as it may."""
        s = self.state
        s[servo.MOTOR] = s[servo.LAST_MOTOR]
        s[servo.SPEED] = s[servo.OBSERVER] = 0
        s[servo.INTEGRAL] = self._side * 0x7FFF00
        s[servo.STALLED] = s[servo.P_STALL_TICKS]

    def _silence(self) -> None:
        s = self.state
        s[servo.LAST_FRAME] = (self.board.now - 2 * s[servo.P_LINK_TIMEOUT]) & _TIME

    # ---- counting

    def _capture_has_most_to_do(self) -> None:
        h = self._header
        h[servo.C_NEXT] = h[servo.C_END] - h[servo.C_ROW]
        h[servo.C_WAITS] = 1
        h[servo.C_BELOW] = 1
        h[servo.C_LEVEL] = self.board.now
        h[servo.C_AFTER] = 1
        self.state[servo.CAPTURING] = 1

    def _plant(self, where: str, events: "list") -> None:
        """Have events happen to the next tick, and note what it takes."""
        self.board.step(self.state)
        for _, happen in events:
            for each in happen:
                each()
        self._capture_has_most_to_do()
        spent = clock.calling(servo.tick, self.address, supervise)
        if spent > self.dearest.get(where, (0,))[0]:
            self.dearest[where] = spent, ", ".join([name for name, _ in events])

    def _draw(self, n: int) -> int:
        """Return a number below n: the same ones in every run."""
        self._random = (self._random * 1103515 + 12345) & 0xFFFFFFF
        return (self._random >> 10) % n

    def _drawn(self) -> "list":
        events = self._events
        return [events[self._draw(len(events))] for _ in range(self._draw(TOGETHER + 1))]

    def _meets(self, ticks: "list") -> None:
        """Have lists of events happen, one for each tick from here on, and come back here."""
        where, now = self._situation(), self.board.now
        for events in ticks:
            self._plant(where, events)
        self._words[:] = self._kept
        self.board.now = now

    def _situation(self) -> str:
        s = self.state
        brake = ("", "", "", ", brake opens", ", brake closes")[s[servo.SEQUENCE]]
        return _MODES[s[servo.MODE]] + brake

    def tick(self, name: str = "") -> int:
        """Plant events from here on; then let the next tick pass without."""
        if self._planting:
            self._kept[:] = self._words
            for event in self._events:
                self._meets([[event]] * LASTS)
            for _ in range(DRAWS):
                self._meets([self._drawn() for _ in range(LASTS)])
        return super().tick()

    def _rest(self) -> None:
        for _ in range(SEGMENTS):
            self.tick()

    def _move(self, end_at_rest: bool) -> None:
        """Queue a short move and start it."""
        position, speed = self.angle(), self._side * SPEED
        for index in range(SEGMENTS):
            last = end_at_rest and index == SEGMENTS - 1
            way = speed // 500
            position += way // 2 if last or index == 0 else way
            self.push(position, 0 if last else speed, SEGMENT_US)
        self.drive.start(self.board.now + SEGMENTS * 1000)
        self._rest()
        while self.state[servo.MODE] != servo.RUN:
            self.tick()

    def walk(self, side: int) -> None:
        """Go through all of it, towards side 1 or -1."""
        s = self.state
        self._side = side
        s[servo.P_HOME_SPEED] = side * abs(s[servo.P_HOME_SPEED])
        s[servo.P_HAS_ABSOLUTE_ENCODER] = 1
        s[servo.COMMAND] = servo.HOME
        self._rest()
        self.request(wire.IDENTIFY, struct.pack("<I", HOST_NONCE))
        self.capture(CAPTURED)
        h = self._header
        h[servo.C_WATCHED] = 4 * servo.NOW
        self._planting = True
        self._rest()
        self.enable()
        self._rest()
        self._move(True)
        self.run("")
        self._rest()
        self._move(False)
        self.run("")
        self.brake("")
        self._planting = False
        self.request(wire.RESET_FAULT)
        self.tick()
        self.enable()
        self._move(False)
        self._planting = True
        self.request(wire.STOP)
        self.brake("")
        # against the stop, without an absolute encoder
        self._planting = False
        self.tick()
        s[servo.P_HAS_ABSOLUTE_ENCODER] = 0
        s[servo.COMMAND] = servo.HOME
        while s[servo.MODE] != servo.SEEK:
            self.tick()
        self._planting = True
        self._rest()
        self._planting = False
        self.request(wire.STOP)
        self.brake("")


def measure() -> None:
    """Print what the dearest tick took and met, by situation, as one line of JSON."""
    joint = Walked()
    joint.walk(1)
    joint.walk(-1)
    print(json.dumps({"processor": clock.processor(), "dearest": joint.dearest}))
