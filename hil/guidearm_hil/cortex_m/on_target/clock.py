"""Instructions and stack, exactly: under `-icount shift=0` an instruction takes one nanosecond.

The board's timer counts down once in 40 ns. Forty readings of it, 7 instructions apart, find it at
every one of the 40 phases, since 7 and 40 have no common factor; their sum therefore falls by one
for each instruction that passes before them.

Between two of them no global is looked up: how long that takes depends on what was before.
"""

# Inline assembler has names of its own, and its functions no types.
# ruff: noqa: F821, ANN001, ANN201, ANN202

import sys
from array import array

import machine
import micropython

STACK_WORDS = 1024  # looked at under the caller
_PATTERN = 0x55AA55
_TIMER = 0x40000000  # CMSDK APB timer 0: control, value, reload

_before = array("i", [0, 0])
_after = array("i", [0, 0])
machine.mem32[_TIMER + 8] = -1
machine.mem32[_TIMER + 4] = -1
machine.mem32[_TIMER] = 1


def processor() -> str:
    """Return the processor that this code is for."""
    return sys.implementation._machine.rpartition(" ")[2]


@micropython.asm_thumb
def now(r0):
    """Put the sum of 40 readings of the timer into a word."""
    mov(r1, 0x40)
    lsl(r1, r1, 24)
    mov(r2, 0)
    mov(r3, 40)
    label(LOOP)
    ldr(r4, [r1, 4])
    add(r2, r2, r4)
    nop()
    nop()
    nop()
    sub(r3, r3, 1)
    bne(LOOP)
    str(r2, [r0, 0])
    mov(r0, 0)


@micropython.viper
def _difference(before: object, after: object) -> int:
    a = ptr32(before)
    b = ptr32(after)
    return a[0] - b[0]


def _empty() -> int:
    read, after = now, _after
    read(_before)
    read(after)
    return _difference(_before, _after)


def calling(function, a, b) -> int:
    """Return the instructions of a call with two arguments, the call included."""
    read, after = now, _after
    read(_before)
    function(a, b)
    read(after)
    return _difference(_before, _after) - OVERHEAD


def calling_none(function) -> int:
    """Return the instructions of a call without arguments, the call included."""
    read, after = now, _after
    read(_before)
    function()
    read(after)
    return _difference(_before, _after) - OVERHEAD


def calling_one(function, a) -> int:
    """Return the instructions of a call with one argument, the call included."""
    read, after = now, _after
    read(_before)
    function(a)
    read(after)
    return _difference(_before, _after) - OVERHEAD


def calling_five(function, a, b, c, d, e) -> int:
    """Return the instructions of a call with five arguments, the call included."""
    read, after = now, _after
    read(_before)
    function(a, b, c, d, e)
    read(after)
    return _difference(_before, _after) - OVERHEAD


def calling_six(function, a, b, c, d, e, f) -> int:
    """Return the instructions of a call with six arguments, the call included."""
    read, after = now, _after
    read(_before)
    function(a, b, c, d, e, f)
    read(after)
    return _difference(_before, _after) - OVERHEAD


def calling_four(function, a, b, c, d) -> int:
    """Return the instructions of a call with four arguments, the call included."""
    read, after = now, _after
    read(_before)
    function(a, b, c, d)
    read(after)
    return _difference(_before, _after) - OVERHEAD


def calling_three(function, a, b, c) -> int:
    """Return the instructions of a call with three arguments, the call included."""
    read, after = now, _after
    read(_before)
    function(a, b, c)
    read(after)
    return _difference(_before, _after) - OVERHEAD


_empty()
OVERHEAD = _empty()


@micropython.asm_thumb
def _paint(r0, r1):
    """Fill r0 words under the stack pointer with r1; return the stack pointer."""
    mov(r2, sp)
    label(LOOP)
    sub(r2, r2, 4)
    str(r1, [r2, 0])
    sub(r0, r0, 1)
    bne(LOOP)
    mov(r0, sp)


@micropython.viper
def _untouched(bottom: int, words: int, pattern: int) -> int:
    """Return how many words from the bottom still hold the pattern."""
    p = ptr32(bottom)
    i = 0
    while i < words and p[i] == pattern:
        i += 1
    return i


def stack_of(function, a, b) -> int:
    """Return the bytes of stack that a call with two arguments takes under its caller's."""
    top = _paint(STACK_WORDS, _PATTERN)
    function(a, b)
    return 4 * (STACK_WORDS - _untouched(top - 4 * STACK_WORDS, STACK_WORDS, _PATTERN))


def stack_of_none(function) -> int:
    """Return the bytes of stack that a call without arguments takes under its caller's."""
    top = _paint(STACK_WORDS, _PATTERN)
    function()
    return 4 * (STACK_WORDS - _untouched(top - 4 * STACK_WORDS, STACK_WORDS, _PATTERN))
