"""Decides whether an exception is worth another attempt."""

from __future__ import annotations

from typing import Any

from tasker_core.errors._families import PermanentError, RetryableError

_PERMANENT: tuple[type[BaseException], ...] = (
    PermanentError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    AssertionError,
    SyntaxError,
    NameError,
    ImportError,
    NotImplementedError,
)
_RETRYABLE: tuple[type[BaseException], ...] = (RetryableError, OSError)


class ErrorClassifier:
    """Reads an exception's own `retryable` first, then its class, then the default."""

    def __init__(self, *, default_retryable: bool = True) -> None:
        self.default_retryable = default_retryable

    def retryable(self, exc: BaseException) -> bool:
        return self._decide(exc)[0]

    def permanent(self, exc: BaseException) -> bool:
        return not self.retryable(exc)

    def classify(self, exc: BaseException) -> dict[str, Any]:
        """`{error_type, retryable, classification}`."""
        retryable, classification = self._decide(exc)
        return {
            "error_type": type(exc).__name__,
            "retryable": retryable,
            "classification": classification,
        }

    def _decide(self, error: BaseException) -> tuple[bool, str]:
        own: object = getattr(error, "retryable", None)
        if own is not None:
            return bool(own), "explicit_attribute"
        if isinstance(error, _PERMANENT):
            return False, "permanent_class"
        if isinstance(error, _RETRYABLE):
            return True, "retryable_class"
        return self.default_retryable, "default"


_shared = ErrorClassifier()


def get_classifier() -> ErrorClassifier:
    """The classifier with default settings, shared."""
    return _shared


def is_retryable(error: BaseException) -> bool:
    return _shared.retryable(error)


def is_permanent(error: BaseException) -> bool:
    return _shared.permanent(error)


__all__ = ["ErrorClassifier", "get_classifier", "is_permanent", "is_retryable"]
