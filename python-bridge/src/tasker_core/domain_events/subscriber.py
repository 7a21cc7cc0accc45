"""Subscribers: who gets a domain event."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Protocol, cast

from tasker_core.types.events import InProcessDomainEvent

_log = logging.getLogger("tasker.domain_events")

OnEvent = Callable[[InProcessDomainEvent], None]


class EventSource(Protocol):
    """What a subscriber is started with; InProcessDomainEventPoller is one."""

    def on_event(self, callback: OnEvent) -> Any: ...


class BaseSubscriber(ABC):
    """Handles domain events that steps of this host published ``fast`` or ``broadcast``.

    What `handle` raises goes to `on_handle_error`, is logged and counted, and changes nothing.
    """

    def __init__(self) -> None:
        self._active = False
        self._detach: Callable[[], None] | None = None

    @classmethod
    @abstractmethod
    def subscribes_to(cls) -> list[str]:
        """Patterns as of `fnmatch`: ``order.paid``, ``order.*``, ``*``."""

    @abstractmethod
    def handle(self, event: dict[str, Any]) -> None:
        """`event` is the dump of an InProcessDomainEvent; the payload is ``event["payload"]``
        with ``task_sequence_step``, ``execution_result`` and, inside, the business ``payload``.
        """

    def before_handle(self, event: dict[str, Any]) -> bool:
        """False passes the event over."""
        return True

    def after_handle(self, event: dict[str, Any]) -> None:
        return None

    def on_handle_error(self, event: dict[str, Any], error: Exception) -> None:
        return None

    @property
    def logger(self) -> logging.Logger:
        return _log.getChild(type(self).__name__)

    @property
    def subscriptions(self) -> list[str]:
        return list(type(self).subscribes_to())

    @property
    def active(self) -> bool:
        # Subclasses need not call `super().__init__()`.
        return getattr(self, "_active", False)

    def matches(self, event_name: str) -> bool:
        return any(fnmatchcase(event_name, pattern) for pattern in self.subscriptions)

    def start(self, poller: EventSource) -> None:
        """A second start is without effect."""
        if self.active:
            return
        self._active = True
        subscribe: Any = getattr(poller, "subscribe", None)
        if callable(subscribe):
            self._detach = cast(Any, subscribe(self.subscriptions, self._receive))
        else:
            self._detach = None
            poller.on_event(self._deliver)

    def stop(self) -> None:
        self._active = False
        detach = getattr(self, "_detach", None)
        self._detach = None
        if detach is not None:
            detach()

    def handle_event_safely(self, event: dict[str, Any]) -> bool:
        """The event with its hooks. Never raises; False when something did."""
        try:
            if self.before_handle(event) is not False:
                self.handle(event)
                self.after_handle(event)
            return True
        except Exception as error:
            name = type(self).__name__
            _log.error(
                "subscriber %s failed for event %s: %r",
                name,
                event.get("event_name"),
                error,
                exc_info=error,
            )
            try:
                self.on_handle_error(event, error)
            except Exception:
                _log.exception("on_handle_error of subscriber %s failed", name)
            return False

    def _receive(self, event: InProcessDomainEvent) -> bool:
        if not self.active or not self.matches(event.event_name):
            return True
        return self.handle_event_safely(event.model_dump())

    def _deliver(self, event: InProcessDomainEvent) -> None:
        self._receive(event)
