"""Threads that run ``def`` handlers.

A job never waits while a thread is free: each thread that takes a job wakes the next one as long
as jobs remain. Threads start on demand, at most `size`, and live until the process ends.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

J = TypeVar("J")


class ThreadPool(Generic[J]):
    """`run` gets each offered job on one of at most `size` daemon threads. It must not raise."""

    def __init__(self, size: int, run: Callable[[J], None]) -> None:
        self._size = size
        self._run = run
        self._ready: deque[J] = deque()
        # Each entry is the held lock its thread sleeps on. Last in, first out keeps few hot.
        self._idle: list[threading.Lock] = []
        self._started = 0
        self._start_guard = threading.Lock()

    @property
    def queued(self) -> int:
        return len(self._ready)

    def offer(self, jobs: Iterable[J]) -> None:
        """Queue jobs and wake a thread. Never blocks."""
        self._ready.extend(jobs)
        self._wake()

    def clear(self) -> list[J]:
        """Take back the jobs no thread has started."""
        taken: list[J] = []
        while True:
            try:
                taken.append(self._ready.popleft())
            except IndexError:
                return taken

    def _wake(self) -> None:
        try:
            gate = self._idle.pop()
        except IndexError:
            self._start_thread()
        else:
            gate.release()

    def _start_thread(self) -> None:
        if self._started >= self._size:
            return
        with self._start_guard:
            if self._started >= self._size:
                return
            self._started += 1
            name = f"tasker-step-{self._started}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        ready, idle, run = self._ready, self._idle, self._run
        gate = threading.Lock()
        gate.acquire()
        while True:
            try:
                job = ready.popleft()
            except IndexError:
                self._sleep(gate)
                continue
            if ready and (idle or self._started < self._size):
                self._wake()
            run(job)
            del job

    def _sleep(self, gate: threading.Lock) -> None:
        self._idle.append(gate)
        if self._ready:
            # A job came between looking and lying down: get up, unless someone just woke us.
            try:
                self._idle.remove(gate)
                return
            except ValueError:
                pass
        gate.acquire()
