"""The motor encoder: a PIO state machine counts all four edges, without the processor.

It takes both inputs, puts them behind the two of the sample before, and jumps into a table of
sixteen instructions by these four bits. The count is in Y and is offered to the receive FIFO after
every sample; a full FIFO takes no more, so a reader first empties it, and the next word is new. Two
edges in one sample are one too many: they raise a flag, since a count has been lost.

The technique is known. This program jumps relative to address 16 instead of 0, because MicroPython
loads programs from the top of the instruction memory down: its table is what it ends with.
"""

import machine
import rp2
from micropython import const

import rp2_chip as chip
from rp2_pins import GPIO

# ruff: noqa: F405  the assembler's words are there only while it assembles
TYPE_CHECKING = False
if TYPE_CHECKING:
    from rp2.asm_pio import *  # noqa: F403

MACHINE = 0
COUNT_LOST = const(4)  # flag of the PIO
_SAMPLE_CYCLES = 11  # at most
_SAMPLES_PER_S = 1250000  # faster than any edges that a joint may have: 819,200 counts/s


@rp2.asm_pio(in_shiftdir=rp2.PIO.SHIFT_LEFT, out_shiftdir=rp2.PIO.SHIFT_RIGHT)
def _count() -> None:
    label("down")
    jmp(y_dec, "sample")
    wrap_target()
    label("sample")
    mov(isr, y)
    push(noblock)
    mov(isr, x)  # 1, so that the jump goes to 16 and on
    in_(osr, 2)
    in_(pins, 2)
    mov(osr, isr)
    mov(pc, isr)
    label("lost")
    irq(COUNT_LOST)
    jmp("sample")
    label("up")
    mov(y, invert(y))
    jmp(y_dec, "up again")
    label("up again")
    mov(y, invert(y))
    wrap()
    # ---- address 16: was, is; B then A
    jmp("sample")  # 00 00
    jmp("up")  # 00 01
    jmp("down")  # 00 10
    jmp("lost")  # 00 11
    jmp("down")  # 01 00
    jmp("sample")  # 01 01
    jmp("lost")  # 01 10
    jmp("up")  # 01 11
    jmp("up")  # 10 00
    jmp("lost")  # 10 01
    jmp("sample")  # 10 10
    jmp("down")  # 10 11
    jmp("lost")  # 11 00
    jmp("down")  # 11 01
    jmp("up")  # 11 10
    jmp("sample")  # 11 11


def start() -> "rp2.StateMachine":
    """Begin to count; return the state machine. Raises OSError when PIO 0 is not all free."""
    a = GPIO["motor_a"]
    for pin in (a, GPIO["motor_b"]):
        machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP)
    counter = rp2.StateMachine(
        MACHINE, _count, freq=_SAMPLE_CYCLES * _SAMPLES_PER_S, in_base=machine.Pin(a)
    )
    if _count[1] != 32 - len(_count[0]):
        raise OSError("the encoder's program needs the top of PIO 0, which is taken")
    counter.exec("set(x, 1)")
    counter.exec("set(y, 0)")
    counter.active(1)
    machine.mem32[chip.PIO0 + chip.FLAGS] = 1 << COUNT_LOST  # the first sample has none before it
    return counter
