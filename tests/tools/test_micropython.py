"""The interpreter is found in order, and nothing but a fit MicroPython is believed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from guidearm.errors import GuideArmError
from guidearm_tools import micropython
from guidearm_tools.micropython import (
    Interpreter,
    MicroPythonError,
    find_interpreter,
    probe,
)


def program(path: Path, says: str, status: int = 0) -> Path:
    """Write a stand-in interpreter that prints one line whatever it is asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend that the package lies in a checkout of its own, without an interpreter."""
    root = tmp_path / "checkout"
    monkeypatch.setattr(
        micropython.guidearm_tools, "__file__", str(root / "tools" / "guidearm_tools" / "x.py")
    )
    return root


def test_the_set_up_one_is_genuine_and_as_wide_as_the_target() -> None:
    interpreter = find_interpreter({})
    assert interpreter.version[:2] == (1, 25)
    assert interpreter.word_bits == 32
    assert str(interpreter) == "MicroPython 1.25.0, 32-bit"


def test_native_code_wraps_as_on_the_target(tmp_path: Path) -> None:
    (tmp_path / "wrap.py").write_text(
        "import micropython\n"
        "@micropython.viper\n"
        "def twice(x: int) -> int:\n"
        "    return x + x\n"
        "print(twice(0x40000000))\n"
    )
    interpreter = find_interpreter({})
    answer = subprocess.run(
        [interpreter.path, "-c", "import wrap"],
        env=interpreter.environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "-2147483648\n"


def test_only_the_given_folder_is_on_the_path(tmp_path: Path) -> None:
    interpreter = find_interpreter({})
    answer = subprocess.run(
        [interpreter.path, "-c", "import sys; print(sys.path)"],
        env=interpreter.environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == f"['', '.frozen', '{tmp_path}']\n"


def test_a_named_one_comes_first(tmp_path: Path) -> None:
    named = program(tmp_path / "mine", "micropython 1 26 0 9223372036854775807 42")
    interpreter = find_interpreter({"GUIDEARM_MICROPYTHON": str(named)})
    assert interpreter == Interpreter(named, (1, 26, 0), 64)


def test_an_unfit_named_one_is_not_replaced(tmp_path: Path) -> None:
    named = program(tmp_path / "mine", "micropython 1 22 1 9223372036854775807 42")
    with pytest.raises(MicroPythonError, match=r"mine is MicroPython 1\.22\.1, older than 1\.25"):
        find_interpreter({"GUIDEARM_MICROPYTHON": str(named)})


def test_a_named_one_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(MicroPythonError, match=r"GUIDEARM_MICROPYTHON=.*nowhere is not a program"):
        find_interpreter({"GUIDEARM_MICROPYTHON": str(tmp_path / "nowhere")})


def test_the_checkout_comes_before_the_path(tmp_path: Path, checkout: Path) -> None:
    fit = "micropython 1 25 0 2147483647 42"
    on_path = program(tmp_path / "bin" / "micropython", fit)
    environ = {"PATH": str(on_path.parent)}
    assert find_interpreter(environ).path == on_path
    own = program(checkout / ".micropython" / "micropython", fit)
    assert find_interpreter(environ).path == own


def test_a_broken_checkout_gives_way_to_the_path(tmp_path: Path, checkout: Path) -> None:
    program(checkout / ".micropython" / "micropython", "Exec format error", status=126)
    on_path = program(tmp_path / "bin" / "micropython", "micropython 1 25 0 2147483647 42")
    assert find_interpreter({"PATH": str(on_path.parent)}).path == on_path


def test_none_at_all_says_how_to_mend_it(tmp_path: Path, checkout: Path) -> None:
    with pytest.raises(GuideArmError) as caught:
        find_interpreter({"PATH": str(tmp_path)})
    message = str(caught.value)
    assert message.startswith("no MicroPython found: run tools/setup")
    assert "GUIDEARM_MICROPYTHON" in message
    assert "\n" not in message


def test_cpython_is_not_believed() -> None:
    with pytest.raises(MicroPythonError, match=r"is no MicroPython with viper .*micropython"):
        probe(Path(sys.executable))


@pytest.mark.parametrize(
    "says",
    [
        "",
        "micropython 1 25 0 2147483647",
        "micropython 1 25 0 wide 42",
        "micropython 1 25 0 2147483647 41",
        "circuitpython 9 2 0 2147483647 42",
    ],
)
def test_a_wrong_answer_is_not_believed(tmp_path: Path, says: str) -> None:
    with pytest.raises(MicroPythonError, match="no MicroPython with viper"):
        probe(program(tmp_path / "odd", says))


def test_a_file_that_cannot_run_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("not a program")
    with pytest.raises(MicroPythonError, match="text does not run"):
        probe(path)
