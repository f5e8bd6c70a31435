"""An image holds exactly what its list says, and a digest tells any two apart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import guidearm_firmware
from guidearm_tools.image import (
    BOARDS,
    FIRMWARE_FILES,
    PROTOCOL_FILES,
    ImageError,
    board_files,
    build_image,
    image_digest,
    image_files,
)
from guidearm_tools.micropython import find_interpreter

images = st.dictionaries(st.text(max_size=4), st.binary(max_size=4), max_size=3)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    path = tmp_path / "my_board.py"
    path.write_text("NAME = 'mine'\n")
    return path


def test_the_list_is_what_is_on_disk() -> None:
    folder = Path(next(iter(guidearm_firmware.__path__)))
    on_disk = {"main.py", *(f"joint/{path.name}" for path in folder.glob("joint/*"))}
    on_disk -= {"joint/__pycache__", "joint/board_type.py"}  # the latter is for type checkers
    assert len(FIRMWARE_FILES) == len(set(FIRMWARE_FILES))
    assert set(FIRMWARE_FILES) == on_disk


def test_the_boards_are_what_is_on_disk() -> None:
    folder = Path(next(iter(guidearm_firmware.__path__))) / "boards"
    on_disk = {path.name for path in folder.glob("*.py")}
    assert on_disk == {f"{name}.py" for name in BOARDS} | {
        file for m in BOARDS.values() for file in m
    }


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_makes_an_image(name: str) -> None:
    image = image_files(*board_files(name))
    assert {"board.py", "main.py", *BOARDS[name]} <= image.keys()


def test_an_unknown_board_is_refused() -> None:
    with pytest.raises(ImageError, match="no board rp3: there is rp2"):
        board_files("rp3")


def test_what_is_in_an_image(tmp_path: Path, board: Path) -> None:
    plant = tmp_path / "plant.py"
    plant.write_bytes(b"x = 1\n")
    image = image_files(board, [plant])
    assert list(image) == sorted(
        [
            *FIRMWARE_FILES,
            *(f"guidearm_protocol/{name}" for name in PROTOCOL_FILES),
            "board.py",
            "plant.py",
        ]
    )
    assert image["board.py"] == board.read_bytes()
    assert image["plant.py"] == b"x = 1\n"


def test_on_disk_it_is_what_it_says(tmp_path: Path, board: Path) -> None:
    folder = tmp_path / "image"
    image = build_image(folder, board)
    written = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert written == image


def test_micropython_imports_from_it(tmp_path: Path, board: Path) -> None:
    folder = tmp_path / "image"
    build_image(folder, board)
    interpreter = find_interpreter()
    answer = subprocess.run(
        [interpreter.path, "-c", "import board, guidearm_protocol.messages; print(board.NAME)"],
        env=interpreter.environment(folder),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "mine\n"


def test_a_folder_in_use_is_refused(tmp_path: Path, board: Path) -> None:
    folder = tmp_path / "image"
    build_image(folder, board)
    with pytest.raises(ImageError, match="image is not an empty folder"):
        build_image(folder, board)


def test_a_missing_board_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent\.py cannot be read"):
        image_files(tmp_path / "absent.py")


@pytest.mark.parametrize("name", ["main.py", "board.py"])
def test_a_module_cannot_take_the_place_of_another(tmp_path: Path, board: Path, name: str) -> None:
    module = tmp_path / "extra" / name
    module.parent.mkdir()
    module.write_text("")
    with pytest.raises(ImageError, match="already, rename this one"):
        image_files(board, [module])


@given(images, images)
def test_digests_are_equal_only_for_equal_images(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    assert (image_digest(one) == image_digest(other)) == (one == other)


def test_a_digest_does_not_depend_on_order() -> None:
    assert image_digest({"a": b"1", "b": b"2"}) == image_digest({"b": b"2", "a": b"1"})


def test_a_byte_moved_from_one_file_to_the_next_is_seen() -> None:
    assert image_digest({"a": b"12", "b": b"3"}) != image_digest({"a": b"1", "b": b"23"})
