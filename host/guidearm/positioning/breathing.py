"""The period of breathing, found in the motion of the patient's marker."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from guidearm.geometry import Array

LOWEST_HZ = 0.15
HIGHEST_HZ = 0.50
# A window of T seconds resolves 1 / T: the coarse grid misses nothing in windows up to a minute.
_COARSE_HZ = 0.005
_FINE_STEPS = 41
# Ratio of explained to left-over variance, each per degree of freedom. Of 200 windows of 8 s of
# white noise, best frequency chosen, none passes (tests); breathing as small as one frame's noise
# gives hundreds.
_SIGNIFICANT = 8.0
_TERMS = 3


@dataclass(frozen=True)
class Breathing:
    """A regular motion of the patient: frequency, and half-amplitude of the point looked at."""

    frequency_hz: float
    amplitude_m: float

    @property
    def period_s(self) -> float:
        """Duration of one breath."""
        return 1.0 / self.frequency_hz


def find_breathing(time_s: Array, position: Array) -> Breathing | None:
    """Fit one harmonic with a common frequency to a moving point; None if there is only noise.

    time_s (n,), position (n, 3) metres. The frequency minimises the squares that are left, first
    over a grid from 0.15 to 0.5 Hz, then finely about the best (Lomb-Scargle with a free mean).
    Also None if the window is too short to tell a breath from a drift: under 1 / 0.5 Hz.
    """
    if len(time_s) < 4 * _TERMS or float(np.ptp(time_s)) < 1.0 / HIGHEST_HZ:
        return None
    grid = np.arange(LOWEST_HZ, HIGHEST_HZ + _COARSE_HZ / 2, _COARSE_HZ)
    best = _best(grid, time_s, position)
    fine = np.linspace(best - _COARSE_HZ, best + _COARSE_HZ, _FINE_STEPS)
    best = _best(np.clip(fine, LOWEST_HZ, HIGHEST_HZ), time_s, position)
    left, waves = harmonic_fit(best, time_s, position)
    total = float(np.sum((position - position.mean(axis=0)) ** 2))
    axes = position.shape[1]
    explained = (total - left) / (axes * (_TERMS - 1))
    noise = left / (axes * (len(time_s) - _TERMS))
    if explained <= _SIGNIFICANT * noise or total == 0.0:
        return None
    return Breathing(best, half_amplitude(waves))


def harmonic_fit(frequency_hz: float, time_s: Array, values: Array) -> tuple[float, Array]:
    """Least-squares mean + cosine + sine of one frequency.

    time_s (n,), values (n, k) -> the sum of squares left, and the waves (2, k): the factors of
    cosine and sine.
    """
    phase = 2.0 * math.pi * frequency_hz * (time_s - time_s[0])
    model = np.stack([np.ones_like(phase), np.cos(phase), np.sin(phase)], axis=1)
    factors = np.asarray(np.linalg.lstsq(model, values, rcond=None)[0], dtype=np.float64)
    return float(np.sum((values - model @ factors) ** 2)), factors[1:]


def half_amplitude(waves: Array) -> float:
    """Longest half axis of the ellipse that cosine and sine waves (2, k) draw."""
    return float(np.linalg.svd(waves, compute_uv=False)[0])


def _best(grid: Array, time_s: Array, position: Array) -> float:
    left = [harmonic_fit(float(f), time_s, position)[0] for f in grid]
    return float(grid[int(np.argmin(left))])
