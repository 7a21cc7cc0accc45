"""Who in this process listens to which events of the host."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from tasker_core.types.events import InProcessDomainEvent

_log = logging.getLogger("tasker.events")

OnDomainEvent = Callable[[InProcessDomainEvent], bool | None]
OnLifecycleEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, eq=False)
class _Listener:
    patterns: tuple[str, ...]
    call: Callable[[Any], Any]

    def wants(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


class EventFeed:
    """`instance()` is the one that a connection to a host feeds. Safe from any thread."""

    _instance: ClassVar[EventFeed | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._domain: tuple[_Listener, ...] = ()
        self._lifecycle: tuple[_Listener, ...] = ()
        self.classes: set[type] = set()
        """Whose objects listen already."""
        self.on_change: Callable[[], None] | None = None
        """Called when the patterns may have changed."""

    @classmethod
    def instance(cls) -> EventFeed:
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    @classmethod
    def reset_instance(cls) -> None:
        """For tests."""
        with cls._instance_lock:
            cls._instance = None

    def subscribe(self, patterns: Sequence[str], callback: OnDomainEvent) -> Callable[[], None]:
        """Domain events. A callback that answers False has failed and said so itself.

        Returns what takes the subscription back.
        """
        listener = _Listener(tuple(patterns), callback)
        with self._lock:
            self._domain = (*self._domain, listener)
        self._changed()

        def detach() -> None:
            with self._lock:
                self._domain = tuple(each for each in self._domain if each is not listener)
            self._changed()

        return detach

    def on_event(self, callback: Callable[[InProcessDomainEvent], None]) -> None:
        """All domain events, for ever."""
        self.subscribe(["*"], callback)

    def subscribe_lifecycle(self, patterns: Iterable[str], callback: OnLifecycleEvent) -> None:
        """What happens to tasks and steps."""
        with self._lock:
            self._lifecycle = (*self._lifecycle, _Listener(tuple(patterns), callback))
        self._changed()

    def interest(self) -> dict[str, list[str]]:
        """The patterns as the host knows them, by the field of `hello` and `subscribe`."""
        return {
            "lifecycle_events": _patterns(self._lifecycle),
            "domain_events": _patterns(self._domain),
        }

    def lifecycle(self, name: str, event: dict[str, Any]) -> int:
        """Hand an event to whom it concerns; returns how many failed."""
        failed = 0
        for listener in self._lifecycle:
            if listener.wants(name):
                failed += not _called(listener, name, event)
        return failed

    def domain(self, name: str, event: InProcessDomainEvent) -> int:
        """Hand an event to whom it concerns; returns how many failed."""
        failed = 0
        for listener in self._domain:
            if listener.wants(name):
                failed += not _called(listener, name, event)
        return failed

    def _changed(self) -> None:
        tell = self.on_change
        if tell is not None:
            tell()


def _called(listener: _Listener, name: str, event: Any) -> bool:
    try:
        return listener.call(event) is not False
    except BaseException as error:
        # One that exits must not leave the others without their event.
        _log.error("a subscriber failed for event %s: %r", name, error, exc_info=error)
        return False


def _patterns(listeners: Iterable[_Listener]) -> list[str]:
    """Without doubles. The host knows `*` only: what else fnmatch knows becomes one."""
    patterns = [re.sub(r"\[[^\]]*\]|\?", "*", each) for one in listeners for each in one.patterns]
    unique = list(dict.fromkeys(patterns))
    return unique if len(unique) <= 256 else ["*"]
