"""Domain events for programs that would rather ask for them than be called."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from tasker_core._runtime.event_feed import EventFeed
from tasker_core.types.events import InProcessDomainEvent

BUFFERED_EVENTS = 2000
"""Events that wait for a poller; beyond it the oldest are dropped and counted as lagged."""

_log = logging.getLogger("tasker.domain_events")


class EventBuffer:
    """Events between the thread that receives them and the one that takes them."""

    def __init__(self, feed: EventFeed) -> None:
        self._events: deque[InProcessDomainEvent] = deque()
        self._changed = threading.Condition()
        self.lagged = 0
        self._close = feed.subscribe(["*"], self._put)

    def take(self, most: int, timeout_seconds: float = 0.0) -> list[InProcessDomainEvent]:
        """What waits, `most` at once; with a timeout, waits for the first."""
        with self._changed:
            if not self._events and timeout_seconds > 0:
                self._changed.wait(timeout_seconds)
            return [self._events.popleft() for _ in range(min(most, len(self._events)))]

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        self._close()

    def _put(self, event: InProcessDomainEvent) -> bool:
        with self._changed:
            if len(self._events) >= BUFFERED_EVENTS:
                self._events.popleft()
                self.lagged += 1
            self._events.append(event)
            self._changed.notify()
        return True


class InProcessDomainEventPoller:
    """Calls back, on a thread of its own, for every domain event that reaches this process.

    The thread sleeps until there is an event; `polling_interval_ms` bounds how long `stop` waits
    for it.
    """

    def __init__(self, polling_interval_ms: int = 10, max_events_per_poll: int = 100) -> None:
        self._interval = max(1, polling_interval_ms) / 1000
        self._most = max(1, max_events_per_poll)
        self._on_event: list[Callable[[InProcessDomainEvent], None]] = []
        self._on_error: list[Callable[[Exception], None]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._buffer: EventBuffer | None = None
        self._polls = 0
        self._processed = 0
        self._lagged = 0

    def on_event(self, cb: Callable[[InProcessDomainEvent], None]) -> None:
        self._on_event.append(cb)

    def on_error(self, cb: Callable[[Exception], None]) -> None:
        """`cb` gets what a callback of `on_event` raised."""
        self._on_error.append(cb)

    def start(self) -> None:
        """A second start is without effect."""
        if self.is_running:
            return
        self._stopping.clear()
        self._buffer = EventBuffer(EventFeed.instance())
        self._thread = threading.Thread(
            target=self._work, args=(self._buffer,), name="tasker-event-poller", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Wait at most `timeout` seconds for the callback that runs."""
        self._stopping.set()
        thread, buffer = self._thread, self._buffer
        self._thread = self._buffer = None
        if buffer is not None:
            buffer.close()
            buffer.wake()
            self._lagged += buffer.lagged
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def stats(self) -> dict[str, int]:
        buffer = self._buffer
        return {
            "poll_count": self._polls,
            "events_processed": self._processed,
            "events_lagged": self._lagged + (0 if buffer is None else buffer.lagged),
        }

    def _work(self, buffer: EventBuffer) -> None:
        while not self._stopping.is_set():
            events = buffer.take(self._most, timeout_seconds=max(self._interval, 1.0))
            self._polls += 1
            for event in events:
                self._handle(event)

    def _handle(self, event: InProcessDomainEvent) -> None:
        self._processed += 1
        for callback in list(self._on_event):
            try:
                callback(event)
            except Exception as error:
                _log.error("a callback failed for event %s: %r", event.event_name, error)
                for tell in list(self._on_error):
                    tell(error)


_buffer_lock = threading.Lock()
_buffers: dict[int, EventBuffer] = {}


def poll_in_process_events() -> dict[str, Any] | None:
    """The next domain event as a dict, or None. Never waits.

    The first call subscribes this process to all of them; only later ones are seen.
    """
    feed = EventFeed.instance()
    with _buffer_lock:
        buffer = _buffers.get(id(feed))
        if buffer is None:
            _buffers.clear()
            buffer = _buffers[id(feed)] = EventBuffer(feed)
    events = buffer.take(1)
    return events[0].model_dump() if events else None
