"""Runs on MicroPython: drive the firmware's codec by lines on standard input.

`open ADDRESS HEX` prints the content of an encoded frame without delimiter as hex, or `-1`
(damaged) or `0` (for another joint); `seal HEX` prints the encoded frame; `stream ADDRESS HEX`
prints the contents of all frames found, fed in pieces of 7 bytes, and the count of damaged ones;
`hash` prints the message table's hash.
"""

# pyright: basic, reportMissingImports=false

import binascii
import sys
from array import array

from joint import frame

from guidearm_protocol import messages


def opened(data: bytes, address: int) -> str:
    buffer = bytearray(frame.FRAME_BUFFER_BYTES)
    buffer[: min(len(data), len(buffer))] = data[: len(buffer)]
    length = frame.open_frame(buffer, len(data), address, frame.CRC_TABLE)
    if length <= 0:
        return str(length)
    return binascii.hexlify(buffer[1 : 1 + length]).decode()


def sealed(content: bytes) -> str:
    buffer = bytearray(frame.FRAME_BUFFER_BYTES)
    buffer[1 : 1 + len(content)] = content
    length = frame.seal_frame(buffer, len(content), frame.CRC_TABLE)
    return binascii.hexlify(buffer[:length]).decode()


def streamed(data: bytes, address: int) -> str:
    buffer = bytearray(frame.FRAME_BUFFER_BYTES)
    fill = array("i", [0, 0])
    found = []
    damaged = 0
    for piece in [data[i : i + 7] for i in range(0, len(data), 7)]:
        start = 0
        while start < len(piece):
            start = frame.gather(piece, start, len(piece), buffer, fill)
            if fill[1]:
                length = fill[0]
                fill[0] = fill[1] = 0
                if length:
                    n = frame.open_frame(buffer, length, address, frame.CRC_TABLE)
                    if n > 0:
                        found.append(binascii.hexlify(buffer[1 : 1 + n]).decode())
                    elif n == frame.DAMAGED:
                        damaged += 1
    found.insert(0, str(damaged))
    return " ".join(found)


for line in sys.stdin:
    words = line.split()
    if words[0] == "hash":
        print(messages.table_hash())
    elif words[0] == "seal":
        print(sealed(binascii.unhexlify(words[1])))
    else:
        data = binascii.unhexlify(words[2]) if len(words) > 2 else b""
        print((opened if words[0] == "open" else streamed)(data, int(words[1])))
