"""Lifecycle events: what happens to tasks and steps, told after it was committed.

Names: ``task.started``, ``task.completed``, ``task.failed``, ``step.started``,
``step.completed``, ``step.failed``, ``step.retried``, and finer ones such as
``step.execution_requested``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, cast

from tasker_core._runtime.event_feed import EventFeed


class EventSubscriber:
    """Base of classes that listen to tasks and steps.

    An event ``step.completed`` calls ``handle_step_completed(event)``; one without such a method
    calls ``handle(event)``. `event` has the keys ``type, task_id, step_name, namespace,
    task_name, version, context, result`` or ``error, duration`` (milliseconds), ``timestamp``
    (RFC 3339), ``correlation_id``. What a method raises is logged and counted, and changes
    nothing. Classes in handler files are subscribed without further ado::

        class Audit(EventSubscriber):
            subscribe_to = ["step.completed", "task.*"]

            def handle_step_completed(self, event): ...
    """

    subscribe_to: ClassVar[str | Sequence[str]] = ()
    """Exact names, ``prefix.*``, or ``*``."""

    def handle(self, event: dict[str, Any]) -> None:
        """Events that have no method of their own."""
        return None


def subscribe(subscriber: EventSubscriber | type[EventSubscriber]) -> None:
    """Subscribe an object, or one object of a class; of classes, a second time is without effect.

    For programs: classes in handler files need no call.
    """
    feed = EventFeed.instance()
    if isinstance(subscriber, type):
        if subscriber in feed.classes:
            return
        feed.classes.add(subscriber)
        subscriber = subscriber()
    given = subscriber.subscribe_to
    patterns = [given] if isinstance(given, str) else list(given)
    feed.subscribe_lifecycle(patterns, partial(_deliver, subscriber))


def _deliver(subscriber: EventSubscriber, event: dict[str, Any]) -> None:
    name = "handle_" + re.sub(r"[^0-9a-zA-Z]", "_", str(event.get("type")))
    method = getattr(subscriber, name, None) or subscriber.handle
    cast("Callable[[dict[str, Any]], None]", method)(event)


__all__ = ["EventSubscriber", "subscribe"]
