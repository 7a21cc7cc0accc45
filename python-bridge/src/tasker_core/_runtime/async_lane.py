"""The event loop that runs ``async def`` handlers, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

Make = Callable[[], Coroutine[Any, Any, None]]


class AsyncLane:
    """Starts its thread with the first coroutine; the loop runs until the process ends.

    `flush` is called after tasks have finished, once for those of one turn of the loop.
    """

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._flush_due = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard = threading.Lock()
        # The loop keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, makes: Sequence[Make]) -> None:
        """Run each `make()` as a task on the loop. Safe from any thread."""
        self._running_loop().call_soon_threadsafe(self._start, makes)

    def interrupter(self) -> Callable[[], None]:
        """Called inside a task: a function that cancels this task from any thread."""
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        assert task is not None
        return lambda: _call_quietly(loop, task.cancel)

    def _start(self, makes: Sequence[Make]) -> None:
        for make in makes:
            task = asyncio.ensure_future(make())
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._flush_due:
            self._flush_due = True
            task.get_loop().call_soon(self._flush_turn)

    def _flush_turn(self) -> None:
        self._flush_due = False
        self._flush()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            with self._guard:
                if self._loop is None:
                    loop = asyncio.new_event_loop()
                    threading.Thread(
                        target=_serve, args=(loop,), name="tasker-async", daemon=True
                    ).start()
                    self._loop = loop
        return self._loop


def is_awaitable(value: Any) -> bool:
    return isinstance(value, Awaitable)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _call_quietly(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        # The loop is closed: the process is ending and the task with it.
        return
