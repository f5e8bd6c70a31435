"""Operations of the main loop, interrupted at every instruction.

What the main loop does to the servo's words is tried again and again, each time with the hard
interrupt, and the tick in it, one instruction later: from before its first instruction to after
its last. Another tick follows. Each outcome has to be that of one of the orders in which whole
steps and the tick can follow one another; anything else is a mixture of two of them.

A step is what has to be one for the tick: a command with its arguments, a segment, a reply.
"""

# Inline assembler has names of its own, and its functions no types.
# ruff: noqa: F821, ANN001, ANN202

from array import array

import micropython
import mps2
from micropython import const

from joint import segments, servo
from joint.supervisor import supervise
from joint_in_memory import Joint

_INPUTS = const(7)  # words of the state that a board writes before a tick
_WORDS = servo.SAMPLES  # the servo's, its segments, and the capture's header
_COUNT = const(40)  # instructions

# words of `_cell`
_MARK = const(0)  # 0 before the operation, 1 in it, 2 after it
_SEEN = const(1)  # 0 until the interrupt came, then one more than the mark it found
_TICK = const(2)  # ticks so far

BEFORE = 0
INSIDE = 1
AFTER = 2

_cell = array("i", [0, 0, 0])
_inputs = array("i", [0] * (2 * _INPUTS))
_state = array("i")
_address = 0  # of the joint's state
_tick = servo.tick
_supervise = supervise


def attach(joint: Joint) -> None:
    """Have the interrupt tick this joint."""
    global _state, _address
    _state = joint.state
    _address = joint.address
    mps2.timer.irq(_interrupt, hard=True)


@micropython.viper
def _interrupt(_: object) -> object:
    """Do what a board's interrupt does: inputs into the state, one call."""
    cell = ptr32(_cell)
    if cell[_SEEN] == 0:
        cell[_SEEN] = cell[_MARK] + 1
    s = ptr32(_state)
    given = ptr32(_inputs)
    first = cell[_TICK] * _INPUTS
    i = 0
    while i < _INPUTS:
        s[i] = given[first + i]
        i += 1
    cell[_TICK] += 1
    _tick(_address, _supervise)


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


@micropython.asm_thumb
def _copy(r0, r1, r2):
    """Copy r2 words from r0 to r1."""
    label(AGAIN)
    ldr(r3, [r0, 0])
    str(r3, [r1, 0])
    add(r0, r0, 4)
    add(r1, r1, 4)
    sub(r2, r2, 1)
    bne(AGAIN)


@micropython.asm_thumb
def _alike(r0, r1, r2):
    """Return how many of r2 words at r0 and r1 are the same before one that is not."""
    mov(r5, r2)
    label(AGAIN)
    ldr(r3, [r0, 0])
    ldr(r4, [r1, 0])
    cmp(r3, r4)
    bne(DONE)
    add(r0, r0, 4)
    add(r1, r1, 4)
    sub(r2, r2, 1)
    bne(AGAIN)
    label(DONE)
    sub(r0, r5, r2)


def _nothing() -> None:
    """Stand for what there is not to do."""


class Words:
    """A copy of all that main loop and tick share, and of the parameters."""

    def __init__(self, joint: Joint) -> None:
        """Copy the words of a joint as it is now."""
        self._state = joint.state
        self._parameters, self._queue = joint.drive.parameters, joint.drive.queue
        self._kept_state = array("i", joint.state[:_WORDS])
        self._kept_parameters = array("i", joint.drive.parameters)
        self._kept_queue = array("i", joint.drive.queue)

    def restore(self) -> None:
        """Have the joint be as it was."""
        _copy(self._kept_state, self._state, _WORDS)
        _copy(self._kept_parameters, self._parameters, len(self._parameters))
        _copy(self._kept_queue, self._queue, segments.NEWEST + 1)
        self._queue[segments.REST] = self._kept_queue[segments.REST]

    def difference(self, queue: bool) -> str:
        """Return the first word in which the joint is not as it was, empty if there is none.

        Without `queue`, what stands in the queue of segments may be anything.
        """
        if not queue:
            self._state[servo.HEAD] = self._kept_state[servo.HEAD]
            for i in range(servo.SLOTS, servo.CAPTURE):
                self._state[i] = self._kept_state[i]
        i = _alike(self._kept_state, self._state, _WORDS)
        if i < _WORDS:
            return "state[%d] is %d, not %d" % (i, self._state[i], self._kept_state[i])
        i = _alike(self._kept_parameters, self._parameters, len(self._parameters))
        if i < len(self._parameters):
            return "parameter %d is %d" % (i, self._parameters[i])
        if queue and self._kept_queue[segments.NEWEST] != self._queue[segments.NEWEST]:
            return "segment %d is the newest" % self._queue[segments.NEWEST]
        if self._kept_queue[segments.REFUSED] != self._queue[segments.REFUSED]:
            return "refused is %d" % self._queue[segments.REFUSED]
        return ""


