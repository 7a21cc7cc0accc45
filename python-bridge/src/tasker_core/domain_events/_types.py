"""What publishers are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from tasker_core.types._model import Model

if TYPE_CHECKING:
    from tasker_core.types.context import StepContext

Condition = Literal["success", "failure", "retryable_failure", "permanent_failure", "always"]
DeliveryMode = Literal["durable", "fast", "broadcast"]


@dataclass
class EventDeclaration(Model):
    """One entry of a step's `publishes_events`."""

    name: str
    condition: Condition | None = None
    delivery_mode: DeliveryMode | None = None
    publisher: str | None = None
    schema: dict[str, Any] | None = None


@dataclass
class StepResult(Model):
    """How a step ended. `result` is empty after a failure."""

    success: bool
    result: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


@dataclass
class StepEventContext(Model):
    """The step that an event is about. All ids are text."""

    task_uuid: str
    step_uuid: str
    step_name: str
    namespace: str
    correlation_id: str
    result: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=lambda: {})

    @classmethod
    def from_step_context(
        cls,
        ctx: StepContext,
        result: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> StepEventContext:
        """What a handler knows about its own step; the step is called by its handler's name."""
        outer: object = ctx.event.task_sequence_step.get("task")
        task = cast("dict[str, Any]", outer) if isinstance(outer, dict) else {}
        inner: object = task.get("task")
        source = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
        namespace: object = source.get("namespace") or task.get("namespace_name") or "default"
        return cls(
            task_uuid=str(ctx.task_uuid),
            step_uuid=str(ctx.step_uuid),
            step_name=ctx.handler_name,
            namespace=str(namespace),
            correlation_id=str(ctx.correlation_id),
            result=result,
            metadata=metadata or {},
        )


@dataclass
class PublishContext(Model):
    """An event about to be published."""

    event_name: str
    step_result: StepResult
    event_declaration: EventDeclaration | None = None
    step_context: StepEventContext | None = None
