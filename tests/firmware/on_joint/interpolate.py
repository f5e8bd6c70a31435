"""Runs on MicroPython: set-points that the servo makes of segments, and angles it reports.

Argument: a JSON file with `chains`: [start in Q8 counts, counts per turn, over-speed limit,
[position, velocity, duration] of each segment, instant in the last one in us], `counts`:
[counts, counts per turn], and `instants`: [joint us and host us of one instant, drift, host us of
another]. Output: for each chain the answers of `offer` and the set-point in Q8 counts, None where a
segment was not taken; the angles; and the other instants in joint us.
"""

# pyright: basic, reportMissingImports=false

import json
import sys
from array import array

from uctypes import addressof

from joint import segments, servo
from joint.supervisor import supervise


def new_queue() -> array:
    """Return the queue's words, with limits that no segment reaches."""
    queue = array("i", [0] * segments.QUEUE_WORDS)
    queue[segments.LOWER_LIMIT] = -(1 << 26)
    queue[segments.UPPER_LIMIT] = 1 << 26
    return queue


def push(state: array, queue: array, segment: list) -> int:
    """Offer a segment under the next number, to a joint that is enabled."""
    queue[segments.NUMBER] = (queue[segments.NEWEST] + 1) & 0xFFFF
    queue[segments.POSITION], queue[segments.VELOCITY], queue[segments.DURATION] = segment
    state[servo.STATE] = servo.OPERATION_ENABLED
    return segments.offer(addressof(state), addressof(queue))


def set_point(start: int, counts_per_turn: int, over_speed: int, chain: list, at: int) -> list:
    state = servo.new_state()
    state[servo.P_COUNTS_PER_TURN] = counts_per_turn
    state[servo.P_OVER_SPEED] = over_speed
    state[servo.SET_POINT] = start
    queue = new_queue()
    answers = [push(state, queue, segment) for segment in chain]
    if answers != [segments.QUEUED] * len(chain):
        return [answers, None]
    state[servo.MODE] = servo.ARMED
    state[servo.P_FOLLOWING] = 1 << 22
    state[servo.P_LINK_TIMEOUT] = 1 << 29
    state[servo.NOW] = sum([segment[2] for segment in chain[:-1]]) + at
    state[servo.LAST_FRAME] = state[servo.NOW]
    servo.tick(state, supervise)
    return [answers, state[servo.SET_POINT]]


def fill() -> list:
    """Push until the ring is full, let one segment run out, push again."""
    state = servo.new_state()
    state[servo.P_COUNTS_PER_TURN] = 409600
    state[servo.P_OVER_SPEED] = 1 << 17
    queue = new_queue()
    answers = []
    for index in range(servo.RING_SLOTS - 1):
        answers.append(push(state, queue, [100 * index, 0, 10000]))
    kept = (list(state), queue[segments.NEWEST], queue[segments.REFUSED])
    answers += [push(state, queue, [0, 0, 10000]) for _ in range(3)]
    now = (list(state), queue[segments.NEWEST], queue[segments.REFUSED])
    untouched = kept == now
    state[servo.TAIL] = 1
    answers.append(push(state, queue, [0, 0, 10000]))
    return [answers, untouched]


def on_joint_clock(joint: int, host: int, drift: int, other: int) -> int:
    state = servo.new_state()
    for word, value in enumerate((joint, host, drift, segments.lag(drift))):
        state[servo.CLOCK_JOINT + word] = value
    return segments.on_joint_clock(state, other)


with open(sys.argv[1]) as file:
    told = json.load(file)
print(
    json.dumps(
        {
            "set_points": [set_point(*chain) for chain in told["chains"]],
            "angles": [segments.counts_to_angle(*pair) for pair in told["counts"]],
            "instants": [on_joint_clock(*instant) for instant in told["instants"]],
            "fill": fill(),
        }
    )
)
