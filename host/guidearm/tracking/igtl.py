"""OpenIGTLink messages: header, TDATA and STATUS, versions 1 and 2 of the header.

After the protocol's public documents (openigtlink.org, protocol 3.0, 2017). Big-endian; a 58-byte
header: version u16, type char[12], device char[20], timestamp 32.32 s, body size u64, CRC-64 of the
body (ECMA-182 polynomial, initial value 0). With a version 2 header the body starts with an
extended header that names its own size and that of the metadata at the end; both are stepped over.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import crcmod  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from guidearm.errors import TrackingError
from guidearm.geometry import Array

DEFAULT_PORT = 18944
HEADER_SIZE = 58
MAX_BODY = 65_536
"""Longer bodies are refused: a TDATA message of 900 tools fits."""
STATUS_OK = 1
STATUS_NAMES = {
    2: "unknown error",
    3: "emergency",
    4: "not found",
    5: "access denied",
    6: "busy",
    7: "connection lost",
    8: "overflow",
    9: "checksum error",
    10: "configuration error",
    11: "not enough resources",
    12: "unknown instruction",
    13: "device not ready",
    14: "manual mode",
    15: "device disabled",
    16: "device not present",
    17: "unknown device version",
    18: "hardware failure",
    19: "shutting down",
}

_HEADER = struct.Struct(">H12s20sIIQQ")
_EXTENDED = struct.Struct(">HHII")
_ELEMENT = struct.Struct(">20sBx12f")
_STATUS = struct.Struct(">Hq20s")
_STT_TDATA = struct.Struct(">I32s")
_INSTRUMENT_6D = 2

crc64 = cast(
    "Callable[[bytes], int]",
    crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, rev=False, xorOut=0),  # pyright: ignore
)
"""CRC-64 of a body."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message with a body whose CRC was right.

    Fields:
        type: "TDATA", "STATUS" and so on.
        device: name of the sending device.
        stamp: the 64-bit timestamp as sent: seconds times 2^32 on the sender's clock.
        content: the body without extended header and metadata.
    """

    type: str
    device: str
    stamp: int
    content: bytes

    @property
    def time_s(self) -> float:
        """The timestamp in seconds on the sender's clock."""
        return self.stamp / 2**32


def encode(type_: str, content: bytes, *, device: str, time_s: float, version: int = 1) -> bytes:
    """Build a whole message; version 2 adds an extended header without metadata."""
    body = content if version < 2 else _EXTENDED.pack(_EXTENDED.size, 0, 0, 0) + content
    stamp = round(time_s * 2**32)
    header = _HEADER.pack(
        version,
        type_.encode("ascii"),
        device.encode("ascii"),
        stamp >> 32,
        stamp & 0xFFFF_FFFF,
        len(body),
        crc64(body),
    )
    return header + body


def encode_tdata(poses: Mapping[str, Array]) -> bytes:
    """Content of a TDATA message: T_camera_tool (4, 4) in metres by tool name; mm on the wire.

    Tools that are not seen are left out, as the protocol has it.
    """
    parts: list[bytes] = []
    for name, T_camera_tool in poses.items():
        values = np.concatenate([T_camera_tool[:3, :3].T.ravel(), T_camera_tool[:3, 3] * 1e3])
        floats = cast("list[float]", values.tolist())
        parts.append(_ELEMENT.pack(name.encode("ascii"), _INSTRUMENT_6D, *floats))
    return b"".join(parts)


def decode_tdata(content: bytes) -> dict[str, Array]:
    """T_camera_tool (4, 4) in metres by tool name.

    The numbers are taken as the tracker's own frame: no RAS to LPS change of signs is applied,
    since camera coordinates have no anatomy.

    Raises TrackingError: the size is not a whole number of elements, a tool comes twice, or a
    matrix is not a rotation with a translation.
    """
    if len(content) % _ELEMENT.size:
        raise TrackingError(
            f"tracker sent TDATA of {len(content)} bytes, not a multiple of {_ELEMENT.size}"
        )
    poses: dict[str, Array] = {}
    for at in range(0, len(content), _ELEMENT.size):
        fields = cast("tuple[bytes, int, *tuple[float, ...]]", _ELEMENT.unpack_from(content, at))
        name = _text(fields[0])
        if name in poses:
            raise TrackingError(f"tracker sent tool '{name}' twice in one frame")
        values = np.asarray(fields[2:], dtype=np.float64)
        if not np.all(np.isfinite(values)):
            raise TrackingError(f"tracker sent a pose of '{name}' that is not finite")
        T_camera_tool = np.eye(4)
        T_camera_tool[:3, :3] = _rotation(values[:9].reshape(3, 3).T, name)
        T_camera_tool[:3, 3] = values[9:] * 1e-3
        poses[name] = T_camera_tool
    return poses


