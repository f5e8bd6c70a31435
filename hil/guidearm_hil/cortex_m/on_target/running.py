"""A joint on hard interrupts, as a board runs it: what they take, and whether a tick is dropped.

The timer's interrupt does what a board's does, a thousand times in a second of a processor that
executes 69.4 million instructions in it. Bytes of a full bus come by another interrupt. The main
loop polls, and collects garbage all the time if asked to.
"""

# Inline assembler has names of its own, and its functions no types.
# ruff: noqa: F821, ANN001, ANN202

import gc
import json
import struct
from array import array

import micropython
import mps2
from micropython import const

import board as stub
import clock
import pico_interrupt
from guidearm_protocol import messages as wire
from joint import servo
from joint.supervisor import supervise
from joint_in_memory import HOST_NONCE, Joint

_MILLISECOND = const(1736)  # counts of 40 instructions: 125 MHz at 1.8 cycles an instruction
_BYTE = const(6)  # counts: ten bits at 3 Mbaud take 231 instructions
_TIMER = const(0x10000401)  # a quarter of the address of the timer's value
_COUNTER = const(0x10000001)  # and of the counter's
_TIME = const(0x3FFFFFFF)
_COUNT = const(40)  # instructions
_INPUT_BRAKE_OPEN = const(128)
_CYCLES = const(32)
_POLLS = const(8)  # of the main loop between two collections
_STACK_DELAY = const(1000)  # counts, longer than it takes to prepare the stack
_LAG = const(3)  # counts that the motor stays behind
SEGMENT_US = 20000
SEGMENTS = 60  # of a move
SPEED = 1 << 20  # turn/2^24/s

# words of the servo's state; the compiler folds constants of its own file only
_NOW = const(0)
_MOTOR = const(1)
_OUTPUT = const(2)
_INPUTS = const(3)
_BRAKE = const(9)
_POSITION = const(18)
_SET_POINT = const(21)
_P_COUNTS_PER_TURN = const(73)
if (servo.NOW, servo.MOTOR, servo.OUTPUT, servo.INPUTS, servo.BRAKE, servo.POSITION) != (
    _NOW, _MOTOR, _OUTPUT, _INPUTS, _BRAKE, _POSITION,
) or (servo.SET_POINT, servo.P_COUNTS_PER_TURN) != (_SET_POINT, _P_COUNTS_PER_TURN):  # fmt: skip
    raise ImportError("running.py disagrees with servo.py")

# words of `_seen`
_LEAST = const(0)  # counts from the timer's expiry to the interrupt's first line
_MOST = const(1)

_seen = array("i", [0, 0])
_state = array("i", [0] * servo.STATE_WORDS)
_address = 0  # of the joint's state
_tick = servo.tick
_supervise = supervise


