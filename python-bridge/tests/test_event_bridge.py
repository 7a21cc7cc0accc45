"""EventBridge: who is told what, in which order, and what a failing listener does."""

from __future__ import annotations

import threading
from typing import Any

from tasker_core import EventBridge, EventNames, HandlerRegistry, StepHandler


def test_nothing_is_published_while_inactive(fresh_worker: None) -> None:
    bridge, heard = EventBridge.instance(), []
    assert EventBridge.instance() is bridge
    bridge.subscribe("a", heard.append)
    bridge.publish("a", 1)
    bridge.start()
    bridge.publish("a", 2)
    bridge.stop()
    bridge.publish("a", 3)
    assert (heard, bridge.is_active, bridge.listener_count("a")) == ([2], False, 1)


def test_listeners_come_and_go() -> None:
    bridge, heard = EventBridge(), []
    bridge.start()

    def fails(*_: Any) -> None:
        raise RuntimeError("not mine")

    def first(*values: Any) -> None:
        heard.append(("first", *values))

    def once(*values: Any) -> None:
        heard.append(("once", *values))

    bridge.subscribe("a", fails)
    bridge.subscribe("a", first)
    bridge.subscribe_once("a", once)
    assert bridge.listeners("a") == [fails, first, once]
    bridge.publish("a", 1, 2)
    bridge.publish("a", 3)
    assert heard == [("first", 1, 2), ("once", 1, 2), ("first", 3)]
    bridge.unsubscribe("a", first)
    bridge.unsubscribe("a", first)
    assert bridge.listener_count("a") == 1
    assert bridge.listener_count("b") == 0


def test_once_is_once_for_many_publishers() -> None:
    bridge, heard = EventBridge(), []
    bridge.start()
    for _ in range(200):
        bridge.subscribe_once("a", heard.append)
    gate = threading.Barrier(8)

    def publish() -> None:
        gate.wait()
        for n in range(50):
            bridge.publish("a", n)

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(heard) == 200


def test_a_registered_handler_is_announced(fresh_worker: None) -> None:
    class Announced(StepHandler):
        def call(self, context: Any) -> Any: ...

    heard: list[Any] = []
    bridge = EventBridge.instance()
    bridge.start()
    bridge.subscribe(EventNames.HANDLER_REGISTERED, lambda *values: heard.append(values))
    HandlerRegistry().register("announced", Announced)
    assert heard == [("announced", Announced)]


def test_every_event_has_a_schema() -> None:
    names = {value for name, value in vars(EventNames).items() if name.isupper()}
    assert set(EventBridge().event_schema) == names
    assert {
        EventNames.STEP_CHECKPOINT_YIELD, EventNames.POLLER_METRICS, EventNames.POLLER_ERROR,
    } <= names  # fmt: skip
