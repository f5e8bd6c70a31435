"""What the firmware's parts cost on this processor. `all_of_it` prints one line of JSON."""

import gc
import json
import struct
import sys

import micropython

import board as stub
import clock
from guidearm_protocol import messages as wire
from joint import frame, segments, servo
from joint_in_memory import HOST_NONCE, SEGMENT_US, Joint

CAPTURED = 6  # signals
TRANSACTIONS = 5  # of each kind; the dearest counts


def _ticks(joint: Joint) -> None:
    """Walk through the drive's states, with and without a capture."""
    for _ in range(16):
        joint.tick("off" if not joint.looks() else "off, eighth tick")
    joint.enable()
    for kind, signals in (("", 0), (", capture of 6", CAPTURED), (", capture of 19", 19)):
        if signals:
            joint.capture(signals)
        for _ in range(16):
            joint.tick("hold" + (", eighth tick" if joint.looks() else "") + kind)
        joint.go(12, True)
        joint.start()
        joint.run(kind)
        # a stop in mid-move
        joint.go(12, True)
        joint.start()
        for _ in range(47):
            joint.tick()
        joint.request(wire.STOP)
        joint.tick("stop arrives" + kind)
        joint.brake(kind)
        joint.enable()
        # the queue runs dry: fetch, ramp and a latched fault in one tick
        joint.go(5, False)
        joint.start()
        joint.run(kind)
        joint.brake(kind)
        joint.request(wire.RESET_FAULT)
        joint.tick()
        joint.enable()


def _ticks_allocated(joint: Joint) -> int:
    """Return the bytes that ticks in motion allocate, given back or not."""
    joint.go(20, True)
    joint.start()
    total = 0
    while joint.state[servo.MODE] == servo.RUN:
        joint.board.step(joint.state)
        before = micropython.mem_total()
        servo.tick(joint.state, joint.ring)
        total += micropython.mem_total() - before
    return total


@micropython.viper
def _nothing(state: object, ring: object) -> object:
    """Do what the tick does when there is nothing to do."""


def _transactions(joint: Joint, locked: bool) -> dict:
    """Return what transactions take, by name; `locked` has MicroPython refuse to allocate.

    `allocated` counts also what is given back before the end: a call whose frame is larger than
    11 words takes it from the heap, or from the stack where the heap is locked.
    """
    board = joint.board
    found = {}
    cases = [
        ("cycle of %d joints with set-points" % n, wire.BROADCAST, wire.CYCLE, n) for n in (3, 6)
    ]
    cases += [
        ("cycle without set-points", wire.BROADCAST, wire.CYCLE, 0),
        ("IDENTIFY", stub.ADDRESS, wire.IDENTIFY, struct.pack("<I", HOST_NONCE)),
        ("GET_PARAMETER", stub.ADDRESS, wire.GET_PARAMETER, b"\1"),
        ("SET_PARAMETER", stub.ADDRESS, wire.SET_PARAMETER, struct.pack("<Bi", 1, 1638)),
        ("COUNTERS", stub.ADDRESS, wire.COUNTERS, b""),
        ("FAULT", stub.ADDRESS, wire.FAULT, b""),
        ("CAPTURE_STATE", stub.ADDRESS, wire.CAPTURE_STATE, b""),
        ("frame for another joint", 4, wire.CAPTURE_READ, bytes(range(1, 28))),
        ("reply of another joint", -4, wire.CYCLE, bytes(range(1, 25))),
    ]
    position = joint.angle()
    for name, address, message, body in cases:
        most = allocated = received = 0
        for _ in range(TRANSACTIONS):
            content = body
            if isinstance(body, int):
                content = joint.cycle_body(body, position, 0)
                if body == 0:
                    content = struct.pack("<HHHH", 7, 500, 0, 0)
            board.sent = 0
            received = joint.frame(address, message, content)
            gc.collect()
            total = micropython.mem_total()
            if locked:
                micropython.heap_lock()
            spent = joint.poll()
            if locked:
                micropython.heap_unlock()
            allocated = max(allocated, micropython.mem_total() - total)
            most = max(most, spent)
            joint.tick()
        found[name] = {
            "instructions": most,
            "received": received,
            "sent": board.sent,
            "allocated": allocated,
        }
    return found


def _pieces(answer: dict) -> None:
    """Measure the frame's functions on 38 bytes of wire, and a segment's conversion."""
    pieces = answer["pieces"] = {}
    source = bytearray(256)
    buffer = bytearray(frame.FRAME_BUFFER_BYTES)
    content = struct.pack("<BBHB", wire.PROTOCOL_VERSION << 4, stub.ADDRESS, 1, 3)
    content += bytes([index % 3 for index in range(27)])
    buffer[1 : 1 + len(content)] = content
    table = frame.CRC_TABLE
    pieces["seal_frame, 38 bytes"] = clock.calling_three(
        frame.seal_frame, buffer, len(content), table
    )
    source[:] = buffer[:256]
    fill = clock.array("i", [0, 0])
    pieces["gather, 38 bytes"] = clock.calling_five(frame.gather, source, 0, 38, buffer, fill)
    pieces["open_frame, 38 bytes"] = clock.calling_four(
        frame.open_frame, buffer, fill[0], stub.ADDRESS, table
    )
    pieces["get_i32"] = clock.calling(frame.get_i32, content, 6)
    pieces["get_u16"] = clock.calling(frame.get_u16, content, 6)


def all_of_it() -> None:
    """Measure everything and print it."""
    joint = Joint()
    answer = {"interpreter": "%d.%d.%d" % sys.implementation.version[:3], "heap": joint.heap}
    _ticks(joint)
    joint.samples["a call of nothing"] = [clock.calling(_nothing, joint.state, joint.ring)]
    answer["ticks"] = {
        name: {"least": min(spent), "most": max(spent), "count": len(spent)}
        for name, spent in joint.samples.items()
    }
    joint.samples = {}
    answer["allocated_by_ticks"] = _ticks_allocated(joint)
    answer["transactions"] = _transactions(joint, False)
    answer["transactions_locked"] = _transactions(joint, True)
    _pieces(answer)
    joint.board.give(38)
    answer["pieces"]["this board's own read, 38 bytes"] = clock.calling(
        joint.board.read, bytearray(frame.FRAME_BUFFER_BYTES), clock.array("i", [0])
    )
    joint.board.give(0)
    answer["pieces"]["poll of nothing"] = clock.calling_none(joint._poll)
    answer["pieces"]["segments.push"] = clock.calling_five(
        segments.push, joint.state, joint.ring, joint.angle(), 0, SEGMENT_US
    )
    stack = answer["stack"] = {}
    joint.board.step(joint.state)
    stack["tick"] = clock.stack_of(servo.tick, joint.state, joint.ring)
    joint.frame(wire.BROADCAST, wire.CYCLE, joint.cycle_body(3, joint.angle(), 0))
    stack["poll"] = clock.stack_of_none(joint._poll)
    joint.frame(wire.BROADCAST, wire.CYCLE, joint.cycle_body(3, joint.angle(), 0))
    micropython.heap_lock()
    locked = clock.stack_of_none(joint._poll)
    micropython.heap_unlock()
    stack["poll_locked"] = locked
    print(json.dumps(answer))
