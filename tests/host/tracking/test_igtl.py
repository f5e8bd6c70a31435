from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidearm.errors import TrackingError
from guidearm.geometry import perturbation
from guidearm.tracking import igtl

POSES = {
    "patient": perturbation([0.1, -0.2, 1.4], [0.5, 0.1, -2.0]),
    "arm_marker": perturbation([-0.1, 0.05, 1.3], [0.0, 0.0, 0.0]),
}


def tdata(time_s: float = 12.5, version: int = 1) -> bytes:
    return igtl.encode(
        "TDATA", igtl.encode_tdata(POSES), device="Tracker", time_s=time_s, version=version
    )


def test_crc_is_the_one_of_ecma_182() -> None:
    assert igtl.crc64(b"123456789") == 0x6C40DF5F0B497347


def test_layout_on_the_wire() -> None:
    message = tdata()
    assert len(message) == 58 + 2 * 70
    fields = struct.unpack(">H12s20sIIQQ", message[:58])
    assert fields[:3] == (1, b"TDATA".ljust(12, b"\0"), b"Tracker".ljust(20, b"\0"))
    assert fields[3:6] == (12, 1 << 31, 140)
    name, kind, *floats = struct.unpack(">20sBx12f", message[58:128])
    assert (name.rstrip(b"\0"), kind) == (b"patient", 2)
    # Columns of the rotation, then millimetres.
    np.testing.assert_allclose(floats[:3], POSES["patient"][:3, 0], atol=1e-6)
    np.testing.assert_allclose(floats[9:], [100.0, -200.0, 1400.0], atol=1e-3)


@pytest.mark.parametrize("version", [1, 2])
@given(cuts=st.lists(st.integers(0, 600), max_size=6), count=st.integers(1, 3))
def test_messages_survive_any_cutting_of_the_stream(
    version: int, cuts: list[int], count: int
) -> None:
    stream = b"".join(tdata(1.0 + k, version) for k in range(count))
    reader = igtl.MessageReader()
    messages: list[igtl.Message] = []
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        messages += reader.feed(stream[start:end])
    assert [m.time_s for m in messages] == [1.0 + k for k in range(count)]
    for message in messages:
        assert (message.type, message.device) == ("TDATA", "Tracker")
        poses = igtl.decode_tdata(message.content)
        assert list(poses) == list(POSES)
        for name, pose in poses.items():
            np.testing.assert_allclose(pose, POSES[name], atol=2e-7)


def test_version_2_metadata_is_stepped_over() -> None:
    content = igtl.encode_tdata(POSES)
    metadata_header, metadata = struct.pack(">HHHI", 1, 3, 3, 2), b"keyOK"
    extended = struct.pack(">HHII", 12, len(metadata_header), len(metadata), 5)
    body = extended + content + metadata_header + metadata
    whole = igtl.encode("TDATA", body, device="x", time_s=1.0)
    whole = b"\x00\x02" + whole[2:]
    (message,) = igtl.MessageReader().feed(whole)
    assert message.content == content


def test_a_wrong_crc_costs_one_message_and_is_counted() -> None:
    bad = bytearray(tdata(1.0))
    bad[100] ^= 1
    reader = igtl.MessageReader()
    messages = reader.feed(bytes(bad) + tdata(2.0))
    assert [m.time_s for m in messages] == [2.0]
    assert reader.crc_errors == 1


@given(noise=st.binary(min_size=58, max_size=400))
def test_noise_is_refused_or_waited_for_but_never_believed(noise: bytes) -> None:
    reader = igtl.MessageReader()
    try:
        messages = reader.feed(noise)
    except TrackingError as error:
        assert "\n" not in str(error)
    else:
        assert messages == []


def test_bodies_are_bounded() -> None:
    header = bytearray(tdata()[:58])
    header[42:50] = (1 << 40).to_bytes(8, "big")
    with pytest.raises(TrackingError, match="more than 65536"):
        igtl.MessageReader().feed(bytes(header))


def test_another_protocol_is_named() -> None:
    with pytest.raises(TrackingError, match="does not speak OpenIGTLink"):
        igtl.MessageReader().feed(b"HTTP/1.1 400 Bad Request\r\n".ljust(80, b" "))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * 71, "71 bytes, not a multiple of 70"),
        (igtl.encode_tdata({"a": np.eye(4)}) * 2, "'a' twice"),
        (igtl.encode_tdata({"a": np.diag([1.0, 1.0, -1.0, 1.0])}), "'a' that is not a rotation"),
        (igtl.encode_tdata({"a": np.diag([1.0, 1.01, 1.0, 1.0])}), "'a' that is not a rotation"),
        (igtl.encode_tdata({"a": np.full((4, 4), np.nan)}), "'a' that is not finite"),
        (igtl.encode_tdata({"a": np.zeros((4, 4))}), "'a' that is not a rotation"),
    ],
)
def test_poses_that_are_none_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(TrackingError, match=message):
        igtl.decode_tdata(content)


def test_a_translation_that_is_not_finite_is_refused() -> None:
    T = np.eye(4)
    T[0, 3] = np.inf
    with pytest.raises(TrackingError, match="not finite"):
        igtl.decode_tdata(igtl.encode_tdata({"a": T}))


def test_status() -> None:
    content = igtl.encode_status(7, "LOST", "cable", subcode=-3)
    assert igtl.decode_status(content) == (7, -3, "LOST", "cable")
    with pytest.raises(TrackingError, match="too short"):
        igtl.decode_status(content[:29])
