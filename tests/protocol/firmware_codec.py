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
from uctypes import addressof

from guidearm_protocol import messages

memory = bytearray(frame.MEMORY_BYTES)
link = array("i", [0] * frame.RECEIVER_WORDS)
memory_at, link_at = addressof(memory), addressof(link)
CRC = (frame.CRC_START, frame.CRC_TABLE_AT)


def received(data: bytes, address: int, most: int) -> list:
    """Have bytes arrive in bursts of a size; return the contents of the frames found, in hex."""
    for index in range(len(link)):
        link[index] = 0
    link[frame.ADDRESS] = address
    found = []
    for start in range(0, len(data), most):
        burst = data[start : start + most]
        memory[: len(burst)] = burst
        at = 0
        while at < len(burst):
            at = frame.next_frame(*CRC, at, len(burst), memory_at, link_at)
            if not at:
                break
            first = link[frame.BASE] + 1
            found.append(binascii.hexlify(memory[first : first + link[frame.LENGTH]]).decode())
    return found


def opened(data: bytes, address: int) -> str:
    found = received(data + b"\0", address, frame.BURST_BYTES)
    return str(-min(1, link[frame.DAMAGED])) if link[frame.DAMAGED] or not found else found[0]


def sealed(content: bytes) -> str:
    buffer = bytearray(frame.FRAME_BUFFER_BYTES)
    buffer[1 : 1 + len(content)] = content
    length = frame.seal_frame(*CRC, addressof(buffer), len(content))
    return binascii.hexlify(buffer[:length]).decode()


def streamed(data: bytes, address: int) -> str:
    found = received(data, address, 7)
    found.insert(0, str(link[frame.DAMAGED]))
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
