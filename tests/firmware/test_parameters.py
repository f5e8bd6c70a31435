"""Stored parameters: cut short at every byte, damaged, worn, and read by other versions."""

from __future__ import annotations

import binascii
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joint_bench import SECOND_INTERPRETER, interpreter, other_image, run, write_image

from guidearm_firmware.joint.parameters import MAX_BYTES, SET_BYTES, adopt, decode, encode
from guidearm_protocol.parameters import DEFAULTS, HIGHEST, IDS, LOWEST, NAMES, TABLE_VERSION
from guidearm_tools.micropython import probe

SECTOR = 4096
OLD = list(DEFAULTS)
NEW = [  # every one differs
    low if low != default and not name.startswith(("upper_", "supply_high")) else high
    for name, low, default, high in zip(NAMES, LOWEST, DEFAULTS, HIGHEST, strict=True)
]
THIRD = [(default + high) // 2 for default, high in zip(DEFAULTS, HIGHEST, strict=True)]
NEWEST_IN = {
    "slot 0, the other blank": [encode(OLD)],
    "slot 1": [encode(THIRD, 4), encode(OLD, 5)],
}


def tell(slots: list[bytes], *steps: list[Any]) -> list[Any]:
    """Do steps of `on_joint/stores.py` on a flash; return their answers."""
    return run("stores.py", {"slots": [slot.hex() for slot in slots], "steps": steps})


def boot(slots: list[bytes]) -> dict[str, Any]:
    """Return what a joint finds in these slots."""
    return tell(slots, ["boot"])[0]


# ---- power cuts


@pytest.mark.parametrize("slots", NEWEST_IN.values(), ids=NEWEST_IN.keys())
def test_a_power_cut_at_every_byte_leaves_the_old_set_or_the_new(slots: list[bytes]) -> None:
    """Not both mixed, never neither; and the next commit holds, whatever the cut left behind."""
    check_power_cuts(slots)


def check_power_cuts(slots: list[bytes], stride: int = 1) -> None:
    course = tell(slots, ["cut_everywhere", OLD, NEW, THIRD, stride])[0]
    assert course == [[0, "old", True], [SECTOR + SET_BYTES, "new", True]]


@given(st.binary(max_size=MAX_BYTES))
def test_no_bits_that_a_cut_may_leave_count_but_a_whole_set(junk: bytes) -> None:
    assert decode(junk) is None
    assert decode(b"GAP1" + junk) is None


def test_junk_in_either_slot_does_not_hide_the_good_set() -> None:
    rng = np.random.default_rng(4)
    newer = bytearray(encode(THIRD, 9))
    newer[20] ^= 1
    for junk in (b"", bytes(SECTOR), rng.bytes(SECTOR), bytes(newer), bytes(newer[:90])):
        for slots in ([encode(OLD, 3), junk], [junk, encode(OLD, 3)]):
            found = boot(slots)
            assert (found["values"], found["generation"], found["copies"]) == (OLD, 3, 1)


def test_copies_take_turns() -> None:
    rng = np.random.default_rng(2)
    sets = [[*DEFAULTS[:8], int(value), *DEFAULTS[9:]] for value in rng.integers(256, 78643, 9)]
    changed, found = tell([encode(OLD)], ["commit", *sets], ["boot"])
    assert changed == [[1], [0]] * 4 + [[1]]
    assert found["values"] == sets[-1]
    assert (found["generation"], found["copies"], found["version"]) == (10, 2, TABLE_VERSION)


@pytest.mark.parametrize("byte", [0, 5, 12, SET_BYTES - 1])
def test_a_worn_slot_is_noticed_and_the_good_set_stays(byte: int) -> None:
    worn = bytearray(encode(THIRD, 4))
    worn[byte] = 0  # and never anything else
    told = tell([encode(OLD, 5), bytes(worn)], ["stuck", NEW, 1, byte])[0]
    held = encode(NEW, 6)[byte] == 0
    assert told[:2] == [held, 1 + held]
    assert told[2]["values"] == (NEW if held else OLD)


# ---- damage


def test_two_damaged_copies_are_no_parameters() -> None:
    good = encode(OLD)
    damaged = bytes((good[0],)) + bytes((good[1] ^ 16,)) + good[2:]
    for slots in ([], [b"", b""], [damaged, damaged], [bytes(SECTOR), damaged]):
        assert boot(slots) == {"values": None, "generation": 0, "version": 0, "copies": 0}
    found = tell([damaged, damaged], ["commit", OLD], ["boot"])[1]
    assert (found["values"], found["generation"], found["copies"]) == (OLD, 1, 1)


def test_every_flipped_bit_of_a_set_is_seen() -> None:
    good = encode(OLD)
    for bit in range(8 * len(good)):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        assert decode(damaged) is None
    for length in range(len(good)):
        assert decode(good[:length]) is None
        assert decode(good[:length].ljust(MAX_BYTES, b"\xff")) is None
    assert decode(good.ljust(MAX_BYTES, b"\xff")) is not None


def test_what_the_host_encodes_and_the_joint_stores_are_the_same_bytes() -> None:
    """On both word sizes: the joint's CRC is its own, because binascii's would be allocated."""
    interpreters = [interpreter()]
    if SECOND_INTERPRETER.is_file():
        interpreters.append(probe(SECOND_INTERPRETER))
    steps: list[list[Any]] = [["commit", NEW], ["content_of", 1, SET_BYTES]]
    script = {"slots": [encode(OLD, 5).hex()], "steps": steps}
    for one in interpreters:
        assert bytes.fromhex(run("stores.py", script, on=one)[1]) == encode(NEW, 6)


# ---- a set nobody may use


def packed(values: dict[int, int], version: int = TABLE_VERSION, generation: int = 7) -> bytes:
    """Return a set of values by id, with a good CRC, whatever the values are."""
    data = struct.pack("<4sHHI", b"GAP1", version, len(values), generation)
    data += b"".join(struct.pack("<Hi", *item) for item in values.items())
    return data + struct.pack("<I", binascii.crc32(data))


def by_id(values: list[int]) -> dict[int, int]:
    return dict(zip(IDS, values, strict=True))


def changed(name: str, value: int) -> list[int]:
    values = list(OLD)
    values[NAMES.index(name)] = value
    return values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("counts_per_turn", 404_000), ("kp", 0), ("address", 13), ("upper_limit", 1 << 27)),
        *(("lower_limit", 1 << 24), ("upper_trip", -415_289), ("arm_id", -1)),
    ],
)
def test_unusable_values_are_neither_stored_nor_believed(name: str, value: int) -> None:
    """An older set would be usable; but nobody chose it."""
    values = changed(name, value)
    with pytest.raises(ValueError, match=r"parameter \w+ is "):
        encode(values)
    found = boot([encode(OLD, 6), packed(by_id(values))])
    assert (found["values"], found["copies"], found["generation"]) == (None, 2, 7)


