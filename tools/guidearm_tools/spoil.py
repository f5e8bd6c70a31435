"""Ways in which bytes get spoilt on a wire."""

from __future__ import annotations

import random


def spoil(data: bytes, rng: random.Random) -> bytes:
    """Return `data` (at least one byte) with a bit flipped, or a byte changed, lost or added."""
    at = rng.randrange(len(data))
    kind = rng.randrange(4)
    if kind == 0:
        return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
    if kind == 1:
        other = (data[at] + rng.randrange(1, 256)) % 256
        return data[:at] + bytes((other,)) + data[at + 1 :]
    if kind == 2:
        return data[:at] + data[at + 1 :]
    return data[:at] + bytes((rng.randrange(256),)) + data[at:]


def maul(data: bytes, rng: random.Random) -> bytes:
    """Return `data` spoilt once or worse: often, in a burst, cut, repeated, or run into junk."""
    kind = rng.randrange(8)
    if kind < 3:
        return spoil(data, rng)
    if kind == 3:
        for _ in range(rng.randrange(2, 6)):
            data = spoil(data or b"\1", rng)
        return data
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.randrange(1, 9))
    if kind == 4:  # a burst
        return data[:start] + rng.randbytes(end - start) + data[end:]
    if kind == 5:  # cut short, at either end
        return data[:start] if rng.random() < 0.5 else data[start:]
    if kind == 6:  # a part heard twice
        return data[:end] + data[start:]
    junk = rng.randbytes(rng.choice((1, 5, 300)))
    return data[:start] + junk + data[start:]
