"""Standard output and error as lines: what one thread prints is never cut by another's text."""

from __future__ import annotations

import io
import sys
import threading

_LONGEST = 64 * 1024


class WholeLines(io.TextIOWrapper):
    """Holds each thread's text back until its line ends, is flushed, or grows past 64 KiB.

    `print` writes a text and its newline separately; two threads would mix their lines.
    """

    def __init__(self, buffer: io.BufferedWriter, encoding: str) -> None:
        # A pipe would be block-buffered: lines would reach the host's log long after the print.
        super().__init__(buffer, encoding, "backslashreplace", line_buffering=True)
        self._held = threading.local()

    def write(self, s: str, /) -> int:
        text = getattr(self._held, "text", "") + s
        cut = text.rfind("\n") + 1 if len(text) < _LONGEST else len(text)
        self._held.text = text[cut:]
        if cut:
            super().write(text[:cut])
        return len(s)

    def flush(self) -> None:
        text = getattr(self._held, "text", "")
        if text:
            self._held.text = ""
            super().write(text)
        super().flush()


def use_whole_lines() -> None:
    """Replace sys.stdout and sys.stderr. The originals stay open as sys.__stdout__."""
    sys.stdout = _wrapped(sys.stdout)
    sys.stderr = _wrapped(sys.stderr)


def _wrapped(stream: object) -> io.TextIOWrapper:
    assert isinstance(stream, io.TextIOWrapper)
    stream.flush()
    buffer = stream.buffer
    if isinstance(buffer, io.RawIOBase):
        # PYTHONUNBUFFERED, usual in containers: lines are whole all the same.
        buffer = io.BufferedWriter(buffer)
    return WholeLines(buffer, stream.encoding)
