"""The link's cycle rate beside what the wire allows, its latencies and its losses.

One cycle carries set-points to six joints and brings six states back. What the wire allows is the
wire time of these seven frames, one turnaround of `LIMIT_TURNAROUND_US` and a guard behind each
state. Nothing moves: the set-points are the joints' own positions under a number they have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guidearm.arm import Robot
from guidearm.connection import robot_on
from guidearm.errors import MotionError
from guidearm.kinematics import Arm
from guidearm.link import DEFAULT_BAUD, Balance, SegmentPoint, open_port
from guidearm.link.bus import IDLE_GAP_S, PROCESSING_S
from guidearm.link.port import BITS_PER_BYTE
from guidearm_protocol import messages
from guidearm_protocol.frame import DELIMITER, MIN_ENCODED_BYTES
from guidearm_tools.bench.rows import Row, at_least, at_most

LIMIT_TURNAROUND_US = 200
SHARE = 0.9
RATES_HZ = {1_000_000: 200.0}
VIRTUAL_BAUDS = (1_000_000, 3_000_000)
WARM_UP = 10
SEGMENT_US = 10_000
PERCENTILES = (50, 90, 99, 100)

_EMPTY_BYTES = MIN_ENCODED_BYTES + len(DELIMITER)
_PREFIX_BYTES = messages.body_size(messages.REPLY_PREFIX)


@dataclass(frozen=True)
class WireLimit:
    """The shortest cycle of n joints at a baud rate, in us, and what it is made of."""

    baud: int
    wire_us: float
    turnaround_us: float
    guards_us: float

    @property
    def cycle_us(self) -> float:
        """Everything together."""
        return self.wire_us + self.turnaround_us + self.guards_us

    def as_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return {
            "wire_us": round(self.wire_us, 3),
            "turnaround_us": self.turnaround_us,
            "guards_us": self.guards_us,
            "cycle_us": round(self.cycle_us, 3),
            "rate_hz": round(1e6 / self.cycle_us, 3),
        }


def wire_limit(joints: int, baud: int) -> WireLimit:
    """Return what the wire allows for a cycle with set-points for all joints."""
    fixed = messages.body_size(messages.request_fields(messages.CYCLE))
    request = _EMPTY_BYTES + fixed + joints * messages.body_size(messages.SET_POINT)
    state = _EMPTY_BYTES + _PREFIX_BYTES + messages.body_size(messages.STATE)
    return WireLimit(
        baud,
        (request + joints * state) * BITS_PER_BYTE * 1e6 / baud,
        LIMIT_TURNAROUND_US,
        joints * messages.SLOT_GUARD_US,
    )


@dataclass(frozen=True)
class LinkBench:
    """One baud rate's results; latencies (us) by percentile, of one request and of one cycle."""

    baud: int
    cycles: int
    rate_hz: float
    limit: WireLimit
    request_us: dict[int, float]
    request_bound_us: float
    cycle_us: dict[int, float]
    balances: tuple[Balance, ...]

    @property
    def share(self) -> float:
        """The measured rate as a share of what the wire allows."""
        return self.rate_hz * self.limit.cycle_us * 1e-6

    def rows(self) -> list[Row]:
        """Return the promises."""
        at = f"at {self.baud / 1e6:g} Mbaud"
        lost = sum(balance.lost + balance.unanswered for balance in self.balances)
        missed = sum(balance.missed_slots for balance in self.balances)
        rows = [at_least(f"share of the wire limit {at}", self.share, SHARE)]
        if self.baud in RATES_HZ:
            rows.append(at_least(f"cycle rate {at}, Hz", self.rate_hz, RATES_HZ[self.baud]))
        for percentile in (50, 99):
            name = f"request latency {at}, {percentile} %, us"
            rows.append(at_most(name, self.request_us[percentile], self.request_bound_us))
        return [
            *rows,
            at_most(f"frames lost {at}", lost, 0),
            at_most(f"states missed {at}", missed, 0),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "baud": self.baud,
            "cycles": self.cycles,
            "cycle_rate_hz": round(self.rate_hz, 3),
            "wire_limit": self.limit.as_dict(),
            "share_of_limit": round(self.share, 6),
            "request_latency_us": _named(self.request_us),
            "cycle_latency_us": _named(self.cycle_us),
            "joints": [balance.as_dict() for balance in self.balances],
        }


def bench_link(url: str, model: Arm, cycles: int) -> list[LinkBench]:
    """Measure the arm on `url`: a virtual bus at both rates, another at the rate it has.

    Raises MotionError if the arm is enabled, and what connecting to it raises.
    """
    if url.startswith("virtual:") and "baud=" not in url:
        join = "" if url == "virtual:" else "&"
        return [_bench(f"{url}{join}baud={b}", model, cycles, b) for b in VIRTUAL_BAUDS]
    return [_bench(url, model, cycles, DEFAULT_BAUD)]


def _bench(url: str, model: Arm, cycles: int, baud: int) -> LinkBench:
    connection = open_port(url, baud)
    with robot_on(connection, model, url) as robot:
        state = robot.cycle()
        if state.enabled or state.moving:
            raise MotionError("the link is benched with the arm off: guidearm disable first")
        still = _still(robot)
        mask = (1 << len(robot.numbers)) - 1
        for _ in range(WARM_UP):
            robot.bus.cycle(mask, still)
        clock = robot.clock
        instants = [clock.now()]
        for _ in range(cycles):
            robot.bus.cycle(mask, still)
            instants.append(clock.now())
        requests: list[float] = []
        for index in range(cycles):
            number = robot.numbers[index % len(robot.numbers)]
            begin = clock.now()
            robot.bus.request(number, messages.COUNTERS)
            requests.append(clock.now() - begin)
        took = np.diff(np.array(instants))
        rate = connection.port.baud
        return LinkBench(
            baud=rate,
            cycles=cycles,
            rate_hz=cycles / (instants[-1] - instants[0]),
            limit=wire_limit(len(robot.numbers), rate),
            request_us=_percentiles(np.array(requests)),
            request_bound_us=_patience_us(rate, connection.port.slack_s),
            cycle_us=_percentiles(took),
            balances=robot.balances(),
        )


def _still(robot: Robot) -> SegmentPoint:
    """Return a segment that no joint takes: where it stands, under a number none expects."""
    expected = {(joint.segment + 1) & 0xFFFF for joint in robot.state.joints}
    number = next(n for n in range(len(expected) + 1) if n not in expected)
    units = messages.ANGLE_UNITS_PER_TURN / (2 * np.pi)
    points = tuple((round(joint.position * units), 0) for joint in robot.state.joints)
    return SegmentPoint(number, SEGMENT_US, points)


def _patience_us(baud: int, slack_s: float) -> float:
    """Return how long after it is asked for a reply of COUNTERS is still in time."""
    reply = messages.body_size(messages.reply_fields(messages.COUNTERS) or ())
    wire_s = (2 * _EMPTY_BYTES + _PREFIX_BYTES + reply) * BITS_PER_BYTE / baud
    waiting = IDLE_GAP_S + messages.TURNAROUND_US * 1e-6 + PROCESSING_S
    return (wire_s + waiting + slack_s) * 1e6


def _percentiles(seconds: NDArray[np.float64]) -> dict[int, float]:
    return {p: float(np.percentile(seconds, p)) * 1e6 for p in PERCENTILES}


def _named(percentiles: dict[int, float]) -> dict[str, float]:
    return {f"p{percentile}": round(us, 1) for percentile, us in percentiles.items()}
