"""Requests, broadcasts and cycles on one bus of joints (protocol/README.md, "Sequence")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from guidearm.errors import LinkError, RefusedError, SilentJointError, VersionMismatchError
from guidearm.link.interrupt import deferred_interrupt
from guidearm.link.port import BITS_PER_BYTE, Connection
from guidearm_protocol import body, messages
from guidearm_protocol.errors import BodyError
from guidearm_protocol.frame import (
    DELIMITER,
    MIN_ENCODED_BYTES,
    Frame,
    encode_frame,
    request_frame,
)
from guidearm_protocol.stream import StreamParser

IDLE_GAP_S = 100e-6  # before each frame, so that a joint's receive time is that of its last byte
PROCESSING_S = 0.01  # a joint's main loop may be this late with a reply
SLOT_TOLERANCE_S = 0.0005  # after the last slot of a cycle
ATTEMPTS = 5
BACKOFF_S = 0.001  # before the first repetition, doubled for each further one

_EMPTY_FRAME_BYTES = MIN_ENCODED_BYTES + len(DELIMITER)
_REPLY_OVERHEAD_BYTES = _EMPTY_FRAME_BYTES + messages.body_size(messages.REPLY_PREFIX)
_SEQUENCES = 1 << 16


@dataclass
class BusCounters:
    """What happened on the bus since it was opened; damaged frames by the parser's reasons."""

    requests: int = 0
    broadcasts: int = 0
    cycles: int = 0
    replies: int = 0
    repeated: int = 0  # requests sent again
    timeouts: int = 0  # requests without a reply in time
    missed_slots: int = 0  # states that a cycle asked for and did not get
    echoes: int = 0  # own frames heard again
    unexpected: int = 0  # frames from joints that answer nothing asked
    bad_bodies: int = 0  # replies with a good checksum that do not fit the message table
    damaged: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def errors(self) -> int:
        """Everything that went wrong, whether or not it was mended: 0 on a clean bus."""
        lost = self.timeouts + self.missed_slots + self.unexpected + self.bad_bodies
        return lost + sum(self.damaged.values())


@dataclass
class Tally:
    """What the host counts of one joint since it began the joint's session.

    `sent` are the frames that concern it, broadcasts and repetitions among them; `unanswered` its
    requests without a reply in time; `missed_slots` the cycles it was asked for its state in vain.
    """

    sent: int = 0
    unanswered: int = 0
    missed_slots: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """A joint's STATE reply, in the units of the message table, and its boot byte."""

    boot: int
    received_us: int
    position: int
    following_error: int
    output: int
    current_ma: int
    age_us: int
    state: int
    flags: int
    fault: int
    segment: int
    depth: int


@dataclass(frozen=True, slots=True)
class SegmentPoint:
    """One segment for all joints of a cycle's mask, in order of address, in wire units."""

    number: int
    duration_us: int
    set_points: tuple[body.SetPoint, ...]


@dataclass(frozen=True, slots=True)
class CycleResult:
    """`instant` (s) at which the broadcast ended, and the states of the joints that answered."""

    instant: float
    states: dict[int, State]


