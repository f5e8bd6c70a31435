"""Six joints start and end as one, and the judge of that would tell if they did not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from guidearm.kinematics import Arm, load_arm
from guidearm_hil import timing
from guidearm_hil.campaign import END_US, FOLLOWING_DEG, SETTLED_COUNTS, START_US, judge_timing
from guidearm_hil.noise import Noise
from guidearm_hil.rig import VirtualArm, build_virtual_image
from guidearm_hil.timing import motion_timing

LATE_US = 2000


def test_six_joints_move_as_one() -> None:
    rows = judge_timing([6])
    assert [row["bound"] for row in rows] == [START_US, END_US, FOLLOWING_DEG, SETTLED_COUNTS]
    assert all(row["ok"] for row in rows), rows
    # joints on clocks of their own are never at one to the microsecond: it was measured
    assert rows[0]["measured"] > 0.1 and rows[2]["measured"] > 0.001


@pytest.mark.parametrize("seed", [1, 2])
def test_lost_and_damaged_frames_do_not_part_them(seed: int) -> None:
    noise = Noise(corrupt=0.02, drop=0.03)
    told = motion_timing(load_arm("guide6"), seed, noise=noise)
    assert told.start_us <= START_US
    assert told.end_us <= END_US
    assert told.settled_counts <= SETTLED_COUNTS


def late_joint(
    image: Path, arm: Arm, seed: int, *, clock_ppm: int, noise: Noise | None
) -> VirtualArm:
    """Start a virtual arm whose joint 4 starts too late, where clocks are not perfect."""
    images = {4: image} if clock_ppm else None
    return VirtualArm(arm, seed, clock_ppm=clock_ppm, images=images, noise=noise)


def test_a_joint_that_starts_late_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_virtual_image(tmp_path / "image")
    session = tmp_path / "image" / "joint" / "session.py"
    text = session.read_text(encoding="utf-8")
    call = "self.drive.start(self._values[0])"
    assert text.count(call) == 1
    session.write_text(text.replace(call, f"{call[:-1]} + {LATE_US})"), encoding="utf-8")
    monkeypatch.setattr(timing, "VirtualArm", partial(late_joint, tmp_path / "image"))
    told = motion_timing(load_arm("guide6"), 6)
    assert told.start_us == pytest.approx(LATE_US, abs=START_US)
    assert told.end_us == pytest.approx(LATE_US, abs=END_US)
    assert told.settled_counts <= SETTLED_COUNTS