class Situation:
    """A joint between two ticks, and the inputs of the two to come."""

    def __init__(self, joint: Joint) -> None:
        """Take the joint as it is; it stays so."""
        self.joint = joint
        self.words = Words(joint)
        self.now = joint.board.now
        self.inputs = array("i", [0] * (2 * _INPUTS))
        for tick in range(2):
            joint.tick()
            first = tick * _INPUTS
            for i in range(_INPUTS):
                self.inputs[first + i] = joint.state[i]
            # whatever the main loop takes of one tick shall tell it from the other
            self.inputs[first + servo.CURRENT] = 100 + tick
            self.inputs[first + servo.TEMPERATURE] = 310 + tick
            self.inputs[first + servo.SUPPLY] = 24100 + tick
        self.restore()
        joint.board.now = self.now

    def restore(self) -> None:
        """Bring the joint back into it, 300 us after its last tick."""
        self.words.restore()
        self.joint.board.now = self.now + 300
        self.joint.board.comes_at(self.now + 300)


class Operation:
    """What the main loop does, in steps, in a situation."""

    def __init__(
        self,
        situation: Situation,
        steps: tuple,
        prepare: object = None,
        observe: object = None,
        queue: bool = True,
    ) -> None:
        """Take `steps` to do; `prepare` comes before each try, `observe` returns what came out.

        What a step returns is part of the outcome as well, and so is the queue unless that is told
        not to matter.
        """
        self._queue = queue
        self._situation = situation
        self._steps = steps
        self._prepare = prepare or _nothing
        self._observe = observe or _nothing
        self._returned = [None] * len(steps)
        self._orders = []
        for gap in range(len(steps) + 1):
            self._begin()
            for i in range(gap):
                self._returned[i] = steps[i]()
            _interrupt(None)
            for i in range(gap, len(steps)):
                self._returned[i] = steps[i]()
            _interrupt(None)
            came_out = (Words(situation.joint), list(self._returned), self._observe())
            self._orders.append(came_out)

    def _begin(self) -> None:
        self._situation.restore()
        _copy(self._situation.inputs, _inputs, 2 * _INPUTS)
        self._prepare()
        cell = _cell
        cell[_MARK] = BEFORE
        cell[_SEEN] = 0
        cell[_TICK] = 0

    def interrupted_after(self, instructions: int) -> int:
        """Do it with the interrupt so late; return where in it that was."""
        self._begin()
        # the timer is exact to the count of 40, the rest is waited for
        late = _COUNT - 1 - instructions % _COUNT
        delay = instructions // _COUNT + 1
        once, wait, cell = mps2.timer.once, _wait, _cell
        steps, returned = self._steps, self._returned
        n = len(steps)
        half = late // 2 + 1
        odd = late & 1
        once(delay)
        wait(half, odd)
        cell[_MARK] = INSIDE
        i = 0
        while i < n:
            returned[i] = steps[i]()
            i += 1
        cell[_MARK] = AFTER
        while cell[_SEEN] == 0:
            pass
        return cell[_SEEN] - 1

    def outcome(self) -> tuple:
        """Tick once more; return which order it came out as, or -1 and a difference from the last.

        There is one more order than steps: the tick before the first, after the first, and so on.
        """
        _interrupt(None)
        seen = self._observe()
        different = ""
        for index in range(len(self._orders)):
            words, returned, observed = self._orders[index]
            different = words.difference(self._queue)
            if not different and self._queue and returned != self._returned:
                different = "returned %s, not %s" % (self._returned, returned)
            if not different and seen != observed:
                different = "seen %s, not %s" % (seen, observed)
            if not different:
                return index, ""
        return -1, different

    def sweep(self, stride: int = 1) -> dict:
        """Interrupt it everywhere, or every so many instructions.

        Returns how many tries there were with the interrupt inside, how many tries came out as each
        order, how many as a mixture, and the first of these.
        """
        found = {"inside": 0, "orders": [0] * len(self._orders), "mixed": 0, "first": ""}
        late = 0
        while self.interrupted_after(late + 2 * _COUNT) == BEFORE:
            late += _COUNT
        where = BEFORE
        while where != AFTER:
            before = where
            where = self.interrupted_after(late)
            if where < before:
                raise RuntimeError("what is interrupted does not take the same time each time")
            if where == INSIDE:
                found["inside"] += 1
            order, different = self.outcome()
            if order >= 0:
                found["orders"][order] += 1
            else:
                found["mixed"] += 1
                if not found["first"]:
                    found["first"] = "try %d inside: %s" % (found["inside"], different)
            late += stride
        return found
