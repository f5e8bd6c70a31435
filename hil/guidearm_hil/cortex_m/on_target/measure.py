"""What the firmware's parts cost on this processor. `all_of_it` prints one line of JSON."""

import gc
import json
import struct

import micropython
from uctypes import addressof

import board as stub
import clock
from guidearm_protocol import messages as wire
from joint import cycle, frame, link, segments, servo
from joint.supervisor import supervise
from joint_in_memory import HOST_NONCE, Joint

CAPTURED = 6  # signals
TRANSACTIONS = 5  # of each kind; the dearest counts


def _ticks(joint: Joint) -> None:
    """Walk through the drive's states, with and without a capture."""
    for _ in range(16):
        joint.tick("off")
    joint.enable()
    for kind, signals in (("", 0), (", capture of 6", CAPTURED), (", capture of 19", 19)):
        if signals:
            joint.capture(signals)
        for _ in range(16):
            joint.tick("hold" + kind)
        joint.go(12, True)
        joint.start(kind)
        joint.run(kind)
        # a stop in mid-move
        joint.go(12, True)
        joint.start(kind)
        for _ in range(47):
            joint.tick()
        joint.request(wire.STOP)
        joint.tick("stop arrives" + kind)
        joint.brake(kind)
        joint.enable(kind)
        # the queue runs dry
        joint.go(5, False)
        joint.start(kind)
        joint.run(kind)
        joint.brake(kind)
        joint.request(wire.RESET_FAULT)
        joint.tick()
        joint.enable(kind)


def _ticks_allocated(joint: Joint) -> int:
    """Return the bytes that ticks in motion allocate, given back or not."""
    joint.go(20, True)
    joint.start()
    total = 0
    while joint.state[servo.MODE] == servo.RUN:
        joint.board.step(joint.state)
        before = micropython.mem_total()
        servo.tick(joint.address, supervise)
        total += micropython.mem_total() - before
    return total


@micropython.viper
def _nothing(state: ptr32, supervise: object) -> object:
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
        ("short frame for another joint", 4, wire.COUNTERS, b""),
        ("long frame for another joint", 4, wire.CYCLE, bytes(range(1, 121))),
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


def _pieces(joint: Joint) -> dict:
    """Measure what a CYCLE of three joints with set-points goes through, and the board's part."""
    pieces = {}
    board, drive = joint.board, joint.drive
    memory = bytearray(frame.MEMORY_BYTES)
    reply, aside = bytearray(frame.FRAME_BUFFER_BYTES), bytearray(frame.FRAME_BUFFER_BYTES)
    words = clock.array("i", [0] * link.LINK_WORDS)
    words[frame.ADDRESS] = stub.ADDRESS
    words[link.FLAGS] = wire.PROTOCOL_VERSION << 4 | wire.FROM_JOINT
    words[link.OPEN] = 1
    crc, table = frame.CRC_START, frame.CRC_TABLE_AT
    n = joint.frame(wire.BROADCAST, wire.CYCLE, joint.cycle_body(3, joint.angle(), 0))
    pieces["this board's read"] = clock.calling(board.read, memory, words)
    state, queue = addressof(drive.state), addressof(drive.queue)
    memory, words, reply_at, aside_at = [addressof(a) for a in (memory, words, reply, aside)]
    pieces["next_frame"] = clock.calling_six(frame.next_frame, crc, table, 0, n, memory, words)
    pieces["judge"] = clock.calling_five(link.judge, memory, words, state, reply_at, aside_at)
    pieces["cycle"] = clock.calling_six(
        cycle.cycle, memory, words, state, queue, aside_at, segments.offer
    )
    pieces["seal_frame"] = clock.calling_four(frame.seal_frame, crc, table, aside_at, 29)
    pieces["this board's write"] = clock.calling_four(board.write, aside, 35, 0, 0)
    pieces["poll of nothing"] = clock.calling_none(joint._poll)
    drive.queue[segments.NUMBER] += 1
    pieces["offer"] = clock.calling(segments.offer, state, queue)
    return pieces


def all_of_it() -> None:
    """Measure everything and print it."""
    joint = Joint()
    answer = {"processor": clock.processor(), "heap": joint.heap}
    _ticks(joint)
    joint.samples["a call of nothing"] = [clock.calling(_nothing, joint.address, supervise)]
    answer["ticks"] = {
        name: {"least": min(spent), "most": max(spent), "count": len(spent)}
        for name, spent in joint.samples.items()
    }
    joint.samples = {}
    answer["allocated_by_ticks"] = _ticks_allocated(joint)
    answer["transactions"] = _transactions(joint, False)
    answer["transactions_locked"] = _transactions(joint, True)
    answer["pieces"] = _pieces(joint)
    stack = answer["stack"] = {}
    joint.board.step(joint.state)
    stack["tick"] = clock.stack_of(servo.tick, joint.address, supervise)
    joint.frame(wire.BROADCAST, wire.CYCLE, joint.cycle_body(3, joint.angle(), 0))
    stack["poll"] = clock.stack_of_none(joint._poll)
    joint.frame(wire.BROADCAST, wire.CYCLE, joint.cycle_body(3, joint.angle(), 0))
    micropython.heap_lock()
    locked = clock.stack_of_none(joint._poll)
    micropython.heap_unlock()
    stack["poll_locked"] = locked
    print(json.dumps(answer))
