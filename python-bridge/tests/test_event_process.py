"""Events on the wire: a real handler process, its publishers and its subscribers."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host import ScriptedHost, step_body, step_header

StartHost = Callable[..., ScriptedHost]

HANDLERS = """
import json
import time

from tasker_core import BasePublisher, BaseSubscriber, EventSubscriber, PermanentError
from tasker_core.domain_events import InProcessDomainEventPoller
from tasker_core.step_handler import step_handler

poller = InProcessDomainEventPoller()


def write(**line):
    with open(LOG, "a") as log:
        log.write(json.dumps(line) + "\\n")


@step_handler("emit")
def emit(context):
    if context.input_data.get("poll"):
        poller.start()
    if context.input_data.get("fail"):
        raise PermanentError("never")
    return {"n": 1, "big": 2**60}


@step_handler("emit_async")
async def emit_async(context):
    return {"n": 2}


class Audit(EventSubscriber):
    subscribe_to = ["step.*"]

    def handle_step_completed(self, event):
        write(lifecycle=event["type"], n=event.get("n"))
        if event.get("fail"):
            raise SystemExit("a listener that leaves")


class Orders(BaseSubscriber):
    @classmethod
    def subscribes_to(cls):
        return ["order.*"]

    def handle(self, event):
        if event["payload"]["payload"].get("hang"):
            time.sleep(60)
        write(domain=event["event_name"], payload=event["payload"]["payload"])


class Shaping(BasePublisher):
    publisher_name = "Shaping"

    def should_publish(self, ctx):
        return ctx.result.get("n") != 2

    def transform_payload(self, ctx):
        if ctx.metadata.get("error_message"):
            return {"failed": ctx.metadata["error_message"], "retryable": ctx.metadata["retryable"]}
        return {"big": ctx.result["big"]}

    def additional_metadata(self, ctx):
        return {"step": ctx.step_name, "namespace": ctx.namespace}

    def after_publish(self, event_name, payload, metadata):
        write(after=event_name)


class Unjson(BasePublisher):
    publisher_name = "Unjson"

    def transform_payload(self, ctx):
        return {"at": object()}

    def on_publish_error(self, event_name, error, payload):
        write(error=event_name)


class Abstract(BasePublisher):
    pass


class NeedsArguments(BasePublisher):
    publisher_name = "NeedsArguments"

    def __init__(self, client):
        self.client = client
