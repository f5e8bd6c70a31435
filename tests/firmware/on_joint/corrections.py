"""Runs on MicroPython: the output encoder's readings as the tick corrects them.

Argument: a JSON file with `cases`, each a table of corrections and readings. Output: for each case
the corrected readings. The table goes through `Drive.set_parameter`, as a host's does; all ticks
run with the heap locked.
"""

# pyright: basic, reportMissingImports=false

import json
import sys
from array import array

import micropython

from guidearm_protocol import parameters
from joint import parameters as stored
from joint import servo
from joint.drive import Drive
from joint.storage import Storage
from joint.supervisor import supervise


class Board:
    """As much of a board as a drive asks for before it starts."""

    def read_slot(self, slot: int, buffer: bytearray) -> None:
        """Fill buffer with a stored set of defaults."""
        good = stored.encode(list(parameters.DEFAULTS))
        buffer[: len(good)] = good


def play(points: list, readings: list) -> list:
    drive = Drive(Storage(Board()))
    s = drive.state
    servo.tick(s, supervise)
    for place in range(parameters.CORRECTIONS):
        assert drive.set_parameter(parameters.CORRECTION + place, points[place]) == 0
    given = array("i", readings)
    told = array("i", readings)
    micropython.heap_lock()
    try:
        for index in range(len(given)):
            s[servo.OUTPUT] = given[index]
            servo.tick(s, supervise)
            told[index] = s[servo.CORRECTED]
    finally:
        micropython.heap_unlock()
    return list(told)


with open(sys.argv[1]) as file:
    print(json.dumps([play(*case) for case in json.load(file)["cases"]]))
