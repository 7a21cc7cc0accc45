"""The event that hands a step to a handler."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tasker_core.types._model import Model
from tasker_core.types.domain_event import (
    DomainEventMetadata,
    ExecutionResult,
    InProcessDomainEvent,
)

__all__ = [
    "DomainEventMetadata",
    "ExecutionResult",
    "FfiStepEvent",
    "InProcessDomainEvent",
    "LogContext",
]


@dataclass(frozen=True)
class FfiStepEvent(Model):
    """One delivery of one step. All ids are text; `event_id` is new for every dispatch."""

    event_id: str
    task_uuid: str
    step_uuid: str
    correlation_id: str
    task_correlation_id: str | None = None
    parent_correlation_id: str | None = None
    task_sequence_step: dict[str, Any] = field(default_factory=lambda: {})
    trace_id: str | None = None
    span_id: str | None = None


@dataclass
class LogContext(Model):
    """Fields that tie a log record to a task and step."""

    correlation_id: str | None = None
    task_uuid: str | None = None
    step_uuid: str | None = None
    namespace: str | None = None
    operation: str | None = None
