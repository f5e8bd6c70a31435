"""Guide arm host: library and command line.

`guidearm.connect(url)` returns a `Robot`; the subjects are packages of their own, imported where
they are used, so that importing this one costs nothing.
"""

from __future__ import annotations

# as of `typing`, which takes longer to import than Python to start
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from guidearm.arm import Robot
    from guidearm.kinematics import Arm

__all__ = ["connect"]


def connect(url: str, arm: str | Path | Arm = "guide6", baud: int = 1_000_000) -> Robot:
    """Open the port `url` (`/dev/ttyUSB0`, `socket://...`, `virtual:seed=3`) and return its arm.

    `arm` is the name of a description, a description file, or a loaded arm. Raises a subclass of
    GuideArmError that says what to do. Use it as a context manager.
    """
    from guidearm import connection

    return connection.connect(url, arm, baud)