def test_a_set_of_this_version_is_complete() -> None:
    values = by_id(OLD)
    del values[IDS[4]]
    assert boot([packed(values)])["values"] is None
    assert adopt(TABLE_VERSION - 1, values) == OLD


# ---- other versions of the table


def test_a_set_of_the_version_before_is_taken_over() -> None:
    """Known parameters are kept, new ones default, dropped ones are dropped."""
    values = by_id(NEW)
    del values[IDS[6]], values[IDS[-1]]
    found = boot([packed({999: 5, **values, 1000: 6}, TABLE_VERSION - 1)])
    expected = list(NEW)
    expected[6], expected[-1] = DEFAULTS[6], DEFAULTS[-1]
    assert (found["values"], found["version"]) == (expected, TABLE_VERSION - 1)


def next_version(folder: Path) -> Path:
    """Build an image of the firmware after this: one parameter dropped, one put in."""
    image = folder / "next"
    write_image(image)
    table = image / "guidearm_protocol" / "parameters.py"
    text = table.read_text()
    for old, new in (
        (f"TABLE_VERSION = {TABLE_VERSION}", f"TABLE_VERSION = {TABLE_VERSION + 1}"),
        (
            '    (8, "following_error",',
            '    (99, "patience", "tick", 1, 99, 42, READ_WRITE),\n    (8, "following_error",',
        ),
        (
            '    (6, "ka", "Q16 duty per count/tick^2: inertia", 0, 1 << 13, 5000, READ_WRITE),\n',
            "",
        ),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    table.write_text(text)
    return image


def test_up_to_the_next_firmware_and_down_again(tmp_path: Path) -> None:
    image = next_version(tmp_path)
    at = NAMES.index("ka")
    up = [*NEW[:at], NEW[at + 1], 42, *NEW[at + 2 :]]
    with other_image(image):
        found, _, content = tell(
            [encode(NEW, 3)], ["boot"], ["commit", up], ["content_of", 1, MAX_BYTES]
        )
    assert found == {"values": up, "generation": 3, "version": TABLE_VERSION, "copies": 1}
    down = [*NEW[:at], DEFAULTS[at], *NEW[at + 1 :]]
    slots = [encode(NEW, 3), bytes.fromhex(content)]
    found = boot(slots)
    assert found == {"values": down, "generation": 4, "version": TABLE_VERSION + 1, "copies": 2}
    # and it commits again, over the copy of its own
    _, found = tell(slots, ["commit", down], ["boot"])
    assert found == {"values": down, "generation": 5, "version": TABLE_VERSION, "copies": 2}