class JointBus:
    """The host's end of a bus: sequences, timeouts, repetitions, counts.

    Every method is one exchange, which Ctrl-C cannot cut in the middle.
    """

    def __init__(self, connection: Connection) -> None:
        """Take over the connection's port; whatever it received before is dropped."""
        self._port = connection.port
        self._clock = connection.clock
        self._parser = StreamParser()
        self._sequences: dict[int, int] = {}
        self._nonces: dict[int, int] = {}
        self._tallies: dict[int, Tally] = {}
        self._broadcast_sequence = 0
        self._busy_until = 0.0
        self._quiet = True  # the last exchange went as it should
        self._counters = BusCounters()
        self._byte_s = BITS_PER_BYTE / self._port.baud
        self.port_name = self._port.name
        self.baud = self._port.baud
        state_bytes = _REPLY_OVERHEAD_BYTES + messages.body_size(messages.STATE)
        self.slot_us = round(state_bytes * self._byte_s * 1e6) + messages.SLOT_GUARD_US
        self._port.discard_input()

    @property
    def counters(self) -> BusCounters:
        """A copy of the counts."""
        return replace(self._counters, damaged=dict(self._parser.errors))

    def tally(self, joint: int) -> Tally:
        """Return a copy of what is counted of a joint; all 0 before it was identified."""
        return replace(self._tallies.get(joint, Tally()))

    # ---- addressed requests

    def identify(self, joint: int, nonce: int) -> body.Reply:
        """Ask who is there; a nonce unlike the joint's last begins a new session.

        Sequence windows and counts then start anew, at both ends. Raises SilentJointError.
        """
        self._sequences[joint] = 0
        if self._nonces.get(joint) != nonce:
            self._nonces[joint] = nonce
            self._tallies[joint] = Tally()
        return self.exchange(joint, messages.IDENTIFY, {"nonce": nonce})

    def request(
        self, joint: int, message: int, values: Mapping[str, body.Value] | None = None
    ) -> dict[str, int]:
        """Return the integer fields of the reply; raises RefusedError or SilentJointError."""
        reply = self.exchange(joint, message, values)
        if reply.result != messages.OK:
            raise RefusedError(refusal_text(joint, message, reply))
        return body.integers(reply.values)

    def exchange(
        self, joint: int, message: int, values: Mapping[str, body.Value] | None = None
    ) -> body.Reply:
        """Return the reply, whatever its result; repeats what gets lost.

        A repetition has the same sequence, so the joint executes a request at most once. A busy
        joint is asked again under a new sequence. Raises SilentJointError when `ATTEMPTS`
        requests got no reply, LinkError when another host uses the bus.
        """
        packed = body.pack_request(message, values)
        frame = request_frame(joint, self._next_sequence(joint), message, packed)
        reply: body.Reply | None = None
        for attempt in range(ATTEMPTS):
            with deferred_interrupt():
                if attempt:
                    self._counters.repeated += 1
                    self._clock.sleep_until(self._clock.now() + BACKOFF_S * 2 ** (attempt - 1))
                reply = self._ask(frame)
            if reply is not None and reply.result == messages.BUSY:
                frame = request_frame(joint, self._next_sequence(joint), message, packed)
            elif reply is not None:
                break
        if reply is None:
            raise SilentJointError(
                f"joint {joint} on {self._port.name} does not answer "
                f"{body.message_name(message)}: check its power, cable and address"
            )
        if reply.result == messages.STALE:
            raise LinkError(
                f"joint {joint} on {self._port.name} follows another host's sequence: "
                "close the other program and connect again"
            )
        return reply

    def _ask(self, frame: Frame) -> body.Reply | None:
        self._counters.requests += 1
        self._count_sent(frame.address)
        fields = body.reply_fields(frame.message)
        if fields is None:
            raise ValueError(f"{body.message_name(frame.message)} is a broadcast")
        wire_s = (_REPLY_OVERHEAD_BYTES + messages.body_size(fields)) * self._byte_s
        end = self._send(frame)
        commits = frame.message == messages.COMMIT_PARAMETERS
        processing_s = messages.COMMIT_US * 1e-6 if commits else PROCESSING_S
        patience = messages.TURNAROUND_US * 1e-6 + processing_s + wire_s + self._port.slack_s
        for answer in self._replies(end + patience):
            if (answer.address, answer.sequence, answer.message) != (
                frame.address,
                frame.sequence,
                frame.message,
            ):
                self._counters.unexpected += 1
                continue
            reply = self._unpack(answer)
            if reply is not None:
                self._quiet = True
                return reply
        self._quiet = False
        self._counters.timeouts += 1
        if frame.address in self._tallies:
            self._tallies[frame.address].unanswered += 1
        return None

    # ---- broadcasts

    def broadcast(
        self, message: int, values: Mapping[str, body.Value] | None = None, times: int = 1
    ) -> float:
        """Send a broadcast that no joint answers, `times` over; return its last end (s)."""
        packed = body.pack_request(message, values)
        end = 0.0
        with deferred_interrupt():
            for _ in range(times):
                self._counters.broadcasts += 1
                self._count_sent(messages.BROADCAST)
                end = self._send(self._broadcast_frame(message, packed))
        return end

    def call(
        self,
        message: int,
        values: Mapping[str, body.Value],
        wait_s: float,
        enough: int = messages.MAX_JOINTS,
    ) -> list[tuple[int, body.Reply]]:
        """Send a broadcast that joints answer as they like; return addresses and replies.

        Waits for `wait_s` after its end, or until `enough` replies are there.
        """
        heard: list[tuple[int, body.Reply]] = []
        packed = body.pack_request(message, values)
        with deferred_interrupt():
            self._counters.broadcasts += 1
            self._count_sent(messages.BROADCAST)
            frame = self._broadcast_frame(message, packed)
            end = self._send(frame)
            for answer in self._replies(end + wait_s + self._port.slack_s):
                if (answer.sequence, answer.message) != (frame.sequence, frame.message):
                    self._counters.unexpected += 1
                    continue
                reply = self._unpack(answer)
                if reply is not None:
                    heard.append((answer.address, reply))
                if len(heard) >= enough:
                    break
        return heard

    def cycle(self, joints: int, segment: SegmentPoint | None = None) -> CycleResult:
        """Ask the joints in the mask `joints` for their states, giving them a segment if any.

        Joints that do not answer in their slot are missing from the result.
        """
        request = body.Cycle(
            joints,
            self.slot_us,
            segment.number if segment else 0,
            segment.duration_us if segment else 0,
            segment.set_points if segment else (),
        )
        waiting = {
            address for address in range(1, messages.MAX_JOINTS + 1) if joints >> (address - 1) & 1
        }
        last = max(waiting, default=0)
        states: dict[int, State] = {}
        with deferred_interrupt():
            self._counters.cycles += 1
            self._count_sent(messages.BROADCAST)
            frame = self._broadcast_frame(messages.CYCLE, body.pack_cycle(request))
            end = self._send(frame)
            after_slots = messages.TURNAROUND_US + len(waiting) * self.slot_us
            deadline = end + after_slots * 1e-6 + SLOT_TOLERANCE_S + self._port.slack_s
            for answer in self._replies(deadline if waiting else end):
                asked = answer.address in waiting and answer.message == messages.CYCLE
                if not asked or answer.sequence != frame.sequence:
                    self._counters.unexpected += 1
                    continue
                reply = self._unpack(answer)
                if reply is not None and reply.result == messages.OK:
                    states[answer.address] = State(reply.boot, **body.integers(reply.values))
                if answer.address == last:  # slots come in order of address
                    break
        self._quiet = len(states) == len(waiting)
        for address in waiting - set(states):
            self._counters.missed_slots += 1
            if address in self._tallies:
                self._tallies[address].missed_slots += 1
        return CycleResult(end, states)

    def _broadcast_frame(self, message: int, packed: bytes) -> Frame:
        self._broadcast_sequence = (self._broadcast_sequence + 1) % _SEQUENCES
        return request_frame(messages.BROADCAST, self._broadcast_sequence, message, packed)

    # ---- bytes

    def _count_sent(self, address: int) -> None:
        for joint, tally in self._tallies.items():
            if address in (joint, messages.BROADCAST):
                tally.sent += 1

    def _next_sequence(self, joint: int) -> int:
        self._sequences[joint] = (self._sequences.get(joint, 0) + 1) % _SEQUENCES
        return self._sequences[joint]

    def _send(self, frame: Frame) -> float:
        """Put a frame on the bus; after a failure close whatever junk the receivers hold first."""
        self._parser.feed(DELIMITER)
        self._clock.sleep_until(self._busy_until + IDLE_GAP_S)
        junk = b"" if self._quiet else DELIMITER
        self._busy_until = self._port.write(junk + encode_frame(frame))
        return self._busy_until

    def _replies(self, deadline: float) -> Iterator[Frame]:
        """Yield the frames from joints of this protocol version until `deadline`."""
        while data := self._port.read(deadline):
            self._busy_until = max(self._busy_until, self._clock.now())
            for frame in self._parser.feed(data):
                if not frame.from_joint:
                    self._counters.echoes += 1
                elif (
                    frame.version != messages.PROTOCOL_VERSION
                    and frame.message >= messages.FIRST_UNFROZEN
                ):
                    raise VersionMismatchError(version_text(frame.address, frame.version))
                else:
                    yield frame

    def _unpack(self, frame: Frame) -> body.Reply | None:
        try:
            reply = body.unpack_reply(frame.message, frame.body)
        except BodyError:
            self._counters.bad_bodies += 1
            return None
        self._counters.replies += 1
        return reply


def version_text(joint: int, version: int, firmware: str = "") -> str:
    """Return the line that names both protocol versions and what mends it."""
    who = f"joint {joint}" + (f" (firmware {firmware})" if firmware else "")
    mend = f": pip install guidearm=={firmware}" if firmware else ""
    return (
        f"{who} speaks protocol version {version}, this host {messages.PROTOCOL_VERSION}: "
        f"firmware and host must be of one version{mend}"
    )


def refusal_text(joint: int, message: int, reply: body.Reply) -> str:
    """Return the line that says why a joint refused a request."""
    what = f"joint {joint} refuses {body.message_name(message)}"
    if reply.result != messages.REFUSED:
        return f"{what}: {messages.RESULTS[reply.result]}"
    known = reply.reason < len(messages.REASONS)
    return f"{what}: {messages.REASONS[reply.reason] if known else f'reason {reply.reason}'}"
