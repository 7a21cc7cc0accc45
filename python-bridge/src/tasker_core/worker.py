"""Worker: everything a program needs to run steps, in one object."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, ClassVar

from tasker_core._worker import current as _worker
from tasker_core.bootstrap import bootstrap_worker, stop_worker
from tasker_core.event_bridge import EventBridge, EventNames
from tasker_core.event_poller import EventPoller
from tasker_core.exceptions import TaskerError, WorkerBootstrapError
from tasker_core.handler import HandlerRegistry
from tasker_core.step_execution_subscriber import StepExecutionSubscriber
from tasker_core.types.events import FfiStepEvent
from tasker_core.types.worker import BootstrapConfig, BootstrapResult

_log = logging.getLogger("tasker.worker")


class Worker:
    """The worker of this process.

        with Worker.start(handler_packages=["my_app.handlers"]):
            stop.wait()  # a threading.Event that your signal handlers set

    Leaving the block lets running steps finish and stops the worker.
    """

    _instance: ClassVar[Worker | None] = None
    _instance_lock: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, result: BootstrapResult) -> None:
        """Use `Worker.start`."""
        self._result = result
        self._bridge = EventBridge.instance()
        self._subscriber: StepExecutionSubscriber | None = None
        self._poller = EventPoller()
        self._running = False

    @classmethod
    def start(
        cls,
        handler_packages: Iterable[str] | None = None,
        config: BootstrapConfig | Mapping[str, Any] | None = None,
    ) -> Worker:
        """Start the worker, or return the one that runs.

        Raises WorkerBootstrapError when there is no host or it refuses this process.
        """
        with cls._instance_lock:
            running = cls._instance
            if running is not None and running.is_running:
                return running
            worker = cls(bootstrap_worker(config))
            try:
                worker._begin(handler_packages or ())
            except BaseException:
                worker._end()
                raise
            cls._instance = worker
            return worker

    @classmethod
    def instance(cls) -> Worker | None:
        """The worker that was started last, if any."""
        return cls._instance

    @classmethod
    def reset_instance(cls) -> None:
        """Stop and forget the shared worker."""
        with cls._instance_lock:
            worker, cls._instance = cls._instance, None
        if worker is not None:
            worker.stop()

    @property
    def worker_id(self) -> str:
        return self._result.worker_id

    @property
    def is_running(self) -> bool:
        return self._running and self._poller.is_running

    @property
    def bootstrap_result(self) -> BootstrapResult:
        return self._result

    def stop(self) -> None:
        """Let running steps finish and end the worker. Does nothing the second time."""
        with self._instance_lock:
            if self._running:
                self._end()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _begin(self, handler_packages: Iterable[str]) -> None:
        registry = HandlerRegistry.instance()
        registry.bootstrap_handlers()
        for package in handler_packages:
            registry.discover_handlers(package)
        self._bridge.start()
        self._subscriber = StepExecutionSubscriber(self._bridge, registry, self.worker_id)
        self._subscriber.start()
        try:
            # Handlers are named in the handshake, so it comes after them.
            _worker.current().connect()
        except TaskerError as error:
            raise WorkerBootstrapError(str(error)) from error
        self._poller.on_step_event(self._on_step)
        self._poller.on_metrics(
            lambda metrics: self._bridge.publish(EventNames.POLLER_METRICS, metrics)
        )
        self._poller.on_error(self._on_error)
        self._poller.start()
        self._running = True

    def _end(self) -> None:
        self._running = False
        # The poller goes on while the host drains us: what it has sent must be run.
        stop_worker()
        self._poller.stop()
        if self._subscriber is not None:
            self._subscriber.stop()
        self._bridge.stop()

    def _on_step(self, event: FfiStepEvent) -> None:
        self._bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event)

    def _on_error(self, error: Exception) -> None:
        if self._running:
            _log.warning("polling failed: %s", error)
            self._bridge.publish(EventNames.POLLER_ERROR, error)


__all__ = ["Worker"]
