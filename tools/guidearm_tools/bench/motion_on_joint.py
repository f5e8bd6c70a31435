"""Runs on MicroPython: chains of segments through the joint's own queue and tick.

Arguments: a file of chains, and one to write to. A chain is a line of JSON: where the set-point
stands (Q8 counts), counts per turn, when the first tick comes (us from the start), and its segments
(position, velocity, duration). What is written are 32-bit words: for each chain how many ticks it
took, and the set-point (Q8 counts) at each, 1 ms apart, until the chain has ended.
"""

# pyright: basic, reportMissingImports=false

import json
import sys
from array import array

from joint import segments, servo
from joint.supervisor import supervise
from uctypes import addressof

TICK_US = 1000
NEVER = (1 << 29) - 1


def new_state(start: int, counts_per_turn: int) -> array:
    """Return a servo that is enabled at rest, and finds no fault."""
    state = servo.new_state()
    state[servo.P_COUNTS_PER_TURN] = counts_per_turn
    state[servo.P_OVER_SPEED] = 1 << 17
    state[servo.P_FOLLOWING] = 1 << 12
    state[servo.P_LINK_TIMEOUT] = state[servo.P_STALL_TICKS] = NEVER
    state[servo.SET_POINT] = start
    state[servo.POSITION] = state[servo.MOTOR] = state[servo.LAST_MOTOR] = start >> 8
    state[servo.STATE] = servo.OPERATION_ENABLED
    state[servo.MODE] = servo.ARMED
    return state


def offer(state: array, queue: array, chain: list, number: int) -> int:
    """Queue what there is room for, from segment `number` on; return the number of the next."""
    while number < len(chain):
        queue[segments.NUMBER] = (queue[segments.NEWEST] + 1) & 0xFFFF
        queue[segments.POSITION], queue[segments.VELOCITY], queue[segments.DURATION] = chain[number]
        answer = segments.offer(addressof(state), addressof(queue))
        if answer == segments.FULL:
            break
        if answer != segments.QUEUED:
            raise ValueError(f"segment {number} is answered by {answer}")
        number += 1
    return number


def follow(start: int, counts_per_turn: int, phase_us: int, chain: list) -> array:
    """Return the set-points at the ticks; the motor is where it should be, to a count."""
    state = new_state(start, counts_per_turn)
    queue = array("i", [0] * segments.QUEUE_WORDS)
    queue[segments.LOWER_LIMIT], queue[segments.UPPER_LIMIT] = -(1 << 26), 1 << 26
    set_points = array("i")
    number = 0
    now = phase_us
    while state[servo.MODE] != servo.HOLD:
        number = offer(state, queue, chain, number)
        state[servo.NOW] = state[servo.LAST_FRAME] = now
        servo.tick(state, supervise)
        if state[servo.FOUND]:
            raise ValueError(f"fault {state[servo.FOUND]} after {now} us")
        set_points.append(state[servo.SET_POINT])
        state[servo.MOTOR] = state[servo.SET_POINT] >> 8
        now += TICK_US
    return set_points


with open(sys.argv[1]) as chains, open(sys.argv[2], "wb") as told:  # noqa: PTH123 none there
    for line in chains:
        set_points = follow(*json.loads(line))
        told.write(array("i", [len(set_points)]))
        told.write(set_points)
