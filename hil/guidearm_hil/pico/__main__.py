"""Boots the emulated Pico and runs a script on it.

`python -m guidearm_hil.pico SCRIPT.py`; without a script it prints what the board says at boot.
"""

from __future__ import annotations

import sys
from pathlib import Path

from guidearm.errors import GuideArmError
from guidearm_hil.pico.machine import Pico


def main() -> None:
    """Run, or say in one line why not."""
    try:
        script = "" if len(sys.argv) < 2 else Path(sys.argv[1]).read_text()
        with Pico() as pico:
            print(pico.run(script, 60.0) if script else pico.said, end="")
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error.strerror}")
    except GuideArmError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
