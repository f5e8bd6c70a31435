"""Open a tracker by URL."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

from guidearm.errors import TrackingError
from guidearm.tracking.datasheet import DataSheet
from guidearm.tracking.frames import Tracker
from guidearm.tracking.igtl import DEFAULT_PORT
from guidearm.tracking.igtl_client import IgtlTracker

Opener = Callable[[str, Callable[[], float], DataSheet | None], Tracker]
"""(rest of the URL after the scheme and colon, clock, data sheet) -> Tracker."""

ENTRY_POINT_GROUP = "guidearm.trackers"


def open_tracker(
    url: str, *, now: Callable[[], float], data_sheet: DataSheet | None = None
) -> Tracker:
    """Open the tracker that `url` names: `igtl://HOST[:PORT]` or a scheme of an entry point.

    Takes:
        url: for example "igtl://192.168.0.7:18944".
        now: the host's clock, seconds.
        data_sheet: declared noise, rate and markers; the tracker's default if left out.

    Raises TrackingError: the URL is malformed, its scheme unknown, or the tracker cannot be
    reached.
    """
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise TrackingError(f"'{url}' is no tracker URL: write igtl://HOST:PORT")
    if scheme == "igtl":
        host, port = _host_and_port(url, rest)
        return IgtlTracker(host, port, now=now, data_sheet=data_sheet)
    found = entry_points(group=ENTRY_POINT_GROUP, name=scheme)
    if not found:
        known = sorted({"igtl", *(e.name for e in entry_points(group=ENTRY_POINT_GROUP))})
        raise TrackingError(f"unknown tracker scheme '{scheme}:' (known: {', '.join(known)})")
    opener = cast("Opener", next(iter(found)).load())
    return opener(rest, now, data_sheet)


def _host_and_port(url: str, rest: str) -> tuple[str, int]:
    host, colon, port = rest.removeprefix("//").rstrip("/").rpartition(":")
    if not colon:
        host, port = port, str(DEFAULT_PORT)
    if not rest.startswith("//") or not host or not port.isascii() or not port.isdecimal():
        raise TrackingError(f"'{url}' is no tracker URL: write igtl://HOST:PORT")
    if not 0 < int(port) < 65536:
        raise TrackingError(f"'{url}': port {port} is not between 1 and 65535")
    return host.strip("[]"), int(port)
