"""Runs one delivery: body, handler, context, call, answer.

``def`` handlers run to their end on the calling thread; what an ``async def`` handler returns is
driven on the event loop. Both ways meet in the same preparation and the same answers.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from tasker_core._protocol import json_text
from tasker_core._runtime.answers import (
    answer_frame,
    cancelled_frame,
    error_frame,
    exception_frame,
    failure_of,
    wrap_result,
)
from tasker_core._runtime.async_lane import AsyncLane, is_awaitable
from tasker_core._runtime.delivery import Delivery
from tasker_core._runtime.log_ring import current_step
from tasker_core._runtime.publications import Publications
from tasker_core.handler import HandlerRegistry
from tasker_core.registry.definition import HandlerDefinition
from tasker_core.registry.errors import ResolverNotFoundError
from tasker_core.registry.resolver import instantiate
from tasker_core.step_handler.base import StepHandler
from tasker_core.types.context import StepContext
from tasker_core.types.events import FfiStepEvent
from tasker_core.types.results import StepHandlerResult

Call = Callable[[StepContext], Any]
Finish = Callable[[Delivery, bytes], None]


class Executor:
    """`run` is called on a pool thread, `run_async` makes the coroutine for the loop."""

    def __init__(
        self,
        registry: HandlerRegistry,
        lane: AsyncLane,
        finish: Finish,
        publications: Publications,
        max_frame: int,
    ) -> None:
        self._registry = registry
        self._lane = lane
        self._finish = finish
        self._publications = publications
        self.max_frame = max_frame
        self._async_names: dict[tuple[str, str | None], bool] = {}

    def is_async(self, header: dict[str, Any]) -> bool:
        """True when the named handler is an ``async def``, so the pool can be skipped."""
        key = (header["callable"], header.get("method"))
        known = self._async_names.get(key)
        if known is not None:
            return known
        entry = self._registry.get_handler_class(key[0])
        # Unknown names are not remembered: a peer could invent any number of them.
        return entry is not None and self._remember_async(key, entry)

    def run(self, delivery: Delivery) -> None:
        """Run a delivery on this thread. Never raises."""
        current_step.set((delivery.id, delivery.header["correlation_id"]))
        try:
            prepared = self._prepare(delivery)
            if isinstance(prepared, bytes):
                frame = prepared
            else:
                call, context = prepared
                returned = call(context)
                if type(returned) is not StepHandlerResult and is_awaitable(returned):
                    pending = cast("Awaitable[Any]", returned)
                    self._lane.submit([partial(self._drive, delivery, pending)])
                    return
                frame = self._answer(delivery, returned)
        except BaseException as error:
            frame = self._failure(delivery, error)
        self._finish(delivery, frame)

    async def run_async(self, delivery: Delivery) -> None:
        """Run a delivery inside a task of the loop. Never raises."""
        current_step.set((delivery.id, delivery.header["correlation_id"]))
        try:
            prepared = self._prepare(delivery)
            if isinstance(prepared, bytes):
                self._finish(delivery, prepared)
                return
            call, context = prepared
            returned = call(context)
        except BaseException as error:
            self._finish(delivery, self._failure(delivery, error))
            return
        await self._drive(delivery, returned)

    async def _drive(self, delivery: Delivery, returned: Any) -> None:
        current_step.set((delivery.id, delivery.header["correlation_id"]))
        delivery.on_cancel = self._lane.interrupter()
        try:
            if delivery.cancel_reason is not None:
                # The request came before there was a task to interrupt.
                delivery.on_cancel()
            value = await returned if is_awaitable(returned) else returned
            frame = self._answer(delivery, value)
        except BaseException as error:
            frame = self._failure(delivery, error)
        self._finish(delivery, frame)

    def _answer(self, delivery: Delivery, returned: Any) -> bytes:
        result = wrap_result(returned)
        answer = answer_frame(delivery, result, self.max_frame)
        if result.is_success and result.metadata.get("checkpoint_yield") is True:
            return answer
        return self._publications.frames(delivery, result) + answer

    def _failure(self, delivery: Delivery, error: BaseException) -> bytes:
        answer = exception_frame(delivery, error, self.max_frame)
        return self._publications.frames(delivery, failure_of(error)) + answer

    def _prepare(self, delivery: Delivery) -> tuple[Call, StepContext] | bytes:
        delivery.start()
        if delivery.cancel_reason is not None:
            return cancelled_frame(delivery)
        try:
            body = json_text.loads(delivery.body)
        except json_text.JsonTextError as problem:
            return unreadable_frame(delivery, str(problem))
        if type(body) is not dict:
            return unreadable_frame(delivery, "expected one JSON object")
        delivery.step = step = cast("dict[str, Any]", body)
        header = delivery.header
        handler = self._find(header["callable"], step)
        if handler is None:
            return error_frame(
                delivery,
                kind="handler_not_found",
                error_type="handler_not_found",
                message=f"Handler not found: {header['callable']}",
                retryable=False,
            )
        event = FfiStepEvent(
            delivery.id,
            header["task_uuid"],
            header["step_uuid"],
            header["correlation_id"],
            header["correlation_id"],
            header.get("parent_correlation_id"),
            step,
            *trace_ids(header.get("traceparent")),
        )
        name = getattr(handler, "name", None) or header["callable"]
        context = StepContext.from_ffi_event(event, name, delivery)
        method = header.get("method")
        # Templates name methods on handlers that only have `call`; those run `call`.
        call = getattr(handler, method, None) if method and method != "call" else None
        return (call if callable(call) else handler.call), context

    def _find(self, callable_name: str, step: dict[str, Any]) -> Any | None:
        entry = self._registry.get_handler_class(callable_name)
        definition = step.get("step_definition")
        given = cast(Any, definition).get("handler") if isinstance(definition, dict) else None
        handler = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        settings = cast("dict[str, Any]", handler.get("initialization") or {})
        if entry is not None:
            return instantiate(entry, settings)
        # The method is looked up afterwards: here it would hide a handler that only has `call`.
        wanted = HandlerDefinition(callable_name, None, handler.get("resolver"), settings)
        try:
            return self._registry.resolve(wanted)
        except ResolverNotFoundError:
            return self._registry.resolve(HandlerDefinition(callable_name, None, None, settings))

    def _remember_async(self, key: tuple[str, str | None], entry: type[StepHandler]) -> bool:
        method = key[1]
        call = getattr(entry, method, None) if method else None
        if not callable(call):
            return self._async_names.setdefault(
                (key[0], None), inspect.iscoroutinefunction(entry.call)
            )
        return self._async_names.setdefault(key, inspect.iscoroutinefunction(call))


def unreadable_frame(delivery: Delivery, problem: str) -> bytes:
    """The answer to a step whose body is not what the wire promises."""
    return error_frame(
        delivery,
        kind="invalid_result",
        error_type="invalid_step_body",
        message=f"The step's body cannot be read: {problem}",
        retryable=False,
    )


def trace_ids(traceparent: object) -> tuple[str | None, str | None]:
    """(trace_id, span_id) of a W3C traceparent; a malformed one counts as none."""
    if not isinstance(traceparent, str):
        return None, None
    parts = traceparent.split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
        return None, None
    return parts[1], parts[2]
