"""Where programs outside reach the virtual bus: a pseudo-terminal, or TCP on this computer."""

from __future__ import annotations

import os
import socket
import tty
from contextlib import suppress
from typing import Protocol

from guidearm.errors import PortError

LOOPBACK = "127.0.0.1"
_READ_BYTES = 4096


class Line(Protocol):
    """A byte line that one program holds at a time. Nothing here waits."""

    @property
    def url(self) -> str:
        """What the program opens."""
        ...

    def waiting(self) -> list[int]:
        """Return the descriptors that become readable when there is something to `read`."""
        ...

    def read(self) -> bytes:
        """Return what the program sent, b"" if nothing; lets programs come and go."""
        ...

    def write(self, data: bytes) -> None:
        """Hand `data` to the program; what it does not take, or nobody hears, is lost."""
        ...

    def close(self) -> None:
        """Remove the line."""
        ...


class PtyLine:
    """A pseudo-terminal that looks like a serial port."""

    def __init__(self) -> None:
        """Open one in raw mode. Raises PortError."""
        try:
            self._ours, self._theirs = os.openpty()
        except OSError as error:
            raise PortError(
                f"no pseudo-terminal can be had: {error.strerror}; use --tcp PORT"
            ) from None
        tty.setraw(self._theirs)  # kept open, so that programs come and go without a hang-up
        os.set_blocking(self._ours, False)
        self.url = os.ttyname(self._theirs)

    def waiting(self) -> list[int]:
        """Return our end."""
        return [self._ours]

    def read(self) -> bytes:
        """Return what came."""
        with suppress(BlockingIOError):
            return os.read(self._ours, _READ_BYTES)
        return b""

    def write(self, data: bytes) -> None:
        """Send; when nobody reads and the terminal is full, bytes are lost as on a wire."""
        with suppress(BlockingIOError):
            os.write(self._ours, data)

    def close(self) -> None:
        """Close both ends."""
        os.close(self._ours)
        os.close(self._theirs)


class TcpLine:
    """A TCP port of this computer; a second client is turned away while one is connected."""

    def __init__(self, port: int) -> None:
        """Listen; 0 takes a free port. Raises PortError."""
        try:
            self._listener = socket.create_server((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise PortError(f"TCP port {port} cannot be opened: {error}; choose another") from None
        self._listener.setblocking(False)
        self._client: socket.socket | None = None
        self.url = f"socket://{LOOPBACK}:{self._listener.getsockname()[1]}"

    def waiting(self) -> list[int]:
        """Return listener and client."""
        clients = [] if self._client is None else [self._client.fileno()]
        return [self._listener.fileno(), *clients]

    def read(self) -> bytes:
        """Return what the client sent; notice that it left before another is let in."""
        data = b""
        if self._client is not None:
            try:
                data = self._client.recv(_READ_BYTES)
                left = not data
            except BlockingIOError:
                left = False
            except OSError:
                left = True
            if left:
                self._drop()
        if not data:
            self._accept()
        return data

    def write(self, data: bytes) -> None:
        """Send to the client, if there is one."""
        if self._client is None:
            return
        try:
            self._client.send(data)
        except BlockingIOError:
            return  # it reads nothing: lost as on a wire
        except OSError:
            self._drop()

    def close(self) -> None:
        """Disconnect and stop listening."""
        self._drop()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionError):
            client, _ = self._listener.accept()
            if self._client is not None:
                client.close()
                return
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client = client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
