"""Builds the one image of MicroPython files that makes a board a joint.

The virtual joint, the emulated boards and both ways of flashing take their files from here, so
what was tested is what is shipped. The list of files is explicit: nothing gets onto a joint, or
stays off it, because of what happens to lie in a folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from guidearm.errors import GuideArmError

FIRMWARE_FILES: tuple[str, ...] = (
    "main.py",
    "joint/arithmetic.py",
    "joint/body.py",
    "joint/capture.py",
    "joint/cycle.py",
    "joint/drive.py",
    "joint/frame.py",
    "joint/identity.py",
    "joint/link.py",
    "joint/parameters.py",
    "joint/segments.py",
    "joint/servo.py",
    "joint/session.py",
    "joint/storage.py",
    "joint/supervisor.py",
)
"""Files of the firmware as named in `guidearm_firmware`, with the same names in the image."""

BOARDS: dict[str, tuple[str, ...]] = {
    "rp2": (
        "rp2_analog.py",
        "rp2_bridge.py",
        "rp2_bus.py",
        "rp2_chip.py",
        "rp2_clock.py",
        "rp2_flash.py",
        "rp2_interrupt.py",
        "rp2_pins.py",
        "rp2_quadrature.py",
        "rp2_spi.py",
        "rp2_watchdog.py",
    ),
}
"""The firmware's boards in `guidearm_firmware/boards`, NAME.py each, and the modules they need."""

PROTOCOL_FILES: tuple[str, ...] = ("messages.py", "parameters.py")
"""Files shared with the host, as named in `guidearm_protocol`, where the image has them too."""


class ImageError(GuideArmError):
    """An image cannot be built from what is given."""


def image_files(board: Path, modules: Iterable[Path] = ()) -> dict[str, bytes]:
    """Collect the files of an image: name within the image to content, in order of name.

    `board` becomes `board.py`, the joint's hold on its hardware; `modules` are files the board
    needs beside it and keep their names. Raises ImageError when a file is missing or two would
    have one name.
    """
    image: dict[str, bytes] = {}
    for package, prefix, names in (
        ("guidearm_firmware", "", FIRMWARE_FILES),
        ("guidearm_protocol", "guidearm_protocol/", PROTOCOL_FILES),
    ):
        for name in names:
            source = files(package).joinpath(name)
            if not source.is_file():
                raise ImageError(f"{package} has no {name}: install guidearm again")
            image[prefix + name] = source.read_bytes()
    for name, path in [("board.py", board), *((path.name, path) for path in modules)]:
        if name in image:
            raise ImageError(f"{path}: the image has a {name} already, rename this one")
        try:
            image[name] = path.read_bytes()
        except OSError as error:
            raise ImageError(f"board file {path} cannot be read ({error.strerror})") from error
    return dict(sorted(image.items()))


def board_files(name: str) -> tuple[Path, list[Path]]:
    """Return the file of one of the firmware's boards, and of the modules that it needs.

    Raises ImageError for a name that is none of BOARDS.
    """
    if name not in BOARDS:
        raise ImageError(f"there is no board {name}: there is {', '.join(BOARDS)}")
    folder = Path(str(files("guidearm_firmware").joinpath("boards")))
    return folder / f"{name}.py", [folder / module for module in BOARDS[name]]


def build_image(destination: Path, board: Path, modules: Iterable[Path] = ()) -> dict[str, bytes]:
    """Write an image into a folder and return its files as `image_files` does.

    A MicroPython process runs it with `Interpreter.environment(destination)`. Raises ImageError
    as `image_files` does, and when the folder is not empty, since a file left over from another
    image could shadow one of this.
    """
    image = image_files(board, modules)
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise ImageError(f"{destination} is not an empty folder: name a new one for the image")
    for name, content in image.items():
        path = destination / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return image


def image_digest(image: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of an image in hex, over names and contents, whatever their order.

    Each name and content is preceded by its length, so no two images share a digest by the way
    their bytes happen to join.
    """
    digest = hashlib.sha256()
    for name in sorted(image):
        for part in (name.encode(), image[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()
