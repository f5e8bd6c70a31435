"""A port through pyserial: real adapters, pseudo-terminals, TCP sockets."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import re
import select
import socket
from pathlib import Path

import serial

from guidearm.errors import PortError, PortInUseError
from guidearm.link.clock import Clock, SystemClock
from guidearm.link.port import BITS_PER_BYTE, Connection

SLACK_S = 0.03  # FTDI adapters hold bytes for 16 ms unless told otherwise; schedulers add theirs
WRITE_TIMEOUT_S = 1.0
POLL_S = 0.0005  # between looks at a port that has no file descriptor to wait on
READ_BYTES = 4096
IN_USE = (errno.EBUSY, errno.EAGAIN)


class SerialPort:
    """`Port` over an open pyserial object whose read timeout is 0."""

    def __init__(self, device: serial.SerialBase, name: str, baud: int, clock: Clock) -> None:
        """Take over `device`; `name` is how the user calls it."""
        self.name = name
        self.baud = baud
        self.slack_s = SLACK_S
        self._device = device
        self._clock = clock
        self._sent_until = 0.0
        self._descriptor: int | None = None
        with contextlib.suppress(OSError, AttributeError):  # some kinds of port have none
            self._descriptor = device.fileno()

    def set_baud(self, baud: int) -> None:
        """Set the rate; raises PortError if the adapter has no such rate."""
        try:
            self._device.baudrate = baud
        except (serial.SerialException, OSError, ValueError) as error:
            raise PortError(f"port {self.name} cannot be set to {baud} baud: {error}") from None
        self.baud = baud

    def write(self, data: bytes) -> float:
        """Send `data`; return the instant its last byte is computed to leave the wire."""
        start = max(self._clock.now(), self._sent_until)
        try:
            self._device.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from None
        self._sent_until = start + len(data) * BITS_PER_BYTE / self.baud
        return self._sent_until

    def read(self, deadline: float) -> bytes:
        """Return received bytes as soon as there are any, or b"" at `deadline`."""
        while True:
            try:
                # in_waiting and read_until are slow or wrong on some ports: take what is there
                data = self._device.read(READ_BYTES)
                if data or self._clock.now() >= deadline:
                    return bytes(data)
                self._wait(deadline)
            except (serial.SerialException, OSError) as error:
                raise self._gone(error) from None

    def _wait(self, deadline: float) -> None:
        if self._descriptor is None:
            self._clock.sleep_until(min(deadline, self._clock.now() + POLL_S))
        else:
            select.select([self._descriptor], [], [], max(0.0, deadline - self._clock.now()))

    def discard_input(self) -> None:
        """Forget everything received and not read yet."""
        while self.read(self._clock.now()):
            pass

    def close(self) -> None:
        """Close the device."""
        self._device.close()

    def _gone(self, error: Exception) -> PortError:
        return PortError(f"port {self.name} went away ({error}): check its cable and power")


def open_serial(url: str, baud: int) -> Connection:
    """Open a pyserial URL exclusively; raises PortError with what to do."""
    clock = SystemClock()
    try:
        device = serial.serial_for_url(
            url, baudrate=baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
        )
    except (serial.SerialException, OSError, ValueError) as error:
        kind = PortInUseError if _number(error) in IN_USE else PortError
        raise kind(why_not_opened(url, error)) from None
    if url.startswith("socket:"):
        _send_at_once(device.fileno())
    elif isinstance(device, serial.Serial):
        # FTDI adapters then hold bytes for 1 ms instead of 16; others cannot be told
        with contextlib.suppress(OSError, ValueError, NotImplementedError):
            device.set_low_latency_mode(True)
    return Connection(SerialPort(device, url, baud, clock), clock, physical=True)


def _send_at_once(descriptor: int) -> None:
    """Turn off Nagle's algorithm, which keeps a second small frame back for up to 40 ms."""
    with socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def why_not_opened(url: str, error: Exception) -> str:
    """Return one line that says why `url` could not be opened and what to do."""
    number = _number(error)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return f"port {url} is not there: check its cable and name"
    if number in IN_USE:
        return f"port {url} may be in use by another program: close that one first"
    if number in (errno.EACCES, errno.EPERM):
        return f"port {url} may not be opened: {_how_to_be_allowed(url)}"
    if number == errno.ECONNREFUSED:
        return f"nothing listens at {url}: start the other side first"
    return f"port {url} cannot be opened: {error}"


def _number(error: Exception) -> int | None:
    """Return the system's number of an error, which pyserial may hide in its text."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = re.search(r"\[Errno (\d+)\]", str(error))
    return int(found.group(1)) if found else None


def _how_to_be_allowed(url: str) -> str:
    try:
        status = Path(url).stat()
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return "ask its owner for read and write permission"
    if status.st_mode & 0o060 != 0o060:
        return f"its group {group} has no read and write permission: ask its owner"
    return f"join the group {group} (sudo usermod -aG {group} $USER) and log in again"
