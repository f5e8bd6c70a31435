from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.geometry import Array
from guidearm.positioning import find_breathing

TIME = np.arange(480) / 60.0
SIGMA = 0.06e-3


def noise(seed: int) -> Array:
    return np.random.default_rng(seed).normal(0.0, SIGMA, (len(TIME), 3))


@given(hz=st.floats(0.16, 0.49), phase=st.floats(0.0, 6.28), seed=st.integers(0, 1000))
def test_period_and_amplitude_are_found(hz: float, phase: float, seed: int) -> None:
    wave = 0.3e-3 * np.sin(2 * np.pi * hz * TIME + phase)
    found = find_breathing(TIME, noise(seed) + np.outer(wave, [0.0, 0.6, 0.8]))
    assert found is not None
    assert found.frequency_hz == pytest.approx(hz, rel=0.03)
    assert found.amplitude_m == pytest.approx(0.3e-3, rel=0.15)


def test_noise_is_no_breathing() -> None:
    assert [s for s in range(200) if find_breathing(TIME, noise(s))] == []


def test_stillness_is_no_breathing() -> None:
    assert find_breathing(TIME, np.ones((len(TIME), 3))) is None


def test_a_window_too_short_to_tell_gives_none() -> None:
    wave = np.outer(np.sin(2 * np.pi * 0.25 * TIME[:100]), np.ones(3))
    assert find_breathing(TIME[:100], wave) is None
