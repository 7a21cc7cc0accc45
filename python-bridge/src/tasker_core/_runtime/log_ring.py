"""Log records on their way to the host: a bounded ring, the first thing dropped.

Flushed before the next completion, or 200 ms after the first waiting record.
"""

from __future__ import annotations

import contextvars
import datetime
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from tasker_core._protocol import json_text
from tasker_core._protocol.frame import encode_message
from tasker_core._protocol.messages import clip_message

RING_RECORDS = 1000
FLUSH_SECONDS = 0.2
_FRAME_RECORDS = 50
_FRAME_BYTES = 64 * 1024
TRACE = 5

current_step: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar(
    "tasker_current_step", default=None
)
"""(delivery_id, correlation_id) of the step this thread or task is running."""


class LogRing:
    """`add` is safe from any thread; `flush` hands frames to `send` in order."""

    def __init__(self, send: Callable[[bytes], None], flush_later: Callable[[], None]) -> None:
        self._send = send
        self._flush_later = flush_later
        self._records: deque[bytes] = deque()
        self._dropped = 0
        self._lock = threading.Lock()
        # Cleared only after the frames are queued, so a completion that finds it False comes
        # after every log record of its own step.
        self.dirty = False

    def add(self, record: bytes) -> None:
        with self._lock:
            if len(self._records) >= RING_RECORDS:
                self._records.popleft()
                self._dropped += 1
            self._records.append(record)
            first = not self.dirty
            self.dirty = True
        if first:
            self._flush_later()

    def flush(self) -> None:
        """Queue every waiting record as `log` frames."""
        with self._lock:
            while self._records or self._dropped:
                batch: list[bytes] = []
                size = 0
                while self._records and len(batch) < _FRAME_RECORDS and size < _FRAME_BYTES:
                    record = self._records.popleft()
                    size += len(record)
                    batch.append(record)
                header: dict[str, object] = {"type": "log", "dropped": self._dropped}
                self._dropped = 0
                self._send(encode_message(header, b"[" + b",".join(batch) + b"]"))
            self.dirty = False

    def after_fork(self) -> None:
        """In a forked child the lock may be held by a thread that no longer exists."""
        self._lock = threading.Lock()
        self._records.clear()


class BridgeLogHandler(logging.Handler):
    """Turns standard log records into records of the ring."""

    def __init__(self, ring: LogRing) -> None:
        super().__init__()
        self._ring = ring

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._ring.add(_record_json(record))
        except Exception:
            self.handleError(record)


def _record_json(record: logging.LogRecord) -> bytes:
    message = record.getMessage()
    if record.exc_info:
        message = f"{message}\n{logging.Formatter().formatException(record.exc_info)}"
    given = cast("dict[str, Any] | None", getattr(record, "tasker_fields", None)) or {}
    entry: dict[str, Any] = {
        "ts": datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc).isoformat(
            timespec="milliseconds"
        ),
        "level": "trace" if record.levelno <= TRACE else _LEVELS.get(record.levelno, "info"),
        "logger": record.name,
        "message": clip_message(message),
        "fields": {clip_message(str(k)): clip_message(str(v)) for k, v in given.items()},
    }
    step = current_step.get()
    if step is not None:
        entry["delivery_id"], entry["correlation_id"] = step
    return json_text.dumps(entry)


def level_number(name: str) -> int:
    """The number of a level's name; an unknown one is `info`."""
    return _NUMBERS.get(name.lower(), logging.INFO)


_NUMBERS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_LEVELS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warn",
    logging.ERROR: "error",
    logging.CRITICAL: "error",
}
