"""The converter: motor current in every tick, temperature and supply in turn.

Set up here, read by the tick's interrupt, which starts the current's conversion as it begins and
takes it 2 us later, and leaves one of the others to be done until the next tick.
"""

import machine

import rp2_chip as chip
from rp2_pins import (
    CONVERTER_STEPS,
    CURRENT_UV_PER_MA,
    CURRENT_ZERO_MV,
    GPIO,
    REFERENCE_MV,
    SUPPLY_DIVIDER,
    TEMPERATURE_UV_PER_STEP,
    TEMPERATURE_ZERO_MV,
)

CONTROL = chip.ADC  # the result stands in the next word
_ENABLE = 1
_START = 1 << 2
READY = 1 << 8
_CHANNEL = 12  # bits up
_FIRST_GPIO = 26

# Q12 per step of the converter, of 12 bits: products stay under 2^29 for scales under 2^17
_STEP_UV = REFERENCE_MV * 1000
CURRENT_SCALE = _STEP_UV // CURRENT_UV_PER_MA  # mA
TEMPERATURE_SCALE = _STEP_UV // TEMPERATURE_UV_PER_STEP  # 0.1 degC
SUPPLY_SCALE = _STEP_UV * SUPPLY_DIVIDER // 1000  # mV
TEMPERATURE_ZERO = (TEMPERATURE_ZERO_MV * 1000 << 12) // TEMPERATURE_UV_PER_STEP

_ZERO = CURRENT_ZERO_MV * CONVERTER_STEPS // REFERENCE_MV
_ZERO_OFF = 41  # 2 % of the range: what an amplifier's offset may be
_MEAN_OF = 64


class AnalogError(Exception):
    """The current sensor does not read zero with the power stage off."""


def command(signal: str) -> int:
    """Return what, written to the control register, converts a signal once."""
    return _ENABLE | _START | (GPIO[signal] - _FIRST_GPIO) << _CHANNEL


def start() -> int:
    """Switch the converter on; return what the current's channel reads without any.

    To be called with the power stage off. Raises AnalogError if that is not near the middle.
    """
    for signal in ("current", "temperature", "supply"):
        machine.ADC(machine.Pin(GPIO[signal]))
    zero = sum([convert("current") for _ in range(_MEAN_OF)]) // _MEAN_OF
    if not -_ZERO_OFF <= zero - _ZERO <= _ZERO_OFF:
        raise AnalogError(
            "the current sensor reads %d of %d at no current, not %d: check its wiring and supply"
            % (zero, CONVERTER_STEPS, _ZERO)
        )
    return zero


def convert(signal: str) -> int:
    """Return what a signal's channel reads."""
    machine.mem32[CONTROL] = command(signal)
    while not machine.mem32[CONTROL] & READY:
        pass
    return machine.mem32[CONTROL + 4]
