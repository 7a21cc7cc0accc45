"""Handlers as decorated functions.

    @step_handler("orders.charge")
    @depends_on(order="validate_order")
    @inputs("card_token")
    def charge(order, card_token, context):
        return {"charged": order["total"]}

The function stays an ordinary function; the handler class is attached as ``_handler_class``.
`depends_on` and `inputs` are read when the outer decorator runs, so they stand below it.
"""

from __future__ import annotations

import dataclasses
import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast

from tasker_core.batch_processing.batchable import Batchable
from tasker_core.errors import PermanentError, RetryableError, TaskerError
from tasker_core.step_handler.api import ApiHandler
from tasker_core.step_handler.base import StepHandler
from tasker_core.step_handler.decision import DecisionHandler
from tasker_core.types.batch import BatchWorkerContext
from tasker_core.types.context import StepContext
from tasker_core.types.decision import DecisionPointOutcome, DecisionType
from tasker_core.types.results import ErrorType, StepHandlerResult

F = TypeVar("F", bound=Callable[..., Any])
HandlerDecorator = Callable[[F], F]


@dataclass(frozen=True)
class Decision:
    """What a decision function returns."""

    outcome: DecisionPointOutcome

    @classmethod
    def route(cls, steps: list[str], **routing_context: Any) -> Decision:
        """Create these steps."""
        return cls(DecisionPointOutcome.create_steps(steps, routing_context=routing_context))

    @classmethod
    def skip(cls, reason: str, **routing_context: Any) -> Decision:
        """Create no steps, and say why."""
        return cls(DecisionPointOutcome.no_branches(reason, routing_context))


@dataclass(frozen=True)
class BatchConfig:
    """What a batch analyzer returns: how many items, and how many per worker."""

    total_items: int
    batch_size: int
    metadata: dict[str, Any] = field(default_factory=lambda: {})


def step_handler(name: str, version: str = "1.0.0") -> HandlerDecorator[Any]:
    """Make a function the handler called `name`."""
    return _decorator(name, version, "step", (StepHandler,))


def decision_handler(name: str, version: str = "1.0.0") -> HandlerDecorator[Any]:
    """Like `step_handler`; the function returns a `Decision`."""
    return _decorator(name, version, "decision", (DecisionHandler,))


def batch_analyzer(
    name: str, worker_template: str, version: str = "1.0.0"
) -> HandlerDecorator[Any]:
    """Like `step_handler`; the function returns a `BatchConfig`."""
    bases = (Batchable, StepHandler)
    extra = {"_worker_template": worker_template}
    return _decorator(name, version, "batch_analyzer", bases, extra)


def batch_worker(name: str, version: str = "1.0.0") -> HandlerDecorator[Any]:
    """Like `step_handler`; the function also gets `batch_context`."""
    return _decorator(name, version, "batch_worker", (Batchable, StepHandler))


def api_handler(
    name: str,
    base_url: str,
    version: str = "1.0.0",
    timeout: float = 30.0,
    default_headers: dict[str, str] | None = None,
) -> HandlerDecorator[Any]:
    """Like `step_handler`; the function also gets `api`, the handler with the HTTP methods."""
    extra = {
        "base_url": base_url,
        "default_timeout": timeout,
        "default_headers": default_headers or {},
    }
    return _decorator(name, version, "api", (ApiHandler,), extra)


def depends_on(**dependencies: str | tuple[str, Any]) -> HandlerDecorator[Any]:
    """Pass results of earlier steps: ``parameter="step_name"`` or ``("step_name", Model)``."""

    def decorate(function: Any) -> Any:
        names: dict[str, str] = dict(getattr(function, "_depends_on", {}))
        models: dict[str, Any] = dict(getattr(function, "_dep_models", {}))
        for parameter, wanted in dependencies.items():
            if isinstance(wanted, tuple):
                names[parameter], models[parameter] = wanted
            else:
                names[parameter] = wanted
        function._depends_on = names
        function._dep_models = models
        return function

    return decorate