def _rotation(matrix: Array, name: str) -> Array:
    """Find the nearest rotation to single-precision input, or an error if it is none at all."""
    u, scale, vt = np.linalg.svd(matrix)
    if np.max(np.abs(scale - 1.0)) > 1e-3 or np.linalg.det(matrix) < 0.0:
        raise TrackingError(f"tracker sent a pose of '{name}' that is not a rotation")
    return np.asarray(u @ vt, dtype=np.float64)


def encode_status(code: int, name: str, text: str, subcode: int = 0) -> bytes:
    """Content of a STATUS message."""
    return _STATUS.pack(code, subcode, name.encode("ascii")) + text.encode("ascii")


def decode_status(content: bytes) -> tuple[int, int, str, str]:
    """Code, subcode, name and text of a STATUS message.

    Raises TrackingError: the message is too short.
    """
    if len(content) < _STATUS.size:
        raise TrackingError(f"tracker sent a STATUS of {len(content)} bytes, too short")
    code, subcode, name = cast("tuple[int, int, bytes]", _STATUS.unpack_from(content))
    return code, subcode, _text(name), _text(content[_STATUS.size :])


def encode_start_tdata(period_ms: int) -> bytes:
    """Content of STT_TDATA: please stream, at most one frame per `period_ms`."""
    return _STT_TDATA.pack(period_ms, b"")


class MessageReader:
    """Cuts a byte stream into messages, with a bounded buffer.

    A message with a wrong CRC is counted and dropped: its length was still used, so the stream
    stays in step. A header that cannot be one ends the stream with an error, since there is
    nothing in the protocol to find the next message by.
    """

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self._buffer = bytearray()
        self.crc_errors = 0

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by `data`.

        Raises TrackingError: the stream is not OpenIGTLink, or a body is longer than `MAX_BODY`.
        """
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= HEADER_SIZE:
            fields = cast(
                "tuple[int, bytes, bytes, int, int, int, int]", _HEADER.unpack_from(self._buffer)
            )
            version, type_, device, seconds, fraction, size, crc = fields
            if version not in (1, 2) or not type_.rstrip(b"\0").replace(b"_", b"").isalnum():
                raise TrackingError("tracker does not speak OpenIGTLink: the header is not one")
            if size > MAX_BODY:
                raise TrackingError(f"tracker sent a body of {size} bytes, more than {MAX_BODY}")
            if len(self._buffer) < HEADER_SIZE + size:
                break
            body = bytes(self._buffer[HEADER_SIZE : HEADER_SIZE + size])
            del self._buffer[: HEADER_SIZE + size]
            if crc64(body) != crc:
                self.crc_errors += 1
                continue
            stamp = seconds << 32 | fraction
            content = body if version == 1 else _content_of_version_2(body)
            messages.append(Message(_text(type_), _text(device), stamp, content))
        return messages


def _content_of_version_2(body: bytes) -> bytes:
    if len(body) < _EXTENDED.size:
        raise TrackingError("tracker sent a version 2 message without its extended header")
    extended, metadata_header, metadata, _ = cast(
        "tuple[int, int, int, int]", _EXTENDED.unpack_from(body)
    )
    end = len(body) - metadata_header - metadata
    if extended < _EXTENDED.size or extended > end:
        raise TrackingError("tracker sent a version 2 message with contradictory sizes")
    return body[extended:end]


def _text(raw: bytes) -> str:
    """Text up to the first NUL; a byte that is not ASCII is shown, not trusted."""
    return raw.split(b"\0", 1)[0].decode("ascii", errors="backslashreplace")
