"""What a handler returns, and what a worker makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, cast

from tasker_core.types._model import Model, dump_value, optional


class ErrorType(str, Enum):
    """The standard error types; a handler may use others."""

    PERMANENT_ERROR = "permanent_error"
    RETRYABLE_ERROR = "retryable_error"
    VALIDATION_ERROR = "validation_error"
    TIMEOUT = "timeout"
    HANDLER_ERROR = "handler_error"

    @classmethod
    def is_standard(cls, error_type: str) -> bool:
        return error_type in cls._value2member_map_

    @classmethod
    def is_typically_retryable(cls, error_type: str) -> bool:
        return error_type in (cls.RETRYABLE_ERROR.value, cls.TIMEOUT.value)


class ResultStatus(str, Enum):
    """The `status` of a step execution result."""

    SUCCESS = "completed"
    FAILURE = "error"
    RETRYABLE_ERROR = "retryable_error"
    PERMANENT_ERROR = "permanent_error"


class StepHandlerResult:
    """A handler's answer. Read the outcome from `is_success`: `success` is the constructor."""

    __slots__ = (
        "error_code",
        "error_message",
        "error_type",
        "is_success",
        "metadata",
        "result",
        "retryable",
    )

    is_success: bool
    result: dict[str, Any] | None
    error_message: str | None
    error_type: str | None
    error_code: str | None
    retryable: bool
    metadata: dict[str, Any]

    def __init__(
        self,
        is_success: bool | None = None,
        result: dict[str, Any] | None = None,
        error_message: str | None = None,
        error_type: str | ErrorType | None = None,
        error_code: str | None = None,
        retryable: bool = True,
        metadata: dict[str, Any] | None = None,
        *,
        success: bool | None = None,
    ) -> None:
        outcome = is_success if is_success is not None else success
        if outcome is None:
            raise ValueError("StepHandlerResult: missing `is_success`")
        self.is_success = outcome
        self.result = result
        self.error_message = error_message
        self.error_type = error_type.value if isinstance(error_type, ErrorType) else error_type
        self.error_code = error_code
        self.retryable = retryable
        self.metadata = {} if metadata is None else metadata

    @classmethod
    def success(
        cls, result: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> StepHandlerResult:
        return cls(True, result, metadata=metadata)

    @classmethod
    def failure(
        cls,
        message: str,
        error_type: str | ErrorType = ErrorType.HANDLER_ERROR,
        retryable: bool = True,
        metadata: dict[str, Any] | None = None,
        error_code: str | None = None,
    ) -> StepHandlerResult:
        return cls(False, None, message, error_type, error_code, retryable, metadata)

    def is_success_result(self) -> bool:
        return self.is_success

    def is_failure_result(self) -> bool:
        return not self.is_success

    @classmethod
    def model_validate(cls, data: Any) -> StepHandlerResult:
        """Build from a mapping with `success` or `is_success`."""
        if isinstance(data, cls):
            return data
        if not isinstance(data, Mapping):
            raise ValueError(f"StepHandlerResult: expected an object, got {type(data).__name__}")
        given = cast("Mapping[str, Any]", data)
        known = {name: given[name] for name in (*cls.__slots__, "success") if name in given}
        return cls(**known)

    def model_dump(
        self, mode: str = "python", *, by_alias: bool = False, exclude_none: bool = False
    ) -> dict[str, Any]:
        """The members as a dict; `by_alias` names the outcome `success`."""
        dumped: dict[str, Any] = {
            "success" if by_alias else "is_success": self.is_success,
            "result": dump_value(self.result, mode),
            "error_message": self.error_message,
            "error_type": self.error_type,
            "error_code": self.error_code,
            "retryable": self.retryable,
            "metadata": dump_value(self.metadata, mode),
        }
        return {k: v for k, v in dumped.items() if v is not None} if exclude_none else dumped

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StepHandlerResult):
            return NotImplemented
        return self.model_dump() == other.model_dump()

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.model_dump().items())
        return f"StepHandlerResult({shown})"


@dataclass
class StepHandlerCallResult(Model):
    """An older form of StepHandlerResult, kept for handlers that build it."""

    success: bool
    result: dict[str, Any] = field(default_factory=lambda: {})
    error_message: str | None = None
    metadata: dict[str, Any] = field(default_factory=lambda: {})


@dataclass
class StepError(Model):
    """The failure inside a StepExecutionResult."""

    error_type: str
    message: str
    stack_trace: str | None = None
    retryable: bool = True
    metadata: dict[str, Any] = field(default_factory=lambda: {})


@dataclass
class StepExecutionResult(Model):
    """The record of one attempt as the core stores it."""

    step_uuid: Any
    task_uuid: Any
    success: bool
    status: str
    execution_time_ms: int
    result: dict[str, Any] | None = None
    error: StepError | None = None
    worker_id: str | None = None
    correlation_id: Any = None
    metadata: dict[str, Any] = field(default_factory=lambda: {})

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "error": optional(StepError.model_validate)
    }

    @classmethod
    def success_result(
        cls,
        step_uuid: Any,
        task_uuid: Any,
        result: dict[str, Any],
        execution_time_ms: int,
        worker_id: str,
        correlation_id: Any = None,
        metadata: dict[str, Any] | None = None,
    ) -> StepExecutionResult:
        return cls(
            step_uuid,
            task_uuid,
            True,
            ResultStatus.SUCCESS.value,
            execution_time_ms,
            result=result,
            worker_id=worker_id,
            correlation_id=correlation_id,
            metadata=metadata or {},
        )

    @classmethod
    def failure_result(
        cls,
        step_uuid: Any,
        task_uuid: Any,
        error: StepError,
        execution_time_ms: int,
        worker_id: str,
        correlation_id: Any = None,
        metadata: dict[str, Any] | None = None,
    ) -> StepExecutionResult:
        status = ResultStatus.RETRYABLE_ERROR if error.retryable else ResultStatus.PERMANENT_ERROR
        return cls(
            step_uuid,
            task_uuid,
            False,
            status.value,
            execution_time_ms,
            error=error,
            worker_id=worker_id,
            correlation_id=correlation_id,
            metadata=metadata or {},
        )
