"""The Python third of the parity table; TypeScript and Ruby have handlers of the same names."""

from __future__ import annotations

import datetime
from typing import Any

from tasker_core.errors import PermanentError, RetryableError
from tasker_core.logging import log_info, log_warn
from tasker_core.step_handler import StepHandler
from tasker_core.types import StepContext, StepHandlerResult


class OutOfStock(Exception):
    pass


def _deep() -> Any:
    value: Any = 0
    for _ in range(100):
        value = [value]
    return value


VALUES = {
    "big_integer": lambda: 9007199254740993,
    "whole_float": lambda: 3.0,
    "small_float": lambda: 0.1,
    "large_float": lambda: 1e16,
    "unicode": lambda: "größe 漢字 😀 \u2028",
    "lone_surrogate": lambda: "a\ud800b",
    "nul": lambda: "a\0b",
    "nan": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "date": lambda: datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
    "function": lambda: len,
    "deep": _deep,
}


class Echo(StepHandler):
    handler_name = "parity.echo"

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success(context.input_data)


class Nothing(StepHandler):
    handler_name = "parity.nothing"

    def call(self, context: StepContext) -> None:
        return None


class Value(StepHandler):
    handler_name = "parity.value"

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({"value": VALUES[context.get_input("kind")]()})


class Raise(StepHandler):
    handler_name = "parity.raise"

    def call(self, context: StepContext) -> StepHandlerResult:
        message = context.get_input_or("message", "as asked")
        kind = context.get_input("kind")
        if kind == "permanent":
            raise PermanentError(message, error_code="E42")
        if kind == "retryable":
            raise RetryableError(message)
        if kind == "nested":
            try:
                raise OutOfStock("the shelf is empty")
            except OutOfStock as error:
                raise PermanentError(message) from error
        raise Exception(message)


class Flaky(StepHandler):
    handler_name = "parity.flaky"

    def call(self, context: StepContext) -> StepHandlerResult:
        if context.retry_count == 0:
            raise RetryableError("not yet")
        return self.success(
            {
                "retry_count": context.retry_count,
                "is_retry": context.is_retry(),
                "is_last": context.is_last_retry(),
            }
        )


class Read(StepHandler):
    handler_name = "parity.read"

    def call(self, context: StepContext) -> StepHandlerResult:
        ids = [context.task_uuid, context.step_uuid, context.correlation_id]
        return self.success(
            {
                "given": context.get_input("given"),
                "missing": context.get_input("missing"),
                "missing_or": context.get_input_or("missing", "default"),
                "config": context.get_config("limit"),
                "dependency": context.get_dependency_result("first"),
                "no_dependency": context.get_dependency_result("nobody"),
                "field": context.get_dependency_field("first", "deep", "er"),
                "names": list(context.get_dependency_result_keys()),
                "has_ids": all(len(str(each)) == 36 for each in ids),
                "retry_count": context.retry_count,
                "max_retries": context.max_retries,
            }
        )


class Default(StepHandler):
    handler_name = "parity.default"

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({"value": context.get_input_or("nothing", "default")})


class Sleep(StepHandler):
    handler_name = "parity.sleep"

    def call(self, context: StepContext) -> StepHandlerResult:
        if context.wait_cancelled(context.get_input_or("ms", 0) / 1000):
            raise RetryableError("stopped")
        return self.success({"slept": True})


class Log(StepHandler):
    handler_name = "parity.log"

    def call(self, context: StepContext) -> StepHandlerResult:
        log_info("parity", {"index": 1})
        log_warn("parity", {"nothing": None})
        return self.success({"logged": 2})


class Beat(StepHandler):
    handler_name = "parity.beat"

    def call(self, context: StepContext) -> StepHandlerResult:
        for index in range(10):
            context.heartbeat(index / 10)
        return self.success({"beats": 10})


class Cursor(StepHandler):
    handler_name = "parity.cursor"

    def call(self, context: StepContext) -> StepHandlerResult:
        done = context.checkpoint_cursor or 0
        seen = [*(context.accumulated_results or {}).get("seen", []), done]
        if done < context.get_input_or("items", 3):
            return StepHandlerResult.success(
                {
                    "type": "checkpoint_yield",
                    "cursor": done + 1,
                    "items_processed": done + 1,
                    "accumulated_results": {"seen": seen},
                },
                {"checkpoint_yield": True, "batch_worker": True},
            )
        return self.success({"seen": seen, "processed": context.checkpoint_items_processed})
