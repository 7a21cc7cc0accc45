"""EventPoller: takes step events from the host and hands them to callbacks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tasker_core._worker import current as _worker
from tasker_core.exceptions import FFIError, TaskerError
from tasker_core.types.events import FfiStepEvent
from tasker_core.types.worker import FfiDispatchMetrics

_log = logging.getLogger("tasker.poller")

StepCallback = Callable[[FfiStepEvent], None]
MetricsCallback = Callable[[FfiDispatchMetrics], None]
ErrorCallback = Callable[[Exception], None]


class EventPoller:
    """A thread that waits for step events.

    It blocks on the channel, so an event is taken when it arrives. `polling_interval_ms` is the
    first pause after an error, doubling up to a second. Every `starvation_check_interval` polls it
    reports metrics and warns of events nobody takes, every `cleanup_interval` polls it fails those
    that timed out; an idle wait of `IDLE_SECONDS` counts as a poll.
    """

    IDLE_SECONDS = 1.0

    def __init__(
        self,
        polling_interval_ms: int = 10,
        starvation_check_interval: int = 100,
        cleanup_interval: int = 1000,
    ) -> None:
        self._pause_seconds = max(1, polling_interval_ms) / 1000
        self._starvation_check_interval = max(1, starvation_check_interval)
        self._cleanup_interval = max(1, cleanup_interval)
        self._step_callbacks: list[StepCallback] = []
        self._metrics_callbacks: list[MetricsCallback] = []
        self._error_callbacks: list[ErrorCallback] = []
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def on_step_event(self, cb: StepCallback) -> None:
        self._step_callbacks.append(cb)

    def on_metrics(self, cb: MetricsCallback) -> None:
        self._metrics_callbacks.append(cb)

    def on_error(self, cb: ErrorCallback) -> None:
        """`cb` gets what polling or a callback raised; polling goes on."""
        self._error_callbacks.append(cb)

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Raises RuntimeError when it runs already."""
        if self.is_running:
            raise RuntimeError("the event poller runs already")
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(self._stopping,), name="tasker-poller", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Wait up to `timeout` seconds for the thread to end. Events not yet taken stay."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def get_metrics(self) -> FfiDispatchMetrics | None:
        """None while there is no connection."""
        runtime = _worker.last()
        session = None if runtime is None else runtime.session
        return None if session is None else session.metrics()

    def _work(self, stopping: threading.Event) -> None:
        polls = 0
        pause = self._pause_seconds
        while not stopping.is_set():
            polls += 1
            try:
                self._poll_once(polls)
                pause = self._pause_seconds
            except TaskerError as error:
                self._tell(self._error_callbacks, error)
                stopping.wait(pause)
                pause = min(2 * pause, self.IDLE_SECONDS)

    def _poll_once(self, polls: int) -> None:
        session = _worker.current().connect()
        event = session.poll(self.IDLE_SECONDS)
        if event is not None:
            self._tell(self._step_callbacks, FfiStepEvent.model_validate(event))
        elif not session.is_connected:
            raise FFIError("the connection to the host has ended")
        if polls % self._starvation_check_interval == 0:
            self._report_metrics()
        if polls % self._cleanup_interval == 0:
            session.cleanup()

    def _report_metrics(self) -> None:
        metrics = self.get_metrics()
        if metrics is None:
            return
        if metrics.starvation_detected:
            _log.warning("%d step events wait to be polled", metrics.starving_event_count)
        self._tell(self._metrics_callbacks, metrics)

    def _tell(self, callbacks: list[Callable[..., None]], value: object) -> None:
        for callback in list(callbacks):
            try:
                callback(value)
            except Exception as error:
                if callbacks is self._error_callbacks:
                    _log.exception("an error callback of the poller failed")
                else:
                    self._tell(self._error_callbacks, error)


__all__ = ["EventPoller"]
