"""Runs on MicroPython: cases from a file through the firmware's codec, between guard bytes.

Arguments: a file of cases (length as 16 bits, bytes) and the joint's address. Prints JSON: the
accepted contents as (case, hex), and whether anything outside a buffer was written.
"""

# pyright: basic, reportMissingImports=false

import binascii
import json
import struct
import sys
from array import array

from joint import frame
from uctypes import addressof

GUARD = 64
PATTERN = bytes([0xA5, 0x5A, 0xFF, 0x00] * (GUARD // 4))
WORD = 0x2A5A5A5A

arena = bytearray(PATTERN + bytes(frame.MEMORY_BYTES) + PATTERN)
memory = memoryview(arena)[GUARD : GUARD + frame.MEMORY_BYTES]
words = array("i", [WORD] + [0] * frame.RECEIVER_WORDS + [WORD])
link = memoryview(words)[1:-1]
memory_at, link_at = addressof(memory), addressof(link)
CRC = (frame.CRC_START, frame.CRC_TABLE_AT)
link[frame.ADDRESS] = int(sys.argv[2])
accepted = []
broken = False
case = 0
with open(sys.argv[1], "rb") as file:  # noqa: PTH123 MicroPython has no pathlib
    head = file.read(2)
    while head:
        data = file.read(struct.unpack("<H", head)[0])
        for start in range(0, len(data), frame.BURST_BYTES):
            burst = data[start : start + frame.BURST_BYTES]
            memory[: len(burst)] = burst
            at = 0
            while at < len(burst):
                at = frame.next_frame(*CRC, at, len(burst), memory_at, link_at)
                if not at:
                    break
                first = link[frame.BASE] + 1
                content = memory[first : first + link[frame.LENGTH]]
                accepted.append((case, binascii.hexlify(content).decode()))
        link[frame.FILL] = 0
        if (
            arena[:GUARD] != PATTERN
            or arena[-GUARD:] != PATTERN
            or words[0] + words[-1] != 2 * WORD
        ):
            broken = True
        case += 1
        head = file.read(2)
print(json.dumps({"accepted": accepted, "broken": broken}))
