"""A joint as `main` builds it, on a board in memory, and the host that talks to it.

The host's frames are genuine and go through the session. What counts is ticks, polls and single
functions; building frames and moving the motor does not.
"""

import gc
import struct

from uctypes import addressof

import board as stub
import clock
from guidearm_protocol import messages as wire
from joint import frame, segments, servo
from joint.supervisor import supervise

HOST_NONCE = 7
SEGMENT_US = 10000


class Joint:
    """Drive, session and board, and the host that talks to them."""

    def __init__(self, board: "stub.Board | None" = None) -> None:
        """Build a joint, by default on a board in memory, and take note of the heap it needs."""
        gc.collect()
        before = gc.mem_alloc()
        from joint.drive import Drive
        from joint.session import Session
        from joint.storage import Storage

        self.board = stub.Board() if board is None else board
        self.drive = Drive(Storage(self.board))
        self.session = Session(self.board, self.drive, (0, 1, 0))
        gc.collect()
        self.heap = gc.mem_alloc() - before
        self._poll = self.session.poll
        self.state = self.drive.state
        self.address = addressof(self.state)  # as boards hand the state to the tick
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
        n = frame.seal_frame(frame.CRC_START, frame.CRC_TABLE_AT, addressof(line), len(content))
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

    def cycle_body(
        self, joints: int, position: int, velocity: int, after: int = 1, us: int = SEGMENT_US
    ) -> bytes:
        """Return a CYCLE for joints 1 to `joints`, each with the same segment.

        It is this joint's next one, or another one counted from its newest.
        """
        number = (self.drive.queue[segments.NEWEST] + after) & 0xFFFF
        body = struct.pack("<HHHH", (1 << joints) - 1, 500, number, us)
        return body + struct.pack("<ii", position, velocity) * joints

    def angle(self) -> int:
        """Return the set-point in turn/2^24."""
        return segments.counts_to_angle(
            self.state[servo.SET_POINT] >> 8, self.state[servo.P_COUNTS_PER_TURN]
        )

    def push(self, position: int, velocity: int, us: int = SEGMENT_US) -> None:
        """Queue a segment through a broadcast, and check that it was."""
        before = self.drive.queue[segments.NEWEST]
        self.frame(wire.BROADCAST, wire.CYCLE, self.cycle_body(3, position, velocity, us=us))
        self.poll()
        if self.drive.queue[segments.NEWEST] == before:
            raise RuntimeError("a segment was refused")

    # ---- time

    def tick(self, name: str = "") -> int:
        """Run the next tick; file its instructions under a name."""
        self.board.step(self.state)
        spent = clock.calling(servo.tick, self.address, supervise)
        if name:
            self.samples.setdefault(name, []).append(spent)
        return spent

    def enable(self, kind: str = "") -> None:
        """Identify, set the clock, and enable; the brake's sequence runs its course."""
        self.tick()
        self.tick()
        self.request(wire.IDENTIFY, struct.pack("<I", HOST_NONCE))
        now = self.board.now
        self.request(wire.SET_CLOCK, struct.pack("<IIi", now, now, 100))
        self.tick()
        self.request(wire.ENABLE, b"\0")
        for _ in range(200):
            self.tick("brake's sequence" + kind)
            if self.state[servo.STATE] == servo.OPERATION_ENABLED:
                return
        raise RuntimeError("not enabled: fault %d" % self.state[servo.FAULT])

    def start(self, kind: str = "") -> None:
        """Start the queued segments in 20 ms."""
        self.frame(wire.BROADCAST, wire.START, struct.pack("<I", self.board.now + 20000))
        self.poll()
        while self.state[servo.MODE] != servo.RUN:
            self.tick("armed" + kind)

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
            spent = self.tick()
            name = "run"
            if s[servo.TAIL] != tail:
                name += ", segment fetch"
            if s[servo.MODE] != servo.RUN:
                name += ", " + ("end of move" if s[servo.MODE] == servo.HOLD else "underrun")
            self.samples.setdefault(name + kind, []).append(spent)

    def brake(self, kind: str) -> None:
        """Tick until the ramp is over and the brake closed."""
        s = self.state
        while s[servo.MODE] != servo.OFF:
            name = "ramp" if s[servo.SEQUENCE] == 0 else "brake closing"
            self.tick(name + kind)

    def capture(self, signals: int, divider: int = 1) -> None:
        """Capture so many signals, waiting for a trigger that does not come."""
        samples = servo.CAPTURE_WORDS // signals
        mask = (1 << signals) - 1
        self.request(
            wire.CAPTURE_SETUP,
            struct.pack("<IHHHBBi", mask, divider, samples, 10, wire.CAPTURE_RISING, 0, 0x3FFFFFFF),
        )
