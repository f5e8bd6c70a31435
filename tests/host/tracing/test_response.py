"""Rise, overshoot, settling, gain and phase of courses whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from guidearm.errors import InputError
from guidearm.geometry import Array
from guidearm.tracing.response import crossing, sine_response, step_response

T = np.arange(0.0, 2.0, 1e-3)


def ramp(begin: float, end: float) -> Array:
    return np.clip((T - begin) / (end - begin), 0.0, 1.0)


@pytest.mark.parametrize("size", [1.0, -0.02])
def test_a_ramp_and_the_same_ramp_late(size: float) -> None:
    told = step_response(T, 3 + size * ramp(0.1, 0.2), 3 + size * ramp(0.13, 0.33))
    assert told.size == pytest.approx(size)
    assert told.demand_s == pytest.approx(0.1, abs=1.1e-3)
    assert told.demand_rise_s == pytest.approx(0.08, abs=1e-6)
    assert told.rise_s == pytest.approx(0.16, abs=1e-6)
    assert told.lag_s == pytest.approx(0.08, abs=1e-6)
    assert told.overshoot == 0
    assert told.settling_s == pytest.approx(0.33 - 0.02 * 0.2 - 0.2, abs=1.1e-3)
    assert told.peak_error == pytest.approx(abs(size) * 0.65, rel=0.01)


def test_a_damped_second_order_system() -> None:
    """Overshoot and settling of zeta 0.3 against the formulas of any textbook."""
    zeta, omega = 0.3, 60.0
    since = np.maximum(T - 0.1, 0.0)
    damped = omega * np.sqrt(1 - zeta**2)
    envelope = np.exp(-zeta * omega * since) / np.sqrt(1 - zeta**2)
    position = 1 - envelope * np.sin(damped * since + np.arccos(zeta))
    told = step_response(T, (T >= 0.1).astype(np.float64), position)
    assert told.overshoot == pytest.approx(np.exp(-np.pi * zeta / np.sqrt(1 - zeta**2)), rel=1e-3)
    latest = -np.log(0.02 * np.sqrt(1 - zeta**2)) / (zeta * omega)
    assert latest - np.pi / damped < told.settling_s < latest + 1e-3
    assert np.all(np.abs(position[101 + round(told.settling_s * 1e3) :] - 1) <= 0.02)


def test_what_is_no_step_is_refused() -> None:
    with pytest.raises(InputError, match="begins at one set-point"):
        step_response(T, np.zeros_like(T), np.zeros_like(T))
    with pytest.raises(InputError, match="record longer"):
        step_response(T, T, T)
    with pytest.raises(InputError, match="does not come up"):
        crossing(T, ramp(0.1, 0.2) * 0.8, 0.9)
    with pytest.raises(InputError, match="does not come up"):
        crossing(T, 1 - 0.1 * T, 0.5)


@pytest.mark.parametrize(("gain", "phase"), [(1.0, 0.0), (0.7, -0.9), (1.3, 0.2), (0.2, -2.9)])
def test_gain_and_phase(gain: float, phase: float) -> None:
    rng = np.random.default_rng(1)
    angle = 2 * np.pi * 3 * T[:1000]
    demand = -1.6 + 0.01 * np.sin(angle + 0.4)
    position = -1.61 + 0.01 * gain * np.sin(angle + 0.4 + phase)
    told = sine_response(T[:1000], demand, position + rng.normal(0, 1e-5, 1000), 3.0)
    assert told.gain == pytest.approx(gain, abs=2e-4)
    assert told.phase == pytest.approx(phase, abs=1e-3)
    assert told.amplitude == pytest.approx(0.01, rel=1e-9)
    assert told.rest == pytest.approx(1e-5, rel=0.1)
