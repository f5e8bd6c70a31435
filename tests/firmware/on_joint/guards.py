"""Runs on MicroPython: the codec on hostile bytes, in buffers between guard bytes.

Viper code has no bounds checks, so a write outside a buffer shows in the guards only. Argument: a
JSON file with `path`, a binary file of cases (own address, bytes that arrive), and `seal`, contents
in hex. Output: the cases accepted with their content in hex, how many were refused, the sealed
frames, and the first case that touched a guard, -1 for none.
"""

# pyright: basic, reportMissingImports=false

import binascii
import json
import struct
import sys
from array import array

from joint import frame

GUARD = 64
PATTERN = bytes([0xA5, 0x5A, 0xFF, 0x00] * (GUARD // 4))


class Guarded:
    """A buffer between guard bytes; `view` is what the firmware gets."""

    def __init__(self, size: int) -> None:
        """Lay out guard, buffer, guard."""
        self.arena = bytearray(PATTERN + bytes(size) + PATTERN)
        self.view = memoryview(self.arena)[GUARD : GUARD + size]

    def intact(self) -> bool:
        """Tell whether nothing was written outside."""
        return self.arena[:GUARD] == PATTERN and self.arena[-GUARD:] == PATTERN


frame_buffer = Guarded(frame.FRAME_BUFFER_BYTES)
source = Guarded(400)
table = array("i", frame.CRC_TABLE)
fill = array("i", [0x5A5A5A5A // 2, 0, 0, 0x5A5A5A5A // 2])
fill_view = memoryview(fill)[1:3]
broken = -1


def check(case: int) -> None:
    """Remember the first case after which anything but the buffer had changed."""
    global broken
    sound = frame_buffer.intact() and source.intact() and fill[0] == fill[3] == 0x5A5A5A5A // 2
    if broken < 0 and not sound:
        broken = case


def gathered(data: bytes) -> int:
    """Pass a stream up to its first delimiter through `gather`; return the frame's length."""
    fill_view[0] = fill_view[1] = 0
    source.view[: len(data)] = data
    at = 0
    while at < len(data) and not fill_view[1]:
        at = frame.gather(source.view, at, len(data), frame_buffer.view, fill_view)
    return fill_view[0]


def opened(address: int, data: bytes) -> object:
    """Return content in hex, or open_frame's refusal."""
    length = frame.open_frame(frame_buffer.view, gathered(data), address, table)
    if length <= 0:
        return length
    return binascii.hexlify(frame_buffer.view[1 : 1 + length]).decode()


def sealed(content: bytes) -> str:
    """Return the encoded frame in hex."""
    frame_buffer.view[1 : 1 + len(content)] = content
    length = frame.seal_frame(frame_buffer.view, len(content), table)
    return binascii.hexlify(frame_buffer.view[:length]).decode()


def any_length() -> int:
    """Claim every length for a buffer of shortest codes; return how many were accepted."""
    accepted = 0
    for length in range(-3, 600):
        for index in range(frame.FRAME_BUFFER_BYTES):
            frame_buffer.view[index] = 1 + (length * index) % 3
        accepted += frame.open_frame(frame_buffer.view, length, 1, table) > 0
        check(-1000 - length)
    return accepted


with open(sys.argv[1]) as file:
    told = json.load(file)
accepted = []
refused = [0, 0]  # for another joint, damaged
case = 0
with open(told["path"], "rb") as file:
    head = file.read(3)
    while head:
        address, size = struct.unpack("<BH", head)
        answer = opened(address, file.read(size))
        if isinstance(answer, int):
            refused[-answer] += 1
        else:
            accepted.append([case, answer])
        check(case)
        case += 1
        head = file.read(3)
lengths = any_length()
seals = []
for content in told["seal"]:
    seals.append(sealed(binascii.unhexlify(content)))
    check(-2)
print(
    json.dumps(
        {
            "broken": broken,
            "accepted": accepted,
            "refused": refused,
            "lengths": lengths,
            "seals": seals,
        }
    )
)
