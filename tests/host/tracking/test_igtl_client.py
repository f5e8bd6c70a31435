"""The client against a server on this machine's loopback; time is the test's own."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from guidearm.errors import TrackingError
from guidearm.tracking import (
    ARM_MARKER,
    PATIENT,
    DataSheet,
    IgtlTracker,
    MarkerStatus,
    Tracker,
    TrackerFrame,
    igtl,
    open_tracker,
)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Peer:
    """A client, and the server's end of its connection."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.tracker = IgtlTracker("127.0.0.1", self.port, now=self.clock)
        self.server, _ = self.listener.accept()

    def send(self, message: bytes) -> None:
        self.server.sendall(message)

    def frames(self) -> list[TrackerFrame]:
        """Poll once something has arrived."""
        assert select.select([self.tracker], [], [], 5.0)[0]
        return self.tracker.poll()

    def close(self) -> None:
        self.tracker.close()
        self.server.close()
        self.listener.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def tdata(time_s: float, *names: str) -> bytes:
    content = igtl.encode_tdata({name: np.eye(4) for name in names})
    return igtl.encode("TDATA", content, device="Tracker", time_s=time_s)


def test_it_asks_for_the_stream(peer: Peer) -> None:
    (message,) = igtl.MessageReader().feed(peer.server.recv(4096))
    assert message.type == "STT_TDATA"
    assert int.from_bytes(message.content[:4], "big") == 17


def test_one_message_is_one_frame_and_unseen_tools_are_missing(peer: Peer) -> None:
    assert peer.tracker.poll() == []
    peer.send(tdata(5.0, PATIENT, "probe"))
    (frame,) = peer.frames()
    assert frame.number == 5_000_000
    assert frame.sees(PATIENT, "probe")
    assert frame.status(ARM_MARKER) is MarkerStatus.MISSING


def test_repeated_and_old_samples_are_dropped(peer: Peer) -> None:
    peer.send(tdata(5.0, PATIENT) + tdata(5.0, PATIENT) + tdata(4.9, PATIENT) + tdata(5.1, PATIENT))
    assert [frame.number for frame in peer.frames()] == [5_000_000, 5_100_000]
    assert peer.tracker.duplicates == 2


def test_frame_times_are_those_of_the_least_delayed_frame(peer: Peer) -> None:
    # The tracker's clock reads 5 s when the host's reads 100 s; network delay varies.
    seen: list[float] = []
    for k, delay_s in enumerate((0.02, 0.0, 0.05)):
        peer.clock.now_s = 100.0 + k + delay_s
        peer.send(tdata(5.0 + k, PATIENT))
        (frame,) = peer.frames()
        seen.append(frame.time_s + peer.tracker.data_sheet.latency_s)
    assert seen == pytest.approx([100.02, 101.0, 102.0])


def test_a_bad_crc_is_counted_and_the_stream_goes_on(peer: Peer) -> None:
    bad = bytearray(tdata(5.0, PATIENT))
    bad[-1] ^= 0x80
    peer.send(bytes(bad) + tdata(5.1, PATIENT))
    assert [frame.number for frame in peer.frames()] == [5_100_000]
    assert peer.tracker.crc_errors == 1


def test_a_status_other_than_ok_is_an_error(peer: Peer) -> None:
    peer.send(igtl.encode("STATUS", igtl.encode_status(1, "OK", ""), device="x", time_s=1.0))
    assert peer.frames() == []
    content = igtl.encode_status(18, "HW", "lamp")
    peer.send(igtl.encode("STATUS", content, device="x", time_s=1.0))
    with pytest.raises(TrackingError, match=r"hardware failure \(HW lamp\)"):
        peer.frames()


def test_a_lost_connection_is_an_error(peer: Peer) -> None:
    peer.server.close()
    with pytest.raises(TrackingError, match="was lost"):
        peer.frames()
    with pytest.raises(TrackingError, match="closed"):
        peer.tracker.poll()


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    with pytest.raises(TrackingError, match=f"127.0.0.1:{port} cannot be reached"):
        open_tracker(f"igtl://127.0.0.1:{port}", now=lambda: 0.0)


def test_urls(peer: Peer) -> None:
    sheet = DataSheet(latency_s=0.05)
    tracker: Tracker = open_tracker(
        f"igtl://127.0.0.1:{peer.port}", now=peer.clock, data_sheet=sheet
    )
    assert tracker.data_sheet is sheet
    tracker.close()
    for url, message in (
        ("127.0.0.1", "no tracker URL"),
        ("igtl:127.0.0.1:1", "no tracker URL"),
        ("igtl://host:port", "no tracker URL"),
        ("igtl://host:99999", "not between 1 and 65535"),
        ("polaris://x", "unknown tracker scheme 'polaris:'"),
    ):
        with pytest.raises(TrackingError, match=message):
            open_tracker(url, now=peer.clock)
