"""A Pico at its prompt: boots the rig's image in the emulator and runs scripts on it over USB."""

from __future__ import annotations

from guidearm_hil.closing import Closing
from guidearm_hil.pico.process import Emulator, PicoError

_SCRIPT_S = 10.0  # of the board's time


class Pico(Closing):
    """A running Pico; a context manager. `said` is what it printed while it booted."""

    def __init__(self) -> None:
        """Boot. Raises RigSetUpError without the rig, PicoError if it does not come up."""
        self._emulator = Emulator("prompt.mjs")
        try:
            self.said: str = self._emulator.receive()["printed"]
        except PicoError:
            self.close()
            raise

    def close(self) -> None:
        """Switch it off."""
        self._emulator.close()

    def run(self, script: str, seconds: float = _SCRIPT_S) -> str:
        """Run a script for at most so many seconds of the board's time; return what it printed.

        Raises PicoError with the end of its traceback.
        """
        answer = self._emulator.ask(script=script, seconds=seconds)
        if answer["error"]:
            last = answer["error"].strip().splitlines()
            raise PicoError(f"on the Pico: {last[-1]} ({' '.join(last[1:-1])})")
        return answer["printed"]
