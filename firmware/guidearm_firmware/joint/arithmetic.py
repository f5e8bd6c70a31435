"""Small integers: instants modulo 2^30, units, bits. Nothing here allocates."""

import micropython


@micropython.viper
def later(instant: int, us: int) -> int:
    """Return the instant `us` later, modulo 2^30, without leaving small integers."""
    return (instant + us) & 0x3FFFFFFF


@micropython.viper
def until(now: int, instant: int) -> int:
    """Return the microseconds from now to an instant, negative when it has passed."""
    return ((instant - now + 0x20000000) & 0x3FFFFFFF) - 0x20000000


@micropython.viper
def speed_to_angle(speed: int, counts_per_turn: int) -> int:
    """Return turn/2^24/s of Q8 counts per millisecond tick: 1000 * 2^16 / counts_per_turn each."""
    return (speed * 1000 // (counts_per_turn >> 10)) << 6


@micropython.viper
def count_bits(mask: int) -> int:
    """Return how many of the low 16 bits are set."""
    mask = (mask & 0x5555) + ((mask >> 1) & 0x5555)
    mask = (mask & 0x3333) + ((mask >> 2) & 0x3333)
    mask = (mask & 0x0F0F) + ((mask >> 4) & 0x0F0F)
    return (mask + (mask >> 8)) & 31


def clamp16(value: int) -> int:
    """Return the nearest value that 16 signed bits hold."""
    return -32768 if value < -32768 else 32767 if value > 32767 else value
