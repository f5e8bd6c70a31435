"""The capture's step in the tick: chosen words of the servo's state into a ring of samples.

It stands behind the segments in the array that the tick gets as `ring`: a header, then the samples,
each of `COLUMNS` words in the order of `CHOSEN`. The tick calls `record` only while PHASE is
odd; `capture` sets it up, PHASE last, and reads what is there once PHASE is COMPLETE.
"""

import micropython
from micropython import const

CAPTURE_WORDS = const(8192)  # of samples: 32 KB, 1.3 s of six signals at every tick
MOST_COLUMNS = const(24)

# --- header, from where the segments' slots end
PHASE = const(512)
DIVIDER = const(513)  # ticks per sample
COUNTDOWN = const(514)
COLUMNS = const(515)
SAMPLES = const(516)  # that the ring holds
BEFORE = const(517)  # of them wanted before the trigger; what was there of them once it came
AFTER = const(518)  # from the trigger's on; counts down
KIND = const(519)
WATCHED = const(520)  # word of the state that the trigger looks at
LEVEL = const(521)
PREVIOUS = const(522)  # its value a sample ago
NEXT = const(523)  # sample to be written
COUNT = const(524)  # samples written, up to SAMPLES
TRIGGER_TIME = const(525)  # us, joint clock
LAST_TIME = const(526)
CHOSEN = const(527)  # words of the state, COLUMNS of them
DATA = const(551)
MEMORY_WORDS = const(8743)

# PHASE, as CAPTURE_PHASES in the message table
OFF = const(0)
WAITING = const(1)
COMPLETE = const(2)
TRIGGERED = const(3)

# KIND
AT_ONCE = const(0)
RISING = const(1)  # from under the level to it or over
FALLING = const(2)
BECOMING = const(3)  # from another value to the level

_NOW = const(0)


@micropython.viper
def record(state: object, memory: object) -> object:
    """Take a sample if it is time for one, and look for the trigger in it."""
    s = ptr32(state)
    r = ptr32(memory)
    m = 0x20000000
    m = m << 2
    phase = r[PHASE]
    left = r[COUNTDOWN] - 1
    r[COUNTDOWN] = left
    if left <= 0:
        r[COUNTDOWN] = r[DIVIDER]
        columns = r[COLUMNS]
        slot = r[NEXT]
        at = DATA + slot * columns
        i = 0
        while i < columns:
            r[at + i] = s[r[CHOSEN + i]]
            i += 1
        slot += 1
        if slot == r[SAMPLES]:
            slot = 0
        r[NEXT] = slot
        if r[COUNT] != r[SAMPLES]:
            r[COUNT] += 1
        r[LAST_TIME] = s[_NOW]
        if phase == WAITING:
            kind = r[KIND]
            level = (r[LEVEL] ^ m) - m
            before = (r[PREVIOUS] ^ m) - m
            value = (s[r[WATCHED]] ^ m) - m
            r[PREVIOUS] = value
            hit = 0
            if kind == AT_ONCE:
                hit = 1
            elif kind == RISING:
                if before < level and value >= level:
                    hit = 1
            elif kind == FALLING:
                if before > level and value <= level:
                    hit = 1
            elif before != level and value == level:
                hit = 1
            if hit != 0:
                phase = TRIGGERED
                r[TRIGGER_TIME] = s[_NOW]
                # a trigger that comes early has less before it
                if r[COUNT] - 1 < r[BEFORE]:
                    r[BEFORE] = r[COUNT] - 1
        if phase == TRIGGERED:
            r[AFTER] -= 1
            if r[AFTER] == 0:
                phase = COMPLETE
        r[PHASE] = phase


@micropython.viper
def copy_words(memory: object, first: int, n: int, buffer: object, at: int) -> object:
    """Write n words of the samples, from the first kept one's word `first`, as little-endian bytes.

    Zeros stand behind the last word. The sample at NEXT less those kept is the first.
    """
    r = ptr32(memory)
    b = ptr8(buffer)
    columns = r[COLUMNS]
    kept = r[COUNT]
    end = kept * columns
    size = r[SAMPLES] * columns
    start = (r[NEXT] - kept) * columns
    if start < 0:
        start += size
    i = 0
    while i < n:
        word = 0
        if first + i < end:
            place = start + first + i
            if place >= size:
                place -= size
            word = r[DATA + place]
        b[at] = word & 0xFF
        b[at + 1] = (word >> 8) & 0xFF
        b[at + 2] = (word >> 16) & 0xFF
        b[at + 3] = (word >> 24) & 0xFF
        at += 4
        i += 1
