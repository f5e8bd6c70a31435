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

GUARD = 64
PATTERN = bytes([0xA5, 0x5A, 0xFF, 0x00] * (GUARD // 4))
WORD = 0x2A5A5A5A

ring = bytearray(PATTERN + bytes(frame.FRAME_BUFFER_BYTES) + PATTERN)
buffer = memoryview(ring)[GUARD : GUARD + frame.FRAME_BUFFER_BYTES]
words = array("i", [WORD, 0, 0, WORD])
fill = memoryview(words)[1:3]
address = int(sys.argv[2])
accepted = []
broken = False
case = 0
with open(sys.argv[1], "rb") as file:  # noqa: PTH123 MicroPython has no pathlib
    head = file.read(2)
    while head:
        data = file.read(struct.unpack("<H", head)[0])
        n = len(data)
        fill[0] = fill[1] = 0
        start = 0
        while start < n:
            start = frame.gather(data, start, n, buffer, fill)
            if fill[1]:
                length = fill[0]
                fill[0] = fill[1] = 0
                if length:
                    content = frame.open_frame(buffer, length, address, frame.CRC_TABLE)
                    if content > 0:
                        accepted.append((case, binascii.hexlify(buffer[1 : 1 + content]).decode()))
        if ring[:GUARD] != PATTERN or ring[-GUARD:] != PATTERN or words[0] + words[3] != 2 * WORD:
            broken = True
        case += 1
        head = file.read(2)
print(json.dumps({"accepted": accepted, "broken": broken}))
