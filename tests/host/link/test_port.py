"""Ports of this computer: what goes through, and what is said when one cannot be opened."""

from __future__ import annotations

import errno
import os
import socket
import tty
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import serial

from guidearm.errors import OptionError, PortError
from guidearm.link import Connection, SystemClock, open_port, port
from guidearm.link.serial_port import why_not_opened


def test_bytes_through_a_pseudo_terminal() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    connection = open_port(os.ttyname(slave))
    assert connection.physical
    line, clock = connection.port, connection.clock
    assert line.slack_s > 0.016  # an FTDI adapter's latency
    before = clock.now()
    end = line.write(b"x" * 100)
    assert end >= before + 0.001  # 1000 bits at 1 Mbaud
    assert os.read(master, 200) == b"x" * 100
    assert line.write(b"y") >= end + 9e-6  # queued behind what is still on the wire
    os.write(master, b"\x00\x03\x11\x0d\x0a")
    assert line.read(clock.now() + 5) == b"\x00\x03\x11\x0d\x0a"
    assert line.read(clock.now()) == b""
    os.write(master, b"old")
    line.discard_input()
    assert line.read(clock.now()) == b""
    with pytest.raises(PortError, match="may be in use by another program"):
        open_port(os.ttyname(slave))
    line.close()
    line.close()
    os.close(slave)
    os.close(master)


def test_bytes_through_a_socket_and_its_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        connection = open_port(url)
        peer, _ = server.accept()
        line, clock = connection.port, connection.clock
        line.write(b"hello")
        assert peer.recv(10) == b"hello"
        peer.sendall(b"there")
        assert line.read(clock.now() + 5) == b"there"
        peer.close()
        with pytest.raises(PortError, match=f"{url} went away"):
            line.read(clock.now() + 5)
        line.close()


def test_absent_ports_are_named(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="is not there: check its cable and name"):
        open_port(str(tmp_path / "ttyUSB9"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    with pytest.raises(PortError, match="nothing listens at"):
        open_port(f"socket://127.0.0.1:{number}")
    with pytest.raises(PortError, match="cannot be opened"):
        open_port("nonsense://x")
    with pytest.raises(OptionError, match="no port given"):
        open_port("")


def test_a_forbidden_port_names_the_group_to_join(tmp_path: Path) -> None:
    node = tmp_path / "ttyUSB0"
    node.touch()
    node.chmod(0o660)
    group = node.group()
    error = serial.SerialException(errno.EACCES, "could not open port")
    assert f"join the group {group} (sudo usermod -aG {group} $USER)" in why_not_opened(
        str(node), error
    )
    node.chmod(0o600)
    assert "has no read and write permission" in why_not_opened(str(node), error)
    assert "ask its owner" in why_not_opened("/dev/nowhere", error)


def test_other_schemes_come_through_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def fake_entry_points(group: str, name: str) -> list[EntryPoint]:
        assert (group, name) == ("guidearm.ports", "elsewhere")
        return [EntryPoint(name, f"{__name__}:opener", group)]

    def opener(url: str, baud: int) -> str:
        made.append(f"{url} at {baud}")
        return "a connection"

    def load(_: EntryPoint) -> object:
        return opener

    monkeypatch.setattr(port, "entry_points", fake_entry_points)
    monkeypatch.setattr(EntryPoint, "load", load)
    assert open_port("elsewhere:seed=3", 3_000_000) == "a connection"
    assert made == ["elsewhere:seed=3 at 3000000"]


def test_the_system_clock_waits() -> None:
    clock = SystemClock()
    start = clock.now()
    clock.sleep_until(start + 0.002)
    assert clock.now() >= start + 0.002
    clock.sleep_until(start)
    connection = Connection(port=_NoPort(), clock=clock)
    assert not connection.physical


class _NoPort:
    name = "none"
    baud = 9600
    slack_s = 0.0

    def write(self, data: bytes) -> float:
        return len(data) / self.baud

    def read(self, deadline: float) -> bytes:
        return b"" if deadline else b"x"

    def set_baud(self, baud: int) -> None: ...

    def discard_input(self) -> None: ...

    def close(self) -> None: ...
