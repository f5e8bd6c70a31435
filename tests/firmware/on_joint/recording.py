"""Runs on MicroPython: captures of made-up states by the tick, in memory between guard words.

Argument: a JSON file with `cases`: [signals, divider, samples, before, trigger, signal, level,
numbers], every word of a state following from one number, torque off. Output: the word of each
signal; for each case phase, samples taken, how many before the trigger, its time, the words read in
chunks; and whether all guards held. All ticks run with the heap locked.
"""

# pyright: basic, reportMissingImports=false

import json
import struct
import sys
from array import array

import micropython

from guidearm_protocol import messages as wire
from joint import servo
from joint.capture import WORDS, Capture

GUARD = 64
PATTERN = 0x2BADBEEF

arena = array("i", [PATTERN] * (servo.MEMORY_WORDS + 2 * GUARD))
state = memoryview(arena)[GUARD:-GUARD]
reply = bytearray(b"\xa5" * 256)
capture = Capture(state)
state[:] = servo.new_state()
KEPT = (servo.LIFT, servo.CAPTURING)


def fill(number: int) -> None:
    """Make the words of the state from one number, as the test does; the motor does not move."""
    for word in range(servo.STATE_WORDS):
        if word not in KEPT:
            state[word] = number * (word + 1) - 1000 * (word % 3)
    state[servo.MODE] = servo.OFF
    state[servo.FOUND] = state[servo.AUTHORISED] = 0  # no fault is latched
    for word in range(servo.P_CORRECTION, servo.STATE_WORDS):
        state[word] = 0
    state[servo.OUTPUT] = state[servo.CORRECTED] & 16383
    state[servo.LAST_MOTOR] = state[servo.MOTOR]
    state[servo.OBSERVER] = state[servo.SPEED]


def supervise(where: int) -> None:
    """Leave the state as it is made."""


def ticks(states: list) -> None:
    for number in states:
        fill(number)
        servo.tick(state, supervise)


def report() -> list:
    values = array("i", [0] * 6)
    capture.report(values)
    return list(values)


def play(case: list) -> list:
    fill(case[7][0])
    assert capture.set_up(array("i", case[:7]))
    states = case[7][1:]
    micropython.heap_lock()
    try:
        ticks(states)
    finally:
        micropython.heap_unlock()
    told = report()
    words = []
    if told[0] == wire.CAPTURE_COMPLETE:
        total = told[2] * state[servo.CAPTURE + servo.C_COLUMNS]
        while len(words) < total:
            assert capture.read(len(words), reply, 8) == 8 + 2 + 4 * wire.CAPTURE_CHUNK_WORDS
            words += struct.unpack_from("<%di" % wire.CAPTURE_CHUNK_WORDS, reply, 10)
        assert set(words[total:]) <= {0}
        del words[total:]
        assert capture.read(total, reply, 8) == -1
    assert reply[:8] == reply[-6:] + b"\xa5\xa5" == b"\xa5" * 8
    return [told[0], told[2], told[3], told[4], words]


with open(sys.argv[1]) as file:
    results = [play(case) for case in json.load(file)["cases"]]
held = set(arena[:GUARD]) == set(arena[-GUARD:]) == {PATTERN}
print(json.dumps({"words": WORDS, "results": results, "held": held}))
