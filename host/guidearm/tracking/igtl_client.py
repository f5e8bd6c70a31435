"""A tracker behind an OpenIGTLink server."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from guidearm.errors import TrackingError
from guidearm.tracking import igtl
from guidearm.tracking.datasheet import DataSheet
from guidearm.tracking.frames import MarkerPose, MarkerStatus, TrackerFrame

_CHUNK = 65_536
_MAX_CHUNKS = 64
_OFFSET_WINDOW = 600


class IgtlTracker:
    """Frames from the TDATA messages of an OpenIGTLink server.

    One message is one frame. Its number is the sender's timestamp in whole microseconds, so a
    message that is repeated, or not newer, is dropped and counted rather than averaged twice. Its
    time on the host's clock is the timestamp plus an offset: the smallest difference between
    arrival and timestamp over the last 600 frames (the least delayed one), less the declared
    latency; so network jitter does not reach the frame times.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        now: Callable[[], float],
        data_sheet: DataSheet | None = None,
        connect_timeout_s: float = 3.0,
    ) -> None:
        """Connect and ask for the stream.

        Takes:
            host: name or address of the server.
            port: TCP port, usually 18944.
            now: the host's clock, seconds.
            data_sheet: what the tracker's maker declares; the project's default if left out.
            connect_timeout_s: how long the connection may take.

        Raises TrackingError: the server cannot be reached.
        """
        self.data_sheet = DataSheet() if data_sheet is None else data_sheet
        self.address = f"{host}:{port}"
        self.duplicates = 0
        self._now = now
        self._reader = igtl.MessageReader()
        self._number = -1
        self._delays: deque[float] = deque(maxlen=_OFFSET_WINDOW)
        self._open = True
        try:
            self._socket = socket.create_connection((host, port), timeout=connect_timeout_s)
        except OSError as error:
            raise TrackingError(
                f"tracker at {self.address} cannot be reached: {error.strerror or error}; "
                "is its OpenIGTLink server running?"
            ) from None
        self._socket.setblocking(False)
        period_ms = round(1000.0 / self.data_sheet.rate_hz)
        start = igtl.encode(
            "STT_TDATA", igtl.encode_start_tdata(period_ms), device="guidearm", time_s=0.0
        )
        try:
            self._socket.sendall(start)
        except OSError as error:
            raise self._lost(str(error.strerror or error)) from None

    @property
    def crc_errors(self) -> int:
        """Messages dropped because their CRC was wrong."""
        return self._reader.crc_errors

    def poll(self) -> list[TrackerFrame]:
        """Return new frames, oldest first, without waiting.

        Raises TrackingError: the connection was lost, the stream is not OpenIGTLink, or the tracker
        reports a status other than OK.
        """
        if not self._open:
            raise TrackingError(f"tracker at {self.address} is closed")
        frames: list[TrackerFrame] = []
        for _ in range(_MAX_CHUNKS):
            try:
                data = self._socket.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError as error:
                raise self._lost(str(error.strerror or error)) from None
            if not data:
                raise self._lost("the server closed it")
            for message in self._reader.feed(data):
                frame = self._frame(message)
                if frame is not None:
                    frames.append(frame)
        return frames

    def fileno(self) -> int:
        """Descriptor of the connection, for `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        if self._open:
            self._open = False
            self._socket.close()

    def _frame(self, message: igtl.Message) -> TrackerFrame | None:
        if message.type == "STATUS":
            code, _, name, text = igtl.decode_status(message.content)
            if code != igtl.STATUS_OK:
                said = igtl.STATUS_NAMES.get(code, f"status {code}")
                detail = " ".join(part for part in (name, text) if part)
                raise TrackingError(f"tracker at {self.address} reports {said} ({detail})")
            return None
        if message.type != "TDATA":
            return None
        number = round(message.time_s * 1e6)
        if number <= self._number:
            self.duplicates += 1
            return None
        self._number = number
        self._delays.append(self._now() - message.time_s)
        poses = igtl.decode_tdata(message.content)
        markers = {name: MarkerPose(MarkerStatus.VALID, pose) for name, pose in poses.items()}
        for name in self.data_sheet.markers:
            markers.setdefault(name, MarkerPose(MarkerStatus.MISSING))
        time_s = message.time_s + min(self._delays) - self.data_sheet.latency_s
        return TrackerFrame(number, time_s, markers)

    def _lost(self, why: str) -> TrackingError:
        self.close()
        return TrackingError(f"connection to the tracker at {self.address} was lost: {why}")
