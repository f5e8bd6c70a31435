"""Clocks of the joints from common events: drift, jitter, outliers, wraps."""

from __future__ import annotations

import numpy as np
import pytest

from guidearm.errors import LinkError
from guidearm.link import ClockSync, ClockValues
from guidearm.link.clock_sync import DRIFT_UNIT, MIN_EVENTS, master_us
from guidearm_protocol.messages import TIME_MODULUS

JOINTS = (1, 2, 3, 4, 5, 6)
DRIFTS_PPM = np.array([100.0, -100.0, 37.0, 0.0, -62.0, 99.0])
OFFSETS_US = np.array([0, 5, TIME_MODULUS - 40_000, 123_456_789, 7_000_000, TIME_MODULUS - 1])


def joint_time(instant: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the true clocks at an instant: a drift of d ppm is a host that runs d ppm faster."""
    return OFFSETS_US + instant * 1e6 / (1 + DRIFTS_PPM * 1e-6)


def observe(
    sync: ClockSync,
    instants: list[float],
    rng: np.random.Generator,
    joint_jitter_us: float = 2.0,
    host_jitter_us: float = 0.0,
) -> None:
    """Feed events with white jitter at both ends."""
    for instant in instants:
        heard = joint_time(instant) + rng.normal(0, joint_jitter_us, 6)
        host = instant + rng.normal(0, host_jitter_us) * 1e-6
        sync.add(host, {j: round(t) % TIME_MODULUS for j, t in zip(JOINTS, heard, strict=True)})


def master_errors_us(values: dict[int, ClockValues], instant: float) -> list[float]:
    """Return how wrong the host time is that each joint would compute at `instant`."""
    errors: list[float] = []
    for joint, local in zip(JOINTS, joint_time(instant), strict=True):
        told = values[joint]
        since = (local - told.joint_us + TIME_MODULUS / 2) % TIME_MODULUS - TIME_MODULUS / 2
        host = told.master_us + since * (1 + told.drift * DRIFT_UNIT)
        error = host - instant * 1e6
        errors.append((error + TIME_MODULUS / 2) % TIME_MODULUS - TIME_MODULUS / 2)
    return errors


def every(period: float, count: int, start: float = 3.0) -> list[float]:
    return [start + period * k for k in range(count)]


def test_exact_clocks_are_found_exactly() -> None:
    sync = ClockSync(JOINTS)
    observe(sync, every(0.01, 60), np.random.default_rng(0), joint_jitter_us=0.0)
    values = sync.values()
    assert max(abs(e) for e in master_errors_us(values, 3.6)) < 2.0
    found = [values[joint].drift_ppm for joint in JOINTS]
    # whole microseconds over 0.6 s: 0.3 us rms resolve the drift to 0.3 / (0.17 sqrt 60) ppm
    assert np.allclose(found, DRIFTS_PPM, atol=1.0)


@pytest.mark.parametrize("seed", range(8))
def test_jitter_of_the_joints(seed: int) -> None:
    sync = ClockSync(JOINTS)
    observe(sync, every(0.01, 100), np.random.default_rng(seed), joint_jitter_us=3.0)
    values = sync.values()
    assert max(abs(e) for e in master_errors_us(values, 4.0)) < 5.0
    assert max(abs(e) for e in master_errors_us(values, 14.0)) < 60.0
    assert all(1.0 < values[joint].scatter_us < 5.0 for joint in JOINTS)


@pytest.mark.parametrize("seed", range(8))
def test_the_hosts_jitter_is_common_to_all_joints(seed: int) -> None:
    """A real port: instants wrong by milliseconds, yet the joints agree within microseconds."""
    sync = ClockSync(JOINTS)
    observe(sync, every(0.01, 100), np.random.default_rng(seed), 3.0, host_jitter_us=1000.0)
    errors = master_errors_us(sync.values(), 4.0)
    assert max(errors) - min(errors) < 15.0
    assert max(abs(e) for e in errors) < 1000.0


@pytest.mark.parametrize("seed", range(4))
def test_a_host_whose_time_went_uneven_still_starts_all_joints_together(seed: int) -> None:
    """A simulated bus slips on a busy computer: to the joints, the host jumps ahead."""
    sync = ClockSync(JOINTS)
    rng = np.random.default_rng(seed)
    jumps = np.cumsum(rng.choice([0.0, 0.02, 0.1], 100, p=[0.8, 0.15, 0.05]))
    for instant, jump in zip(every(0.01, 100), jumps, strict=True):
        heard = joint_time(instant) + rng.normal(0, 2, 6)
        told = {j: round(t) % TIME_MODULUS for j, t in zip(JOINTS, heard, strict=True)}
        sync.add(instant + jump, told)
    errors = np.array(master_errors_us(sync.values(), 4.1)) - jumps[-1] * 1e6
    assert np.ptp(errors) < 20.0
    assert np.max(np.abs(errors)) < 0.1e6


def test_a_host_that_runs_slow_is_not_blamed_on_a_joint() -> None:
    """A simulated bus that slips evenly: with +-100 ppm of their own some joints pass the limit."""
    sync = ClockSync(JOINTS)
    rng = np.random.default_rng(1)
    for instant in every(0.01, 100):
        heard = joint_time(instant) + rng.normal(0, 2, 6)
        told = {j: round(t) % TIME_MODULUS for j, t in zip(JOINTS, heard, strict=True)}
        sync.add(4.0 + (instant - 4.0) * (1 + 200e-6), told)
    assert np.ptp(master_errors_us(sync.values(), 4.1)) < 20.0


def test_outliers_of_one_joint_are_left_out() -> None:
    rng = np.random.default_rng(1)
    sync = ClockSync(JOINTS)
    for k, instant in enumerate(every(0.01, 100)):
        heard = joint_time(instant) + rng.normal(0, 2, 6)
        heard[2] += 4000 if k % 9 == 4 else 0
        sync.add(instant, {j: round(t) % TIME_MODULUS for j, t in zip(JOINTS, heard, strict=True)})
    assert max(abs(e) for e in master_errors_us(sync.values(), 4.0)) < 5.0


def test_wraps_and_long_pauses() -> None:
    """The joints' clocks wrap every 1074 s, here twice within a pause and once while observed."""
    sync = ClockSync(JOINTS)
    rng = np.random.default_rng(2)
    observe(sync, every(0.02, 60, start=0.0), rng)
    observe(sync, every(0.02, 60, start=2500.0), rng)
    values = sync.values()
    assert max(abs(e) for e in master_errors_us(values, 2501.2)) < 5.0
    assert all(0 <= v.joint_us < TIME_MODULUS for v in values.values())
    assert all(0 <= v.master_us < TIME_MODULUS for v in values.values())


def test_events_that_one_joint_missed_are_skipped() -> None:
    sync = ClockSync(JOINTS)
    observe(sync, every(0.01, 50), np.random.default_rng(3))
    sync.add(9.0, {1: 5, 2: 5})
    assert sync.skipped == 1
    assert abs(sync.values()[1].drift_ppm - 100) < 5


def test_too_few_or_too_close_events_are_no_clock() -> None:
    sync = ClockSync(JOINTS)
    with pytest.raises(LinkError, match="only 0 common events"):
        sync.values()
    observe(sync, every(0.001, 10 * MIN_EVENTS), np.random.default_rng(4))
    assert sync.ready
    short = ClockSync(JOINTS)
    observe(short, every(0.005, MIN_EVENTS), np.random.default_rng(4))
    assert not short.ready


def test_a_broken_oscillator_is_named() -> None:
    sync = ClockSync((1, 2))
    for k in range(60):
        host = 1.0 + 0.01 * k
        sync.add(host, {1: round(host * 1e6), 2: round(host * 1e6 * 1.001)})
    with pytest.raises(LinkError, match=r"clock of joint 2 is off by -999 ppm"):
        sync.values()


def test_master_time_wraps() -> None:
    assert master_us(0.0) == 0
    assert master_us(TIME_MODULUS * 1e-6 + 0.000005) == 5
