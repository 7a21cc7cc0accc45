"""A thread for what is neither reading nor running steps: pongs, nacks, log flushes, drain.

It sleeps without a time-out unless something is due.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable

Chore = Callable[[], None]


class Housekeeper:
    """Runs chores one after the other; a failing chore is handed to `report`."""

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._report = report
        # SimpleQueue.put may be called from a signal handler.
        self._queue: queue.SimpleQueue[tuple[float, Chore]] = queue.SimpleQueue()
        self._due: list[tuple[float, int, Chore]] = []
        self._order = itertools.count()
        self._thread = threading.Thread(target=self._work, name="tasker-chores", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, chore: Chore) -> None:
        self._queue.put((0.0, chore))

    def later(self, seconds: float, chore: Chore) -> None:
        self._queue.put((time.monotonic() + seconds, chore))

    def _work(self) -> None:
        while True:
            for chore in self._take():
                try:
                    chore()
                except Exception as error:
                    self._report(error)

    def _take(self) -> list[Chore]:
        wait = None if not self._due else max(0.0, self._due[0][0] - time.monotonic())
        try:
            when, chore = self._queue.get(timeout=wait)
        except queue.Empty:
            return [heapq.heappop(self._due)[2]]
        if when == 0.0:
            return [chore]
        heapq.heappush(self._due, (when, next(self._order), chore))
        return []
