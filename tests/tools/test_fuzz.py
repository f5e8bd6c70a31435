"""The fuzz targets hold on what they begin with and on what that looks like when mauled."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest

import guidearm_hil
from guidearm_tools import fuzz
from guidearm_tools.spoil import maul

EXAMPLES = sorted((Path(guidearm_hil.__file__).parent / "data").glob("*.json"))
MAULED = 60


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_a_target_holds(name: str) -> None:
    target = fuzz.TARGETS[name]()
    rng = random.Random(name)
    begin = [*fuzz.seeds(name, EXAMPLES), b"", b"{}", rng.randbytes(100)]
    for data in begin:
        target(data)
    for _ in range(MAULED):
        target(maul(rng.choice([data for data in begin if data]), rng))


def test_examples_go_to_the_target_they_are_named_after() -> None:
    assert len(list(fuzz.seeds("plan", EXAMPLES))) == 1
    assert len(list(fuzz.seeds("registration", EXAMPLES))) == 1
    assert len(list(fuzz.seeds("frames", EXAMPLES))) > 50


def test_a_target_tells_what_its_decoder_must_not_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise KeyError("name")

    monkeypatch.setattr(fuzz, "read_plan", broken)
    with pytest.raises(KeyError):
        fuzz.TARGETS["plan"]()(b"{}")

    def nothing(_: bytes) -> None:
        return

    monkeypatch.setattr(fuzz, "decode_frame", nothing)
    good = next(fuzz.seeds("frames", ()))
    with pytest.raises(AssertionError, match="does not encode to itself"):
        fuzz.TARGETS["frames"]()(good)


def test_an_unknown_target_and_a_missing_fuzzer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        fuzz.main(["nothing"])
    assert ended.value.code == 2
    assert "there is no target nothing" in capsys.readouterr().err

    def nowhere(name: str) -> None:
        assert name == "atheris"

    monkeypatch.setattr(importlib.util, "find_spec", nowhere)
    assert fuzz.main(["frames"]) == 0
    assert "skipped" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="no atheris here")
def test_the_fuzzer_finds_nothing_in_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["bodies", "--seconds", "1"]) == 0
    assert " inputs in 1 s  ok" in capsys.readouterr().out
