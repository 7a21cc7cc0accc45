"""Publishers, subscribers, registries and the feed between them, without a host."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tasker_core import (
    EventSubscriber,
    InProcessDomainEvent,
    InProcessDomainEventPoller,
    StepContext,
    StepEventContext,
    poll_in_process_events,
)
from tasker_core._runtime.event_feed import EventFeed
from tasker_core.domain_events import (
    BasePublisher,
    BaseSubscriber,
    DefaultPublisher,
    EventDeclaration,
    PublisherRegistry,
    SubscriberRegistry,
)
from tasker_core.events import subscribe
from tasker_core.types import FfiStepEvent


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    EventFeed.reset_instance()
    yield
    PublisherRegistry.reset()
    SubscriberRegistry.reset()
    EventFeed.reset_instance()


CONTEXT = StepEventContext("t", "s", "charge", "shop", "c", {"n": 1}, {"attempt": 2})


class Recording(BasePublisher):
    publisher_name = "Recording"

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def should_publish(self, ctx: StepEventContext) -> bool:
        return self.answers.get("should", True)

    def transform_payload(self, ctx: StepEventContext) -> dict[str, Any]:
        if "fail" in self.answers:
            raise ValueError(self.answers["fail"])
        return {"order": (ctx.result or {}).get("n")}

    def additional_metadata(self, ctx: StepEventContext) -> dict[str, Any]:
        return {"audience": "finance"}

    def before_publish(
        self, event_name: str, payload: dict[str, Any], metadata: dict[str, Any]
    ) -> bool:
        self.calls.append(("before", event_name, payload, metadata))
        return self.answers.get("before", True)

    def after_publish(
        self, event_name: str, payload: dict[str, Any], metadata: dict[str, Any]
    ) -> None:
        self.calls.append(("after", event_name))
        if self.answers.get("after"):
            raise ValueError("after")

    def on_publish_error(self, event_name: str, error: Exception, payload: dict[str, Any]) -> None:
        self.calls.append(("error", event_name, str(error), payload))


def test_publish_runs_the_hooks_in_order() -> None:
    publisher = Recording()
    assert publisher.publish(CONTEXT) is True
    before, after = publisher.calls
    assert before[:3] == ("before", "charge", {"order": 1})
    metadata = dict(before[3])
    assert metadata.pop("published_at").endswith("+00:00")
    assert metadata == {
        "publisher": "Recording",
        "task_uuid": "t",
        "step_uuid": "s",
        "step_name": "charge",
        "namespace": "shop",
        "correlation_id": "c",
        "attempt": 2,
        "audience": "finance",
    }
    assert after == ("after", "charge")


@pytest.mark.parametrize(
    ("answers", "published", "calls"),
    [
        ({"should": False}, False, []),
        ({"before": False}, False, ["before"]),
        ({"fail": "no"}, False, ["error"]),
        ({"after": True}, False, ["before", "after", "error"]),
    ],
)
def test_a_hook_declines_or_raises(
    answers: dict[str, Any], published: bool, calls: list[str]
) -> None:
    publisher = Recording(**answers)
    assert publisher.publish(CONTEXT, "order.paid") is published
    assert [call[0] for call in publisher.calls] == calls


def test_publisher_registry() -> None:
    registry = PublisherRegistry.instance()
    publisher = Recording()
    registry.register(publisher)
    registry.register(DefaultPublisher(), "other")
    assert registry.get("Recording") is publisher
    assert registry.get("absent") is None
    assert isinstance(registry.get_or_default("absent"), DefaultPublisher)
    assert registry.list_publishers() == ["Recording", "other"]
    assert registry.validate_required(["other", "absent", "gone"]) == ["absent", "gone"]
    registry.freeze()
    assert registry.is_frozen
    with pytest.raises(RuntimeError, match="frozen"):
        registry.register(publisher)
    registry.unfreeze()
    with pytest.raises(ValueError, match="BasePublisher"):
        registry.register("no publisher")
    registry.clear()
    assert registry.list_publishers() == []
    PublisherRegistry.reset()
    assert PublisherRegistry.instance() is not registry


def test_declaration_takes_the_schema_by_its_name() -> None:
    given = {
        "name": "a.b",
        "delivery_mode": "fast",
        "schema": {"type": "object"},
        "description": "",
    }
    declaration = EventDeclaration.model_validate(given)
    assert (declaration.schema, declaration.condition) == ({"type": "object"}, None)


def test_context_of_a_step() -> None:
    step: dict[str, Any] = {"task": {"task": {"namespace": "inner"}, "namespace_name": "outer"}}
    ids = [str(uuid.uuid4()) for _ in range(4)]
    context = StepContext.from_ffi_event(
        FfiStepEvent(*ids, task_sequence_step=step), "orders.charge"
    )
    read = StepEventContext.from_step_context(context, {"n": 1})
    assert (read.step_name, read.namespace, read.result) == ("orders.charge", "inner", {"n": 1})
    assert (read.task_uuid, read.step_uuid, read.correlation_id) == tuple(ids[1:4])
    assert read.metadata == {}


def envelope(name: str = "order.paid") -> dict[str, Any]:
    return {
        "event_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "event_name": name,
        "event_version": "1.0",
        "payload": {
            "task_sequence_step": {},
            "execution_result": {
                "success": False,
                "result": {},
                "error": {"message": "declined", "error_type": "PermanentError"},
                "metadata": {"execution_time_ms": 7},
            },
            "payload": {"n": 1},
        },
        "metadata": {
            "task_uuid": "t",
            "step_uuid": "s",
            "step_name": "charge",
            "namespace": "shop",
            "correlation_id": "c",
            "fired_at": "2026-01-01T00:00:00Z",
            "fired_by": "Shaping",
            "audience": "finance",
        },
    }


def event(name: str = "order.paid") -> InProcessDomainEvent:
    return InProcessDomainEvent.from_envelope(envelope(name))


def test_an_event_as_a_dict() -> None:
    read = event().model_dump()
    assert read["event_id"] == uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    assert read["payload"]["payload"] == {"n": 1}
    assert read["metadata"]["audience"] == "finance"
    assert "additional" not in read["metadata"]
    assert read["execution_result"] == {
        "success": False,
        "result": {},
        "error_message": "declined",
        "error_type": "PermanentError",
        "execution_time_ms": 7,
    }
    json.dumps(event().model_dump(mode="json"))


class Orders(BaseSubscriber):
    def __init__(self) -> None:
        # Without super().__init__(), as user code may have it.
        self.seen: list[str] = []
        self.errors: list[str] = []

    @classmethod
    def subscribes_to(cls) -> list[str]:
        return ["order.*", "refund.[ab]"]

    def before_handle(self, event: dict[str, Any]) -> bool:
        return event["event_name"] != "order.skipped"

    def handle(self, event: dict[str, Any]) -> None:
        self.seen.append(event["event_name"])
        if event["event_name"] == "order.bad":
            raise ValueError("bad order")

    def on_handle_error(self, event: dict[str, Any], error: Exception) -> None:
        self.errors.append(str(error))


def test_a_subscriber_gets_what_it_asked_for_and_its_failures_are_counted() -> None:
    feed = EventFeed.instance()
    orders = Orders()
    assert not orders.active
    orders.start(feed)
    orders.start(feed)
    assert orders.active and orders.matches("refund.a") and not orders.matches("refund.c")
    names = ["order.paid", "other.x", "order.skipped", "order.bad", "refund.a", "refund.c"]
    assert [feed.domain(name, event(name)) for name in names] == [0, 0, 0, 1, 0, 0]
    assert orders.seen == ["order.paid", "order.bad", "refund.a"]
    assert orders.errors == ["bad order"]
    # The host knows only `*`.
    assert feed.interest()["domain_events"] == ["order.*", "refund.*"]
    orders.stop()
    assert feed.domain("order.paid", event()) == 0
    assert feed.interest()["domain_events"] == []


def test_subscriber_registry() -> None:
    registry = SubscriberRegistry.instance()
    registry.register(Orders)
    registry.register(Orders)
    registry.register_instance(Orders(), "second")
    with pytest.raises(ValueError, match="BaseSubscriber"):
        registry.register(dict)
    feed = EventFeed.instance()
    assert registry.start_all(feed) == 2
    assert registry.start_all(feed) == 0
    assert registry.active_count == 2
    assert len(registry.list_registered()) == 2
    assert registry.stats()["subscriptions"] == ["order.*", "refund.[ab]"]
    assert registry.stop_all() == 2
    registry.clear()
    assert registry.list_registered() == []


def test_poller_calls_back_on_its_own_thread() -> None:
    poller = InProcessDomainEventPoller(max_events_per_poll=2)
    seen: list[str] = []
    errors: list[Exception] = []

    def on_event(given: InProcessDomainEvent) -> None:
        seen.append(given.event_name)
        if given.event_name == "order.3":
            raise ValueError("bad")

    poller.on_event(on_event)
    poller.on_error(errors.append)
    feed = EventFeed.instance()
    orders = Orders()
    orders.start(poller)
    assert feed.domain("order.0", event("order.0")) == 0
    poller.start()
    assert poller.is_running
    names = [f"order.{n}" for n in range(1, 6)]
    for name in names:
        feed.domain(name, event(name))
    wait_until(lambda: len(orders.seen) == 5)
    poller.stop()
    assert not poller.is_running
    assert seen == names and orders.seen == names
    assert [str(each) for each in errors] == ["bad"]
    assert poller.stats["events_processed"] == 5
    assert poller.stats["events_lagged"] == 0
    assert feed.interest()["domain_events"] == []


def test_polling_drops_the_oldest_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasker_core.domain_events import poller as module

    monkeypatch.setattr(module, "BUFFERED_EVENTS", 3)
    feed = EventFeed.instance()
    buffer = module.EventBuffer(feed)
    for n in range(5):
        feed.domain(f"order.{n}", event(f"order.{n}"))
    assert [each.event_name for each in buffer.take(10)] == ["order.2", "order.3", "order.4"]
    assert buffer.lagged == 2


def test_poll_in_process_events_sees_what_came_after_its_first_call() -> None:
    feed = EventFeed.instance()
    feed.domain("order.0", event("order.0"))
    assert poll_in_process_events() is None
    feed.domain("order.1", event("order.1"))
    found = poll_in_process_events()
    assert found is not None and found["event_name"] == "order.1"
    assert poll_in_process_events() is None


class Audit(EventSubscriber):
    subscribe_to = ["step.completed", "task.*"]

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def handle(self, event: dict[str, Any]) -> None:
        self.seen.append(("handle", event["type"]))

    def handle_step_completed(self, event: dict[str, Any]) -> None:
        self.seen.append(("step", event["type"]))
        raise ValueError("a listener that fails")


def test_lifecycle_events_go_to_their_method() -> None:
    feed = EventFeed.instance()
    audit = Audit()
    subscribe(audit)
    names = ["step.completed", "step.failed", "task.retry_requested"]
    assert [feed.lifecycle(name, {"type": name}) for name in names] == [1, 0, 0]
    assert audit.seen == [("step", "step.completed"), ("handle", "task.retry_requested")]
    assert feed.interest()["lifecycle_events"] == ["step.completed", "task.*"]


def wait_until(condition: Any) -> None:
    import time

    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited for 20 s"
        time.sleep(0.005)


def test_hooks_run_around_an_event_and_errors_stay_inside() -> None:
    class Hooked(BaseSubscriber):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        @classmethod
        def subscribes_to(cls) -> list[str]:
            return ["order.*"]

        def before_handle(self, event: dict[str, Any]) -> bool:
            return event["event_name"] != "order.skipped"

        def handle(self, event: dict[str, Any]) -> None:
            if event["event_name"] == "order.bad":
                raise ValueError("bad")
            self.seen.append(event["event_name"])

        def after_handle(self, event: dict[str, Any]) -> None:
            self.seen.append("after")

        def on_handle_error(self, event: dict[str, Any], error: Exception) -> None:
            self.seen.append(str(error))

    hooked = Hooked()
    for name, handled in (("order.good", True), ("order.skipped", True), ("order.bad", False)):
        assert hooked.handle_event_safely({"event_name": name}) is handled
    assert hooked.seen == ["order.good", "after", "bad"]
