"""`@task_handler`, `@step` and `define_task`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tasker_core.batch_processing.batchable import Batchable
from tasker_core.definitions.definition import StepDefinition, TaskDefinition, schema_of
from tasker_core.definitions.task_registry import TaskRegistry
from tasker_core.step_handler.base import StepHandler
from tasker_core.step_handler.decision import DecisionHandler
from tasker_core.step_handler.functional import build_handler_class

C = TypeVar("C", bound=type[Any])

# The template's step type to what the function is: its kind on the wire and its mixins.
_KINDS: dict[str, tuple[str, tuple[type[Any], ...]]] = {
    "decision": ("decision", (DecisionHandler,)),
    "batchable": ("batch_analyzer", (Batchable, StepHandler)),
    "batch_worker": ("batch_worker", (Batchable, StepHandler)),
}


@dataclass(eq=False)
class StepMark:
    """What `step(...)` returns: a decorator, or with `handler` a step of its own."""

    name: str | None
    handler: str | None
    depends_on: tuple[str, ...]
    settings: dict[str, Any]
    template_keys: dict[str, Any] = field(default_factory=lambda: {})
    function: Callable[..., Any] | None = None

    def __call__(self, function: Any) -> Any:
        """Mark a function or method as this step; it stays an ordinary function."""
        self.function = function
        function.__tasker_step__ = self
        return function


def step(
    name: str | None = None,
    *,
    depends_on: str | Iterable[str] = (),
    retryable: bool = True,
    retry_limit: int = 3,
    timeout_ms: float | None = None,
    description: str | None = None,
    handler: str | None = None,
    handler_config: Mapping[str, Any] | None = None,
    **template_keys: Any,
) -> StepMark:
    """A step; its name is the function's unless given.

    `depends_on` is one step or several. The function may take, by name: `context`; each step it
    depends on (that step's result); `inputs` (the task's context as the task's `input` model).
    `handler` names a handler that exists already, instead of a function. `template_keys` are
    further keys of the template's step: `type`, `result_schema`, `publishes_events`, ...
    """
    wanted = (depends_on,) if isinstance(depends_on, str) else tuple(depends_on)
    settings: dict[str, Any] = {
        "retryable": retryable,
        "retry_limit": retry_limit,
        "timeout_ms": timeout_ms,
        "description": description,
        "handler_config": dict(handler_config or {}),
    }
    return StepMark(name, handler, wanted, settings, template_keys)


def task_handler(
    name: str,
    namespace: str = "default",
    version: str = "0.1.0",
    *,
    input: Any = None,
    description: str | None = None,
    **template_keys: Any,
) -> Callable[[C], C]:
    """Define a task by a class whose `@step` methods are its steps, in their order.

    Each step runs on an instance of its own, made without arguments. `input` is a JSON Schema or
    a pydantic model of the task's context, enforced when a task is created. The class gets
    `definition`, a TaskDefinition. Raises ValueError for a definition that cannot be.
    """

    def decorate(task_class: C) -> C:
        marks = _marks_of(task_class)
        definition = _define(
            name, namespace, version, marks, input, description, template_keys, task_class
        )
        task_class.definition = definition
        return task_class

    return decorate


def define_task(
    name: str,
    namespace: str = "default",
    version: str = "0.1.0",
    *,
    steps: Iterable[Any],
    input: Any = None,
    description: str | None = None,
    **template_keys: Any,
) -> TaskDefinition:
    """Like `task_handler`, from `@step` functions and `step(handler=...)` values."""
    marks = [_mark_of(each) for each in steps]
    return _define(name, namespace, version, marks, input, description, template_keys, None)


def _define(
    name: str,
    namespace: str,
    version: str,
    marks: list[StepMark],
    model: Any,
    description: str | None,
    template_keys: Mapping[str, Any],
    owner: Callable[[], Any] | None,
) -> TaskDefinition:
    prefix = f"{namespace}.{name}@{version}"
    definition = TaskDefinition(
        name,
        tuple(_step(mark, prefix, version, model, owner) for mark in marks),
        namespace,
        version,
        schema_of(model),
        description,
        template_keys,
    )
    TaskRegistry.instance().register(definition)
    return definition


def _step(
    mark: StepMark, prefix: str, version: str, model: Any, owner: Callable[[], Any] | None
) -> StepDefinition:
    name = mark.name or getattr(mark.function, "__name__", "")
    handler_class: type[StepHandler] | None = None
    if mark.handler is None:
        if mark.function is None:
            raise ValueError(f"step {name or '?'}: it has neither a function nor a `handler`")
        kind, bases = _KINDS.get(str(mark.template_keys.get("type")), ("step", (StepHandler,)))
        handler_class = build_handler_class(
            mark.function,
            f"{prefix}:{name}",
            version,
            kind,
            bases,
            {"_worker_template": mark.settings["handler_config"].get("worker_template_name", "")},
            owner=owner,
            dependencies=mark.depends_on,
            input_model=model if inspect.isclass(model) else None,
        )
    return StepDefinition(
        name,
        mark.handler or f"{prefix}:{name}",
        mark.depends_on,
        **mark.settings,
        template_keys=mark.template_keys,
        handler_class=handler_class,
    )


def _marks_of(task_class: type[Any]) -> list[StepMark]:
    found: dict[str, StepMark] = {}
    for base in reversed(task_class.__mro__):
        for attribute, value in vars(base).items():
            mark = getattr(value, "__tasker_step__", None)
            if isinstance(value, StepMark):
                # `ship = step(handler="orders.ship")`
                value.name = value.name or attribute
                mark = value
            if isinstance(mark, StepMark):
                found[attribute] = mark
    if not found:
        raise ValueError(f"{task_class.__name__} has no method decorated with @step")
    return list(found.values())


def _mark_of(value: Any) -> StepMark:
    mark = value if isinstance(value, StepMark) else getattr(value, "__tasker_step__", None)
    if not isinstance(mark, StepMark):
        raise ValueError(f"expected a @step function or step(handler=...), got {value!r}")
    return mark
