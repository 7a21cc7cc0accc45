"""Handlers that do one thing each, told by the task's context. Ruby has the same names."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

from tasker_core.errors import PermanentError, RetryableError
from tasker_core.logging import log_info, log_warn
from tasker_core.step_handler import StepHandler
from tasker_core.types import StepContext, StepHandlerResult


class Echo(StepHandler):
    """Returns the task's context."""

    handler_name = "reference.echo"

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success(context.input_data)


class AsyncEcho(StepHandler):
    """The same on the event loop; `ms` waits first."""

    handler_name = "reference.async_echo"

    async def call(self, context: StepContext) -> StepHandlerResult:
        await asyncio.sleep(context.get_input_or("ms", 0) / 1000)
        return self.success(context.input_data)


class Fail(StepHandler):
    """Fails: `permanent` true or false, `message`, `retry_after` seconds, `error_code`."""

    handler_name = "reference.fail"

    def call(self, context: StepContext) -> StepHandlerResult:
        message = context.get_input_or("message", "reference failure")
        error = PermanentError if context.get_input("permanent") else RetryableError
        raise error(
            message,
            retry_after=context.get_input("retry_after"),
            error_code=context.get_input("error_code"),
        )


class Sleep(StepHandler):
    """Waits `ms`; stops early when cancelled."""

    handler_name = "reference.sleep"

    def call(self, context: StepContext) -> StepHandlerResult:
        if context.wait_cancelled(context.get_input_or("ms", 0) / 1000):
            raise asyncio.CancelledError
        return self.success({"slept_ms": context.get_input_or("ms", 0)})


class Spin(StepHandler):
    """Burns CPU for `ms`, deaf to cancellation."""

    handler_name = "reference.spin"

    def call(self, context: StepContext) -> StepHandlerResult:
        end = time.perf_counter() + context.get_input_or("ms", 10) / 1000
        turns = 0
        while time.perf_counter() < end:
            turns += 1
        return self.success({"turns": turns})


class Print(StepHandler):
    """Writes noise to every place that could be mistaken for the channel."""

    handler_name = "reference.print"

    def call(self, context: StepContext) -> StepHandlerResult:
        print("reference.print on stdout \x00\x01 {not json")
        print("reference.print on stderr", file=sys.stderr)
        os.write(1, b"reference.print on descriptor 1\n")
        subprocess.run(["/bin/sh", "-c", "echo reference.print from a child"], check=True)
        return self.success({"printed": True})


class Exit(StepHandler):
    """Ends the process: `code`, default 3. With `soft` it only raises SystemExit."""

    handler_name = "reference.exit"

    def call(self, context: StepContext) -> StepHandlerResult:
        code = context.get_input_or("code", 3)
        if context.get_input("soft"):
            sys.exit(code)
        os._exit(code)


class Fork(StepHandler):
    """Forks a child that returns from the handler too; only the parent's answer may count."""

    handler_name = "reference.fork"

    def call(self, context: StepContext) -> StepHandlerResult:
        child = os.fork()
        if child == 0:
            return self.success({"who": "child"})
        _, status = os.waitpid(child, 0)
        return self.success({"who": "parent", "child_status": status})


class Big(StepHandler):
    """Returns text of `bytes` characters."""

    handler_name = "reference.big"

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({"text": "x" * context.get_input_or("bytes", 1024)})


class BadValue(StepHandler):
    """Returns what JSON cannot hold: `kind` object (default), nan, surrogate, nul or deep."""

    handler_name = "reference.bad_value"

    def call(self, context: StepContext) -> StepHandlerResult:
        kind = context.get_input_or("kind", "object")
        if kind == "deep":
            value: object = []
            for _ in range(100):
                value = [value]
        else:
            bad = {"nan": float("nan"), "surrogate": "\ud800", "nul": "a\0b"}
            value = bad.get(kind, object())
        return self.success({"outer": [1, {"inner": value}]})


class Log(StepHandler):
    """Logs `count` records."""

    handler_name = "reference.log"

    def call(self, context: StepContext) -> StepHandlerResult:
        count = context.get_input_or("count", 1)
        for index in range(count):
            log_info(f"reference log {index}", {"index": index})
        log_warn("reference log done")
        return self.success({"logged": count + 1})


class Beat(StepHandler):
    """Sends `count` heartbeats with its progress, and waits `ms` after each."""

    handler_name = "reference.beat"

    def call(self, context: StepContext) -> StepHandlerResult:
        count = context.get_input_or("count", 1)
        for index in range(count):
            context.heartbeat((index + 1) / count)
            context.wait_cancelled(context.get_input_or("ms", 0) / 1000)
        return self.success({"beats": count})


class Spawn(StepHandler):
    """Starts a process that outlives the step, and says which."""

    handler_name = "reference.spawn"

    def call(self, context: StepContext) -> StepHandlerResult:
        child = subprocess.Popen(["sleep", "600"])
        return self.success({"pid": child.pid})


class Checkpoint(StepHandler):
    """Yields at `cursor` 1..`yields`, then returns how often it ran."""

    handler_name = "reference.checkpoint"

    def call(self, context: StepContext) -> StepHandlerResult:
        done = context.checkpoint_cursor or 0
        if done < context.get_input_or("yields", 2):
            return StepHandlerResult.success(
                {
                    "type": "checkpoint_yield",
                    "cursor": done + 1,
                    "items_processed": (done + 1) * 10,
                    "accumulated_results": {"done": done + 1},
                },
                {"checkpoint_yield": True, "batch_worker": True},
            )
        return self.success({"yields": done, "accumulated": context.accumulated_results})


class Items(StepHandler):
    """Adds up the items 1..`items`, yielding after every `every`; each chunk takes `ms`.

    The first attempt fails at cursor `fail_at`. Says where its chunks began and what became of
    numbers on the way.
    """

    handler_name = "reference.items"

    def call(self, context: StepContext) -> StepHandlerResult:
        items = context.get_input_or("items", 10)
        start = context.checkpoint_cursor or 0
        done = context.accumulated_results or {
            "sum": 0,
            "starts": [],
            "big": 9007199254740993,
            "weight": 3.0,
        }
        if start == context.get_input("fail_at") and context.retry_count == 0:
            raise RetryableError(f"interrupted at item {start}")
        if context.wait_cancelled(context.get_input_or("ms", 0) / 1000):
            raise asyncio.CancelledError
        end = min(start + context.get_input_or("every", 3), items)
        done["sum"] += sum(range(start + 1, end + 1))
        done["starts"].append(start)
        if end < items:
            return StepHandlerResult.success(
                {
                    "type": "checkpoint_yield",
                    "cursor": end,
                    "items_processed": end,
                    "accumulated_results": done,
                },
                {"checkpoint_yield": True, "batch_worker": True},
            )
        kinds = {"retry_count": context.retry_count, "is_float": type(done["weight"]) is float}
        return self.success({**done, **kinds})
