"""One dispatch of one step inside this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from tasker_core._protocol.frame import encode_message

_event_guard = threading.Lock()


class Delivery:
    """What the host sent, and whether it still wants the answer.

    It is also the `DeliveryControl` of the step's context.
    """

    __slots__ = (
        "_event",
        "_post",
        "body",
        "cancel_reason",
        "header",
        "id",
        "on_cancel",
        "started",
        "step",
    )

    def __init__(self, header: dict[str, Any], body: bytes, post: Callable[[bytes], None]) -> None:
        self.header = header
        self.body = body
        self.id: str = header["delivery_id"]
        self.cancel_reason: str | None = None
        # Set by the event loop lane: how to interrupt the running task.
        self.on_cancel: Callable[[], None] | None = None
        self.started = 0.0
        # The body, once somebody has parsed it.
        self.step: dict[str, Any] | None = None
        self._event: threading.Event | None = None
        self._post = post

    def start(self) -> None:
        self.started = time.perf_counter()

    @property
    def elapsed_ms(self) -> float:
        if self.started == 0.0:
            return 0.0
        return round((time.perf_counter() - self.started) * 1000, 3)

    def cancel(self, reason: str) -> None:
        """Ask the handler to stop. The first reason stays."""
        with _event_guard:
            if self.cancel_reason is not None:
                return
            self.cancel_reason = reason
            event = self._event
        if event is not None:
            event.set()
        interrupt = self.on_cancel
        if interrupt is not None:
            interrupt()

    def wait_cancelled(self, timeout_seconds: float | None) -> bool:
        with _event_guard:
            if self.cancel_reason is not None:
                return True
            # Made on first use: an Event per delivery would cost more than a trivial handler.
            if self._event is None:
                self._event = threading.Event()
            event = self._event
        return event.wait(timeout_seconds)

    def beat(self, progress: float | None, extend_ms: float | None) -> None:
        item: dict[str, object] = {"id": self.id}
        if progress is not None:
            item["progress"] = min(1.0, max(0.0, progress))
        header: dict[str, object] = {"type": "beat", "deliveries": [item]}
        if extend_ms is not None:
            header["extend_ms"] = max(0.0, extend_ms)
        self._post(encode_message(header))
