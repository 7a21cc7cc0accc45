"""Publishers: what a domain event says."""

from __future__ import annotations

import datetime
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from tasker_core.domain_events._types import StepEventContext

_log = logging.getLogger("tasker.domain_events")


class BasePublisher(ABC):
    """Decides what an event says. A template names it under `publisher`.

    Its hooks run in the process that ran the step; the Tasker core queues the event and hands it
    to subscribers. A hook that raises costs this one event and goes to `on_publish_error`.
    """

    @property
    @abstractmethod
    def publisher_name(self) -> str:
        """The name by which templates call it."""

    @property
    def logger(self) -> logging.Logger:
        return _log.getChild(self.publisher_name)

    def should_publish(self, ctx: StepEventContext) -> bool:
        """Asked after the declaration's condition was met."""
        return True

    def transform_payload(self, ctx: StepEventContext) -> dict[str, Any]:
        """The event's payload. Default: the handler's result."""
        return ctx.result or {}

    def additional_metadata(self, ctx: StepEventContext) -> dict[str, Any]:
        """Goes into the event's metadata, beside what every event has."""
        return {}

    def before_publish(
        self, event_name: str, payload: dict[str, Any], metadata: dict[str, Any]
    ) -> bool:
        """False cancels the event."""
        return True

    def after_publish(
        self, event_name: str, payload: dict[str, Any], metadata: dict[str, Any]
    ) -> None:
        """Called after the event is published: in a worker, after the step's result is stored."""
        return None

    def on_publish_error(self, event_name: str, error: Exception, payload: dict[str, Any]) -> None:
        """What a hook raised; `payload` is empty when there is none yet."""
        return None

    def publish(self, ctx: StepEventContext, event_name: str | None = None) -> bool:
        """Run the hooks and nothing else: the core does the publishing.

        `event_name` defaults to the step's name. True when the event would be published.
        """
        prepared = prepare(self, ctx, event_name or ctx.step_name)
        return prepared is not None and finish(self, prepared)


class DefaultPublisher(BasePublisher):
    """The handler's result as it is. What events have whose template names no publisher."""

    @property
    def publisher_name(self) -> str:
        return "DefaultDomainEventPublisher"


@dataclass(frozen=True)
class Prepared:
    """An event as a publisher wants it. `additional` is the publisher's part of `metadata`."""

    event_name: str
    payload: dict[str, Any]
    metadata: dict[str, Any]
    additional: dict[str, Any]


class PublisherFailed(Exception):
    """A hook raised; its publisher has been told. `__cause__` is what it raised."""


def prepare(
    publisher: BasePublisher, ctx: StepEventContext, event_name: str, *, strict: bool = False
) -> Prepared | None:
    """The hooks up to `before_publish`; None when one declines.

    A hook that raises counts as declining, or with `strict` raises PublisherFailed.
    """
    payload: dict[str, Any] = {}
    try:
        if not publisher.should_publish(ctx):
            return None
        payload = publisher.transform_payload(ctx)
        additional = publisher.additional_metadata(ctx)
        metadata = {
            "publisher": publisher.publisher_name,
            "published_at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "task_uuid": ctx.task_uuid,
            "step_uuid": ctx.step_uuid,
            "step_name": ctx.step_name,
            "namespace": ctx.namespace,
            "correlation_id": ctx.correlation_id,
            **ctx.metadata,
            **additional,
        }
        if not publisher.before_publish(event_name, payload, metadata):
            return None
    except Exception as error:
        tell_failure(publisher, event_name, error, payload)
        if strict:
            raise PublisherFailed(event_name) from error
        return None
    return Prepared(event_name, payload, metadata, additional)


def finish(publisher: BasePublisher, prepared: Prepared) -> bool:
    """`after_publish`. False when it raised; the event stays published."""
    try:
        publisher.after_publish(prepared.event_name, prepared.payload, prepared.metadata)
    except Exception as error:
        tell_failure(publisher, prepared.event_name, error, prepared.payload)
        return False
    return True


def tell_failure(
    publisher: BasePublisher, event_name: str, error: Exception, payload: dict[str, Any]
) -> None:
    """Log it and tell the publisher. Never raises."""
    name = type(publisher).__name__
    _log.error("publisher %s failed for event %s: %r", name, event_name, error, exc_info=error)
    try:
        publisher.on_publish_error(event_name, error, payload)
    except Exception:
        _log.exception("on_publish_error of publisher %s failed", name)
