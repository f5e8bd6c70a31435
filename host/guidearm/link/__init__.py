"""Bytes and time: clocks, ports, the bus of joints and the synchronisation of their clocks."""

from guidearm.link.balance import Balance, read_balance
from guidearm.link.bus import (
    BusCounters,
    CycleResult,
    JointBus,
    SegmentPoint,
    State,
    Tally,
    refusal_text,
)
from guidearm.link.clock import Clock, SystemClock
from guidearm.link.clock_sync import ClockSync, ClockValues
from guidearm.link.discovery import Found, assign, discover, find_baud
from guidearm.link.interrupt import deferred_interrupt
from guidearm.link.port import DEFAULT_BAUD, Connection, Port, open_port

__all__ = [
    "DEFAULT_BAUD",
    "Balance",
    "BusCounters",
    "Clock",
    "ClockSync",
    "ClockValues",
    "Connection",
    "CycleResult",
    "Found",
    "JointBus",
    "Port",
    "SegmentPoint",
    "State",
    "SystemClock",
    "Tally",
    "assign",
    "deferred_interrupt",
    "discover",
    "find_baud",
    "open_port",
    "read_balance",
    "refusal_text",
]
