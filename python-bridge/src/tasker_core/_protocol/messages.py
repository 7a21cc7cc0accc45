"""Headers: which message types exist, who may send them, and which fields they carry.

The JSON Schemas in ``test/conformance/bridge/schemas`` are the source; a test compares this
table with them. Unknown fields are ignored, a field marked optional may be absent or null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from tasker_core._protocol import json_text

Check = Callable[[Any], bool]
Receiver = Literal["handler", "host"]
MAX_LIST = 256
MAX_MESSAGE_BYTES: Final = 8192


class HeaderError(ValueError):
    """A header that gets a `nack` with this `code`; `ref_type` and `ref_id` name the message."""

    def __init__(self, code: str, detail: str, ref_type: str = "", ref_id: str | None = None):
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.ref_type = ref_type
        self.ref_id = ref_id


class _MissingInside(Exception):
    """A record inside a list lacks the field named by the message."""


@dataclass(frozen=True)
class MessageShape:
    """The header of one message type."""

    receivers: frozenset[str]
    required: dict[str, Check]
    optional: dict[str, Check]


def read_header(data: bytes) -> dict[str, Any]:
    """Header bytes as an object with a text `type`. Raises HeaderError ``bad_header``."""
    try:
        header = json_text.loads(data)
    except json_text.JsonTextError as error:
        raise HeaderError("bad_header", str(error)) from None
    if type(header) is dict:
        read = cast("dict[str, Any]", header)
        if type(read.get("type")) is str:
            return read
    raise HeaderError("bad_header", "expected one JSON object with a text `type`")


def check_header(header: dict[str, Any], receiver: Receiver) -> None:
    """Raises HeaderError ``unsupported``, ``missing_field`` or ``invalid_field``."""
    kind = header["type"]
    shape = MESSAGES.get(kind)
    if shape is None or receiver not in shape.receivers:
        raise HeaderError("unsupported", f"a {receiver} does not take `{kind}`"[:300], kind[:64])
    for name in shape.required:
        if name not in header:
            raise _field_error("missing_field", header, f"`{kind}` needs `{name}`")
    name = ""
    try:
        for name, check in shape.required.items():
            if not check(header[name]):
                raise _field_error("invalid_field", header, f"`{kind}` has an invalid `{name}`")
        for name, check in shape.optional.items():
            value = header.get(name)
            if value is not None and not check(value):
                raise _field_error("invalid_field", header, f"`{kind}` has an invalid `{name}`")
    except _MissingInside as inside:
        missing = f"`{name}` of `{kind}` needs `{inside}`"
        raise _field_error("missing_field", header, missing) from None


def clip_message(text: str) -> str:
    """At most 8 KiB of UTF-8, free of what JSON text may not hold."""
    data = text.replace("\0", "\\0").encode("utf-8", "backslashreplace")
    if len(data) <= MAX_MESSAGE_BYTES:
        return data.decode()
    return data[: MAX_MESSAGE_BYTES - 3].decode("utf-8", "ignore") + "..."


def _field_error(code: str, header: dict[str, Any], detail: str) -> HeaderError:
    ref = header.get("delivery_id")
    return HeaderError(code, detail, header["type"], ref if isinstance(ref, str) else None)


def _text(least: int = 0, most: int | None = None) -> Check:
    if most is None:
        return lambda value: type(value) is str and len(value) >= least
    return lambda value: type(value) is str and least <= len(value) <= most


def _integer(least: int, most: int | None = None) -> Check:
    def check(value: Any) -> bool:
        if type(value) is float and value.is_integer():
            value = int(value)
        return type(value) is int and value >= least and (most is None or value <= most)

    return check


def _number(value: Any) -> bool:
    return (type(value) is int or type(value) is float) and value >= 0


def _boolean(value: Any) -> bool:
    return type(value) is bool


def _one_of(*words: str) -> Check:
    allowed = frozenset(words)
    return lambda value: type(value) is str and value in allowed


def _list_of(item: Check, most: int = MAX_LIST) -> Check:
    def check(value: Any) -> bool:
        if type(value) is not list:
            return False
        parts = cast("list[Any]", value)
        return len(parts) <= most and all(map(item, parts))

    return check


def _map_of(item: Check) -> Check:
    def check(value: Any) -> bool:
        return type(value) is dict and all(map(item, cast("dict[str, Any]", value).values()))

    return check


def _record(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    """Raises _MissingInside for a missing field."""
    extra = optional or {}

    def check(value: Any) -> bool:
        if type(value) is not dict:
            return False
        given = cast("dict[str, Any]", value)
        for name in required:
            if name not in given:
                raise _MissingInside(name)
        return all(test(given[name]) for name, test in required.items()) and all(
            given.get(name) is None or test(given[name]) for name, test in extra.items()
        )

    return check


def _shape(
    receivers: str, required: dict[str, Check], optional: dict[str, Check] | None = None
) -> MessageShape:
    return MessageShape(frozenset(receivers.split()), required, optional or {})


_id = _text(1, 64)
_words = _list_of(_text())
_count = _integer(0)
_majors = _list_of(_integer(1), 16)
_held = _list_of(_text(), 4096)
_frame_limit = _integer(1024)
_nonce = _text(32, 64)

MESSAGES: Final[dict[str, MessageShape]] = {
    "challenge": _shape(
        "handler",
        {
            "protocols": _majors,
            "features": _words,
            "host_id": _text(),
            "nonce": _nonce,
            "auth": _one_of("none", "hmac"),
            "max_frame": _frame_limit,
        },
    ),
    "hello": _shape(
        "host",
        {
            "protocol": _integer(1),
            "features": _words,
            "language": _text(1),
            "language_version": _text(),
            "sdk_version": _text(),
            "worker_id": _text(1),
            "pid": _count,
            "hostname": _text(),
            "max_frame": _frame_limit,
            "pools": _list_of(_record({"name": _text(1), "slots": _count}, {"prefetch": _count})),
        },
        {
            "resume_id": _text(),
            "nonce": _nonce,
            "proof": _text(),
            "max_bytes": _count,
            "held": _held,
            "lifecycle_events": _words,
            "domain_events": _words,
            "publishers": _words,
        },
    ),
    "welcome": _shape(
        "handler",
        {
            "protocol": _integer(1),
            "features": _words,
            "connection_id": _text(),
            "max_frame": _frame_limit,
            "ping_ms": _number,
            "lease_ms": _number,
            "resume_ms": _number,
        },
        {"proof": _text(), "keep": _held, "drop": _held},
    ),
    "reject": _shape(
        "handler",
        {
            "code": _one_of("version", "auth", "duplicate_worker", "bad_hello", "limit"),
            "message": _text(),
        },
        {"supported": _majors},
    ),
    "step": _shape(
        "handler",
        {
            "delivery_id": _id,
            "task_uuid": _text(),
            "step_uuid": _text(),
            "correlation_id": _text(),
            "callable": _text(1),
            "pool": _text(),
            "attempt": _integer(1),
            "max_attempts": _count,
            "timeout_ms": _number,
            "lease_ms": _number,
        },
        {
            "parent_correlation_id": _text(),
            "method": _text(),
            "heartbeat_ms": _number,
            "traceparent": _text(),
            "tracestate": _text(),
            "solo": _boolean,
        },
    ),
    "cancel": _shape(
        "handler",
        {
            "delivery_id": _id,
            "reason": _one_of("timeout", "task_cancelled", "lease_lost", "shutdown"),
            "grace_ms": _number,
        },
    ),
    "ready": _shape("host", {"pools": _map_of(_count)}, {"max_bytes": _count}),
    "started": _shape("host", {"deliveries": _words}),
    "beat": _shape(
        "host",
        {"deliveries": _list_of(_record({"id": _text()}, {"progress": _number}))},
        {"extend_ms": _number},
    ),
    "result": _shape(
        "host",
        {
            "delivery_id": _id,
            "execution_ms": _number,
            "outcome": _one_of("success", "decision", "batch_plan"),
            "split": _count,
        },
    ),
    "error": _shape(
        "host",
        {
            "delivery_id": _id,
            "execution_ms": _number,
            "error_type": _text(),
            "message": _text(0, MAX_MESSAGE_BYTES),
            "retryable": _boolean,
            "kind": _one_of(
                "handler",
                "timeout",
                "cancelled",
                "handler_not_found",
                "invalid_result",
                "payload_too_large",
                "panic",
            ),
        },
        {
            "code": _text(),
            "retry_after_ms": _number,
            "status_code": _integer(0, 65_535),
            "split": _integer(0, 0),
        },
    ),
    "checkpoint": _shape(
        "host",
        {"delivery_id": _id, "seq": _count, "items_processed": _count, "yield": _boolean},
    ),
    "event": _shape(
        "host",
        {
            "delivery_id": _id,
            "name": _text(1),
            "version": _text(),
            "on": _one_of("success", "failure", "always"),
        },
        {
            "publisher": _text(1),
            "verdict": _one_of("publish", "declined", "failed"),
            "split": _count,
        },
    ),
    "subscribe": _shape("host", {"lifecycle_events": _words, "domain_events": _words}),
    "notify": _shape(
        "handler",
        {"stream": _one_of("lifecycle", "domain"), "name": _text(1), "seq": _integer(1)},
    ),
    "notified": _shape(
        "host", {"seq": _count, "lifecycle_failed": _count, "domain_failed": _count}
    ),
    "log": _shape("host", {"dropped": _count}),
    "stats": _shape(
        "host",
        {
            "pools": _map_of(
                _record({"slots": _count, "busy": _count, "queued": _count, "abandoned": _count})
            ),
            "rss": _count,
            "io_lag_ms": _number,
        },
    ),
    "ack": _shape(
        "handler",
        {
            "items": _list_of(
                _record(
                    {
                        "id": _text(),
                        "kind": _one_of("result", "error", "checkpoint"),
                        "status": _one_of("committed", "stale", "rejected"),
                    },
                    {"seq": _count, "code": _text(), "unpublished": _words},
                )
            )
        },
    ),
    "nack": _shape(
        "handler host",
        {"ref_type": _text(), "code": _text(1), "detail": _text()},
        {"ref_id": _text()},
    ),
    "ping": _shape("handler host", {"n": _count}),
    "pong": _shape("handler host", {"n": _count}),
    "drain": _shape("handler host", {"grace_ms": _number, "reason": _text()}),
    "bye": _shape("handler host", {"reason": _text()}, {"code": _text()}),
}
