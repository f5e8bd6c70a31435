"""Small integers: instants modulo 2^30, units. Nothing here allocates."""

import micropython


@micropython.viper
def later(instant: int, us: int) -> int:
    """Return the instant `us` later, modulo 2^30, without leaving small integers."""
    return (instant + us) & 0x3FFFFFFF


@micropython.viper
def since(earlier: int, instant: int) -> int:
    """Return the us from one instant to another, 0 if that is not the later one."""
    us = (instant - earlier) & 0x3FFFFFFF
    return us if us < 0x20000000 else 0


@micropython.viper
def speed_to_angle(speed: int, counts_per_turn: int) -> int:
    """Return turn/2^24/s of Q8 counts per millisecond tick: 1000 * 2^16 / counts_per_turn each."""
    return (speed * 1000 // (counts_per_turn >> 10)) << 6


def clamp16(value: int) -> int:
    """Return the nearest value that 16 signed bits hold."""
    return -32768 if value < -32768 else 32767 if value > 32767 else value
