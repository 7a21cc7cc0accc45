"""Typed views of the TaskSequenceStep object, for handlers that prefer attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from tasker_core.types._model import Model


@dataclass
class HandlerWrapper(Model):
    """The handler part of a step definition."""

    callable: str
    initialization: dict[str, Any] = field(default_factory=lambda: {})
    handler_method: str | None = None
    resolver: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HandlerWrapper:
        return cls(
            data.get("callable") or "",
            data.get("initialization") or {},
            data.get("method"),
            data.get("resolver"),
        )


@dataclass
class StepDefinitionWrapper(Model):
    """The step as its template defines it."""

    name: str
    description: str | None
    handler: HandlerWrapper
    dependencies: list[str] = field(default_factory=lambda: [])
    retry: dict[str, Any] = field(default_factory=lambda: {})
    timeout_seconds: int = 30
    publishes_events: list[Any] = field(default_factory=lambda: [])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StepDefinitionWrapper:
        return cls(
            data.get("name") or "",
            data.get("description"),
            HandlerWrapper.from_dict(data.get("handler") or {}),
            data.get("dependencies") or [],
            data.get("retry") or {},
            data.get("timeout_seconds") or 30,
            data.get("publishes_events") or [],
        )


@dataclass
class TaskWrapper(Model):
    """The task a step belongs to."""

    task_uuid: str
    context: dict[str, Any] = field(default_factory=lambda: {})
    namespace_name: str | None = None
    task_name: str | None = None
    task_version: str | None = None
    correlation_id: str | None = None
    parent_correlation_id: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TaskWrapper:
        """Reads both the nested form ``{task: {...}, task_name, ...}`` and a flat one."""
        inner = data.get("task")
        task = cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else data
        return cls(
            task.get("task_uuid") or "",
            task.get("context") or {},
            data.get("namespace_name"),
            data.get("task_name"),
            data.get("task_version"),
            task.get("correlation_id"),
            task.get("parent_correlation_id"),
        )


@dataclass
class WorkflowStepWrapper(Model):
    """The step's row as it was before this attempt."""

    workflow_step_uuid: str
    task_uuid: str
    name: str
    named_step_uuid: str | None = None
    retryable: bool = True
    max_attempts: int = 3
    in_process: bool = False
    processed: bool = False
    processed_at: str | None = None
    attempts: int = 0
    last_attempted_at: str | None = None
    backoff_request_seconds: int = 0
    inputs: dict[str, Any] = field(default_factory=lambda: {})
    results: dict[str, Any] = field(default_factory=lambda: {})
    created_at: str | None = None
    updated_at: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WorkflowStepWrapper:
        given = {each.name: data.get(each.name) for each in fields(cls)}
        # A null column and an absent one both mean the default.
        known: dict[str, Any] = {"workflow_step_uuid": "", "task_uuid": "", "name": ""}
        known.update({name: value for name, value in given.items() if value is not None})
        return cls(**known)


class DependencyResultsWrapper:
    """Results of earlier steps: ``[name]`` is the stored object, `get_results` its value."""

    def __init__(self, results: Mapping[str, Any] | None = None) -> None:
        self._results: dict[str, Any] = dict(results or {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DependencyResultsWrapper:
        return cls(data)

    def get_result(self, name: str) -> Any:
        """The stored result object, or None."""
        return self._results.get(name)

    def get_results(self, name: str) -> Any:
        """The handler's value inside it, or None."""
        value = self._results.get(name)
        if isinstance(value, dict) and "result" in value:
            return cast("dict[str, Any]", value)["result"]
        return cast(Any, value)

    def keys(self) -> list[str]:
        return list(self._results)

    def model_dump(self, mode: str = "python") -> dict[str, Any]:
        return dict(self._results)

    def __getitem__(self, name: str) -> Any:
        return self._results[name]

    def __contains__(self, name: object) -> bool:
        return name in self._results

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


@dataclass
class TaskSequenceStepWrapper:
    """A step with its task, its definition and the results it depends on."""

    task: TaskWrapper
    workflow_step: WorkflowStepWrapper
    dependency_results: DependencyResultsWrapper
    step_definition: StepDefinitionWrapper

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TaskSequenceStepWrapper:
        return cls(
            TaskWrapper.from_dict(data.get("task") or {}),
            WorkflowStepWrapper.from_dict(data.get("workflow_step") or {}),
            DependencyResultsWrapper.from_dict(data.get("dependency_results") or {}),
            StepDefinitionWrapper.from_dict(data.get("step_definition") or {}),
        )

    def get_task_field(self, name: str) -> Any:
        """A field of the task's context, or None."""
        return self.task.context.get(name)

    def get_dependency_result(self, name: str) -> Any:
        return self.dependency_results.get_results(name)

    def get_results(self, name: str) -> Any:
        return self.dependency_results.get_results(name)


__all__ = [
    "DependencyResultsWrapper",
    "HandlerWrapper",
    "StepDefinitionWrapper",
    "TaskSequenceStepWrapper",
    "TaskWrapper",
    "WorkflowStepWrapper",
]
