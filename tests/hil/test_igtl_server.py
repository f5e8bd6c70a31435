"""Frames through OpenIGTLink: what a client gets is what the tracker saw."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from guidearm.errors import PortError, TrackingError
from guidearm.geometry import perturbation
from guidearm.tracking import (
    ARM_MARKER,
    PATIENT,
    DataSheet,
    IgtlTracker,
    MarkerPose,
    MarkerStatus,
    TrackerFrame,
)
from guidearm_hil.igtl_server import IgtlServer

POSE = perturbation([0.1, -0.2, 1.4], [0.5, 0.1, -2.0])


class Source:
    """A tracker that gives the frames it is handed."""

    def __init__(self) -> None:
        self.data_sheet = DataSheet()
        self.waiting: list[TrackerFrame] = []

    def poll(self) -> list[TrackerFrame]:
        frames, self.waiting = self.waiting, []
        return frames

    def close(self) -> None:
        self.waiting.clear()


def frame(number: int, *, arm: bool = True) -> TrackerFrame:
    seen = MarkerPose(MarkerStatus.VALID, POSE)
    hidden = MarkerPose(MarkerStatus.OUT_OF_VOLUME)
    return TrackerFrame(number, number / 60, {PATIENT: seen, ARM_MARKER: seen if arm else hidden})


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def server(source: Source) -> Iterator[IgtlServer]:
    server = IgtlServer(source)
    yield server
    server.close()


def connect(server: IgtlServer) -> IgtlTracker:
    client = IgtlTracker("127.0.0.1", server.port, now=lambda: 50.0)
    server.poll()
    return client


def received(client: IgtlTracker) -> list[TrackerFrame]:
    assert select.select([client], [], [], 5.0)[0]
    return client.poll()


def test_every_client_gets_every_frame(server: IgtlServer, source: Source) -> None:
    clients = [connect(server), connect(server)]
    assert server.clients == 2
    source.waiting = [frame(60), frame(61, arm=False)]
    server.poll()
    for client in clients:
        both, one = received(client)
        np.testing.assert_allclose(both.transform(PATIENT), POSE, atol=2e-7)
        assert both.sees(PATIENT, ARM_MARKER)
        assert one.sees(PATIENT) and not one.sees(ARM_MARKER)
        assert one.number - both.number == pytest.approx(1e6 / 60, abs=1)
        client.close()


def test_a_client_that_leaves_is_forgotten(server: IgtlServer, source: Source) -> None:
    client = connect(server)
    client.close()
    for number in range(5):
        source.waiting = [frame(60 + number)]
        server.poll()
    assert server.clients == 0


def test_a_client_that_never_reads_is_dropped(server: IgtlServer, source: Source) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        server.poll()
        assert server.clients == 1
        # More than the kernel's buffers and the server's own hold together.
        for _ in range(200):
            source.waiting = [frame(60)] * 500
            server.poll()
        assert server.clients == 0


def test_closing_is_seen_by_the_client(server: IgtlServer) -> None:
    client = connect(server)
    server.close()
    with pytest.raises(TrackingError, match="was lost"):
        received(client)


def test_a_port_in_use_is_named(server: IgtlServer, source: Source) -> None:
    with pytest.raises(PortError, match=f"TCP port {server.port} cannot be opened"):
        IgtlServer(source, server.port)
