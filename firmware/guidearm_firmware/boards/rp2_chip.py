"""Where the registers of the two chips are, an RP2040 or an RP2350: the one place that asks which.

Addresses are those of the datasheets' register lists. Viper code takes them from an `array('I')`:
a literal above 2^30 would be an object.
"""

import os

_RP2350 = "RP2350" in os.uname().machine
NAME = b"Pico RP2350\0" if _RP2350 else b"Pico RP2040\0"


def _of(rp2040: int, rp2350: int) -> int:
    return rp2350 if _RP2350 else rp2040


XIP = 0x10000000
DMA = 0x50000000
PIO0 = 0x50200000
PIO1 = 0x50300000
IO_BANK0 = _of(0x40014000, 0x40028000)
UART0 = _of(0x40034000, 0x40070000)
SPI0 = _of(0x4003C000, 0x40080000)
ADC = _of(0x4004C000, 0x400A0000)
PWM = _of(0x40050000, 0x400A8000)
TIMER = _of(0x40054000, 0x400B0000)
WATCHDOG = _of(0x40058000, 0x400D8000)
WATCHDOG_PER_US = _of(2, 1)  # RP2040, erratum E1: it counts down twice in a microsecond

TIME_US = TIMER + 0x28  # TIMERAWL
GPIO_IN = 0xD0000004
EDGES = IO_BANK0 + _of(0xF0, 0x230)  # INTR0: eight GPIOs a word, four bits each
EDGE_LOW = 4  # of the four
EDGE_HIGH = 8

# offsets within a PIO; FIFOs of state machine 0, of which the next word is the next one's
FIFO_STATUS = 0x04
TRANSMIT_FIFO = 0x10
RECEIVE_FIFO = 0x20
FLAGS = 0x30
MACHINE_0_ADDRESS = 0xD4

# the DMA's second interrupt: which channels raise it, and which have until that is cleared
DMA_ENABLE_1 = 0x414
DMA_STATUS_1 = 0x41C
DMA_INTERRUPT_1 = _of(12, 11)

# of the processor
PENDING = 0xE000E280  # interrupts, cleared by writing ones
SYSTEM_CONTROL = 0xE000ED10
EVENT_WHEN_PENDING = 1 << 4  # SEVONPEND: also of an interrupt that is not enabled

# numbers of transfer requests
PIO1_TRANSMIT = 8  # of state machine 0
UART0_RECEIVED = _of(21, 29)
UNPACED = 0x3F
