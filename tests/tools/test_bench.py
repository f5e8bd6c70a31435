"""The benches keep their promises, and tell when one is broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from guidearm.errors import MotionError
from guidearm.kinematics import load_arm
from guidearm_tools.bench import cli, codec, link
from guidearm_tools.bench.rows import BoundError
from guidearm_tools.image import build_image
from guidearm_tools.micropython import find_interpreter

ARM = load_arm("guide6")
CASES = 4000


def told(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(cli.bench, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_link_reaches_nine_tenths_of_the_wire_at_both_rates() -> None:
    summary = told("link", "--port", "virtual:seed=5", "--cycles", "60")
    assert [rate["baud"] for rate in summary["rates"]] == [1_000_000, 3_000_000]
    assert summary["rows"]
    for row in summary["rows"]:
        assert list(row) == ["name", "measured", "bound", "ok"]
        assert row["ok"], row
    slow, fast = summary["rates"]
    assert 280 < slow["cycle_rate_hz"] < slow["wire_limit"]["rate_hz"] < 320
    assert 600 < fast["cycle_rate_hz"] < fast["wire_limit"]["rate_hz"] < 750
    for rate in summary["rates"]:
        percentiles = list(rate["request_latency_us"].values())
        assert percentiles == sorted(percentiles)
        assert all(joint["sent"] == joint["executed"] for joint in rate["joints"])


def test_the_wire_limit_is_what_it_says() -> None:
    limit = link.wire_limit(6, 1_000_000)
    assert limit.wire_us == 10 * (67 + 6 * 35)
    assert limit.cycle_us == limit.wire_us + 200 + 6 * 40
    assert abs(link.wire_limit(6, 3_000_000).wire_us * 3 - limit.wire_us) < 1e-6


def test_a_promise_that_is_not_kept_ends_the_command_with_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "SHARE", 0.99)
    arguments = ["link", "--port", "virtual:seed=5&baud=1000000", "--cycles", "5"]
    result = CliRunner().invoke(cli.bench, arguments)
    assert isinstance(result.exception, BoundError)
    assert "out of bounds: share of the wire limit at 1 Mbaud" in str(result.exception)
    assert "FAILED" in result.output


def test_an_enabled_arm_is_not_benched(monkeypatch: pytest.MonkeyPatch) -> None:
    made = link.robot_on

    def enabled(*arguments: Any) -> Any:  # noqa: ANN401 passed on as they are
        robot = made(*arguments)
        robot.enable()
        return robot

    monkeypatch.setattr(link, "robot_on", enabled)
    with pytest.raises(MotionError, match="disable first"):
        link.bench_link("virtual:seed=1&baud=1000000", ARM, 5)


def test_corrupted_frames_are_refused_by_both_codecs() -> None:
    summary = told("codec", "--frames", str(CASES))
    for counts in (summary["host"], summary["joint"]):
        assert counts["cases"] == CASES
        assert counts["good"] == CASES // codec.GOOD_EVERY
        assert counts["wrong"] == counts["crashes"] == counts["missed"] == 0
        assert counts["whole"] > 0  # some damage lies beside the frame
    assert all(row["ok"] for row in summary["rows"])


def planted(text: str, instead: str) -> codec.Counts:
    """Return the counts of the firmware's codec with one text changed."""

    def build(folder: Path, script: Path) -> None:
        build_image(folder, script)
        path = folder / "joint" / "frame.py"
        source = path.read_text(encoding="utf-8")
        assert source.count(text) == 1
        path.write_text(source.replace(text, instead), encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "build_image", build)
        return codec.bench_joint(CASES, 0, find_interpreter())


def test_a_codec_that_does_not_check_is_found() -> None:
    unchecked = planted("if int(crc) != to[0]", "if size == 0 and int(crc) != to[0]")
    assert unchecked.wrong > 0
    overrun = planted("left = _MAX_ENCODED + 1 - fill", "left = size")
    assert overrun.crashes > 0


def test_a_host_codec_that_raises_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Raising:
        def feed(self, data: bytes) -> list[object]:
            raise IndexError(len(data))

    monkeypatch.setattr(codec, "StreamParser", Raising)
    counts = codec.bench_host(20, 0)
    assert (counts.crashes, counts.missed) == (20, 2)
    assert not all(row.ok for row in counts.rows("host"))
