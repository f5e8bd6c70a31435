"""Runs on MicroPython: play steps on one joint, its plant in the loop, and print what happened.

Argument: a JSON file with a list of scripts, each with `parameters` (hex), `plant` (words),
`record` (names of words of the servo or else of the plant) and `steps`. Output: a JSON list with,
for each script, the answer of each step, one row of recorded words per tick, and a digest over all
states and plants. All ticks and all frames run with the heap locked: an allocation is a
MemoryError.
"""

# pyright: basic, reportMissingImports=false

import binascii
import json
import sys
from array import array

import micropython
import plant
from uctypes import addressof

from board import Board
from guidearm_protocol.parameters import NAMES
from joint import servo
from joint.drive import Drive
from joint.segments import DURATION, NEWEST, NUMBER, POSITION, QUEUED, VELOCITY, offer
from joint.session import Session
from joint.storage import Storage
from joint.supervisor import supervise

QUEUE = 48
PLANT = 1000  # added to a word of the plant


class Player:
    """A joint and the hand that plays on it."""

    def __init__(self, script: dict) -> None:
        """Boot the joint."""
        self.board = Board()
        stored = bytearray(binascii.unhexlify(script["parameters"]))
        self.board.program_slot(0, stored, len(stored))
        self.drive = Drive(Storage(self.board))
        self.state = self.drive.state
        words = memoryview(self.state)
        # all but the one that tells the interpreter's word size
        self.servo_words = (words[: servo.LIFT], words[servo.LIFT + 1 : servo.STATE_WORDS])
        self.state_at, self.queue_at = addressof(self.state), addressof(self.drive.queue)
        self.plant = array("i", script["plant"])
        self.board.state = self.state
        self.session = Session(self.board, self.drive, (1, 2, 3))
        self.words = array("i", [self._word(name) for name in script["record"]])
        self.rows = array("i")
        self.digest = script["digest"]
        self.crc = 0
        self.move = array("i")  # position, velocity, duration of each segment
        self.offered = 0
        self.first = 0

    def _word(self, name: str) -> int:
        return getattr(servo, name) if hasattr(servo, name) else PLANT + getattr(plant, name)

    # ---- steps; each returns its answer

    def run(self, ticks: int, alive: int = 1) -> None:
        """Let time pass, with a host that is alive or not."""
        rows = array("i", [0] * (ticks * len(self.words)))
        if self.digest:
            for tick in range(ticks):
                self._ticks(1, alive, rows, tick * len(self.words))
                for words in self.servo_words:
                    self.crc = binascii.crc32(words, self.crc)
                self.crc = binascii.crc32(self.plant, self.crc)
        else:
            micropython.heap_lock()
            try:
                self._ticks(ticks, alive, rows)
            finally:
                micropython.heap_unlock()
        self.rows.extend(rows)

    def _ticks(self, ticks: int, alive: int, rows: array, at: int = 0) -> None:
        s = self.state
        for _ in range(ticks):
            if alive:
                s[servo.LAST_FRAME] = self.plant[plant.CLOCK]
            index = self.offered * 3
            if index < len(self.move) and self.depth() < QUEUE:
                queue = self.drive.queue
                queue[NUMBER] = (self.first + self.offered) & 0xFFFF
                queue[POSITION] = self.move[index]
                queue[VELOCITY] = self.move[index + 1]
                queue[DURATION] = self.move[index + 2]
                if offer(self.state_at, self.queue_at) == QUEUED:
                    self.offered += 1
            plant.advance(self.plant, s, plant.SINE)
            servo.tick(s, supervise)
            for word in self.words:
                rows[at] = s[word] if word < PLANT else self.plant[word - PLANT]
                at += 1

    def depth(self) -> int:
        """Return the segments queued and not finished."""
        return (self.state[servo.HEAD] - self.state[servo.TAIL]) & (servo.RING_SLOTS - 1)

    def leap(self, ticks: int) -> None:
        """Let time pass without a record."""
        words, self.words = self.words, array("i")
        self.run(ticks)
        self.words = words

    def queue(self, segments: list) -> None:
        """Offer these segments from the coming tick on, as the ring takes them."""
        self.move = array("i", [value for segment in segments for value in segment])
        self.first = self.drive.queue[NEWEST] + 1
        self.offered = 0

    def start_in(self, us: int) -> None:
        """START at an instant of the host's clock, which stands where the joint's does."""
        s = self.state  # whatever is queued already: it is its clock
        s[servo.CLOCK_JOINT] = s[servo.CLOCK_HOST] = s[servo.CLOCK_DRIFT] = s[servo.CLOCK_LAG] = 0
        s[servo.CLOCK_SET] = 1
        self.run(1)
        self.drive.start((self.state[servo.NOW] + us) & 0x3FFFFFFF)

    def receive(self, data: str, size: int = 1024) -> list:
        """Have bytes arrive in pieces; return the bytes sent and when, after the tick."""
        arriving = binascii.unhexlify(data)
        board = self.board
        board.sent_bytes = 0
        pieces = [arriving[i : i + size] for i in range(0, len(arriving), size)]
        micropython.heap_lock()
        try:
            for piece in pieces:
                board.put(piece)
                while board.taken < board.waiting:
                    self.session.poll()
        finally:
            micropython.heap_unlock()
        sent = binascii.hexlify(board.sent[: board.sent_bytes]).decode()
        return [sent, (board.sent_at - board.received_us()) & 0x3FFFFFFF]

    def allocate(self, expression: str) -> None:
        """Evaluate an expression with the heap locked, as `run` runs ticks."""
        code = compile(expression, "step", "eval")
        known = {"s": self.state}
        micropython.heap_lock()
        try:
            eval(code, known)
        finally:
            micropython.heap_unlock()

    def silent(self, us: int) -> None:
        """Have the host be silent since so long."""
        self.state[servo.LAST_FRAME] = (self.state[servo.NOW] - us) & 0x3FFFFFFF

    def poke(self, name: str, value: int) -> None:
        """Change a word of the servo."""
        self.state[getattr(servo, name)] = value

    def load(self, name: str, value: int) -> None:
        """Change a word of the plant."""
        self.plant[getattr(plant, name)] = value

    def parameter(self, name: str, value: int) -> int:
        """Change a parameter as a host does."""
        return self.drive.set_parameter(NAMES.index(name), value)

    def wear(self, worn: bool) -> None:
        """Have the storage take nothing any more, or mend it."""
        self.board.worn = worn

    def slot(self, index: int) -> list:
        """Return a slot of the ring."""
        return list(self.state[servo.SLOTS + 8 * index : servo.SLOTS + 8 * index + 8])

    def late(self, us: int) -> None:
        """Have the main loop come to a frame so long after the last tick."""
        self.board.behind_us = us

    def play(self, step: list) -> object:
        """Do one step: a method of mine or of the drive, with its arguments."""
        name = step[0]
        if hasattr(self, name):
            return getattr(self, name)(*step[1:])
        return getattr(self.drive, name)(*step[1:])


def told(script: dict) -> dict:
    """Play a script on a joint of its own."""
    player = Player(script)
    answers = [player.play(step) for step in script["steps"]]
    width = len(player.words) or 1
    return {
        "answers": answers,
        "rows": [list(player.rows[i : i + width]) for i in range(0, len(player.rows), width)],
        "crc": player.crc,
        "state": [word for words in player.servo_words for word in words],
    }


with open(sys.argv[1]) as file:
    scripts = json.load(file)
print("[")
for index, script in enumerate(scripts):
    print("," if index else "", json.dumps(told(script)))  # one at a time: they are large
print("]")
