"""Decorated functions: injection, wrapping, errors."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from tasker_core import StepHandlerResult, errors
from tasker_core.step_handler import (
    BatchConfig,
    Decision,
    api_handler,
    batch_analyzer,
    batch_worker,
    decision_handler,
    depends_on,
    inputs,
    step_handler,
)
from test_step_context import make_context


def call(function: Any, **parts: Any) -> StepHandlerResult:
    return function._handler_class().call(make_context(**parts))


def test_the_function_stays_a_function() -> None:
    @step_handler("a.b", version="2.0.0")
    def work(x: int = 1) -> int:
        """Doubles."""
        return x * 2

    assert work(4) == 8
    handler = work._handler_class()  # type: ignore[attr-defined]
    assert (handler.name, handler.version) == ("a.b", "2.0.0")
    assert (type(handler).__name__, type(handler).__doc__) == ("work", "Doubles.")


def test_dependencies_and_inputs_are_passed_by_keyword() -> None:
    @step_handler("h")
    @depends_on(first="load_1")
    @depends_on(gone="missing")
    @inputs("amount")
    @inputs("absent")
    def work(**given: Any) -> dict[str, Any]:
        return given

    assert call(work).result == {
        "first": {"rows": {"count": 2}},
        "gone": None,
        "amount": 5,
        "absent": None,
    }


def test_names_the_function_cannot_take_are_fitted_or_dropped() -> None:
    @step_handler("h")
    @depends_on(first="load_1", second="raw")
    @inputs("amount", "absent")
    def work(_first: Any, amount: int, _context: Any) -> dict[str, Any]:
        return {"first": _first, "amount": amount, "handler": _context.handler_name}

    assert call(work).result == {
        "first": {"rows": {"count": 2}},
        "amount": 5,
        "handler": "shop.charge",
    }


def test_models_are_validated() -> None:
    @dataclasses.dataclass
    class Order:
        amount: int
        currency: str = "USD"

    class Rows:
        @classmethod
        def model_validate(cls, data: dict[str, Any]) -> list[Any]:
            return sorted(data)

    @step_handler("h")
    @depends_on(rows=("load_1", Rows), plain=("missing", Rows))
    @inputs(Order)
    def work(rows: Any, plain: Any, inputs: Order) -> Any:
        return {"rows": rows, "plain": plain, "inputs": dataclasses.asdict(inputs)}

    # Missing fields are passed as None, so defaults do not apply.
    assert call(work).result == {
        "rows": ["rows"],
        "plain": None,
        "inputs": {"amount": 5, "currency": None},
    }


class Dumps:
    def model_dump(self, mode: str) -> dict[str, Any]:
        return {"mode": mode}


@pytest.mark.parametrize(
    ("returned", "result"),
    [
        ({"a": 1}, {"a": 1}),
        (None, {}),
        (Dumps(), {"mode": "json"}),
        ([1, 2], {"result": [1, 2]}),
        (StepHandlerResult.success({"b": 2}), {"b": 2}),
    ],
)
def test_return_values_are_wrapped(returned: Any, result: Any) -> None:
    @step_handler("h")
    def work() -> Any:
        return returned

    answer = call(work)
    assert answer.is_success and answer.result == result


@pytest.mark.parametrize(
    ("error", "error_type", "retryable"),
    [
        (errors.ValidationError("x"), "permanent_error", False),
        (errors.RateLimitError("x", retry_after=3), "retryable_error", True),
        (errors.TaskerError("x", retryable=False), "handler_error", False),
        (KeyError("x"), "handler_error", True),
    ],
)
def test_exceptions_become_failures(error: Exception, error_type: str, retryable: bool) -> None:
    @step_handler("h")
    def work() -> Any:
        raise error

    answer = call(work)
    assert (answer.error_type, answer.retryable) == (error_type, retryable)
    if isinstance(error, errors.TaskerError):
        assert answer.metadata == error.metadata
    else:
        assert answer.metadata["exception_type"] == "KeyError"
        assert "raise error" in answer.metadata["traceback"]


def test_async_functions_have_an_async_call() -> None:
    @step_handler("h")
    @inputs("amount")
    async def work(amount: int) -> int:
        await asyncio.sleep(0)
        return amount

    assert asyncio.run(work._handler_class().call(make_context())).result == {"result": 5}  # type: ignore[attr-defined]


def test_decisions() -> None:
    @decision_handler("pick")
    @inputs("amount")
    def pick(amount: int) -> Decision:
        return Decision.route(["a", "b"], amount=amount)

    answer = call(pick)
    assert answer.result == {
        "decision_point_outcome": {"type": "create_steps", "step_names": ["a", "b"]},
        "routing_context": {"amount": 5},
    }
    assert answer.metadata == {"decision_handler": "pick", "decision_version": "1.0.0"}

    @decision_handler("skip")
    def skip() -> Decision:
        return Decision.skip("nothing to do")

    assert call(skip).result == {
        "decision_point_outcome": {"type": "no_branches"},
        "reason": "nothing to do",
    }


def test_batches() -> None:
    @batch_analyzer("analyze", worker_template="process_x")
    def analyze() -> BatchConfig:
        return BatchConfig(total_items=250, batch_size=100)

    answer = call(analyze)
    assert answer.result is not None
    outcome = answer.result["batch_processing_outcome"]
    assert outcome["worker_template_name"] == "process_x"
    assert [c["batch_size"] for c in outcome["cursor_configs"]] == [100, 100, 50]
    assert outcome["total_items"] == 250

    @batch_analyzer("empty", worker_template="process_x")
    def empty() -> BatchConfig:
        return BatchConfig(0, 10)

    nothing = call(empty)
    assert nothing.result is not None
    assert nothing.result["batch_processing_outcome"] == {"type": "no_batches"}

    @batch_worker("work")
    def work(batch_context: Any) -> Any:
        return {"range": [batch_context.start_cursor, batch_context.end_cursor]}

    cursor = {"batch_id": "001", "start_cursor": 5, "end_cursor": 9, "batch_size": 4}
    assert call(work, workflow_step={"inputs": {"cursor": cursor}}).result == {"range": [5, 9]}


def test_an_api_function_gets_the_client() -> None:
    @api_handler("h", base_url="http://localhost:1", timeout=2.0)
    def work(api: Any) -> Any:
        return {
            "base": api.base_url,
            "timeout": api.default_timeout,
            "http": "http" in api.capabilities,
        }

    assert call(work).result == {"base": "http://localhost:1", "timeout": 2.0, "http": True}