"""


@pytest.fixture
def scene(start_host: StartHost, tmp_path: Path) -> tuple[ScriptedHost, Path]:
    log = tmp_path / "log.jsonl"
    handlers = tmp_path / "handlers.py"
    handlers.write_text(f"LOG = {str(log)!r}\n{HANDLERS}")
    return start_host(handlers=handlers), log


def lines(log: Path) -> list[dict[str, Any]]:
    text = log.read_text() if log.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited for 20 s"
        time.sleep(0.005)


def declared(name: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, "description": name, "schema": {}, "publisher": "Shaping", **rest}


def run(
    host: ScriptedHost, name: str, context: dict[str, Any], *events: dict[str, Any]
) -> tuple[list[tuple[dict[str, Any], bytes]], dict[str, Any]]:
    """The `event` messages of a step, and its answer; not acknowledged."""
    delivery = str(uuid.uuid4())
    body = step_body(name, context)
    body["step_definition"]["publishes_events"] = list(events)
    host.send(step_header(name, delivery), json.dumps(body).encode())
    found: list[tuple[dict[str, Any], bytes]] = []
    while True:
        header, part = host.read()
        if header["type"] == "event":
            found.append((header, part))
        elif header["type"] in ("result", "error"):
            return found, header


def notify(host: ScriptedHost, seq: int, stream: str, name: str, event: dict[str, Any]) -> None:
    header = {"type": "notify", "stream": stream, "name": name, "seq": seq}
    host.send(header, json.dumps(event).encode())


def envelope(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()),
        "event_name": name,
        "event_version": "1.0",
        "payload": {
            "task_sequence_step": {},
            "execution_result": {"success": True, "result": payload},
            "payload": payload,
        },
        "metadata": {
            "task_uuid": "t",
            "correlation_id": "c",
            "fired_at": "2026-01-01T00:00:00Z",
            "fired_by": "x",
        },
    }


def notified(host: ScriptedHost, seq: int) -> dict[str, Any]:
    while True:
        header, _ = host.read()
        if header["type"] == "notified" and header["seq"] >= seq:
            return header


def test_hello_says_what_the_files_define(scene: tuple[ScriptedHost, Path]) -> None:
    host, _ = scene
    assert host.hello["lifecycle_events"] == ["step.*"]
    assert host.hello["domain_events"] == ["order.*"]
    assert host.hello["publishers"] == ["Shaping", "Unjson"]


def test_a_publisher_sends_its_event_before_the_answer(scene: tuple[ScriptedHost, Path]) -> None:
    host, log = scene
    events, answer = run(
        host,
        "emit",
        {},
        declared("order.made"),
        declared("order.default", publisher=None),
        declared("order.unknown", publisher="Nobody"),
        declared("order.late", condition="failure"),
        declared("order.always", condition="always"),
    )
    assert [header["name"] for header, _ in events] == ["order.made", "order.always"]
    header, body = events[0]
    assert (header["on"], header["publisher"]) == ("success", "Shaping")
    assert json.loads(body[: header["split"]]) == {"big": 2**60}
    assert json.loads(body[header["split"] :]) == {"step": "s", "namespace": "default"}
    assert lines(log) == []
    item = {"id": answer["delivery_id"], "kind": "result", "status": "committed"}
    host.send({"type": "ack", "items": [{**item, "unpublished": ["order.made"]}]})
    wait_for(lambda: bool(lines(log)))
    assert lines(log) == [{"after": "order.always"}]


def test_a_failure_publishes_what_is_declared_for_it(scene: tuple[ScriptedHost, Path]) -> None:
    host, log = scene
    events, answer = run(
        host,
        "emit",
        {"fail": True},
        declared("order.made"),
        declared("order.retry", condition="retryable_failure"),
        declared("order.dead", condition="permanent_failure"),
        declared("order.failed", condition="failure"),
    )
    assert answer["type"] == "error"
    assert [(header["name"], header["on"]) for header, _ in events] == [
        ("order.dead", "failure"),
        ("order.failed", "failure"),
    ]
    header, body = events[0]
    assert json.loads(body[: header["split"]]) == {"failed": "never", "retryable": False}
    # A stale answer publishes nothing: no hook runs after it.
    item = {"id": answer["delivery_id"], "kind": "error", "status": "stale"}
    host.send({"type": "ack", "items": [item]})
    host.run("emit")
    assert lines(log) == []


def test_a_publisher_that_declines_or_fails_says_so(scene: tuple[ScriptedHost, Path]) -> None:
    host, log = scene
    events, answer = run(
        host, "emit_async", {}, declared("order.no"), declared("order.bad", publisher="Unjson")
    )
    assert [(header["name"], header["verdict"], body) for header, body in events] == [
        ("order.no", "declined", b""),
        ("order.bad", "failed", b""),
    ]
    assert answer["type"] == "result"
    assert lines(log) == [{"error": "order.bad"}]


def test_events_are_dealt_with_in_order_and_reported(scene: tuple[ScriptedHost, Path]) -> None:
    host, log = scene
    for n in range(1, 41):
        notify(host, n, "lifecycle", "step.completed", {"type": "step.completed", "n": n})
    notify(host, 41, "lifecycle", "step.failed", {"type": "step.failed"})
    notify(host, 42, "lifecycle", "step.completed", {"type": "step.completed", "fail": True})
    notify(host, 43, "domain", "order.paid", envelope("order.paid", {"n": 1}))
    notify(host, 44, "domain", "order.paid", {"no": "envelope"})
    report = notified(host, 44)
    assert (report["lifecycle_failed"], report["domain_failed"]) == (1, 1)
    assert [line["n"] for line in lines(log)[:40]] == list(range(1, 41))
    assert lines(log)[41:] == [{"domain": "order.paid", "payload": {"n": 1}}]


def test_a_poller_that_starts_later_subscribes(scene: tuple[ScriptedHost, Path]) -> None:
    host, _ = scene
    delivery = host.step("emit", {"poll": True})
    header, _ = host.read()
    while header["type"] != "subscribe":
        header, _ = host.read()
    assert header["domain_events"] == ["order.*", "*"]
    assert header["lifecycle_events"] == ["step.*"]
    assert delivery


def test_a_subscriber_that_hangs_holds_up_no_step_and_no_exit(
    scene: tuple[ScriptedHost, Path],
) -> None:
    host, _ = scene
    notify(host, 1, "domain", "order.paid", envelope("order.paid", {"hang": True}))
    assert host.run("emit")[1] == {"n": 1, "big": 2**60}
    host.send({"type": "drain", "grace_ms": 25_000, "reason": "test"})
    assert host.wait() == 0


def test_a_drain_waits_for_events_that_were_sent(scene: tuple[ScriptedHost, Path]) -> None:
    host, log = scene
    for n in range(1, 31):
        notify(host, n, "domain", "order.paid", envelope("order.paid", {"n": n}))
    host.send({"type": "drain", "grace_ms": 25_000, "reason": "test"})
    assert host.wait() == 0
    assert [line["payload"]["n"] for line in lines(log)] == list(range(1, 31))
