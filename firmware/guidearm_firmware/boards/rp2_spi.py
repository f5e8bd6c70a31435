"""The SPI port of the output encoder, an AS5048A: 16 bits a frame, of which the next one answers.

Set up here, used by the tick's interrupt: it takes what the last frame brought and sends the next,
which goes on by itself. So it waits for nothing, and an angle is a tick old.
"""

import machine

import rp2_chip as chip
from rp2_pins import GPIO

DATA = chip.SPI0 + 0x08  # SSPDR
_BITS_PER_S = 1000000  # leaves the chip select half a microsecond before the first clock
_CONTROL = chip.SPI0  # SSPCR0
_ENABLE = chip.SPI0 + 0x04  # SSPCR1
_SIXTEEN_BITS = 15
_STATUS = chip.SPI0 + 0x0C  # SSPSR
_BUSY = 1 << 4

# frames: even parity in bit 15, read in bit 14, register
READ_ANGLE = 0xFFFF
CLEAR_ERROR = 0x4001


def start() -> "machine.SPI":
    """Set the port up for frames of 16 bits, each within a chip select of its own."""
    angle = machine.Pin(GPIO["output_angle"], machine.Pin.IN, machine.Pin.PULL_UP)
    port = machine.SPI(
        0,
        _BITS_PER_S,
        polarity=0,
        phase=1,
        sck=machine.Pin(GPIO["output_clock"]),
        mosi=machine.Pin(GPIO["output_command"]),
        miso=angle,
    )
    machine.Pin(GPIO["output_select"], machine.Pin.ALT, alt=machine.Pin.ALT_SPI)
    machine.mem32[_ENABLE] = 0
    machine.mem32[_CONTROL] |= _SIXTEEN_BITS
    machine.mem32[_ENABLE] = 2  # SSE
    return port


def prime() -> None:
    """Send what asks for an angle, so that the next answer is one, and leave that one waiting."""
    for _ in range(3):
        _exchange(READ_ANGLE)
    machine.mem32[DATA] = READ_ANGLE
    while machine.mem32[_STATUS] & _BUSY:
        pass


def _exchange(frame: int) -> int:
    machine.mem32[DATA] = frame
    while machine.mem32[_STATUS] & _BUSY:
        pass
    return machine.mem32[DATA]
