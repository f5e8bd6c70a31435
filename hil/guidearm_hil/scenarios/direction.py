"""The direction pin: a joint drives the wire for its own bytes, to the bit, and not else."""

from __future__ import annotations

from collections.abc import Sequence

from guidearm_hil.rigs import DirectionEdge, Offer, Rig, WireByte
from guidearm_hil.scenarios.cycles import transmissions
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_protocol import messages

FAST_BAUD = 3_000_000
CYCLES = 20
LEAD_BITS = 20  # that a joint may drive before its first start bit
LAG_BITS = 1.0  # after its last stop bit


@scenario(Offer.BUS | Offer.WIRE | Offer.DIRECTION)
def direction_pin(rig: Rig, report: Report) -> None:
    """On before the first start bit, off within a bit after the last stop bit."""
    _judge(rig, report)


@scenario(Offer.BUS | Offer.WIRE | Offer.DIRECTION | Offer.BAUD)
def direction_pin_at_3_mbaud(rig: Rig, report: Report) -> None:
    """The same at 3 Mbaud, where a bit is a third of a microsecond."""
    rig.set_baud(FAST_BAUD)
    _judge(rig, report)


def _judge(rig: Rig, report: Report) -> None:
    with rig.robot() as robot:
        rig.take_wire()
        for _ in range(CYCLES):
            robot.poll()
        robot.clock.sleep_until(robot.clock.now() + messages.TURNAROUND_US * 1e-6)
        wire = rig.take_wire()
        bit_ns = 1e9 / robot.bus.baud
        numbers = robot.numbers
    spans = _driven(wire.edges)
    bursts = transmissions(wire.sent)
    of_joints = [burst for burst in bursts if burst[0].sender in numbers]
    covered = [
        (burst[0].start_ns - on, off - burst[-1].end_ns)
        for burst in of_joints
        for number, on, off in spans
        if number == burst[0].sender and on < burst[-1].end_ns and off > burst[0].start_ns
    ]
    report.exactly("transmissions driven", len(covered), len(of_joints))
    report.at_least("transmissions", len(of_joints), CYCLES * len(numbers))
    leads, lags = zip(*covered, strict=True) if covered else ((0.0,), (0.0,))
    report.at_least("driven before the start bit, ns", min(leads), 0)
    report.at_most("driven before the start bit, bits", max(leads) / bit_ns, LEAD_BITS)
    report.at_least("driven after the stop bit, ns", min(lags), 0)
    report.at_most("driven after the stop bit, bits", max(lags) / bit_ns, LAG_BITS)
    report.exactly("driven into another's bytes", _against(spans, bursts), 0)


def _driven(edges: Sequence[DirectionEdge]) -> list[tuple[int, int, int]]:
    """Return the spans for which joints drive: (joint, from, until), ns."""
    began: dict[int, int] = {}
    spans: list[tuple[int, int, int]] = []
    for edge in edges:
        if edge.driving:
            began[edge.joint] = edge.at_ns
        elif edge.joint in began:
            spans.append((edge.joint, began.pop(edge.joint), edge.at_ns))
    return spans


def _against(spans: Sequence[tuple[int, int, int]], bursts: Sequence[Sequence[WireByte]]) -> int:
    """Count the spans in which a joint drives while somebody else sends."""
    return sum(
        any(
            burst[0].sender != number and burst[0].start_ns < off and on < burst[-1].end_ns
            for burst in bursts
        )
        for number, on, off in spans
    )
