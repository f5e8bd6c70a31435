"""A second shell's way to the arm: the process that holds the port answers on a local socket.

One request per connection, one line of JSON each way: `{"request": "state"}`, `"stop"`, `"link"`,
`"feed SHARE"`, or `"capture ..."` with one exchange of a capture. The holder has no thread of its
own; it looks at its socket in each cycle.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from guidearm.errors import GuideArmError, PortError, PortInUseError

STATE = "state"
STOP = "stop"
LINK = "link"
FEED = "feed"  # then the share
CAPTURE = "capture"  # then joint, message and body in hex: one exchange of a capture
REQUESTS = (STATE, STOP, LINK, FEED, CAPTURE)
PATIENCE_S = 5.0  # a client's, longer than any stop takes
MAX_REQUEST_BYTES = 256
MAX_CLIENTS = 8

Handler = Callable[[str], dict[str, Any]]


def socket_path(url: str) -> Path:
    """Return where the holder of the port `url` listens: the same for every name of a device.

    Raises PortError if the per-user folder belongs to somebody else.
    """
    name = str(Path(url).resolve()) if url.startswith("/") else url
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return _folder() / f"{digest}.sock"


def _folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        folder = Path(runtime) / "guidearm"
    else:
        folder = Path(tempfile.gettempdir()) / f"guidearm-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PortError(f"{folder} is not this user's alone: remove it or set XDG_RUNTIME_DIR")
    return folder


class Holder:
    """The holder's end."""

    def __init__(self, url: str) -> None:
        """Listen for the port `url`; a socket that a killed process left behind is replaced.

        Raises PortError if a living process serves the same port.
        """
        self._path = socket_path(url)
        self._clients: list[tuple[socket.socket, bytearray]] = []
        if attach(url) is not None:
            raise PortInUseError(f"port {url} is in use by another guidearm: close that one first")
        self._path.unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(self._path))
        self._server.listen(MAX_CLIENTS)
        self._server.setblocking(False)

    def poll(self, handle: Handler) -> None:
        """Answer what was asked since the last call; `handle` makes the answer to a request.

        Never waits for a client. What `handle` raises passes through.
        """
        while len(self._clients) < MAX_CLIENTS:
            try:
                client, _ = self._server.accept()
            except BlockingIOError:
                break
            client.setblocking(False)
            self._clients.append((client, bytearray()))
        for entry in list(self._clients):
            request = self._read(*entry)
            if request is not None:
                self._clients.remove(entry)
                with entry[0] as client:
                    self._answer(client, request, handle)

    def _answer(self, client: socket.socket, request: str, handle: Handler) -> None:
        answer: dict[str, Any] = {"error": f"the request is none of {', '.join(REQUESTS)}"}
        try:
            if request.partition(" ")[0] in REQUESTS:
                answer = handle(request)
        except GuideArmError as error:
            answer = {"error": str(error)}
            raise
        finally:
            with contextlib.suppress(OSError):  # a client that did not wait
                client.sendall(json.dumps(answer).encode() + b"\n")

    def _read(self, client: socket.socket, data: bytearray) -> str | None:
        """Return the request once it is whole, "" for nonsense, None while it is not there."""
        try:
            part = client.recv(MAX_REQUEST_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return ""
        data += part
        if b"\n" in data:
            try:
                request = json.loads(data.partition(b"\n")[0])
            except ValueError:
                return ""
            return str(request.get("request", "")) if isinstance(request, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        return "" if not part or len(data) > MAX_REQUEST_BYTES else None

    def close(self) -> None:
        """Stop listening and remove the socket."""
        for client, _ in self._clients:
            client.close()
        self._clients.clear()
        if self._server.fileno() >= 0:
            self._server.close()
            self._path.unlink(missing_ok=True)


class HolderClient:
    """The other shell's end; every request is a connection of its own."""

    def __init__(self, url: str, path: Path) -> None:
        """Ask the holder of `url` at `path`."""
        self._url = url
        self._path = path

    def state(self) -> dict[str, Any]:
        """Return the arm's state as the holder's `ArmState.as_dict` gives it."""
        return self._ask(STATE)

    def stop(self) -> dict[str, Any]:
        """Stop the arm under control; returns its state at rest."""
        return self._ask(STOP)

    def link(self) -> dict[str, Any]:
        """Return `joints`: for each, what `Balance.as_dict` gives of the holder's session."""
        return self._ask(LINK)

    def feed(self, share: float) -> dict[str, Any]:
        """Have the move that runs go on at a share of its speed, 0..1; returns the arm's state."""
        return self._ask(f"{FEED} {share!r}")

    def capture(self, joint: int, message: int, content: bytes) -> dict[str, Any]:
        """Have one exchange of a capture made; returns what `serve_capture` gives."""
        return self._ask(f"{CAPTURE} {joint} {message} {content.hex()}".rstrip())

    def _ask(self, request: str) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(PATIENCE_S)
                line.connect(str(self._path))
                line.sendall(json.dumps({"request": request}).encode() + b"\n")
                with line.makefile("rb") as reader:
                    answer = json.loads(reader.readline())
        except (OSError, ValueError):
            raise PortError(
                f"the program that holds {self._url} does not answer: it is not talking to the arm"
            ) from None
        if "error" in answer:
            raise PortError(f"the program that holds {self._url} says: {answer['error']}")
        return cast(dict[str, Any], answer)


def attach(url: str) -> HolderClient | None:
    """Return a client of the process that holds the port `url`, None if there is none."""
    path = socket_path(url)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(PATIENCE_S)
            line.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    return HolderClient(url, path)
