"""The handler error classes, in two families under one base."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar


class TaskerError(Exception):
    """A step failed.

    `retry_after` is in seconds and delays the next attempt. `error_code`, `retry_after` and the
    entries of `context` are also copied into `metadata`, which travels with the failure.
    Without a message the class's docstring is the message.
    """

    retryable: bool = True
    default_retryable: ClassVar[bool] = True

    def __init__(
        self,
        message: str | None = None,
        *,
        retryable: bool | None = None,
        metadata: dict[str, Any] | None = None,
        error_code: str | None = None,
        retry_after: float | None = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        text = _first_line(type(self)) if message is None else message
        super().__init__(text)
        self.message = text
        self.retryable = self.default_retryable if retryable is None else retryable
        self.error_code = error_code
        self.retry_after = retry_after
        self.metadata: dict[str, Any] = dict(metadata or {})
        if context:
            self.metadata.update(context)
        if error_code is not None:
            self.metadata["error_code"] = error_code
        if retry_after is not None:
            self.metadata["retry_after"] = retry_after

    def to_dict(self) -> dict[str, Any]:
        return {
            "error_type": type(self).__name__,
            "message": self.message,
            "retryable": self.retryable,
            "metadata": self.metadata,
        }


class RetryableError(TaskerError):
    """The step failed in a way another attempt may cure."""


class TimeoutError(RetryableError):
    """The operation took too long."""


class NetworkError(RetryableError):
    """The network failed."""


class RateLimitError(RetryableError):
    """A rate limit was reached."""


class ServiceUnavailableError(RetryableError):
    """A service is unavailable."""


class ResourceContentionError(RetryableError):
    """A resource is held by someone else."""


class PermanentError(TaskerError):
    """The step failed in a way no further attempt can cure."""

    retryable = False
    default_retryable = False


class ValidationError(PermanentError):
    """The input is not valid."""


class NotFoundError(PermanentError):
    """Something the step needs does not exist."""


class AuthenticationError(PermanentError):
    """The credentials were refused."""


class AuthorizationError(PermanentError):
    """The operation is not allowed."""


class ConfigurationError(PermanentError):
    """The configuration is wrong."""


class BusinessLogicError(PermanentError):
    """A business rule forbids the operation."""


class FFIError(TaskerError):
    """The connection to the Tasker core failed."""


def _first_line(error_class: type[TaskerError]) -> str:
    return (inspect.getdoc(error_class) or error_class.__name__).partition("\n")[0]
