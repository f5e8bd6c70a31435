"""Bytes and time: clocks, ports, the bus of joints and the synchronisation of their clocks."""

from guidearm.link.bus import BusCounters, CycleResult, JointBus, SegmentPoint, State, refusal_text
from guidearm.link.clock import Clock, SystemClock
from guidearm.link.clock_sync import ClockSync, ClockValues
from guidearm.link.interrupt import deferred_interrupt
from guidearm.link.port import DEFAULT_BAUD, Connection, Port, open_port

__all__ = [
    "DEFAULT_BAUD",
    "BusCounters",
    "Clock",
    "ClockSync",
    "ClockValues",
    "Connection",
    "CycleResult",
    "JointBus",
    "Port",
    "SegmentPoint",
    "State",
    "SystemClock",
    "deferred_interrupt",
    "open_port",
    "refusal_text",
]
