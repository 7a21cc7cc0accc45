"""The events of a step whose template names a publisher of this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, cast

from tasker_core._protocol import json_text
from tasker_core._protocol.frame import FrameTooLargeError, encode_message
from tasker_core._protocol.json_text import NotJsonError
from tasker_core._runtime.delivery import Delivery
from tasker_core.domain_events._types import StepEventContext
from tasker_core.domain_events.publisher import (
    BasePublisher,
    Prepared,
    PublisherFailed,
    finish,
    prepare,
    tell_failure,
)
from tasker_core.domain_events.publisher_registry import PublisherRegistry
from tasker_core.types.results import StepHandlerResult

_log = logging.getLogger("tasker.domain_events")

Waiting = tuple[BasePublisher, Prepared]


class Publications:
    """Runs the hooks before the step's answer, and `after_publish` once the answer is stored.

    `frames` is called by whoever ran the step, `stored` and `dropped` by the reading thread.
    """

    def __init__(self, submit: Callable[[Callable[[], None]], None]) -> None:
        self._submit = submit
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Waiting]] = {}
        self.max_frame = 0

    def frames(self, delivery: Delivery, result: StepHandlerResult) -> bytes:
        """`event` frames to be sent before the answer; mostly none. Never raises."""
        step = delivery.step
        if not isinstance(step, dict):
            return b""
        due = _due(step, result)
        if not due:
            return b""
        context = _context(delivery, step, result)
        frames: list[bytes] = []
        after: list[Waiting] = []
        for name, publisher in due:
            try:
                frames.append(self._frame(delivery, publisher, context, name, result, after))
            except Exception:
                _log.exception("event %s could not be made", name)
        if after:
            with self._lock:
                self._waiting[delivery.id] = after
        return b"".join(frames)

    def stored(self, delivery_id: str, unpublished: Collection[str]) -> None:
        """The host has stored the answer, and published the events but for these."""
        for publisher, prepared in self.dropped(delivery_id):
            if prepared.event_name not in unpublished:
                self._submit(partial(_finish, publisher, prepared))

    def dropped(self, delivery_id: str) -> list[Waiting]:
        """The host has decided about the answer; what waited for it is forgotten."""
        if not self._waiting:
            return []
        with self._lock:
            return self._waiting.pop(delivery_id, [])

    def _frame(
        self,
        delivery: Delivery,
        publisher: BasePublisher,
        context: StepEventContext,
        name: str,
        result: StepHandlerResult,
        after: list[Waiting],
    ) -> bytes:
        header: dict[str, object] = {
            "type": "event",
            "delivery_id": delivery.id,
            "name": name,
            "version": "1.0",
            "on": "success" if result.is_success else "failure",
            "publisher": publisher.publisher_name,
        }
        try:
            prepared = prepare(publisher, context, name, strict=True)
        except PublisherFailed:
            return encode_message({**header, "verdict": "failed"})
        if prepared is None:
            return encode_message({**header, "verdict": "declined"})
        try:
            payload = json_text.dumps(prepared.payload)
            extra = json_text.dumps(prepared.additional) if prepared.additional else b""
            frame = encode_message({**header, "split": len(payload)}, payload + extra)
            if len(frame) - 4 > self.max_frame:
                raise ValueError(f"the event has {len(frame)} bytes, the limit is {self.max_frame}")
        except (NotJsonError, FrameTooLargeError, ValueError) as error:
            tell_failure(publisher, name, error, prepared.payload)
            return encode_message({**header, "verdict": "failed"})
        after.append((publisher, prepared))
        return frame


def _finish(publisher: BasePublisher, prepared: Prepared) -> None:
    finish(publisher, prepared)


def _due(step: dict[str, Any], result: StepHandlerResult) -> list[tuple[str, BasePublisher]]:
    """Names of the declared events that are due and have a publisher here."""
    definition: object = step.get("step_definition")
    declared: object = (
        cast("dict[str, Any]", definition).get("publishes_events")
        if isinstance(definition, dict)
        else None
    )
    if not declared or not isinstance(declared, list):
        return []
    registry = PublisherRegistry.instance()
    found: list[tuple[str, BasePublisher]] = []
    for each in cast("list[dict[str, Any]]", declared):
        name = each.get("publisher")
        publisher = registry.get(name) if name else None
        if publisher is not None and _is_met(each.get("condition") or "success", result):
            found.append((each["name"], publisher))
    return found


def _is_met(condition: str, result: StepHandlerResult) -> bool:
    if condition in ("always", "success"):
        return condition == "always" or result.is_success
    if result.is_success:
        return False
    return condition == "failure" or (condition == "retryable_failure") == result.retryable


def _context(
    delivery: Delivery, step: dict[str, Any], result: StepHandlerResult
) -> StepEventContext:
    task = cast("dict[str, Any]", step.get("task") or {})
    row = cast("dict[str, Any]", step.get("workflow_step") or {})
    metadata = dict(result.metadata or {})
    if not result.is_success:
        metadata |= {
            "retryable": result.retryable,
            "error_type": result.error_type,
            "error_message": result.error_message,
        }
    return StepEventContext(
        task_uuid=delivery.header["task_uuid"],
        step_uuid=delivery.header["step_uuid"],
        step_name=str(row.get("name") or delivery.header["callable"]),
        namespace=str(task.get("namespace_name") or "default"),
        correlation_id=delivery.header["correlation_id"],
        result=(result.result or {}) if result.is_success else {},
        metadata=metadata,
    )
