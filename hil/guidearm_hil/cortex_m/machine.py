"""The Cortex-M in QEMU: starts it, and runs scripts on it over its UART's raw REPL.

With `-icount shift=0` each instruction takes one nanosecond of virtual time. The host's speed does
not matter, and a script that does not read its UART counts the same on every run.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from pathlib import Path

from guidearm_hil.closing import Closing
from guidearm_hil.cortex_m.image import CortexMError, program

QEMU = "qemu-system-arm"
_CHUNK = 64  # the UART has no flow control
_PATIENCE_S = 600.0  # of wall time, for a target that hangs; one that ends is noticed at once


class CortexM(Closing):
    """A running MPS2_AN385 with the firmware as code for a processor; a context manager."""

    def __init__(self, processor: str) -> None:
        """Start QEMU. Raises RigSetUpError without the rig, CortexMError if it does not answer."""
        if shutil.which(QEMU) is None:
            raise CortexMError(f"{QEMU} is not installed: run tools/setup --rig cortex-m")
        # QEMU goes on when its UART's other end is gone: so the kernel ends it with the thread
        # that started it, however that ends
        command: list[str | Path] = ["setpriv", "--pdeathsig", "KILL", "--"]
        command += [QEMU, "-machine", "mps2-an385", "-icount", "shift=0"]
        command += ["-display", "none", "-monitor", "none", "-serial", "stdio"]
        command += ["-semihosting-config", "enable=on,target=native"]
        command += ["-kernel", program(processor)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise CortexMError(f"setpriv does not run ({error.strerror})") from error
        try:
            self._until(b">>> ")
            self._send(b"\x01")
            self._until(b"raw REPL; CTRL-B to exit\r\n>")
        except CortexMError:
            self.close()
            raise

    def close(self) -> None:
        """End QEMU."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def run(self, script: str) -> str:
        """Run a script and return what it printed. Raises CortexMError with its traceback's end."""
        self._send(script.encode() + b"\x04")
        self._until(b"OK")
        printed = self._until(b"\x04")
        error = self._until(b"\x04")
        self._until(b">")
        if error:
            last = error.decode(errors="replace").strip().splitlines()
            raise CortexMError(f"on the Cortex-M: {last[-1]} ({' '.join(last[1:-1])})")
        return printed.decode()

    def _send(self, data: bytes) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        for start in range(0, len(data), _CHUNK):
            pipe.write(data[start : start + _CHUNK])

    def _until(self, mark: bytes) -> bytes:
        """Return what comes before a mark."""
        pipe = self._process.stdout
        assert pipe is not None
        received = bytearray()
        deadline = time.monotonic() + _PATIENCE_S
        while not received.endswith(mark):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise CortexMError(f"the Cortex-M says nothing for {_PATIENCE_S:g} s")
            byte = os.read(pipe.fileno(), 1)
            if not byte:
                raise CortexMError(f"{QEMU} has ended: {received[-80:].decode(errors='replace')}")
            received += byte
        return bytes(received[: -len(mark)])
