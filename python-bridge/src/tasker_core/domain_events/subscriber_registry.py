"""Subscribers that start and stop together."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from tasker_core.domain_events.subscriber import BaseSubscriber, EventSource


class SubscriberRegistry:
    """`instance()` is the one whose subscribers a handler process starts. Safe from any thread."""

    _instance: ClassVar[SubscriberRegistry | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._classes: dict[str, type[BaseSubscriber]] = {}
        self._subscribers: dict[str, BaseSubscriber] = {}

    @classmethod
    def instance(cls) -> SubscriberRegistry:
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    @classmethod
    def reset(cls) -> None:
        """Stop and forget the shared registry: for tests."""
        with cls._instance_lock:
            known, cls._instance = cls._instance, None
        if known is not None:
            known.clear()

    def register(self, subscriber_class: Any) -> None:
        """One object is made of the class, by `start_all`, however often it is registered.

        Raises ValueError for anything but a subclass of BaseSubscriber.
        """
        given: object = subscriber_class
        if not (isinstance(given, type) and issubclass(given, BaseSubscriber)):
            raise ValueError(f"expected a subclass of BaseSubscriber, got {subscriber_class!r}")
        with self._lock:
            self._classes[_name_of(subscriber_class)] = subscriber_class

    def register_instance(self, subscriber: Any, name: str | None = None) -> None:
        """Raises ValueError for anything but a subscriber."""
        if not isinstance(subscriber, BaseSubscriber):
            raise ValueError(f"expected a BaseSubscriber, got {type(subscriber).__name__}")
        with self._lock:
            self._subscribers[name or _name_of(type(subscriber))] = subscriber

    def has(self, subscriber_class: type[BaseSubscriber]) -> bool:
        """Whether the class, or an object of it, is registered."""
        with self._lock:
            return subscriber_class in self._classes.values() or any(
                type(each) is subscriber_class for each in self._subscribers.values()
            )

    def start_all(self, poller: EventSource) -> int:
        """Start those that are not active; returns how many. Constructors' errors come through."""
        with self._lock:
            for name, subscriber_class in self._classes.items():
                if name not in self._subscribers:
                    self._subscribers[name] = subscriber_class()
            idle = [each for each in self._subscribers.values() if not each.active]
        for subscriber in idle:
            subscriber.start(poller)
        return len(idle)

    def stop_all(self) -> int:
        """Stop those that are active; returns how many."""
        active = [each for each in self._all() if each.active]
        for subscriber in active:
            subscriber.stop()
        return len(active)

    def list_registered(self) -> list[str]:
        with self._lock:
            return sorted({*self._classes, *self._subscribers})

    @property
    def active_count(self) -> int:
        return sum(each.active for each in self._all())

    def stats(self) -> dict[str, Any]:
        subscribers = self._all()
        patterns = {pattern for each in subscribers for pattern in each.subscriptions}
        return {
            "registered": len(self.list_registered()),
            "active": sum(each.active for each in subscribers),
            "subscriptions": sorted(patterns),
        }

    def clear(self) -> None:
        self.stop_all()
        with self._lock:
            self._classes.clear()
            self._subscribers.clear()

    def _all(self) -> list[BaseSubscriber]:
        with self._lock:
            return list(self._subscribers.values())


def _name_of(subscriber_class: type) -> str:
    return f"{subscriber_class.__module__}.{subscriber_class.__qualname__}"
