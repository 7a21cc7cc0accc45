"""The bridge as a program polls it: step events out, completions in."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from tasker_core._protocol import json_text
from tasker_core._runtime.answers import (
    cancelled_frame,
    checkpoint_frame,
    error_frame,
    result_frame,
)
from tasker_core._runtime.delivery import Delivery
from tasker_core._runtime.executor import trace_ids, unreadable_frame
from tasker_core._runtime.greeting import ProcessOptions
from tasker_core._runtime.log_ring import BridgeLogHandler
from tasker_core._runtime.session import EXIT_SECONDS, Session
from tasker_core._transport.channel import Channel
from tasker_core.exceptions import ConversionError
from tasker_core.types.results import StepHandlerResult
from tasker_core.types.worker import FfiDispatchMetrics, StarvationWarning

STARVATION_MS = 1000
# The host gives a delivery up this long after it has asked for its cancellation.
CANCEL_GRACE_MS = 5000


class PullSession(Session):
    """Deliveries wait until `poll`; `complete` or `checkpoint` ends one. Safe from any thread."""

    def __init__(self, channel: Channel, options: ProcessOptions) -> None:
        super().__init__(channel, options)
        self._waiting: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._arrived: dict[str, float] = {}
        self._unpolled: set[str] = set()
        self._log_handler = BridgeLogHandler(self._logs)
        self._reader = threading.Thread(target=self._read, name="tasker-reader", daemon=True)
        self.succeeded = 0
        self.failed = 0

    def connect(self, manifest: Callable[[], list[dict[str, Any]]]) -> None:
        """Introduce this process and start reading. Raises HandshakeError or OSError."""
        self._greet(manifest)
        logging.getLogger("tasker").addHandler(self._log_handler)
        if hasattr(os, "register_at_fork"):
            # Weakly: the hook cannot be taken back when this session is over.
            mine = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _close_in_child(mine()))
        self._reader.start()

    @property
    def is_connected(self) -> bool:
        return self._reader.is_alive() and not self._forked

    @property
    def in_progress(self) -> int:
        return len(self._in_flight)

    def poll(self, timeout_seconds: float | None = 0.0) -> dict[str, Any] | None:
        """The next step event as a dict, or None when none comes in time (None: wait for one)."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                delivery = self._waiting.get(timeout=left) if left != 0.0 else self._next_now()
            except queue.Empty:
                return None
            if delivery is None:
                # The end; the next poller shall see it too.
                self._waiting.put(None)
                return None
            self._unpolled.discard(delivery.id)
            event = self._event(delivery)
            if event is not None:
                return event

    def complete(self, event_id: str, completion: Mapping[str, Any]) -> bool:
        """Answer a step. False when the event is not (or no longer) ours.

        Raises ConversionError, without answering, when the result is not JSON or too large.
        """
        delivery = self._in_flight.get(event_id)
        if delivery is None:
            return False
        result = _as_result(completion)
        try:
            frame = result_frame(delivery, result)
        except ValueError as error:
            raise ConversionError(f"step event {event_id}: {error}") from error
        self._assert_fits(delivery, frame)
        frame = self._publications.frames(delivery, result) + frame
        return self._answer(delivery, frame, result.is_success)

    def checkpoint(self, event_id: str, data: Mapping[str, Any]) -> bool:
        """End this delivery with a checkpoint; the host dispatches the step again at once."""
        delivery = self._in_flight.get(event_id)
        if delivery is None:
            return False
        try:
            frame = checkpoint_frame(delivery, data)
        except json_text.NotJsonError as error:
            failure = error_frame(
                delivery,
                kind="handler",
                error_type="checkpoint_error",
                message=f"Checkpoint yield failed: {error}",
                retryable=True,
            )
            self._answer(delivery, failure, False)
            return False
        self._assert_fits(delivery, frame)
        return self._answer(delivery, frame, None)

    def control(self, event_id: str) -> Delivery | None:
        """The cancel and heartbeat side of a step event that is still in flight."""
        return self._in_flight.get(event_id)

    def metrics(self) -> FfiDispatchMetrics:
        now = time.monotonic()
        pending = [(at, event_id) for event_id, at in list(self._arrived.items())]
        starving = len(self.starving())
        if not pending:
            return FfiDispatchMetrics()
        oldest, newest = min(pending), max(pending)
        return FfiDispatchMetrics(
            len(pending),
            round((now - oldest[0]) * 1000),
            round((now - newest[0]) * 1000),
            oldest[1],
            starving > 0,
            starving,
        )

    def starving(self) -> list[StarvationWarning]:
        """Step events that wait unpolled for longer than a second."""
        now = time.monotonic()
        found: list[StarvationWarning] = []
        for event_id in list(self._unpolled):
            at, delivery = self._arrived.get(event_id), self._in_flight.get(event_id)
            if at is not None and delivery is not None and (now - at) * 1000 >= STARVATION_MS:
                age = round((now - at) * 1000)
                step = str(delivery.header["step_uuid"])
                found.append(StarvationWarning(event_id, step, age, STARVATION_MS))
        return found

    def cleanup(self) -> int:
        """Fail the step events whose deadline is long past; returns how many."""
        now = time.monotonic()
        expired = 0
        for event_id, at in list(self._arrived.items()):
            delivery = self._in_flight.get(event_id)
            if delivery is None:
                self._arrived.pop(event_id, None)
                continue
            limit = delivery.header["timeout_ms"]
            if (now - at) * 1000 <= limit + CANCEL_GRACE_MS:
                continue
            delivery.cancel("timeout")
            frame = error_frame(
                delivery,
                kind="timeout",
                error_type="ffi_timeout",
                message=f"The step event was not completed within {limit:g} ms",
                retryable=True,
            )
            expired += self._answer(delivery, frame, False)
        return expired

    def close(self, grace_seconds: float) -> None:
        """Finish what is in flight, say goodbye, end the connection.

        Without grace the connection just ends: the host gives what is in flight to others.
        """
        if grace_seconds > 0 and self._reader.is_alive():
            self.drain_soon("the program stops its worker", grace_seconds * 1000)
            self._reader.join(grace_seconds + 2 * EXIT_SECONDS)
        if self._reader.ident is not None:
            self._wind_up(0.0)
        self._channel.end()
        self._waiting.put(None)
        self._detach()
        self._channel.close()

    def _dispatch(self, steps: Sequence[Delivery]) -> None:
        now = time.monotonic()
        for delivery in steps:
            self._arrived[delivery.id] = now
            self._unpolled.add(delivery.id)
            self._waiting.put(delivery)

    def _take_back(self) -> list[Delivery]:
        taken: list[Delivery] = []
        while True:
            try:
                delivery = self._waiting.get_nowait()
            except queue.Empty:
                return taken
            if delivery is not None:
                taken.append(delivery)

    def _finish(self, delivery: Delivery, frame: bytes) -> None:
        self._arrived.pop(delivery.id, None)
        super()._finish(delivery, frame)

    def _assert_fits(self, delivery: Delivery, frame: bytes) -> None:
        if len(frame) - 4 > self._max_frame:
            raise ConversionError(
                f"step event {delivery.id}: the answer has {len(frame)} bytes, "
                f"the host takes {self._max_frame}"
            )

    def _answer(self, delivery: Delivery, frame: bytes, succeeded: bool | None) -> bool:
        if delivery.id not in self._in_flight:
            return False
        self._finish(delivery, frame)
        self._outbox.flush()
        if succeeded is not None:
            self.succeeded += succeeded
            self.failed += not succeeded
        return True

    def _next_now(self) -> Delivery | None:
        return self._waiting.get_nowait()

    def _event(self, delivery: Delivery) -> dict[str, Any] | None:
        delivery.start()
        if delivery.cancel_reason is not None:
            self._answer(delivery, cancelled_frame(delivery), False)
            return None
        try:
            delivery.step = step = json_text.loads(delivery.body)
        except json_text.JsonTextError as problem:
            self._answer(delivery, unreadable_frame(delivery, str(problem)), False)
            return None
        header = delivery.header
        trace_id, span_id = trace_ids(header.get("traceparent"))
        return {
            "event_id": delivery.id,
            "task_uuid": header["task_uuid"],
            "step_uuid": header["step_uuid"],
            "correlation_id": header["correlation_id"],
            "task_correlation_id": header["correlation_id"],
            "parent_correlation_id": header.get("parent_correlation_id"),
            "task_sequence_step": step,
            "trace_id": trace_id,
            "span_id": span_id,
        }

    def _read(self) -> None:
        try:
            self._run()
        finally:
            self._waiting.put(None)
            self._cancel_all("shutdown")
            self._detach()

    def _detach(self) -> None:
        logging.getLogger("tasker").removeHandler(self._log_handler)


def _close_in_child(session: PullSession | None) -> None:
    if session is not None:
        session._after_fork()  # pyright: ignore[reportPrivateUsage]


def _as_result(completion: Mapping[str, Any]) -> StepHandlerResult:
    """A completion in the form of StepExecutionResult, as what a handler returns."""
    metadata: dict[str, Any] = dict(completion.get("metadata") or {})
    if completion.get("success"):
        return StepHandlerResult(True, completion.get("result"), metadata=metadata)
    given: Any = completion.get("error") or {}
    error: dict[str, Any] = (
        dict(cast("Mapping[str, Any]", given))
        if isinstance(given, Mapping)
        else {"message": str(given)}
    )
    trace: Any = error.get("stack_trace")
    retryable = error.get("retryable", metadata.get("retryable", True))
    if isinstance(trace, str):
        metadata.setdefault("traceback", trace)
    return StepHandlerResult(
        False,
        None,
        error.get("message") or "Unknown error",
        error.get("error_type") or "unknown",
        retryable=bool(retryable),
        metadata={**(error.get("metadata") or {}), **metadata},
    )