@micropython.viper
def _interrupt(_: object) -> object:
    """Take inputs of a motor that follows, and call the tick once."""
    late = _MILLISECOND - 1 - ptr32(_TIMER << 2)[0]
    seen = ptr32(_seen)
    if late < seen[_LEAST]:
        seen[_LEAST] = late
    if late > seen[_MOST]:
        seen[_MOST] = late
    s = ptr32(_state)
    m = 0x20000000
    m = m << 2
    s[_NOW] = (s[_NOW] + 1000) & _TIME
    s[_INPUTS] = 0
    if s[_BRAKE] != 0:
        s[_INPUTS] = _INPUT_BRAKE_OPEN
        position = (((s[_SET_POINT] ^ m) - m) >> 8) - _LAG
        s[_MOTOR] += position - s[_POSITION]
        s[_OUTPUT] = (position // (s[_P_COUNTS_PER_TURN] >> 14)) & 16383
    _tick(_address, _supervise)


@micropython.viper
def _counter() -> int:
    return ptr32(_COUNTER << 2)[0] & _TIME


class BusBoard(stub.Board):
    """A board whose bytes come over a line by interrupt; what the host here gives comes first."""

    replies = 0

    def read(self, buffer: "bytearray | memoryview", received: "array[int]") -> int:
        """Take what has come."""
        if self.waiting():
            n = stub.Board.read(self, buffer, received)
        else:
            n = mps2.line.readinto(buffer)
        received[0] = _state[_NOW]
        return n

    def write(self, buffer: bytearray, n: int, at_us: int, late_us: int) -> bool:
        """Count a reply."""
        self.replies += 1
        return stub.Board.write(self, buffer, n, at_us, late_us)


def _traffic(joint: Joint) -> bytearray:
    """Return what goes over a bus of six joints, over and over: cycles, and the others' replies.

    Each cycle is newer than the one before it, around the end of the sequence too and if some are
    lost; its segment was queued already.
    """
    traffic = bytearray()
    for cycle in range(_CYCLES):
        joint.cycles = cycle * (0x10000 // _CYCLES)
        n = joint.frame(wire.BROADCAST, wire.CYCLE, joint.cycle_body(6, 0, 0, -1))
        traffic.extend(joint.board.line[:n])
        for other in (1, 2, 4, 5, 6):
            n = joint.frame(-other, wire.CYCLE, bytes(range(1, 25)))
            traffic.extend(joint.board.line[:n])
    joint.board.give(0)
    return traffic


class Running:
    """A joint whose ticks come by interrupt."""

    def __init__(self, hard: bool = True) -> None:
        """Enable one. Ticks of a soft interrupt come when the interpreter finds time."""
        global _state, _address
        self.joint = Joint(BusBoard())
        self.joint.enable()
        _state = self.joint.state
        _address = self.joint.address
        self._traffic = _traffic(self.joint)
        self._forward = 1
        self._nonce = HOST_NONCE
        mps2.timer.irq(_interrupt, hard=hard)

    def _queue(self) -> None:
        """Queue a long move and start it, over a line that carries nothing else meanwhile."""
        joint = self.joint
        board = joint.board
        scratch = bytearray(64)
        while mps2.line.readinto(scratch):
            pass
        board.line[0] = 0  # behind a frame that was cut off
        board.give(1)
        joint.poll()
        self._nonce += 1  # a new session, in which any sequence is newer
        joint.request(wire.IDENTIFY, struct.pack("<I", self._nonce))
        while _state[servo.MODE] != servo.HOLD:
            if _state[servo.STATE] != servo.OPERATION_ENABLED:
                raise RuntimeError("stopped by fault %d" % _state[servo.FAULT])
            joint.frame(wire.BROADCAST, wire.CYCLE, struct.pack("<HHHH", 63, 500, 0, 0))
            joint.poll()
        position = joint.angle()
        speed = self._forward * SPEED
        for index in range(SEGMENTS):
            last = index == SEGMENTS - 1
            position += speed // 100 if index == 0 or last else speed // 50
            joint.push(position, 0 if last else speed, SEGMENT_US)
        self._forward = -self._forward
        joint.frame(wire.BROADCAST, wire.START, struct.pack("<I", (_state[_NOW] + 20000) & _TIME))
        joint.poll()

    def under_load(self, ticks: int, collecting: bool) -> dict:
        """Run so many ticks in motion under a full bus, and under the collector if asked for.

        Between moves, while the next one is queued, ticks go on and have to come as well, but do
        not count as such. The heap is locked except then.
        """
        s, joint, timer, line = _state, self.joint, mps2.timer, mps2.line
        poll = joint.session.poll
        _seen[_LEAST] = _MILLISECOND
        _seen[_MOST] = 0
        passes = bytes_lost = moving = loaded = 0
        joint.board.replies = 0
        before = s[servo.TICKS]
        timer.start(_MILLISECOND)
        begun = timer.started()
        while loaded < ticks:
            self._queue()
            line.play(self._traffic, _BYTE)
            first = s[servo.TICKS]
            end = first + min(ticks - loaded, SEGMENTS * SEGMENT_US // 1000)
            micropython.heap_lock()
            while s[servo.TICKS] < end:
                for _ in range(_POLLS):
                    poll()
                if collecting:
                    gc.collect()
                passes += 1
                moving += s[servo.MODE] == servo.RUN
            loaded += s[servo.TICKS] - first
            micropython.heap_unlock()
            line.stop()
            bytes_lost += line.lost()
        timer.stop()
        elapsed = (begun - _counter()) & _TIME
        return {
            "ticks": loaded,
            "dropped": elapsed // _MILLISECOND - (s[servo.TICKS] - before),
            "least": _seen[_LEAST] * _COUNT,
            "most": (_seen[_MOST] + 1) * _COUNT,
            "passes": passes,
            "passes_in_motion": moving,
            "replies": joint.board.replies,
            "bytes_lost": bytes_lost,
            "fault": s[servo.FAULT],
        }


# ---------------------------------------------------------------- what an interrupt takes

_cell = array("i", [0])
_first = array("i", [0])


@micropython.viper
def _note(_: object) -> object:
    """Take the counter in the first line."""
    counter = ptr32(_COUNTER << 2)[0]
    ptr32(_first)[0] = counter & _TIME


@micropython.viper
def _nothing(_: object) -> object:
    """Do nothing."""


@micropython.asm_thumb
def _wait(r0, r1):
    """Take 2 r0 + r1 instructions and some, r1 being 0 or 1."""
    label(AGAIN)
    sub(r0, r0, 1)
    bgt(AGAIN)
    cmp(r1, 0)
    beq(DONE)
    nop()
    label(DONE)


def entry(interrupt: object = _note, first: "array[int]" = _first) -> int:
    """Return the instructions from the timer's expiry to the interrupt's first line.

    There it puts the counter into `first[0]`.

    The counter falls once in 40 instructions. Of tries that find it in each of its 40 phases, what
    it fell by sums up to instructions. One is counted too much: the store that starts the timer.
    """
    delay = 50
    fell = {}
    now, cell, once = clock.now, _cell, mps2.timer.once
    mps2.timer.irq(interrupt, hard=True)
    wait = 0
    while len(fell) < _COUNT:
        wait += 1
        _wait(1 + wait // 2, wait & 1)
        first[0] = -1
        now(cell)
        once(delay)
        while first[0] < 0:
            pass
        fell[cell[0] % _COUNT] = mps2.timer.started() - first[0]
    return sum(fell.values()) - delay * _COUNT


def around() -> int:
    """Return the instructions that an interrupt takes whose function does nothing."""
    mps2.timer.irq(_nothing, hard=True)
    mps2.timer.stop()
    undisturbed = clock.calling(_wait, 2000, 0)
    mps2.timer.once(50)
    return clock.calling(_wait, 2000, 0) - undisturbed


def stack() -> int:
    """Return the bytes of stack that the interrupt takes where its tick calls the supervisor."""
    mps2.timer.irq(_interrupt, hard=True)
    mps2.timer.stop()
    before = _state[servo.TICKS]
    _state[servo.COMMAND] = servo.RESET
    mps2.timer.once(_STACK_DELAY)
    taken = clock.stack_of(_wait, _STACK_DELAY * _COUNT, 0)
    if _state[servo.TICKS] != before + 1 or _state[servo.COMMAND]:
        raise RuntimeError("the interrupt did not come while its stack was watched")
    return taken


def measure(ticks: int) -> None:
    """Measure it all, and print it as one line of JSON."""
    answer = {"processor": clock.processor(), "entry": entry(), "around": around()}
    answer["entry_pico"] = entry(*pico_interrupt.handler())
    running = Running()
    answer["stack"] = stack()
    answer["bus"] = running.under_load(2000, False)
    answer["collector"] = running.under_load(ticks, True)
    print(json.dumps(answer))
