"""What the firmware's parts cost on this processor. `all_of_it` prints one line of JSON.

A joint is built as `main` builds it, on a board in memory, and driven through the session by
genuine frames; only ticks, polls and single functions are measured.
"""

import gc
import json
import struct
import sys

import micropython

import board as stub
import clock
from guidearm_protocol import messages as wire
from joint import frame, recorder, segments, servo

HOST_NONCE = 7
SEGMENT_US = 10000
CAPTURED = 6  # signals
TRANSACTIONS = 5  # of each kind; the dearest counts


class Joint:
    """Drive, session and board, and the host that talks to them."""

    def __init__(self) -> None:
        """Build a joint, and take note of the heap it needs."""
        gc.collect()
        before = gc.mem_alloc()
        from joint.drive import Drive
        from joint.session import Session
        from joint.storage import Storage

        self.board = stub.Board()
        self.drive = Drive(Storage(self.board))
        self.session = Session(self.board, self.drive, (0, 1, 0))
        gc.collect()
        self.heap = gc.mem_alloc() - before
        self._poll = self.session.poll  # a bound method is allocated where it is made
        self.state = self.drive.state
        self.ring = self.drive.ring
        self.sequence = 0
        self.cycles = 0
        self.samples = {}

    # ---- the host

    def frame(self, address: int, message: int, body: bytes) -> int:
        """Put the next frame on the line; return its bytes. -4 is a reply of joint 4."""
        flags = wire.PROTOCOL_VERSION << 4
        if address < 0:
            flags |= wire.FROM_JOINT
            address = -address
        if address == wire.BROADCAST:
            self.cycles = (self.cycles + 1) & 0xFFFF
            sequence = self.cycles
        else:
            self.sequence = (self.sequence + 1) & 0xFFFF
            sequence = self.sequence
        content = struct.pack("<BBHB", flags, address, sequence, message)
        content += body
        line = self.board.line
        line[1 : 1 + len(content)] = content
        n = frame.seal_frame(line, len(content), frame.CRC_TABLE)
        self.board.give(n)
        return n

    def poll(self) -> int:
        """Have the session handle all that is on the line; return the instructions of it."""
        spent = 0
        while self.board.waiting():
            spent += clock.calling_none(self._poll)
        return spent

    def request(self, message: int, body: bytes = b"") -> None:
        """Send a request to this joint; what is not answered OK is an error."""
        self.frame(stub.ADDRESS, message, body)
        self.poll()
        result = self.board.reply()[7]
        if result != wire.OK:
            raise RuntimeError("message %d: result %d" % (message, result))

    def cycle_body(self, joints: int, position: int, velocity: int) -> bytes:
        """Return a CYCLE for joints 1 to `joints`, all with this joint's next segment."""
        number = (self.drive.segment + 1) & 0xFFFF
        body = struct.pack("<HHHH", (1 << joints) - 1, 500, number, SEGMENT_US)
        return body + struct.pack("<ii", position, velocity) * joints

    def angle(self) -> int:
        """Return the set-point in turn/2^24."""
        return segments.counts_to_angle(
            self.state[servo.SET_POINT] >> 8, self.state[servo.P_COUNTS_PER_TURN]
        )

    def push(self, position: int, velocity: int) -> None:
        """Queue a segment through a broadcast, and check that it was."""
        before = self.drive.segment
        self.frame(wire.BROADCAST, wire.CYCLE, self.cycle_body(3, position, velocity))
        self.poll()
        if self.drive.segment == before:
            raise RuntimeError("a segment was refused")

    # ---- time

    def tick(self, name: str = "") -> int:
        """Run the next tick; file its instructions under a name."""
        self.board.step(self.state)
        spent = clock.calling(servo.tick, self.state, self.ring)
        if name:
            self.samples.setdefault(name, []).append(spent)
        return spent

    def looks(self) -> bool:
        """Tell whether the next tick is one of every eighth, with the supervisor."""
        return (self.state[servo.TICKS] + 1) & 7 == 0

    def enable(self) -> None:
        """Identify, set the clock, and enable; the brake's sequence runs its course."""
        self.tick()
        self.tick()
        self.request(wire.IDENTIFY, struct.pack("<I", HOST_NONCE))
        now = self.board.now
        self.request(wire.SET_CLOCK, struct.pack("<IIi", now, now, 100))
        self.tick()
        self.request(wire.ENABLE, b"\0")
        for _ in range(200):
            self.tick("brake's sequence")
            if self.state[servo.STATE] == servo.OPERATION_ENABLED:
                return
        raise RuntimeError("not enabled: fault %d" % self.state[servo.FAULT])

    def start(self) -> None:
        """Start the queued segments in 20 ms."""
        self.frame(wire.BROADCAST, wire.START, struct.pack("<I", self.board.now + 20000))
        self.poll()
        while self.state[servo.MODE] != servo.RUN:
            self.tick("armed" if not self.looks() else "")

    def go(self, segments_ahead: int, end_at_rest: bool) -> None:
        """Queue a move at a steady speed from rest."""
        position = self.angle()
        speed = 1 << 21  # turn/2^24/s: an eighth of a turn in a second
        for index in range(segments_ahead):
            last = index == segments_ahead - 1
            position += speed // 200 if index == 0 or (last and end_at_rest) else speed // 100
            self.push(position, 0 if last and end_at_rest else speed)

    def run(self, kind: str) -> None:
        """Tick until the move is over, filing each tick by what it had to do."""
        s = self.state
        while s[servo.MODE] == servo.RUN:
            tail = s[servo.TAIL]
            looked = self.looks()
            spent = self.tick()
            name = "run"
            if s[servo.TAIL] != tail:
                name += ", segment fetch"
            if looked:
                name += ", eighth tick"
            if s[servo.MODE] != servo.RUN:
                name += ", " + ("end of move" if s[servo.MODE] == servo.HOLD else "underrun")
            self.samples.setdefault(name + kind, []).append(spent)

    def brake(self, kind: str) -> None:
        """Tick until the ramp is over and the brake closed."""
        s = self.state
        while s[servo.MODE] != servo.OFF:
            name = "ramp" if s[servo.SEQUENCE] == 0 else "brake closing"
            if self.looks():
                name += ", eighth tick"
            self.tick(name + kind)

    def capture(self, signals: int, divider: int = 1) -> None:
        """Capture so many signals, waiting for a trigger that does not come."""
        samples = recorder.CAPTURE_WORDS // signals
        mask = (1 << signals) - 1
        self.request(
            wire.CAPTURE_SETUP,
            struct.pack("<IHHHBBi", mask, divider, samples, 10, recorder.RISING, 0, 0x3FFFFFFF),
        )


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
