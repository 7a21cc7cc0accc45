"""The thread on which subscribers of this process run, one event after the other."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, cast

from tasker_core._protocol import json_text
from tasker_core._protocol.frame import encode_message
from tasker_core._protocol.messages import HeaderError
from tasker_core._runtime.event_feed import EventFeed
from tasker_core.types.events import InProcessDomainEvent

_REPORT_EVERY = 16
# The host sends at most 64 ahead of what it was told is done.
_WAITING_EVENTS = 256

Work = Callable[[], None]


class EventLane:
    """`receive` is for the reading thread and never blocks. The first work starts the thread."""

    def __init__(
        self, feed: EventFeed, post: Callable[[bytes], None], on_idle: Callable[[], None]
    ) -> None:
        self._feed = feed
        self._post = post
        self._on_idle = on_idle
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._seq = 0
        self._reported = 0
        self._failed = {"lifecycle": 0, "domain": 0}
        self._pending = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_idle(self) -> bool:
        return self._pending == 0

    def receive(self, header: dict[str, Any], body: bytes) -> None:
        """A `notify`. Raises HeaderError when the host sends more than it may."""
        if self._pending >= _WAITING_EVENTS:
            raise HeaderError("no_room", "more events than were dealt with", "notify")
        self.submit(lambda: self._deliver(header, body))

    def submit(self, work: Work) -> None:
        """Run something behind the events that came before it. Safe from any thread."""
        with self._lock:
            self._pending += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tasker-events", daemon=True)
                self._thread.start()
        self._work.put(work)

    def close(self) -> None:
        """End the thread behind what waits. What is submitted later is not run."""
        self._work.put(None)

    def _run(self) -> None:
        while True:
            work = self._work.get()
            if work is None:
                return
            try:
                work()
            except BaseException as error:
                # A subscriber that exits must not leave the others without their thread.
                print(f"tasker-bridge: an event failed: {error!r}", file=sys.stderr, flush=True)
            with self._lock:
                self._pending -= 1
                idle = self._pending == 0
            if self._seq > self._reported and (idle or self._seq - self._reported >= _REPORT_EVERY):
                self._report()
            if idle:
                self._on_idle()

    def _deliver(self, header: dict[str, Any], body: bytes) -> None:
        stream, name = header["stream"], header["name"]
        try:
            event = cast("dict[str, Any]", json_text.loads(body))
            if stream == "lifecycle":
                self._failed[stream] += self._feed.lifecycle(name, event)
            else:
                read = InProcessDomainEvent.from_envelope(event)
                self._failed[stream] += self._feed.domain(name, read)
        except BaseException:
            self._failed[stream] += 1
            raise
        finally:
            self._seq = header["seq"]

    def _report(self) -> None:
        self._reported = self._seq
        self._post(
            encode_message(
                {
                    "type": "notified",
                    "seq": self._seq,
                    "lifecycle_failed": self._failed["lifecycle"],
                    "domain_failed": self._failed["domain"],
                }
            )
        )
