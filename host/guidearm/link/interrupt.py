"""Ctrl-C between exchanges, never inside one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Generator[None]:
    """Hold back SIGINT inside the block and deliver it at its end.

    An exchange cut in the middle would leave the bus, or a rig's pipes, out of step just when the
    arm has to be stopped through them. Outside the main thread, where no signal arrives, and
    where Python does not handle SIGINT, nothing changes.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    caught: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if caught:
            handler(*caught[0])
