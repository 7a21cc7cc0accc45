"""The handler process: runs what its host sends, and ends with it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial

from tasker_core._runtime.async_lane import AsyncLane
from tasker_core._runtime.delivery import Delivery
from tasker_core._runtime.executor import Executor
from tasker_core._runtime.greeting import ProcessOptions
from tasker_core._runtime.log_ring import BridgeLogHandler
from tasker_core._runtime.manifest import manifest
from tasker_core._runtime.pool import ThreadPool
from tasker_core._runtime.session import EXIT_SECONDS, Session
from tasker_core._transport.channel import Channel
from tasker_core.domain_events.subscriber_registry import SubscriberRegistry
from tasker_core.handler import HandlerRegistry


class HandlerProcess(Session):
    """`serve` runs until the host says goodbye or goes away and returns the exit code.

    The main thread reads; pool threads and the event loop run handlers.
    """

    def __init__(
        self, channel: Channel, registry: HandlerRegistry, options: ProcessOptions
    ) -> None:
        super().__init__(channel, options)
        self._registry = registry
        self._pid = os.getpid()
        self._lane = AsyncLane(self._outbox.flush)
        self._executor = Executor(
            registry, self._lane, self._finish, self._publications, options.max_frame
        )
        self._pool = ThreadPool(options.slots, self._executor.run, self._outbox.flush_unless_more)

    def serve(self) -> int:
        """Handshake, then work. Raises HandshakeError when host and process do not agree."""
        SubscriberRegistry.instance().start_all(self._feed)
        self._greet(lambda: manifest(self._registry, self._options.pool))
        self._executor.max_frame = self._max_frame
        self._attach()
        self._run()
        return self._stop()

    def _attach(self) -> None:
        logger = logging.getLogger("tasker")
        logger.addHandler(BridgeLogHandler(self._logs))
        logger.propagate = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)
        signal.set_wakeup_fd(self._channel.wake_fd, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _dispatch(self, steps: Sequence[Delivery]) -> None:
        executor = self._executor
        plain = [each for each in steps if not executor.is_async(each.header)]
        if plain:
            self._pool.offer(plain)
        if len(plain) < len(steps):
            coroutines = [each for each in steps if executor.is_async(each.header)]
            self._lane.submit([partial(executor.run_async, each) for each in coroutines])

    def _take_back(self) -> list[Delivery]:
        return self._pool.clear()

    def _stop(self) -> int:
        code = 1 if self._exit_code is None else self._exit_code
        watchdog = threading.Timer(EXIT_SECONDS, os._exit, (code,))
        watchdog.daemon = True
        watchdog.start()
        if not self._wind_up(EXIT_SECONDS - 1.0):
            _flush_streams()
            os._exit(code)
        return code

    def _on_signal(self, number: int, _frame: object) -> None:
        if os.getpid() == self._pid:
            self.drain_soon(signal.Signals(number).name)
            return
        # A child forked a moment ago has not taken this handler off: it ends as any process would.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _after_fork(self) -> None:
        signal.set_wakeup_fd(-1)
        super()._after_fork()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
