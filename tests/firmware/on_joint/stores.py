"""Runs on MicroPython: the stored parameters on the rig's simulated flash.

Argument: a JSON file with `slots`, the bytes at the beginning of both in hex, and `steps`. Output:
the answer of each step.
"""

# pyright: basic, reportMissingImports=false

import binascii
import json
import sys

from flash import SECTOR, SECTORS, Flash, PowerCut

from joint.storage import Storage


class Slots:
    """A board that is storage only."""

    def __init__(self, flash: Flash) -> None:
        """Keep parameters in a flash."""
        self.read_slot = flash.read
        self.erase_slot = flash.erase
        self.program_slot = flash.program


class Shelf:
    """A flash and the steps that are done on it."""

    def __init__(self, slots: list) -> None:
        """Fill the flash."""
        self.content = bytearray(b"\xff" * (SECTOR * SECTORS))
        for slot, stored in enumerate(slots):
            data = binascii.unhexlify(stored)
            self.content[slot * SECTOR : slot * SECTOR + len(data)] = data

    def boot(self) -> dict:
        """Tell what a joint finds."""
        storage = Storage(Slots(Flash(self.content)))
        return {
            "values": storage.values,
            "generation": storage.generation,
            "version": storage.version,
            "copies": storage.copies(),
        }

    def content_of(self, slot: int, n: int) -> str:
        """Return the beginning of a slot in hex."""
        return binascii.hexlify(self.content[slot * SECTOR : slot * SECTOR + n]).decode()

    def commit(self, *sets: list) -> list:
        """Store sets one after the other; tell which sector each changed."""
        storage = Storage(Slots(Flash(self.content)))
        changed = []
        for values in sets:
            before = bytes(self.content)
            assert storage.commit(values) and not storage.unsaved(values)
            changed.append(
                [
                    i
                    for i in range(SECTORS)
                    if before[i * SECTOR : (i + 1) * SECTOR]
                    != self.content[i * SECTOR : (i + 1) * SECTOR]
                ]
            )
        return changed

    def stuck(self, values: list, slot: int, byte: int) -> list:
        """Commit to a flash with a byte that never changes; tell the answer and what is found."""
        flash = Flash(self.content)
        put, at = flash._put, slot * SECTOR + byte
        held = self.content[at]

        def put_all_but_one(start: int, data: bytes) -> None:
            put(start, data)
            self.content[at] = held

        flash._put = put_all_but_one
        storage = Storage(Slots(flash))
        return [storage.commit(values), storage.copies(), self.boot()]

    def cut_everywhere(self, old: list, new: list, third: list, stride: int) -> list:
        """Cut a commit of `new` short and read; then commit `third` and read.

        At each byte programmed, and at each or at every so many of those erased.

        Return [cut, what was found, whether the next commit held] from where that changes; the last
        entry's cut is the first that comes too late to cut anything.
        """
        known = {str(old): "old", str(new): "new"}
        start = bytes(self.content)
        course = []
        cut = 0
        whole = False
        while not whole:
            self.content[:] = start
            try:
                whole = Storage(Slots(Flash(self.content, cut))).commit(new)
                assert whole
            except PowerCut:
                pass
            found = known.get(str(self.boot()["values"]), "neither")
            self.commit(third)
            held = self.boot()["values"] == third
            if whole or not course or course[-1][1:] != (found, held):
                course.append((cut, found, held))
            cut += stride if cut + stride <= SECTOR else 1
        return course

    def play(self, step: list) -> object:
        """Do one step."""
        return getattr(self, step[0])(*step[1:])


with open(sys.argv[1]) as file:
    told = json.load(file)
shelf = Shelf(told["slots"])
print(json.dumps([shelf.play(step) for step in told["steps"]]))
