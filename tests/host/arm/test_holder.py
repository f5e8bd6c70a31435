"""A second shell asks the process that holds the port."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from guidearm.arm import ArmState, Holder, HolderClient, attach
from guidearm.arm.holder import socket_path
from guidearm.connection import robot_on
from guidearm.errors import GuideArmError, PortError, StoppedError
from guidearm.geometry import Array
from guidearm.link import Connection
from guidearm_hil.rig import VirtualArm

URL = "/dev/ttyTEST0"


@pytest.fixture(autouse=True)
def runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder() -> Iterator[Holder]:
    served = Holder(URL)
    yield served
    served.close()


def ask(line: bytes) -> socket.socket:
    """Return a connection on which `line` has been sent to the holder."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(str(socket_path(URL)))
    client.settimeout(5)
    client.sendall(line)
    return client


def answer_on(client: socket.socket) -> dict[str, Any]:
    with client, client.makefile("rb") as reader:
        return json.loads(reader.readline())


def test_requests_are_answered_at_the_next_poll(holder: Holder) -> None:
    clients = [ask(b'{"request": "state"}\n'), ask(b'{"request": "state"}\n')]
    asked: list[str] = []

    def handle(request: str) -> dict[str, Any]:
        asked.append(request)
        return {"n": len(asked)}

    holder.poll(handle)
    assert [answer_on(client) for client in clients] == [{"n": 1}, {"n": 2}]
    assert asked == ["state", "state"]


def test_a_request_may_come_in_pieces_and_nonsense_is_refused(holder: Holder) -> None:
    slow = ask(b'{"requ')
    nonsense = [ask(b"hello\n"), ask(b"[1]\n"), ask(b'{"request": "fly"}\n'), ask(b"x" * 300)]
    left = ask(b"")
    left.close()
    for _ in range(3):
        holder.poll(lambda request: {"ok": request})
    slow.sendall(b'est": "state"}\n')
    holder.poll(lambda request: {"ok": request})
    assert answer_on(slow) == {"ok": "state"}
    for client in nonsense:
        assert "none of state, stop, link" in answer_on(client)["error"]


def test_what_the_handler_raises_reaches_both_ends(holder: Holder) -> None:
    def handle(request: str) -> dict[str, Any]:
        raise GuideArmError(f"{request} failed")

    client = ask(b'{"request": "stop"}\n')
    with pytest.raises(GuideArmError, match="stop failed"):
        holder.poll(handle)
    assert answer_on(client) == {"error": "stop failed"}


def test_the_client_speaks_the_same_language(holder: Holder) -> None:
    client = attach(URL)
    assert isinstance(client, HolderClient)
    answers: list[dict[str, Any]] = []
    thread = Thread(target=lambda: answers.extend((client.state(), client.stop())))
    thread.start()
    while thread.is_alive():
        holder.poll(lambda request: {"told": request})
    thread.join()
    assert answers == [{"told": "state"}, {"told": "stop"}]


def test_one_holder_for_a_port_and_stale_sockets_are_replaced(holder: Holder) -> None:
    with pytest.raises(PortError, match="in use by another guidearm"):
        Holder(URL)
    holder.close()
    assert attach(URL) is None
    killed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    killed.bind(str(socket_path(URL)))
    killed.close()  # the path stays, as after kill -9
    assert socket_path(URL).exists()
    assert attach(URL) is None
    with_stale = Holder(URL)
    assert attach(URL) is not None
    with_stale.close()
    assert not socket_path(URL).exists()


def test_names_of_one_device_share_a_socket(tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch()
    link = tmp_path / "by-id"
    link.symlink_to(device)
    assert socket_path(str(link)) == socket_path(str(device))
    assert socket_path("socket://a:1") != socket_path("socket://a:2")


def test_a_folder_open_to_others_is_refused(runtime_folder: Path) -> None:
    folder = runtime_folder / "guidearm"
    folder.mkdir(mode=0o700)
    folder.chmod(0o755)
    with pytest.raises(PortError, match="is not this user's alone"):
        socket_path(URL)


def test_stop_from_another_shell_stops_a_move(virtual_arm: VirtualArm, goal: Array) -> None:
    connection = virtual_arm.connection()
    served = Connection(connection.port, connection.clock, physical=True)
    clients: dict[str, socket.socket] = {}

    def on_state(state: ArmState) -> None:
        if state.moving and state.q[0] > 0.1 and not clients:
            clients["state"] = ask(b'{"request": "state"}\n')
            clients["stop"] = ask(b'{"request": "stop"}\n')

    with robot_on(served, virtual_arm.arm, URL) as robot:
        robot.enable()
        with pytest.raises(StoppedError, match="stopped from another shell"):
            robot.move_joints(goal, on_state=on_state)
        assert not robot.state.moving
        assert robot.state.q[0] < goal[0] - 0.05
    during, after = answer_on(clients["state"]), answer_on(clients["stop"])
    assert during["port"] == "virtual:seed=3"
    assert "moving" in during["joints"][0]["flags"]
    assert {joint["state"] for joint in after["joints"]} == {"switch on disabled"}
    assert attach(URL) is None


def test_feed_from_another_shell_slows_a_move(virtual_arm: VirtualArm, goal: Array) -> None:
    connection = virtual_arm.connection()
    served = Connection(connection.port, connection.clock, physical=True)
    clients: list[socket.socket] = []

    def on_state(state: ArmState) -> None:
        if state.moving and state.q[0] > 0.005 and not clients:
            clients.extend(
                ask(b'{"request": "%s"}\n' % request)
                for request in (b"feed 0.2", b"feed 7", b"feed fast", b"feed")
            )

    with robot_on(served, virtual_arm.arm, URL) as robot:
        robot.enable()
        full = robot.move_joints(goal, 0.4)
        robot.move_joints(virtual_arm.arm.home)
        slow = robot.move_joints(goal, 0.4, on_state)
    assert slow.end - slow.start > 1.5 * (full.end - full.start)
    assert "moving" in answer_on(clients[0])["joints"][0]["flags"]
    assert answer_on(clients[1]) == {"error": "joint move: feed 700 % is neither 0 nor 1 to 100 %"}
    assert "fast" in answer_on(clients[2])["error"]
    assert "error" in answer_on(clients[3])


def test_the_link_is_told_in_mid_move_without_disturbing_it(
    virtual_arm: VirtualArm, goal: Array
) -> None:
    connection = virtual_arm.connection()
    served = Connection(connection.port, connection.clock, physical=True)
    clients: list[socket.socket] = []

    def on_state(state: ArmState) -> None:
        if state.moving and state.q[0] > 0.1 and not clients:
            clients.append(ask(b'{"request": "link"}\n'))

    with robot_on(served, virtual_arm.arm, URL) as robot:
        robot.enable()
        record = robot.move_joints(goal, on_state=on_state)
        assert record.sent_again == 0
    told = answer_on(clients[0])["joints"]
    assert [joint["joint"] for joint in told] == list(range(1, 7))
    for joint in told:
        assert joint["sent"] == joint["executed"] > 30
        assert joint["lost"] == joint["unanswered"] == joint["missed_slots"] == 0
