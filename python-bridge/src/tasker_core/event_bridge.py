"""EventBridge: what happens inside this worker, told to whoever subscribed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, ClassVar

_log = logging.getLogger("tasker.events")

Listener = Callable[..., Any]


class EventNames:
    """The events of the bridge."""

    STEP_EXECUTION_RECEIVED = "step.execution.received"
    STEP_COMPLETION_SENT = "step.completion.sent"
    STEP_CHECKPOINT_YIELD = "step.checkpoint_yield.sent"
    HANDLER_REGISTERED = "handler.registered"
    HANDLER_ERROR = "handler.error"
    POLLER_METRICS = "poller.metrics"
    POLLER_ERROR = "poller.error"


_SCHEMA: dict[str, str] = {
    EventNames.STEP_EXECUTION_RECEIVED: "FfiStepEvent",
    EventNames.STEP_COMPLETION_SENT: "StepExecutionResult",
    EventNames.STEP_CHECKPOINT_YIELD: "dict",
    EventNames.HANDLER_REGISTERED: "str, type[StepHandler]",
    EventNames.HANDLER_ERROR: "FfiStepEvent, Exception",
    EventNames.POLLER_METRICS: "FfiDispatchMetrics",
    EventNames.POLLER_ERROR: "Exception",
}


class EventBridge:
    """Publish and subscribe inside one process; thread-safe.

    Listeners run on the publishing thread, in the order of subscription. One that raises is logged
    and does not keep the others from being told.
    """

    _instance: ClassVar[EventBridge | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, tuple[tuple[Listener, bool], ...]] = {}
        self._active = False

    @classmethod
    def instance(cls) -> EventBridge:
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    @classmethod
    def reset_instance(cls) -> None:
        """Stop and forget the shared bridge with all its listeners."""
        with cls._instance_lock:
            bridge, cls._instance = cls._instance, None
        if bridge is not None:
            bridge.stop()

    @property
    def is_active(self) -> bool:
        return self._active

    @property
    def event_schema(self) -> dict[str, str]:
        """Event name to what its listeners are called with."""
        return dict(_SCHEMA)

    def start(self) -> None:
        self._active = True

    def stop(self) -> None:
        """Publish nothing until `start`; listeners stay subscribed."""
        self._active = False

    def subscribe(self, event: str, fn: Listener) -> None:
        self._add(event, fn, once=False)

    def subscribe_once(self, event: str, fn: Listener) -> None:
        """`fn` is called for the next such event only."""
        self._add(event, fn, once=True)

    def unsubscribe(self, event: str, fn: Listener) -> None:
        """Does nothing when `fn` does not listen."""
        with self._lock:
            kept = tuple(each for each in self._listeners.get(event, ()) if each[0] != fn)
            self._listeners[event] = kept

    def publish(self, event: str, *args: Any) -> None:
        """Call every listener with `args`. Dropped while the bridge is not active."""
        if not self._active:
            return
        with self._lock:
            listeners = self._listeners.get(event, ())
            if any(once for _, once in listeners):
                # Taken out under the lock: two publishers must not both call it.
                self._listeners[event] = tuple(each for each in listeners if not each[1])
        for fn, _ in listeners:
            try:
                fn(*args)
            except Exception:
                _log.exception("a listener of %s failed", event)

    def listener_count(self, event: str) -> int:
        return len(self._listeners.get(event, ()))

    def listeners(self, event: str) -> list[Listener]:
        return [fn for fn, _ in self._listeners.get(event, ())]

    def _add(self, event: str, fn: Listener, once: bool) -> None:
        with self._lock:
            self._listeners[event] = (*self._listeners.get(event, ()), (fn, once))


__all__ = ["EventBridge", "EventNames"]
