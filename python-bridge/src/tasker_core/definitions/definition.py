"""A task template as an object, and its form as a YAML template."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tasker_core.step_handler.base import StepHandler

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$")


@dataclass(frozen=True)
class StepDefinition:
    """One step. `retry_limit` counts all attempts; `timeout_ms` is in milliseconds.

    Raises ValueError naming what is wrong.
    """

    name: str
    callable: str
    depends_on: tuple[str, ...] = ()
    retryable: bool = True
    retry_limit: int = 3
    timeout_ms: float | None = None
    description: str | None = None
    handler_config: Mapping[str, Any] = field(default_factory=lambda: {})
    # Further keys of the template's step: `type`, `result_schema`, `publishes_events`, ...
    template_keys: Mapping[str, Any] = field(default_factory=lambda: {})
    handler_class: type[StepHandler] | None = None

    def __post_init__(self) -> None:
        limit: object = self.retry_limit
        if not self.name:
            raise ValueError("a step needs a name")
        if type(limit) is not int or limit < 1:
            raise ValueError(
                f"step {self.name}: retry_limit counts attempts, expected 1 or more, got {limit!r}"
            )
        if self.timeout_ms is not None and not self.timeout_ms > 0:
            raise ValueError(f"step {self.name}: timeout_ms must be over 0, got {self.timeout_ms}")

    def to_template(self) -> dict[str, Any]:
        handler: dict[str, Any] = {"callable": self.callable}
        if self.handler_config:
            handler["initialization"] = dict(self.handler_config)
        step: dict[str, Any] = {
            "name": self.name,
            "handler": handler,
            "dependencies": list(self.depends_on),
            "retry": {"retryable": self.retryable, "max_attempts": self.retry_limit},
            **self.template_keys,
        }
        if self.description is not None:
            step["description"] = self.description
        if self.timeout_ms is not None:
            # Templates count whole seconds; a shorter limit becomes the next longer one.
            step["timeout_seconds"] = math.ceil(self.timeout_ms / 1000)
        return step

    def info(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "callable": self.callable,
            "depends_on": list(self.depends_on),
            "retryable": self.retryable,
            "retry_limit": self.retry_limit,
            "timeout_ms": self.timeout_ms,
            "description": self.description,
            "handler_config": dict(self.handler_config),
        }


@dataclass(frozen=True)
class TaskDefinition:
    """One version of a task. Raises ValueError naming what is wrong."""

    name: str
    steps: tuple[StepDefinition, ...]
    namespace: str = "default"
    version: str = "0.1.0"
    schema: Mapping[str, Any] | None = None
    description: str | None = None
    template_keys: Mapping[str, Any] = field(default_factory=lambda: {})

    def __post_init__(self) -> None:
        if not self.name or not self.namespace:
            raise ValueError("a task needs a name and a namespace")
        if _VERSION.match(self.version) is None:
            raise ValueError(f"task {self.key}: version must be like 1.0.0, got {self.version!r}")
        names = [each.name for each in self.steps]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"task {self.key}: there are two steps named `{name}`")
        for each in self.steps:
            for wanted in each.depends_on:
                if wanted not in names:
                    raise ValueError(
                        f"task {self.key}: step `{each.name}` depends on `{wanted}`, "
                        f"which is not a step (steps: {', '.join(names)})"
                    )
        self._refuse_cycle()

    @property
    def key(self) -> str:
        """``<namespace>/<name>``"""
        return f"{self.namespace}/{self.name}"

    @property
    def precedence(self) -> tuple[int, int, int, bool]:
        """Sorts versions; a pre-release comes before its release."""
        match = _VERSION.match(self.version)
        assert match is not None
        major, minor, patch = (int(part) for part in match.groups())
        return major, minor, patch, "-" not in self.version

    def to_template(self) -> dict[str, Any]:
        """The shape of a YAML template file."""
        template: dict[str, Any] = {
            "name": self.name,
            "namespace_name": self.namespace,
            "version": self.version,
            **self.template_keys,
            "steps": [each.to_template() for each in self.steps],
        }
        if self.description is not None:
            template["description"] = self.description
        if self.schema is not None:
            template["input_schema"] = dict(self.schema)
        return template

    def info(self) -> dict[str, Any]:
        """For tools: names, version, schema, steps."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "version": self.version,
            "description": self.description,
            "schema": None if self.schema is None else dict(self.schema),
            "steps": [each.info() for each in self.steps],
        }

    def run_task(self, context: Mapping[str, Any] | None = None, **request: Any) -> str:
        """Create a task of this version and return its id; safe from several threads.

        `request` are further fields of `TaskerClient.create_task`, whose errors are raised.
        """
        from tasker_core.client import TaskerClient

        given = {"namespace": self.namespace, "version": self.version, **request}
        return TaskerClient().create_task(self.name, context=context, **given).task_uuid

    def _refuse_cycle(self) -> None:
        waiting = {each.name: set(each.depends_on) for each in self.steps}
        while free := [name for name, needs in waiting.items() if not needs]:
            for name in free:
                del waiting[name]
            for needs in waiting.values():
                needs.difference_update(free)
        if waiting:
            names = ", ".join(sorted(waiting))
            raise ValueError(f"task {self.key}: the steps {names} wait for each other")


def schema_of(model: Any) -> Mapping[str, Any] | None:
    """A JSON Schema: a mapping as it is, a pydantic model's own, None otherwise."""
    if isinstance(model, Mapping):
        return cast("Mapping[str, Any]", model)
    make: Any = getattr(model, "model_json_schema", None)
    return cast("Mapping[str, Any]", make()) if callable(make) else None