def inputs(*keys: Any) -> HandlerDecorator[Any]:
    """Pass fields of the task's context by key, or all fields of one model class as `inputs`."""

    def decorate(function: Any) -> Any:
        if len(keys) == 1 and isinstance(keys[0], type):
            function._input_model = keys[0]
        else:
            function._inputs = [*getattr(function, "_inputs", []), *keys]
        return function

    return decorate


class FunctionalHandler:
    """What the generated handler classes share: arguments in, results and errors out."""

    _bridge_kind: ClassVar[str] = "step"
    _worker_template: ClassVar[str] = ""
    _injection: ClassVar[_Injection]

    def arguments(self, context: StepContext) -> dict[str, Any]:
        """The keyword arguments for the function."""
        values = self._injection.values(context)
        if self._bridge_kind == "api":
            values["api"] = self
        elif self._bridge_kind == "batch_worker":
            values["batch_context"] = BatchWorkerContext.from_step_context(context)
        return self._injection.fit(values, context)

    def wrap(self, value: Any) -> StepHandlerResult:
        """What the function returned, as a StepHandlerResult."""
        if isinstance(value, StepHandlerResult):
            return value
        if isinstance(value, Decision) and isinstance(self, DecisionHandler):
            if value.outcome.decision_type is DecisionType.NO_BRANCHES:
                return self.decision_no_branches(value.outcome)
            return self.decision_success_with_outcome(value.outcome)
        if isinstance(value, BatchConfig) and isinstance(self, Batchable):
            outcome = self.create_batch_outcome(
                value.total_items, value.batch_size, batch_metadata=value.metadata
            )
            return self.batch_analyzer_success(outcome, worker_template_name=self._worker_template)
        if value is None:
            return StepHandlerResult(True, {})
        if isinstance(value, dict):
            return StepHandlerResult(True, cast("dict[str, Any]", value))
        dump = getattr(value, "model_dump", None)
        if callable(dump):
            return StepHandlerResult(True, cast(Any, dump(mode="json")))
        return StepHandlerResult(True, {"result": value})


class _Injection:
    """Which keyword arguments a function wants, read once from its decorators and signature."""

    def __init__(
        self,
        function: Any,
        dependencies: Iterable[str] = (),
        input_model: type[Any] | None = None,
    ) -> None:
        declared: dict[str, str] = getattr(function, "_depends_on", {})
        self._dependencies: dict[str, str] = {**{each: each for each in dependencies}, **declared}
        self._models: dict[str, Any] = getattr(function, "_dep_models", {})
        self._input_model: Any = getattr(function, "_input_model", None)
        self._inputs: list[str] = getattr(function, "_inputs", [])
        parameters = inspect.signature(function).parameters
        self._names = frozenset(parameters)
        if self._input_model is None and "inputs" in parameters:
            self._input_model = input_model
        self._takes_any = any(
            each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()
        )

    def values(self, context: StepContext) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for parameter, step_name in self._dependencies.items():
            value = context.get_dependency_result(step_name)
            model = self._models.get(parameter)
            if model is not None and isinstance(value, dict):
                value = _validated(model, cast("dict[str, Any]", value))
            values[parameter] = value
        if self._input_model is not None:
            names = _field_names(self._input_model)
            values["inputs"] = self._input_model(**{n: context.get_input(n) for n in names})
        else:
            for key in self._inputs:
                values[key] = context.get_input(key)
        return values

    def fit(self, values: dict[str, Any], context: StepContext) -> dict[str, Any]:
        """Rename ``key`` to ``_key`` where only that is taken; drop what is not taken at all."""
        if self._takes_any:
            fitted = {self._taken_as(name) or name: value for name, value in values.items()}
        else:
            fitted = {
                taken: value
                for name, value in values.items()
                if (taken := self._taken_as(name)) is not None
            }
        context_name = self._taken_as("context")
        if context_name is not None:
            fitted[context_name] = context
        return fitted

    def _taken_as(self, name: str) -> str | None:
        if name in self._names:
            return name
        return f"_{name}" if f"_{name}" in self._names else None


