"""StepContext: everything a handler may ask about the step it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID

from tasker_core.types._model import dump_value
from tasker_core.types.events import FfiStepEvent

if TYPE_CHECKING:
    from tasker_core.models import TaskSequenceStepWrapper


class DeliveryControl(Protocol):
    """What the runtime offers to a running step; absent in unit tests."""

    @property
    def cancel_reason(self) -> str | None: ...

    def wait_cancelled(self, timeout_seconds: float | None) -> bool: ...

    def beat(self, progress: float | None, extend_ms: float | None) -> None: ...


class StepContext:
    """One step as its handler sees it.

    Results of earlier steps are the stored result objects; the accessors unwrap exactly one
    level of `result`.
    """

    __slots__ = (
        "_control",
        "_correlation_id",
        "_step_uuid",
        "_task_uuid",
        "dependency_results",
        "event",
        "handler_name",
        "input_data",
        "max_retries",
        "retry_count",
        "step_config",
        "step_inputs",
    )

    def __init__(
        self,
        event: FfiStepEvent,
        task_uuid: UUID | str,
        step_uuid: UUID | str,
        correlation_id: UUID | str,
        handler_name: str,
        input_data: dict[str, Any] | None = None,
        dependency_results: dict[str, Any] | None = None,
        step_config: dict[str, Any] | None = None,
        step_inputs: dict[str, Any] | None = None,
        retry_count: int = 0,
        max_retries: int = 3,
    ) -> None:
        self.event = event
        # Ids become UUID objects on first use: most handlers never look at them.
        self._task_uuid = task_uuid
        self._step_uuid = step_uuid
        self._correlation_id = correlation_id
        self.handler_name = handler_name
        self.input_data: dict[str, Any] = {} if input_data is None else input_data
        self.dependency_results: dict[str, Any] = (
            {} if dependency_results is None else dependency_results
        )
        self.step_config: dict[str, Any] = {} if step_config is None else step_config
        self.step_inputs: dict[str, Any] = {} if step_inputs is None else step_inputs
        self.retry_count = retry_count
        self.max_retries = max_retries
        self._control: DeliveryControl | None = None

    @classmethod
    def from_ffi_event(
        cls, event: FfiStepEvent, handler_name: str, control: DeliveryControl | None = None
    ) -> StepContext:
        """Read a step event. Missing parts become empty, never an error."""
        tss = event.task_sequence_step
        task = _object(tss, "task")
        inner = task.get("task")
        source: dict[str, Any] = cast("dict[str, Any]", inner) if isinstance(inner, dict) else task
        step = _object(tss, "workflow_step")
        handler = _object(_object(tss, "step_definition"), "handler")
        context = cls(
            event,
            event.task_uuid,
            event.step_uuid,
            event.correlation_id,
            handler_name,
            _object(source, "context"),
            _object(tss, "dependency_results"),
            _object(handler, "initialization"),
            _object(step, "inputs"),
            step.get("attempts") or 0,
            step.get("max_attempts") or 3,
        )
        context._control = control
        return context

    @property
    def task_uuid(self) -> UUID:
        value = self._task_uuid
        if not isinstance(value, UUID):
            self._task_uuid = value = UUID(value)
        return value

    @property
    def step_uuid(self) -> UUID:
        value = self._step_uuid
        if not isinstance(value, UUID):
            self._step_uuid = value = UUID(value)
        return value

    @property
    def correlation_id(self) -> UUID:
        value = self._correlation_id
        if not isinstance(value, UUID):
            self._correlation_id = value = UUID(value)
        return value

    def get_dependency_result(self, step_name: str) -> Any:
        """The result of an earlier step, or None."""
        return _unwrap(self.dependency_results.get(step_name))

    def get_dependency_field(self, step_name: str, *path: str) -> Any:
        """A field inside the result of an earlier step, or None where the path ends early."""
        value = self.get_dependency_result(step_name)
        for key in path:
            if not isinstance(value, dict):
                return None
            value = cast("dict[str, Any]", value).get(key)
        return value

    def get_all_dependency_results(self, prefix: str) -> list[Any]:
        """The results that are not None of all earlier steps whose names start with `prefix`."""
        found = (
            _unwrap(value)
            for name, value in self.dependency_results.items()
            if name.startswith(prefix)
        )
        return [value for value in found if value is not None]

    def get_dependency_result_keys(self) -> list[str]:
        return list(self.dependency_results)

    def get_input(self, key: str) -> Any:
        """A field of the task's context, or None."""
        return self.input_data.get(key)

    def get_input_or(self, key: str, default: Any = None) -> Any:
        value = self.input_data.get(key)
        return default if value is None else value

    def get_config(self, key: str) -> Any:
        """A field of the handler's `initialization` in the template, or None."""
        return self.step_config.get(key)

    def is_retry(self) -> bool:
        return self.retry_count > 0

    def is_last_retry(self) -> bool:
        return self.retry_count >= self.max_retries - 1

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        value = _object(self.event.task_sequence_step, "workflow_step").get("checkpoint")
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None

    @property
    def checkpoint_cursor(self) -> Any:
        return (self.checkpoint or {}).get("cursor")

    @property
    def checkpoint_items_processed(self) -> int:
        return (self.checkpoint or {}).get("items_processed") or 0

    @property
    def accumulated_results(self) -> dict[str, Any] | None:
        return (self.checkpoint or {}).get("accumulated_results")

    def has_checkpoint(self) -> bool:
        return self.checkpoint_cursor is not None

    @property
    def task_sequence_step(self) -> TaskSequenceStepWrapper:
        from tasker_core.models import TaskSequenceStepWrapper

        return TaskSequenceStepWrapper.from_dict(self.event.task_sequence_step)

    @property
    def cancelled(self) -> bool:
        """True once the host has asked this delivery to stop: time out, cancellation, shutdown."""
        return self._control is not None and self._control.cancel_reason is not None

    @property
    def cancel_reason(self) -> str | None:
        """`timeout`, `task_cancelled`, `lease_lost`, `shutdown`, or None while it may run on."""
        return None if self._control is None else self._control.cancel_reason

    def wait_cancelled(self, timeout_seconds: float | None = None) -> bool:
        """Sleep that ends early when the delivery is cancelled. Returns `cancelled`."""
        if self._control is not None:
            return self._control.wait_cancelled(timeout_seconds)
        if timeout_seconds is None:
            raise ValueError("without a running worker nothing can cancel: give a timeout")
        import time

        time.sleep(timeout_seconds)
        return False

    def heartbeat(self, progress: float | None = None, extend_ms: float | None = None) -> None:
        """Tell the host this step is alive; `progress` is 0 to 1."""
        if self._control is not None:
            self._control.beat(progress, extend_ms)

    def model_dump(self, mode: str = "python") -> dict[str, Any]:
        return {
            "event": self.event.model_dump(mode),
            "task_uuid": dump_value(self.task_uuid, mode),
            "step_uuid": dump_value(self.step_uuid, mode),
            "correlation_id": dump_value(self.correlation_id, mode),
            "handler_name": self.handler_name,
            "input_data": dump_value(self.input_data, mode),
            "dependency_results": dump_value(self.dependency_results, mode),
            "step_config": dump_value(self.step_config, mode),
            "step_inputs": dump_value(self.step_inputs, mode),
            "retry_count": self.retry_count,
            "max_retries": self.max_retries,
        }

    @classmethod
    def model_validate(cls, data: Any) -> StepContext:
        """Build from the form `model_dump` gives."""
        if isinstance(data, cls):
            return data
        if not isinstance(data, dict):
            raise ValueError(f"StepContext: expected an object, got {type(data).__name__}")
        given = dict(cast("dict[str, Any]", data))
        for name in ("event", "task_uuid", "step_uuid", "correlation_id", "handler_name"):
            if name not in given:
                raise ValueError(f"StepContext: missing `{name}`")
        given["event"] = FfiStepEvent.model_validate(given["event"])
        return cls(**given)

    def __repr__(self) -> str:
        return f"StepContext(handler_name={self.handler_name!r}, step_uuid={self._step_uuid!s})"


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _unwrap(value: Any) -> Any:
    if isinstance(value, dict) and "result" in value:
        return cast("dict[str, Any]", value)["result"]
    return cast(Any, value)
