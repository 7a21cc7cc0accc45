"""Terminal messages: from a handler's result or exception to one frame.

A result's body is the value's JSON text followed by one object ``{metadata}``; the header's
`split` says where the value ends. An error's body is that object alone.
"""

from __future__ import annotations

import asyncio
import json
import math
import traceback
from collections.abc import Mapping
from typing import Any, cast

from tasker_core._protocol import json_text
from tasker_core._protocol.frame import FrameTooLargeError, encode_frame, encode_message
from tasker_core._protocol.json_text import NotJsonError
from tasker_core._protocol.messages import clip_message
from tasker_core._runtime.delivery import Delivery
from tasker_core.types.results import StepHandlerResult

_MAX_BACKTRACE_LINES = 100


def wrap_result(value: Any) -> StepHandlerResult:
    """What a handler returned, as a StepHandlerResult."""
    if isinstance(value, StepHandlerResult):
        return value
    if value is None:
        return StepHandlerResult(True, {})
    if isinstance(value, dict):
        return StepHandlerResult(True, cast("dict[str, Any]", value))
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return StepHandlerResult(True, cast(Any, dump(mode="json")))
    return StepHandlerResult(True, {"result": value})


def answer_frame(delivery: Delivery, result: StepHandlerResult, max_frame: int) -> bytes:
    """The frame that ends the delivery. Never raises for what a handler may have returned."""
    try:
        if result.is_success and result.metadata.get("checkpoint_yield") is True:
            frame = checkpoint_frame(delivery, result.result or {})
        else:
            frame = result_frame(delivery, result)
    except NotJsonError as problem:
        return _invalid_result(delivery, problem)
    except FrameTooLargeError as problem:
        return _too_large(delivery, str(problem))
    # The four bytes of the length field do not count themselves.
    if len(frame) - 4 > max_frame:
        return _too_large(delivery, f"a frame of {len(frame) - 4} bytes, limit {max_frame}")
    return frame


def result_frame(delivery: Delivery, result: StepHandlerResult) -> bytes:
    """A `result` or `error` frame. Raises NotJsonError, or FrameTooLargeError for the header."""
    return _success(delivery, result) if result.is_success else _failure(delivery, result)


def exception_frame(delivery: Delivery, error: BaseException, max_frame: int) -> bytes:
    """The frame for an exception that escaped a handler."""
    if isinstance(error, asyncio.CancelledError):
        return cancelled_frame(delivery)
    own: object = getattr(error, "retryable", None)
    metadata: object = getattr(error, "metadata", None)
    code: object = getattr(error, "error_code", None)
    frame = error_frame(
        delivery,
        kind="handler",
        error_type=type(error).__name__,
        message=_message(error),
        # An exception that says permanent is permanent; anything unknown deserves another try.
        retryable=own if isinstance(own, bool) else True,
        code=None if code is None else str(code),
        retry_after_ms=_milliseconds(getattr(error, "retry_after", None)),
        detail={
            "metadata": _json_or_text(metadata) if isinstance(metadata, dict) else {},
            "backtrace": _backtrace(error),
        },
    )
    return frame if len(frame) - 4 <= max_frame else _too_large(delivery, "the error's metadata")


def failure_of(error: BaseException) -> StepHandlerResult:
    """An escaped exception as publishers are shown it."""
    own: object = getattr(error, "retryable", None)
    metadata: object = getattr(error, "metadata", None)
    return StepHandlerResult(
        False,
        None,
        _message(error),
        type(error).__name__,
        None,
        own if isinstance(own, bool) else True,
        cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {},
    )


def cancelled_frame(delivery: Delivery) -> bytes:
    """The frame for a delivery that stopped because it was asked to."""
    reason = delivery.cancel_reason
    timed_out = reason == "timeout"
    return error_frame(
        delivery,
        kind="timeout" if timed_out else "cancelled",
        error_type="handler_timeout" if timed_out else "cancelled",
        message=f"Step cancelled: {reason or 'by its own handler'}",
        retryable=True,
    )


