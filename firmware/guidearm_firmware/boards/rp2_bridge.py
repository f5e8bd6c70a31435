"""The power stage: two half-bridges, PWM in one slice, sign and magnitude.

| bridge_enable | A | B | the motor |
|---|---|---|---|
| 0 | 0 | 0 | coasts: nothing conducts |
| 1 | 0 | 0 | is shorted by the low sides: brakes |
| 1 | PWM | 0 | is driven with positive duty, and shorted between the pulses |
| 1 | 0 | PWM | is driven with negative duty |

One half-bridge rests on its low side while the other is modulated. Against locked antiphase that
is half the ripple and none at rest, and a controller that drives both inputs low brakes the motor,
where one whose modulation sticks would drive it at full speed. Between pulses both low sides
conduct, so the mean voltage is duty times supply in either direction of current.
"""

import machine

import rp2_chip as chip
from rp2_pins import GPIO, PWM_HZ


def start() -> "tuple[int, int]":
    """Begin PWM with nothing driven; return the compare register and the counts of a period.

    The register takes both levels in one word, A below B, and gives them over at the period's end.
    """
    for signal in ("bridge_a", "bridge_b"):
        machine.PWM(machine.Pin(GPIO[signal]), freq=PWM_HZ, duty_u16=0)
    slice_at = chip.PWM + 0x14 * (GPIO["bridge_a"] >> 1 & 7)
    return slice_at + 0x0C, machine.mem32[slice_at + 0x10] + 1
