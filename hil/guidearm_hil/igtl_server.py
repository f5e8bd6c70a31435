"""Serves a tracker's frames to OpenIGTLink clients, without a thread of its own."""

from __future__ import annotations

import socket
from contextlib import suppress

from guidearm.errors import PortError
from guidearm.geometry import Array
from guidearm.tracking import Tracker, TrackerFrame, igtl

_MOST_CLIENTS = 8
_MOST_PENDING = 262_144
_DEVICE = "guidearm-sim"


class IgtlServer:
    """Sends every frame as one TDATA message to everybody who is connected.

    `poll()` does all the work and never waits. Requests of clients (STT_TDATA and the like) are
    read and not needed. A client that does not read its frames is dropped once a quarter of a
    megabyte, about 20 s of frames, waits for it.
    """

    def __init__(self, tracker: Tracker, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen on `host`:`port`; port 0 takes a free one, see `port`.

        Raises PortError if the port cannot be had.
        """
        self._tracker = tracker
        self._clients: dict[socket.socket, bytearray] = {}
        try:
            self._listener = socket.create_server((host, port))
        except OSError as error:
            raise PortError(
                f"TCP port {port} cannot be opened: {error.strerror}; choose another"
            ) from None
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]

    @property
    def clients(self) -> int:
        """Number of connected clients."""
        return len(self._clients)

    def poll(self) -> None:
        """Accept, drain requests, and pass on the frames that arrived."""
        self._accept()
        messages = b"".join(encode_frame(frame) for frame in self._tracker.poll())
        for client, pending in list(self._clients.items()):
            pending += messages
            if not _serve(client, pending):
                client.close()
                del self._clients[client]

    def close(self) -> None:
        """Disconnect everybody and stop listening."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except BlockingIOError:
                return
            if len(self._clients) >= _MOST_CLIENTS:
                client.close()
                continue
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients[client] = bytearray()


def encode_frame(frame: TrackerFrame) -> bytes:
    """One frame as a TDATA message; markers that are not seen are left out."""
    poses: dict[str, Array] = {
        name: frame.transform(name) for name in frame.markers if frame.sees(name)
    }
    return igtl.encode("TDATA", igtl.encode_tdata(poses), device=_DEVICE, time_s=frame.time_s)


def _serve(client: socket.socket, pending: bytearray) -> bool:
    """Drain what the client said and send what waits; False if it went away or fell behind."""
    try:
        with suppress(BlockingIOError):
            while client.recv(4096):
                continue
            return False
        with suppress(BlockingIOError):
            while pending:
                del pending[: client.send(pending)]
    except OSError:
        return False
    return len(pending) <= _MOST_PENDING
