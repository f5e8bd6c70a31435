"""Time as the host sees it, given from outside: the system's clock, or a rig's virtual one."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since an arbitrary instant, and a way to wait; everything that waits uses one."""

    def now(self) -> float:
        """Return the present instant in s."""
        ...

    def sleep_until(self, instant: float) -> None:
        """Return once `instant` (s) has come; at once if it has passed."""
        ...


class SystemClock:
    """The monotonic clock of the computer."""

    def now(self) -> float:
        """Return the present instant in s."""
        return time.monotonic()

    def sleep_until(self, instant: float) -> None:
        """Sleep until `instant` (s)."""
        remaining = instant - time.monotonic()
        if remaining > 0:
            time.sleep(remaining)
