"""Domain events as subscribers in this process get them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, cast
from uuid import UUID

from tasker_core.types._model import Model, optional


@dataclass
class DomainEventMetadata(Model):
    """Where an event comes from. `fired_by` is the publisher's name."""

    task_uuid: str
    correlation_id: str
    fired_at: str
    fired_by: str
    step_uuid: str | None = None
    step_name: str | None = None
    namespace: str | None = None
    additional: dict[str, Any] = field(default_factory=lambda: {})
    """What the publisher added; `model_dump` shows it beside the others."""

    @classmethod
    def model_validate(cls, data: Any) -> DomainEventMetadata:
        """Keys that every event has become fields, the others `additional`."""
        read = super().model_validate(data)
        if isinstance(data, Mapping) and not read.additional:
            known = {each.name for each in fields(cls)}
            given = cast("Mapping[str, Any]", data)
            read.additional = {key: given[key] for key in given if key not in known}
        return read

    def model_dump(self, mode: str = "python", *, exclude_none: bool = False) -> dict[str, Any]:
        plain = super().model_dump(mode, exclude_none=exclude_none)
        return {**plain.pop("additional", {}), **plain}


@dataclass
class ExecutionResult(Model):
    """How the step ended that published the event."""

    success: bool
    result: Any = None
    error_message: str | None = None
    error_type: str | None = None
    execution_time_ms: float | None = None

    @classmethod
    def from_step_result(cls, stored: Mapping[str, Any]) -> ExecutionResult:
        """From a step execution result as the core stores it."""
        error = cast("Mapping[str, Any]", stored.get("error") or {})
        metadata = cast("Mapping[str, Any]", stored.get("metadata") or {})
        return cls(
            success=stored.get("success") is True,
            result=stored.get("result"),
            error_message=error.get("message"),
            error_type=error.get("error_type"),
            execution_time_ms=metadata.get("execution_time_ms"),
        )


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


@dataclass
class InProcessDomainEvent(Model):
    """`payload` is ``{task_sequence_step, execution_result, payload}``, business data innermost."""

    event_id: UUID
    event_name: str
    event_version: str
    metadata: DomainEventMetadata
    payload: dict[str, Any] = field(default_factory=lambda: {})
    execution_result: ExecutionResult | None = None

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "event_id": _uuid,
        "metadata": DomainEventMetadata.model_validate,
        "execution_result": optional(ExecutionResult.model_validate),
    }

    @classmethod
    def from_envelope(cls, envelope: Mapping[str, Any]) -> InProcessDomainEvent:
        """From what is queued for a durable event. Raises ValueError naming what is missing."""
        event = cls.model_validate(envelope)
        stored: object = event.payload.get("execution_result")
        if event.execution_result is None and isinstance(stored, dict):
            event.execution_result = ExecutionResult.from_step_result(
                cast("dict[str, Any]", stored)
            )
        return event
