"""The class every step handler derives from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any, ClassVar

from tasker_core.types.context import StepContext
from tasker_core.types.results import ErrorType, StepHandlerResult

StepHandlerCallResult = StepHandlerResult | Awaitable[StepHandlerResult]


class StepHandler(ABC):
    """Runs one kind of step. A new instance serves each delivery.

    ``call`` may be ``def`` (runs on a thread) or ``async def`` (runs on the event loop).
    """

    handler_name: ClassVar[str] = ""
    handler_version: ClassVar[str] = "1.0.0"

    @abstractmethod
    def call(self, context: StepContext) -> StepHandlerCallResult:
        """Do the step's work and return `self.success(...)` or `self.failure(...)`."""

    @property
    def name(self) -> str:
        return self.handler_name or type(self).__name__

    @property
    def version(self) -> str:
        return self.handler_version

    @property
    def capabilities(self) -> list[str]:
        return ["process"]

    def config_schema(self) -> dict[str, Any] | None:
        """A JSON Schema for the template's `initialization`, or None."""
        return None

    def success(
        self, result: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> StepHandlerResult:
        return StepHandlerResult(True, result or {}, metadata=metadata)

    def failure(
        self,
        message: str,
        error_type: str | ErrorType = "handler_error",
        retryable: bool = True,
        metadata: dict[str, Any] | None = None,
        error_code: str | None = None,
    ) -> StepHandlerResult:
        return StepHandlerResult.failure(message, error_type, retryable, metadata, error_code)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, version={self.version!r})"


__all__ = ["StepHandler", "StepHandlerCallResult"]
