"""Several joints on one bus: nothing lost, everybody in its slot, nobody in another's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from guidearm_hil.rigs import HOST, Offer, Rig, WireByte
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_protocol import messages

CYCLES = 100
LATE_US = messages.SLOT_GUARD_US  # after its slot began; more would reach into the next
EARLY_US = 5  # a joint's clock, and the instant it takes for the last byte's
IDLE_BYTES = 2  # a pause that parts two transmissions of one sender


@scenario(Offer.BUS)
def clean_cycles(rig: Rig, report: Report) -> None:
    """Every frame of a hundred cycles is executed and every state answered."""
    with rig.robot() as robot:
        lost = 0
        for _ in range(CYCLES):
            robot.poll()
        for balance in robot.balances():
            lost += abs(balance.sent - balance.executed)
            lost += balance.unanswered + balance.missed_slots
        report.exactly("frames lost, repeated or unanswered", lost, 0)
        report.exactly("errors on the bus", robot.bus.counters.errors, 0)


@scenario(Offer.BUS | Offer.WIRE, joints=2)
def slots(rig: Rig, report: Report) -> None:
    """Joints answer a cycle in their slots, in order of address, and never two at once."""
    with rig.robot() as robot:
        slot_us = robot.bus.slot_us
        rig.take_wire()
        earliest, latest, overlaps, answers = 0.0, 0.0, 0, 0
        for _ in range(CYCLES):
            robot.poll()
            said = transmissions(rig.take_wire().sent)
            overlaps += sum(b[0].start_ns < a[-1].end_ns for a, b in pairwise(said))
            asked = next(burst for burst in said if burst[0].sender == HOST)
            replies = [burst for burst in said if burst[0].sender != HOST]
            answers += [burst[0].sender for burst in replies] == list(robot.numbers)
            for place, burst in enumerate(replies):
                due_ns = asked[-1].end_ns + 1e3 * (messages.TURNAROUND_US + place * slot_us)
                off_us = (burst[0].start_ns - due_ns) / 1e3
                earliest, latest = min(earliest, off_us), max(latest, off_us)
        report.exactly("cycles with every answer in order", answers, CYCLES)
        report.exactly("transmissions into another", overlaps, 0)
        report.at_most("before its slot, us", -earliest, EARLY_US)
        report.at_most("after the begin of its slot, us", latest, LATE_US)


def transmissions(sent: Sequence[WireByte]) -> list[list[WireByte]]:
    """Return bytes in bursts of one sender each, in order of their start."""
    bursts: list[list[WireByte]] = []
    for byte in sorted(sent, key=lambda byte: byte.start_ns):
        last = bursts[-1][-1] if bursts else None
        pause_ns = IDLE_BYTES * (byte.end_ns - byte.start_ns)
        goes_on = last is not None and last.sender == byte.sender
        if goes_on and last is not None and byte.start_ns - last.end_ns < pause_ns:
            bursts[-1].append(byte)
        else:
            bursts.append([byte])
    return bursts
