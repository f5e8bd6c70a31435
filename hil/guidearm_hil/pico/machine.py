"""A Pico at its prompt: boots the rig's image in the emulator and runs scripts on it over USB."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

from guidearm.errors import GuideArmError
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_hil.pico.image import RIG

EMULATOR = Path(__file__).with_name("emulator")
_SCRIPT_S = 10.0  # of the board's time


class PicoError(GuideArmError):
    """The emulated Pico does not run, or what runs on it fails."""


def node_command(program: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command that runs a program of the emulator.

    Raises RigSetUpError when the rig is not set up or is out of date, or there is no Node.js.
    """
    firmware = RIG.image()
    node = shutil.which("node")
    if node is None:
        raise RigSetUpError("the rig pico needs Node.js: apt-get install nodejs")
    return [node, EMULATOR / program, firmware.with_name("rom.bin"), firmware, *arguments]


class Pico:
    """A running Pico; a context manager. `said` is what it printed while it booted."""

    def __init__(self) -> None:
        """Boot. Raises RigSetUpError without the rig, PicoError if it does not come up."""
        self._process = subprocess.Popen(
            node_command("prompt.mjs"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self.said = self._receive()
        except PicoError:
            self.close()
            raise

    def __enter__(self) -> Pico:
        """Return the machine."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Switch it off."""
        self.close()

    def close(self) -> None:
        """Switch it off."""
        self._process.kill()
        self._process.communicate()

    def run(self, script: str, seconds: float = _SCRIPT_S) -> str:
        """Run a script for at most so many seconds of the board's time; return what it printed.

        Raises PicoError with the end of its traceback.
        """
        pipe = self._process.stdin
        assert pipe is not None
        print(json.dumps({"script": script, "seconds": seconds}), file=pipe, flush=True)
        return self._receive()

    def _receive(self) -> str:
        pipe = self._process.stdout
        assert pipe is not None
        line = pipe.readline()
        if not line:
            raise PicoError("the emulator has ended")
        answer: dict[str, str] = json.loads(line)
        if "failure" in answer:
            raise PicoError(f"the emulated Pico stopped: {answer['failure']}")
        if answer["error"]:
            last = answer["error"].strip().splitlines()
            raise PicoError(f"on the Pico: {last[-1]} ({' '.join(last[1:-1])})")
        return answer["printed"]