def error_frame(
    delivery: Delivery,
    *,
    kind: str,
    error_type: str,
    message: str,
    retryable: bool,
    code: str | None = None,
    retry_after_ms: float | None = None,
    status_code: int | None = None,
    detail: dict[str, Any] | None = None,
) -> bytes:
    """An `error` frame. Raises NotJsonError when `detail` is not JSON."""
    header: dict[str, object] = {
        "type": "error",
        "delivery_id": delivery.id,
        "execution_ms": delivery.elapsed_ms,
        "error_type": clip_message(error_type)[:256],
        "message": clip_message(message),
        "retryable": retryable,
        "kind": kind,
        "split": 0,
    }
    if code is not None:
        header["code"] = clip_message(code)[:256]
    if retry_after_ms is not None:
        header["retry_after_ms"] = retry_after_ms
    if status_code is not None:
        header["status_code"] = status_code
    return encode_message(header, json_text.dumps(detail) if detail else b"")


def checkpoint_frame(delivery: Delivery, value: Mapping[str, Any]) -> bytes:
    """A `checkpoint` frame that ends the delivery, from `cursor`, `items_processed` and
    `accumulated_results`. Raises NotJsonError.
    """
    processed = value.get("items_processed")
    body: dict[str, Any] = {"cursor": value.get("cursor")}
    if value.get("accumulated_results") is not None:
        body["accumulated_results"] = value["accumulated_results"]
    header: dict[str, object] = {
        "type": "checkpoint",
        "delivery_id": delivery.id,
        "seq": 0,
        "items_processed": processed if type(processed) is int and processed >= 0 else 0,
        "yield": True,
    }
    return encode_message(header, json_text.dumps(body))


def _success(delivery: Delivery, result: StepHandlerResult) -> bytes:
    value = result.result
    outcome = "success"
    if not value:
        body = b"{}"
    else:
        body = json_text.dumps(value)
        if type(value) is dict:
            if "decision_point_outcome" in value:
                outcome = "decision"
            elif "batch_processing_outcome" in value:
                outcome = "batch_plan"
    split = len(body)
    if result.metadata:
        body += json_text.dumps({"metadata": result.metadata})
    # Written by hand: this header is on the path of every step.
    header = (
        f'{{"type":"result","delivery_id":{json.dumps(delivery.id)},'
        f'"execution_ms":{delivery.elapsed_ms},"outcome":"{outcome}","split":{split}}}'
    )
    return encode_frame(header.encode(), body)


def _failure(delivery: Delivery, result: StepHandlerResult) -> bytes:
    given = result.metadata
    metadata = {**given, "retryable": bool(result.retryable)}
    wait = given.get("retry_after", given.get("retry_after_seconds"))
    status = given.get("status_code")
    detail: dict[str, Any] = {"metadata": metadata}
    trace = given.get("traceback")
    if isinstance(trace, str):
        detail["backtrace"] = trace.splitlines()[-_MAX_BACKTRACE_LINES:]
    return error_frame(
        delivery,
        kind="handler",
        error_type=result.error_type or "unknown",
        message=result.error_message or "Unknown error",
        retryable=bool(result.retryable),
        code=None if result.error_code is None else str(result.error_code),
        retry_after_ms=_milliseconds(wait),
        status_code=status if type(status) is int and 0 <= status <= 65_535 else None,
        detail=detail,
    )


def _invalid_result(delivery: Delivery, problem: NotJsonError) -> bytes:
    return error_frame(
        delivery,
        kind="invalid_result",
        error_type="invalid_result",
        message=f"The handler's result is not JSON: {problem}",
        retryable=False,
        detail={"context": {"path": clip_message(problem.path)}},
    )


def _too_large(delivery: Delivery, what: str) -> bytes:
    return error_frame(
        delivery,
        kind="payload_too_large",
        error_type="payload_too_large",
        message=f"The handler's result is too large to send: {what}. "
        "Store it elsewhere and return a reference.",
        retryable=False,
    )


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the handler called sys.exit({error.code!r})"
    try:
        return str(error) or type(error).__name__
    except Exception:
        return type(error).__name__


def _milliseconds(seconds: object) -> float | None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    return seconds * 1000 if math.isfinite(seconds) and seconds >= 0 else None


def _backtrace(error: BaseException) -> list[str]:
    lines = "".join(traceback.format_exception(error)).splitlines()
    return [clip_message(line) for line in lines[-_MAX_BACKTRACE_LINES:]]


def _json_or_text(metadata: Any) -> Any:
    """An exception's metadata must not turn one failure into another."""
    try:
        json_text.dumps(metadata)
        return metadata
    except NotJsonError:
        return {clip_message(str(key)): clip_message(repr(part)) for key, part in metadata.items()}
