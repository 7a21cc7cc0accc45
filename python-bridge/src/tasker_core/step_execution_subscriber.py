"""StepExecutionSubscriber: runs the handler of each step event and sends the completion."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Awaitable, Mapping
from typing import Any, cast

from tasker_core import _tasker_core as _native
from tasker_core._runtime.answers import wrap_result
from tasker_core._runtime.async_lane import AsyncLane, is_awaitable
from tasker_core._runtime.delivery import Delivery
from tasker_core._runtime.log_ring import current_step
from tasker_core._runtime.pool import ThreadPool
from tasker_core._worker import current as _worker
from tasker_core.event_bridge import EventBridge, EventNames
from tasker_core.handler import HandlerRegistry
from tasker_core.registry.definition import HandlerDefinition
from tasker_core.types.context import StepContext
from tasker_core.types.events import FfiStepEvent
from tasker_core.types.results import StepError, StepExecutionResult, StepHandlerResult

_log = logging.getLogger("tasker.worker")
_MAX_SERIALIZATION_MESSAGE = 500


class StepExecutionError(Exception):
    """A step cannot be executed."""

    def __init__(
        self,
        message: str,
        error_type: str = "step_execution_error",
        retryable: bool = True,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_type = error_type
        self.retryable = retryable


class StepExecutionSubscriber:
    """Listens to ``step.execution.received`` on the bridge.

    ``def`` handlers run on a thread pool as wide as the worker's slots, ``async def`` handlers on
    one event loop; the publisher is never blocked.
    """

    def __init__(
        self, event_bridge: EventBridge, handler_registry: HandlerRegistry, worker_id: str
    ) -> None:
        self._bridge = event_bridge
        self._registry = handler_registry
        self._worker_id = worker_id
        self._active = False
        runtime = _worker.last()
        slots = _worker.DEFAULT_SLOTS if runtime is None else runtime.slots
        self._lane = AsyncLane(lambda: None)
        self._pool: ThreadPool[FfiStepEvent] = ThreadPool(slots, self._run, lambda _more: None)

    @property
    def is_active(self) -> bool:
        return self._active

    @property
    def worker_id(self) -> str:
        return self._worker_id

    def start(self) -> None:
        """Does nothing when it is active."""
        if not self._active:
            self._active = True
            self._bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, self._on_step)

    def stop(self) -> None:
        """Take no more events; steps that run go on to their completion."""
        if self._active:
            self._active = False
            self._bridge.unsubscribe(EventNames.STEP_EXECUTION_RECEIVED, self._on_step)

    def _on_step(self, event: FfiStepEvent) -> None:
        self._pool.offer([event])

    def _run(self, event: FfiStepEvent) -> None:
        current_step.set((event.event_id, event.correlation_id))
        began = time.monotonic()
        try:
            returned = self._call(event)
            if is_awaitable(returned):
                pending = cast("Awaitable[Any]", returned)
                self._lane.submit([lambda: self._drive(event, pending, began)])
                return
            result = wrap_result(returned)
        except BaseException as error:
            result = self._failure(event, error)
        self._send(event, result, began)

    async def _drive(self, event: FfiStepEvent, pending: Awaitable[Any], began: float) -> None:
        current_step.set((event.event_id, event.correlation_id))
        control = _control(event)
        try:
            if control is not None:
                control.on_cancel = self._lane.interrupter()
                if control.cancel_reason is not None:
                    control.on_cancel()
            result = wrap_result(await pending)
        except BaseException as error:
            result = self._failure(event, error)
        self._send(event, result, began)

    def _call(self, event: FfiStepEvent) -> Any:
        name, given = _handler_of(event)
        handler = self._registry.resolve(_definition(name, given))
        if handler is None:
            raise StepExecutionError(f"Handler not found: {name}", "handler_not_found", False)
        context = StepContext.from_ffi_event(event, handler.name, _control(event))
        # Templates name methods on handlers that only have `call`; those run `call`.
        method = getattr(handler, str(given.get("method") or "call"), None)
        return (method if callable(method) else handler.call)(context)

    def _failure(self, event: FfiStepEvent, error: BaseException) -> StepHandlerResult:
        if isinstance(error, StepExecutionError):
            return StepHandlerResult.failure(error.message, error.error_type, error.retryable)
        self._bridge.publish(EventNames.HANDLER_ERROR, event, error)
        own: object = getattr(error, "retryable", None)
        extra: object = getattr(error, "metadata", None)
        metadata: dict[str, Any] = dict(cast("Any", extra)) if isinstance(extra, Mapping) else {}
        metadata["traceback"] = "".join(traceback.format_exception(error))
        # An exception that says permanent is permanent; anything unknown deserves another try.
        retryable = own if isinstance(own, bool) else True
        return StepHandlerResult.failure(str(error), type(error).__name__, retryable, metadata)

    def _send(self, event: FfiStepEvent, result: StepHandlerResult, began: float) -> None:
        elapsed_ms = round((time.monotonic() - began) * 1000)
        try:
            if result.is_success and result.metadata.get("checkpoint_yield") is True:
                self._send_checkpoint(event, result)
                return
            completion = self._completion(event, result, elapsed_ms)
            _native.complete_step_event(event.event_id, completion.model_dump(mode="json"))
        except Exception as error:
            _log.warning("the completion of event %s was refused: %s", event.event_id, error)
            self._send_fallback(event, result, error, elapsed_ms)
            return
        self._bridge.publish(EventNames.STEP_COMPLETION_SENT, completion)

    def _send_checkpoint(self, event: FfiStepEvent, result: StepHandlerResult) -> None:
        value = result.result or {}
        data: dict[str, Any] = {
            "step_uuid": event.step_uuid,
            "cursor": value.get("cursor"),
            "items_processed": value.get("items_processed") or 0,
            "accumulated_results": value.get("accumulated_results"),
        }
        if _native.checkpoint_yield_step_event(event.event_id, data):
            self._bridge.publish(EventNames.STEP_CHECKPOINT_YIELD, data)

    def _completion(
        self, event: FfiStepEvent, result: StepHandlerResult, elapsed_ms: int
    ) -> StepExecutionResult:
        metadata = {**result.metadata, "retryable": result.retryable}
        ids = (event.step_uuid, event.task_uuid)
        if result.is_success:
            return StepExecutionResult.success_result(
                *ids, result.result or {}, elapsed_ms, self._worker_id,
                event.correlation_id, metadata,
            )  # fmt: skip
        error = StepError(
            result.error_type or "unknown",
            result.error_message or "Unknown error",
            retryable=result.retryable,
            metadata=result.metadata,
        )
        return StepExecutionResult.failure_result(
            *ids, error, elapsed_ms, self._worker_id, event.correlation_id, metadata
        )

    def _send_fallback(
        self, event: FfiStepEvent, result: StepHandlerResult, problem: Exception, elapsed_ms: int
    ) -> None:
        message = f"FFI serialization failed: {problem}"[:_MAX_SERIALIZATION_MESSAGE]
        error = StepError("FFI_SERIALIZATION_ERROR", message, retryable=False)
        custom = {"ffi_serialization_error": message, "original_success": result.is_success}
        fallback = StepExecutionResult(
            event.step_uuid,
            event.task_uuid,
            False,
            "error",
            elapsed_ms,
            error=error,
            worker_id=self._worker_id,
            correlation_id=event.correlation_id,
            metadata={"retryable": False, "custom": custom},
        )
        try:
            _native.complete_step_event(event.event_id, fallback.model_dump(mode="json"))
        except Exception:
            # The host ends the step at its deadline.
            _log.exception("event %s could not be completed at all", event.event_id)
            return
        self._bridge.publish(EventNames.STEP_COMPLETION_SENT, fallback)


def _handler_of(event: FfiStepEvent) -> tuple[str, Mapping[str, Any]]:
    """The name to look up and the template's handler object."""
    step = event.task_sequence_step
    handler = _part(_part(step, "step_definition"), "handler")
    name = (
        handler.get("callable")
        or _part(step, "workflow_step").get("template_step_name")
        or _part(step, "step_template").get("handler_class")
        or "unknown_handler"
    )
    return str(name), handler


def _definition(name: str, handler: Mapping[str, Any]) -> HandlerDefinition:
    return HandlerDefinition(name, initialization=dict(handler.get("initialization") or {}))


def _part(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _control(event: FfiStepEvent) -> Delivery | None:
    """Cancellation and heartbeats, when the event came from a host."""
    runtime = _worker.last()
    session = None if runtime is None else runtime.session
    return None if session is None else session.control(event.event_id)


__all__ = ["StepExecutionError", "StepExecutionSubscriber"]
