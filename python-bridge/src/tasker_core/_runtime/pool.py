"""Threads that run ``def`` handlers.

A job never waits while a thread is free: a thread that takes a job wakes the next one as long as
jobs remain, one at a time. Threads start on demand, at most `size`, and live until the process
ends.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

J = TypeVar("J")


class ThreadPool(Generic[J]):
    """Runs each offered job on one of at most `size` daemon threads.

    `run` must not raise. After it, `flush(more)` is called: `more` says that this thread has
    another job and that a second thread, on its way, will flush if that job should block. So
    replies of trivial jobs may share a write, and none waits for a blocking neighbour.
    """

    def __init__(self, size: int, run: Callable[[J], None], flush: Callable[[bool], None]) -> None:
        self._size = size
        self._run = run
        self._flush = flush
        self._ready: deque[J] = deque()
        # Each entry is the held lock its thread sleeps on. Last in, first out keeps few hot.
        self._idle: list[threading.Lock] = []
        # True from waking a thread until it runs. Waking more than one at a time only makes
        # them queue for the interpreter lock.
        self._stirring = False
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
        if self._stirring:
            return
        try:
            gate = self._idle.pop()
        except IndexError:
            self._start_thread()
        else:
            self._stirring = True
            gate.release()

    def _start_thread(self) -> None:
        if self._started >= self._size:
            return
        with self._start_guard:
            if self._started >= self._size:
                return
            self._started += 1
            name = f"tasker-step-{self._started}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._stirring = True
        try:
            thread.start()
        except RuntimeError:
            # No more threads to be had: the ones that run take the jobs.
            self._stirring = False
            self._size = self._started = self._started - 1
            if self._size == 0:
                raise

    def _work(self) -> None:
        ready, run, flush = self._ready, self._run, self._flush
        gate = threading.Lock()
        gate.acquire()
        self._arrive()
        while True:
            try:
                job = ready.popleft()
            except IndexError:
                self._sleep(gate)
                continue
            if ready:
                self._wake()
            run(job)
            del job
            flush(self._stirring and len(ready) > 0)

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
        self._arrive()

    def _arrive(self) -> None:
        self._stirring = False
        # Another thread may have gone on to a job that blocks, counting on this one.
        self._flush(False)
