"""What the server answers. Timestamps are the server's texts; unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, cast

R = TypeVar("R", bound="_Response")


class _Response:
    """Reads a JSON object by field name; a field without a default must be there."""

    @classmethod
    def from_dict(cls: type[R], data: Mapping[str, Any]) -> R:
        """Raises ValueError naming what is missing."""
        values: dict[str, Any] = {}
        for field in fields(cast(Any, cls)):
            if field.name in data:
                values[field.name] = data[field.name]
            elif field.default is MISSING and field.default_factory is MISSING:
                raise ValueError(f"{cls.__name__}: the answer has no `{field.name}`")
        return cls(**values)


@dataclass(frozen=True)
class StepReadiness(_Response):
    """One step inside a TaskResponse."""

    workflow_step_uuid: str
    task_uuid: str
    named_step_uuid: str
    name: str
    current_state: str
    dependencies_satisfied: bool
    retry_eligible: bool
    ready_for_execution: bool
    total_parents: int
    completed_parents: int
    attempts: int
    max_attempts: int
    last_failure_at: str | None = None
    next_retry_at: str | None = None
    backoff_request_seconds: int | None = None
    last_attempted_at: str | None = None


@dataclass(frozen=True)
class TaskResponse(_Response):
    """A task; `steps` is empty in lists. `completion_percentage` is 0 to 100."""

    task_uuid: str
    name: str
    namespace: str
    version: str
    status: str
    created_at: str
    updated_at: str
    context: dict[str, Any]
    initiator: str
    source_system: str
    reason: str
    correlation_id: str
    total_steps: int
    pending_steps: int
    in_progress_steps: int
    completed_steps: int
    failed_steps: int
    ready_steps: int
    execution_status: str
    recommended_action: str
    completion_percentage: float
    health_status: str
    steps: tuple[StepReadiness, ...] = ()
    completed_at: str | None = None
    priority: int | None = None
    tags: list[str] | None = None
    parent_correlation_id: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TaskResponse:
        steps = tuple(StepReadiness.from_dict(each) for each in data.get("steps") or ())
        return super().from_dict({**data, "steps": steps})


@dataclass(frozen=True)
class PaginationInfo(_Response):
    """Which page a list is; pages count from 1."""

    page: int
    per_page: int
    total_count: int
    total_pages: int
    has_next: bool
    has_previous: bool


@dataclass(frozen=True)
class TaskListResponse(_Response):
    """One page of tasks, newest first."""

    tasks: tuple[TaskResponse, ...]
    pagination: PaginationInfo

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TaskListResponse:
        return super().from_dict(
            {
                "tasks": tuple(TaskResponse.from_dict(each) for each in data["tasks"]),
                "pagination": PaginationInfo.from_dict(data["pagination"]),
            }
        )


@dataclass(frozen=True)
class StepResponse(_Response):
    """A step. `results` is the stored execution result; the handler's value is its `result`."""

    step_uuid: str
    task_uuid: str
    name: str
    created_at: str
    updated_at: str
    current_state: str
    dependencies_satisfied: bool
    retry_eligible: bool
    ready_for_execution: bool
    total_parents: int
    completed_parents: int
    attempts: int
    max_attempts: int
    completed_at: str | None = None
    results: dict[str, Any] | None = None
    last_failure_at: str | None = None
    next_retry_at: str | None = None
    last_attempted_at: str | None = None


@dataclass(frozen=True)
class StepAuditResponse(_Response):
    """One submission of a worker."""

    audit_uuid: str
    workflow_step_uuid: str
    transition_uuid: str
    task_uuid: str
    recorded_at: str
    success: bool
    step_name: str
    to_state: str
    worker_uuid: str | None = None
    correlation_id: str | None = None
    execution_time_ms: int | None = None
    result: dict[str, Any] | None = None
    from_state: str | None = None


@dataclass(frozen=True)
class HealthResponse(_Response):
    """The server's health."""

    healthy: bool
    status: str | None = None
    timestamp: str | None = None
