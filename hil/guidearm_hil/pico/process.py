"""The emulator's process: one of its programs in Node.js, asked and answering line by line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from guidearm_firmware.boards import rp2_pins
from guidearm_hil.errors import RigError
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_hil.pico.image import RIG, image_name

FOLDER = Path(__file__).with_name("emulator")


class PicoError(RigError):
    """The emulated Pico does not run, or what runs on it fails."""


def firmware(baud: int = rp2_pins.BAUD) -> Path:
    """Return the image that the rig was set up with for one of the rates in `image.BAUDS`.

    Raises RigSetUpError when the rig is not set up or is out of date, or there is no Node.js.
    """
    if shutil.which("node") is None:
        raise RigSetUpError("the rig pico needs Node.js: apt-get install nodejs")
    return RIG.image().with_name(image_name(baud))


class Emulator:
    """A program of the emulator, by its name, with an image and the rig's boot ROM."""

    def __init__(self, program: str, image: Path | None = None) -> None:
        """Start it. Raises RigSetUpError as `firmware` does."""
        current = firmware()
        rom = current.with_name("rom.bin")
        self._process = subprocess.Popen(
            ["node", FOLDER / program, rom, current if image is None else image],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for whoever asks
        )

    def ask(self, **request: object) -> dict[str, Any]:
        """Send a request and return its answer. Raises PicoError for a failure."""
        pipe = self._process.stdin
        assert pipe is not None
        try:
            print(json.dumps(request), file=pipe, flush=True)
        except BrokenPipeError:
            raise PicoError("the Pico's emulator has ended") from None
        return self.receive()

    def receive(self) -> dict[str, Any]:
        """Return the next answer."""
        pipe = self._process.stdout
        assert pipe is not None
        line = pipe.readline()
        if not line:
            raise PicoError("the Pico's emulator has ended")
        answer: dict[str, Any] = json.loads(line)
        if "failure" in answer:
            whose = f" of joint {answer['joint'] + 1}" if "joint" in answer else ""
            raise PicoError(f"the emulated Pico{whose} stopped: {answer['failure']}")
        return answer

    def close(self) -> None:
        """End it; a second call does nothing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
