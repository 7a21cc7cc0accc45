"""Run handlers in unit tests, without a worker.

result = run_handler(charge, context={"card": "x"}, dependencies={"validate": {"total": 3}})
assert result.result == {"charged": 3}
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import uuid
from collections.abc import Awaitable, Mapping
from typing import Any

from tasker_core._runtime.answers import wrap_result
from tasker_core.types.context import StepContext
from tasker_core.types.events import FfiStepEvent
from tasker_core.types.results import StepHandlerResult


class StepControl:
    """The host's side of a running step: asks it to stop, and keeps its heartbeats.

    `beats` holds ``(progress, extend_ms)`` in the order they came.
    """

    def __init__(self) -> None:
        self.cancel_reason: str | None = None
        self.beats: list[tuple[float | None, float | None]] = []
        self._cancelled = threading.Event()

    def cancel(self, reason: str = "timeout") -> None:
        """`reason` is ``timeout``, ``task_cancelled``, ``lease_lost`` or ``shutdown``."""
        self.cancel_reason = reason
        self._cancelled.set()

    def wait_cancelled(self, timeout_seconds: float | None) -> bool:
        return self._cancelled.wait(timeout_seconds)

    def beat(self, progress: float | None, extend_ms: float | None) -> None:
        self.beats.append((progress, extend_ms))


def step_event(
    callable: str = "test.handler",
    *,
    context: Mapping[str, Any] | None = None,
    dependencies: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
    attempts: int = 0,
    max_attempts: int = 3,
    namespace: str = "default",
    step_name: str = "test_step",
    task_name: str = "test_task",
    task_version: str = "1.0.0",
) -> FfiStepEvent:
    """An event as a worker gets it.

    `context` is the task's context, `dependencies` maps earlier steps to what their handlers
    returned, `config` is the template's `initialization`, `inputs` are the step's own (by default
    the same, as in a real task), `attempts` are those made before.
    """
    task_uuid, step_uuid, correlation_id = (str(uuid.uuid4()) for _ in range(3))
    initialization = dict(config or {})
    stored = {
        name: {"success": True, "status": "completed", "result": value}
        for name, value in (dependencies or {}).items()
    }
    task = {
        "task_uuid": task_uuid,
        "context": dict(context or {}),
        "correlation_id": correlation_id,
    }
    workflow_step = {
        "workflow_step_uuid": step_uuid,
        "task_uuid": task_uuid,
        "name": step_name,
        "template_step_name": step_name,
        "attempts": attempts,
        "max_attempts": max_attempts,
        "inputs": initialization if inputs is None else dict(inputs),
        "checkpoint": None if checkpoint is None else dict(checkpoint),
    }
    return FfiStepEvent(
        str(uuid.uuid4()),
        task_uuid,
        step_uuid,
        correlation_id,
        correlation_id,
        task_sequence_step={
            "task": {
                "task": task,
                "task_name": task_name,
                "task_version": task_version,
                "namespace_name": namespace,
            },
            "workflow_step": workflow_step,
            "dependency_results": stored,
            "step_definition": {
                "name": step_name,
                "handler": {"callable": callable, "initialization": initialization},
            },
        },
    )


def step_context(
    handler_name: str = "test.handler", *, control: StepControl | None = None, **event: Any
) -> StepContext:
    """A context for `handler.call`; further arguments are those of `step_event`."""
    return StepContext.from_ffi_event(step_event(handler_name, **event), handler_name, control)


def run_handler(
    handler: Any, *, control: StepControl | None = None, **event: Any
) -> StepHandlerResult:
    """Run a handler once, as a worker would; further arguments are those of `step_event`.

    `handler` is a decorated function, a handler class or an instance; ``async`` handlers run to
    their end. What is not a StepHandlerResult becomes one. An exception that escapes a class
    handler is raised; for one that a worker would report, see `StepHandlerResult.failure`.
    """
    found: Any = getattr(handler, "_handler_class", handler)
    instance: Any = found() if inspect.isclass(found) else found
    name: str = getattr(instance, "name", None) or "test.handler"
    returned: Any = instance.call(step_context(name, control=control, **event))
    if inspect.isawaitable(returned):
        returned = asyncio.run(_awaited(returned))
    return wrap_result(returned)


def reset_singletons() -> None:
    """Forget every shared registry, bridge and worker; a running worker is stopped."""
    from tasker_core.definitions import TaskRegistry
    from tasker_core.domain_events import PublisherRegistry, SubscriberRegistry
    from tasker_core.event_bridge import EventBridge
    from tasker_core.handler import HandlerRegistry
    from tasker_core.worker import Worker

    Worker.reset_instance()
    EventBridge.reset_instance()
    HandlerRegistry.reset_instance()
    TaskRegistry.reset_instance()
    PublisherRegistry.reset()
    SubscriberRegistry.reset()


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


__all__ = ["StepControl", "reset_singletons", "run_handler", "step_context", "step_event"]
