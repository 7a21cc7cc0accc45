"""Frames: ``u32 length, u32 header_len, header JSON, body bytes``, big endian (BRIDGE section 1).

The splitter knows nothing about messages: it turns bytes, however they were cut, into frames
and faults. A fault of kind ``too_large`` is survivable, ``bad_frame`` is not.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tasker_core._protocol import json_text

MAX_HEADER_BYTES = 65_536
DEFAULT_MAX_FRAME = 16 * 1024 * 1024
# Nothing longer is even skipped: a frame starts with a byte <= 0x04, printed text never does.
ABSOLUTE_MAX_FRAME = 64 * 1024 * 1024

_PREFIX = struct.Struct(">II")
_pack_prefix = _PREFIX.pack
_unpack_prefix = _PREFIX.unpack_from


class Frame(NamedTuple):
    """One frame as it came: header bytes are not yet parsed, the body may be empty."""

    header: bytes
    body: bytes


@dataclass(frozen=True)
class FrameFault:
    """A frame that cannot be delivered.

    ``too_large``: its header is kept, its body is discarded, the connection lives.
    ``bad_frame``: the stream cannot be resynchronised; `header` holds its first 64 bytes.
    """

    kind: Literal["too_large", "bad_frame"]
    header: bytes
    detail: str


class FrameTooLargeError(ValueError):
    """The frame is larger than the connection allows."""


def encode_frame(header: bytes, body: bytes = b"") -> bytes:
    """One frame as bytes. `header` must be JSON text of 1 to 65 536 bytes."""
    header_length = len(header)
    if not 0 < header_length <= MAX_HEADER_BYTES:
        raise FrameTooLargeError(f"header of {header_length} bytes, limit {MAX_HEADER_BYTES}")
    return _pack_prefix(4 + header_length + len(body), header_length) + header + body


def encode_message(header: dict[str, object], body: bytes = b"") -> bytes:
    """One frame from a header object."""
    return encode_frame(json_text.dumps(header), body)


class FrameSplitter:
    """Cuts a byte stream into frames. Holds at most one incomplete frame of `max_frame` bytes."""

    def __init__(self, max_frame: int = DEFAULT_MAX_FRAME) -> None:
        self.max_frame = max_frame
        self._rest = bytearray()
        self._needed = 8
        self._discard = 0
        self._dead = False

    @property
    def has_partial(self) -> bool:
        """True when the stream would end inside a frame if it ended now."""
        return bool(self._rest) or self._discard > 0

    def feed(self, data: bytes) -> list[Frame | FrameFault]:
        """The frames and faults that `data` completes, in order. Nothing follows a `bad_frame`."""
        out: list[Frame | FrameFault] = []
        if self._dead:
            return out
        if self._discard:
            taken = min(self._discard, len(data))
            self._discard -= taken
            data = data[taken:]
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._needed and not self._impossible(rest):
                return out
            data = bytes(rest)
            rest.clear()
        self._split(data, out)
        return out

    def _impossible(self, rest: bytearray) -> bool:
        return rest[0] > 0x04

    def _split(self, data: bytes, out: list[Frame | FrameFault]) -> None:
        offset = 0
        end = len(data)
        while offset < end:
            if end - offset < 8:
                if data[offset] > 0x04:
                    self._die(data, offset, "text or noise on the channel", out)
                    return
                self._keep(data, offset, 8)
                return
            length, header_length = _unpack_prefix(data, offset)
            if length > ABSOLUTE_MAX_FRAME or not 0 < header_length <= MAX_HEADER_BYTES:
                self._die(data, offset, f"length {length}, header {header_length}", out)
                return
            if header_length + 4 > length:
                self._die(data, offset, f"header {header_length} in frame of {length}", out)
                return
            header_end = offset + 8 + header_length
            frame_end = offset + 4 + length
            if length > self.max_frame:
                if header_end > end:
                    self._keep(data, offset, 8 + header_length)
                    return
                detail = f"frame of {length} bytes, limit {self.max_frame}"
                out.append(FrameFault("too_large", data[offset + 8 : header_end], detail))
                self._discard = max(0, frame_end - end)
                offset = frame_end
                continue
            if frame_end > end:
                self._keep(data, offset, 4 + length)
                return
            out.append(Frame(data[offset + 8 : header_end], data[header_end:frame_end]))
            offset = frame_end

    def _keep(self, data: bytes, offset: int, needed: int) -> None:
        self._rest += data[offset:]
        self._needed = needed

    def _die(self, data: bytes, offset: int, detail: str, out: list[Frame | FrameFault]) -> None:
        self._dead = True
        out.append(FrameFault("bad_frame", data[offset : offset + 64], detail))