def _decorator(
    name: str,
    version: str,
    kind: str,
    bases: tuple[type[Any], ...],
    extra: Mapping[str, Any] | None = None,
) -> HandlerDecorator[Any]:
    def decorate(function: Any) -> Any:
        function._handler_class = build_handler_class(function, name, version, kind, bases, extra)
        return function

    return decorate


def build_handler_class(
    function: Callable[..., Any],
    name: str,
    version: str,
    kind: str,
    bases: tuple[type[Any], ...],
    extra: Mapping[str, Any] | None = None,
    *,
    owner: Callable[[], Any] | None = None,
    dependencies: Iterable[str] = (),
    input_model: type[Any] | None = None,
) -> type[StepHandler]:
    """The handler class that calls `function`.

    With `owner` it is a method, called on a new `owner()` each time. `dependencies` are steps whose
    results are offered under their own names, `input_model` is offered as `inputs`, both only if
    the function names them.
    """
    injection = _Injection(function, dependencies, input_model)
    target = function if owner is None else _method_call(function, owner)
    members: dict[str, Any] = {
        "handler_name": name,
        "handler_version": version,
        "call": _async_call(target) if _is_async(function) else _plain_call(target),
        "_bridge_kind": kind,
        "_injection": injection,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        **(extra or {}),
    }
    return cast("type[StepHandler]", type(function.__name__, (FunctionalHandler, *bases), members))


def _method_call(function: Callable[..., Any], owner: Callable[[], Any]) -> Callable[..., Any]:
    def call(**arguments: Any) -> Any:
        return function(owner(), **arguments)

    return call


def _plain_call(function: Callable[..., Any]) -> Callable[[Any, StepContext], Any]:
    def call(self: FunctionalHandler, context: StepContext) -> StepHandlerResult:
        try:
            return self.wrap(function(**self.arguments(context)))
        except Exception as error:
            return _failed(error)

    return call


def _async_call(function: Callable[..., Any]) -> Callable[[Any, StepContext], Any]:
    async def call(self: FunctionalHandler, context: StepContext) -> StepHandlerResult:
        try:
            return self.wrap(await function(**self.arguments(context)))
        except Exception as error:
            return _failed(error)

    return call


def _failed(error: Exception) -> StepHandlerResult:
    if isinstance(error, TaskerError):
        if isinstance(error, PermanentError):
            kind, retryable = ErrorType.PERMANENT_ERROR, False
        elif isinstance(error, RetryableError):
            kind, retryable = ErrorType.RETRYABLE_ERROR, True
        else:
            kind, retryable = ErrorType.HANDLER_ERROR, error.retryable
        return StepHandlerResult.failure(
            error.message, kind, retryable, error.metadata, error.error_code
        )
    trace = "".join(traceback.format_exception(error))
    return StepHandlerResult.failure(
        str(error) or type(error).__name__,
        ErrorType.HANDLER_ERROR,
        True,
        {"exception_type": type(error).__name__, "traceback": trace},
    )


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function)


def _validated(model: Any, value: dict[str, Any]) -> Any:
    validate = getattr(model, "model_validate", None)
    return validate(value) if callable(validate) else model(**value)


def _field_names(model: Any) -> list[str]:
    declared = getattr(model, "model_fields", None)
    if isinstance(declared, Mapping):
        return list(cast("Mapping[str, Any]", declared))
    if dataclasses.is_dataclass(model):
        return [each.name for each in dataclasses.fields(model)]
    return list(inspect.get_annotations(model))


__all__ = [
    "BatchConfig",
    "Decision",
    "FunctionalHandler",
    "HandlerDecorator",
    "api_handler",
    "batch_analyzer",
    "batch_worker",
    "decision_handler",
    "depends_on",
    "inputs",
    "step_handler",
]
