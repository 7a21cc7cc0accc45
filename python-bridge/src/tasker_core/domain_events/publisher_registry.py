"""Publishers by the names that templates use."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, ClassVar

from tasker_core.domain_events.publisher import BasePublisher, DefaultPublisher


class PublisherRegistry:
    """`instance()` is the one the worker looks in. Safe from any thread."""

    _instance: ClassVar[PublisherRegistry | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._publishers: dict[str, BasePublisher] = {}
        self._default = DefaultPublisher()
        self._frozen = False

    @classmethod
    def instance(cls) -> PublisherRegistry:
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    @classmethod
    def reset(cls) -> None:
        """Forget the shared registry: for tests."""
        with cls._instance_lock:
            cls._instance = None

    def register(self, publisher: Any, name: str | None = None) -> None:
        """Enter a publisher, in the place of an earlier one of that name.

        Raises RuntimeError once frozen, ValueError for anything but a publisher.
        """
        if not isinstance(publisher, BasePublisher):
            raise ValueError(f"expected a BasePublisher, got {type(publisher).__name__}")
        key = name or publisher.publisher_name
        with self._lock:
            if self._frozen:
                raise RuntimeError(f"the publisher registry is frozen: `{key}` comes too late")
            self._publishers[key] = publisher

    def get(self, name: str) -> BasePublisher | None:
        return self._publishers.get(name)

    def get_or_default(self, name: str | None = None) -> BasePublisher:
        return self._publishers.get(name or "", self._default)

    def validate_required(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that nobody has registered."""
        return [name for name in names if name not in self._publishers]

    def freeze(self) -> None:
        self._frozen = True

    def unfreeze(self) -> None:
        self._frozen = False

    @property
    def is_frozen(self) -> bool:
        return self._frozen

    def list_publishers(self) -> list[str]:
        return sorted(self._publishers)

    def clear(self) -> None:
        """Raises RuntimeError once frozen."""
        with self._lock:
            if self._frozen:
                raise RuntimeError("the publisher registry is frozen")
            self._publishers.clear()
