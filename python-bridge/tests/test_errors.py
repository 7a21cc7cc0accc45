"""Two words decide: retryable and permanent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import tasker_core
from tasker_core import ErrorClassifier, errors, exceptions, is_permanent, is_retryable
from tasker_core._protocol.frame import Frame, FrameSplitter
from tasker_core._protocol.messages import check_header, read_header
from tasker_core._runtime.answers import exception_frame
from tasker_core._runtime.delivery import Delivery

RETRYABLE = [
    errors.RetryableError,
    errors.TimeoutError,
    errors.NetworkError,
    errors.RateLimitError,
    errors.ServiceUnavailableError,
    errors.ResourceContentionError,
    errors.FFIError,
    errors.TaskerError,
]
PERMANENT = [
    errors.PermanentError,
    errors.ValidationError,
    errors.NotFoundError,
    errors.AuthenticationError,
    errors.AuthorizationError,
    errors.ConfigurationError,
    errors.BusinessLogicError,
]


@pytest.mark.parametrize("error_class", RETRYABLE)
def test_retryable_family(error_class: type[errors.TaskerError]) -> None:
    assert error_class("x").retryable is True
    assert is_retryable(error_class("x"))


@pytest.mark.parametrize("error_class", PERMANENT)
def test_permanent_family(error_class: type[errors.TaskerError]) -> None:
    assert error_class("x").retryable is False
    assert is_permanent(error_class("x"))
    assert error_class("x", retryable=True).retryable is True


def test_details_are_copied_into_metadata() -> None:
    error = errors.RateLimitError(
        "slow down", metadata={"a": 1}, error_code="E9", retry_after=2.5, context={"b": 2}
    )
    assert error.metadata == {"a": 1, "b": 2, "error_code": "E9", "retry_after": 2.5}
    assert error.to_dict() == {
        "error_type": "RateLimitError",
        "message": "slow down",
        "retryable": True,
        "metadata": error.metadata,
    }


def test_the_docstring_is_the_default_message() -> None:
    assert str(errors.NotFoundError()) == "Something the step needs does not exist."


def test_root_names() -> None:
    assert tasker_core.TaskerError is exceptions.TaskerError
    assert tasker_core.StepTimeoutError is errors.TimeoutError
    assert tasker_core.StepValidationError is errors.ValidationError
    for name in tasker_core.__all__:
        assert hasattr(tasker_core, name)


@pytest.mark.parametrize(
    ("error", "retryable", "classification"),
    [
        (ValueError(), False, "permanent_class"),
        (KeyError(), False, "permanent_class"),
        (NotImplementedError(), False, "permanent_class"),
        (ConnectionResetError(), True, "retryable_class"),
        (OSError(), True, "retryable_class"),
        (errors.PermanentError("x"), False, "explicit_attribute"),
        (RuntimeError(), True, "default"),
    ],
)
def test_classification(error: Exception, retryable: bool, classification: str) -> None:
    assert ErrorClassifier().classify(error) == {
        "error_type": type(error).__name__,
        "retryable": retryable,
        "classification": classification,
    }
    assert ErrorClassifier(default_retryable=False).retryable(RuntimeError()) is False


def frame_of(error: BaseException) -> dict[str, Any]:
    delivery = Delivery({"delivery_id": "d1"}, b"", lambda _: None)
    [frame] = FrameSplitter().feed(exception_frame(delivery, error, 1 << 20))
    assert isinstance(frame, Frame)
    header = read_header(frame.header)
    check_header(header, "host")
    return header


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


@pytest.mark.parametrize(
    ("error", "message", "retryable"),
    [
        (ValueError("bad \0 \ud800 text"), "bad \\0 \\ud800 text", True),
        (ValueError(), "ValueError", True),
        (Mute(), "Mute", True),
        (SystemExit(2), "the handler called sys.exit(2)", True),
        (KeyboardInterrupt(), "KeyboardInterrupt", True),
        (errors.PermanentError("no", metadata={"x": object()}), "no", False),
        (errors.RetryableError("later", retry_after=float("nan")), "later", True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_exception_becomes_a_valid_error_frame(
    error: BaseException, message: str, retryable: bool
) -> None:
    header = frame_of(error)
    assert (header["message"], header["retryable"]) == (message, retryable)
    assert header["kind"] == "handler"


def test_a_long_message_is_clipped_to_8_kib() -> None:
    header = frame_of(RuntimeError("ü" * 20_000))
    assert len(header["message"].encode()) <= 8192
    assert header["message"].endswith("...")


def test_cancellation_without_a_request_is_a_cancelled_step() -> None:
    assert frame_of(asyncio.CancelledError())["kind"] == "cancelled"
