"""Runs on MicroPython: the codec on hostile bytes, in buffers between guard bytes.

Viper code has no bounds checks, so a write outside a buffer shows in the guards only. Argument: a
JSON file with `path`, a binary file of cases (own address, most bytes in a burst, bytes that arrive
and a delimiter), and `seal`, contents in hex. Output: the cases accepted with their content in hex,
how many were refused, the sealed frames, and the first case that touched a guard, -1 for none.
"""

# pyright: basic, reportMissingImports=false

import binascii
import json
import struct
import sys
from array import array

from uctypes import addressof

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


WORD = 0x2A5A5A5A
memory = Guarded(frame.MEMORY_BYTES)
reply = Guarded(frame.FRAME_BUFFER_BYTES)
words = array("i", [WORD] + [0] * frame.RECEIVER_WORDS + [WORD])
link = memoryview(words)[1:-1]
memory_at, link_at = addressof(memory.view), addressof(link)
CRC = (frame.CRC_START, frame.CRC_TABLE_AT)
broken = -1


def check(case: int) -> None:
    """Remember the first case after which anything but the buffers had changed."""
    global broken
    sound = memory.intact() and reply.intact() and words[0] == words[-1] == WORD
    if broken < 0 and not sound:
        broken = case


def received(address: int, most: int, data: bytes) -> object:
    """Have bytes arrive in bursts; return the content of a frame in hex, or -1 if it was damaged.

    0 if it was for another joint.
    """
    link[frame.ADDRESS] = address
    link[frame.DAMAGED] = 0
    found = []
    for start in range(0, len(data), most):
        burst = data[start : start + most]
        memory.view[: len(burst)] = burst
        at = 0
        while at < len(burst):
            at = frame.next_frame(*CRC, at, len(burst), memory_at, link_at)
            if not at:
                break
            first = link[frame.BASE] + 1
            content = memory.view[first : first + link[frame.LENGTH]]
            found.append(binascii.hexlify(content).decode())
    if link[frame.FILL]:
        raise ValueError("a frame was left over")
    return found[0] if found else -link[frame.DAMAGED]


def sealed(content: bytes) -> str:
    """Return the encoded frame in hex."""
    reply.view[1 : 1 + len(content)] = content
    length = frame.seal_frame(*CRC, addressof(reply.view), len(content))
    return binascii.hexlify(reply.view[:length]).decode()


with open(sys.argv[1]) as file:
    told = json.load(file)
refused = [0, 0]  # for another joint, damaged
case = 0
print('{"accepted": [null')  # one at a time: they would not fit
with open(told["path"], "rb") as file:
    head = file.read(5)
    while head:
        address, most, size = struct.unpack("<BHH", head)
        answer = received(address, most, file.read(size))
        if isinstance(answer, int):
            refused[-answer] += 1
        else:
            print(",", json.dumps([case, answer]))
        check(case)
        case += 1
        head = file.read(5)
print('], "seals": [null')
for content in told["seal"]:
    print(",", json.dumps(sealed(binascii.unhexlify(content))))
    check(-2)
print('], "refused":', json.dumps(refused), ', "broken":', broken, "}")
