"""Handlers, publishers and subscribers. What they see goes to the file that the task's context names."""

import json
import os
import signal
import time

from tasker_core import (
    BasePublisher,
    BaseSubscriber,
    EventSubscriber,
    PermanentError,
    RetryableError,
)
from tasker_core.step_handler import step_handler


def write(path, **line):
    if path:
        with open(path, "a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


@step_handler("events.emit")
def emit(context):
    return {"n": 1, "big": 2**60, "log": context.input_data.get("log")}


@step_handler("events.flaky")
def flaky(context):
    if context.retry_count == 0:
        raise RetryableError("once more")
    return {"n": 2, "log": context.input_data.get("log")}


@step_handler("events.broken")
async def broken(context):
    raise PermanentError("never")


class Audit(EventSubscriber):
    subscribe_to = ["step.*", "task.*"]

    def handle(self, event):
        write(event["context"].get("log"), lifecycle=event["type"], event=event)

    def handle_step_completed(self, event):
        write(event["context"].get("log"), lifecycle=event["type"], by="method", event=event)


class Faulty(EventSubscriber):
    subscribe_to = "step.completed"

    def handle(self, event):
        if event["context"].get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if event["context"].get("slow"):
            time.sleep(0.02)
        raise ValueError("a listener that always fails")


class Orders(BaseSubscriber):
    @classmethod
    def subscribes_to(cls):
        return ["order.*"]

    def handle(self, event):
        step = event["payload"]["task_sequence_step"]
        write(
            step["task"]["task"]["context"].get("log"),
            domain=event["event_name"],
            payload=event["payload"]["payload"],
            fired_by=event["metadata"]["fired_by"],
            audience=event["metadata"].get("audience"),
        )


class FaultyOrders(BaseSubscriber):
    @classmethod
    def subscribes_to(cls):
        return ["order.shaped"]

    def handle(self, event):
        raise ValueError("a subscriber that always fails")


class Shaping(BasePublisher):
    publisher_name = "Shaping"

    def transform_payload(self, ctx):
        return {"order": ctx.result.get("n"), "step": ctx.step_name, "big": ctx.result.get("big")}

    def additional_metadata(self, ctx):
        return {"audience": "finance", "log": (ctx.result or {}).get("log")}

    def after_publish(self, event_name, payload, metadata):
        write(metadata.get("log"), after=event_name)


class Declining(BasePublisher):
    publisher_name = "Declining"

    def before_publish(self, event_name, payload, metadata):
        return False


class Throwing(BasePublisher):
    publisher_name = "Throwing"

    def transform_payload(self, ctx):
        raise ValueError("cannot shape this")
