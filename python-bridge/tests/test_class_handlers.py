"""Class handlers and their mixins: base, decision, batchable, API vocabulary."""

from __future__ import annotations

from typing import Any

import pytest

from tasker_core import (
    ApiHandler,
    ApiResponse,
    Batchable,
    BatchAggregationScenario,
    BatchWorkerConfig,
    CursorConfig,
    DecisionHandler,
    DecisionPointOutcome,
    ErrorClassifier,
    StepContext,
    StepHandler,
    get_classifier,
    is_permanent,
    is_retryable,
)
from tasker_core.errors import PermanentError
from tasker_core.step_handler import FunctionalHandler, HandlerDecorator, mixins, step_handler
from tasker_core.step_handler.base import StepHandlerCallResult
from tasker_core.step_handler.mixins import APIMixin, DecisionMixin


class Plain(StepHandler):
    handler_version = "2.0.0"

    def call(self, context: StepContext) -> StepHandlerCallResult:
        return self.success()


class Chooses(DecisionHandler):
    handler_name = "chooses"

    def call(self, context: StepContext) -> StepHandlerCallResult:
        return self.skip_branches("none")


class Batch(StepHandler, Batchable):
    def call(self, context: StepContext) -> StepHandlerCallResult:
        return self.success()


def test_the_base() -> None:
    handler = Plain()
    assert (handler.name, handler.version) == ("Plain", "2.0.0")
    assert (handler.capabilities, handler.config_schema()) == (["process"], None)
    assert repr(handler) == "Plain(name='Plain', version='2.0.0')"
    assert handler.success().result == {}
    failure = handler.failure("m")
    assert (failure.error_type, failure.retryable) == ("handler_error", True)


def test_decisions() -> None:
    handler = Chooses()
    assert isinstance(handler, DecisionMixin) and mixins.DecisionMixin is DecisionMixin
    assert handler.capabilities == ["process", "decision", "routing"]
    assert handler.decision_capabilities == ["decision", "routing"]
    chosen = handler.decision_success(["a"], {"k": 1}, {"m": 1})
    assert chosen.result == {
        "decision_point_outcome": {"type": "create_steps", "step_names": ["a"]},
        "routing_context": {"k": 1},
    }
    assert chosen.metadata == {
        "m": 1, "decision_handler": "chooses", "decision_version": "1.0.0",
    }  # fmt: skip
    assert handler.route_to_steps(["a"], {"k": 1}).result == chosen.result
    outcome = DecisionPointOutcome.create_steps(["a"], [{"name": "b"}])
    with_outcome = handler.decision_success_with_outcome(outcome).result
    assert with_outcome is not None and with_outcome["dynamic_steps"] == [{"name": "b"}]
    none = {"decision_point_outcome": {"type": "no_branches"}, "reason": "none"}
    assert handler.skip_branches("none").result == none
    no = DecisionPointOutcome.no_branches("none")
    assert handler.decision_no_branches(no).result == none
    failed = handler.decision_failure("m")
    assert (failed.error_type, failed.retryable) == ("decision_error", False)


def test_batches() -> None:
    handler = Batch()
    assert handler.create_cursor_config(0, 5, 2) == CursorConfig(0, 5, 2)
    outcome = handler.create_batch_outcome_from_ranges([(0, 2), (2, 3)], total_items=3)
    assert len(outcome.cursor_configs) == 2
    context = handler.create_batch_context(CursorConfig(0, 5), 0, 2)
    assert (context.total_batches, len(context.batch_id)) == (2, 36)
    none = handler.no_batches_outcome("empty", {"seen": 0})
    assert none.result == {
        "batch_processing_outcome": {"type": "no_batches"}, "reason": "empty", "seen": 0,
    }  # fmt: skip
    assert none.metadata == {"batch_analyzer": True, "no_batches": True}
    configs = handler.create_cursor_configs(5, 2)
    assert all(isinstance(each, BatchWorkerConfig) for each in configs)
    assert [(each.batch_id, each.cursor_start, each.row_count) for each in configs] == [
        ("001", 0, 3), ("002", 3, 2),
    ]  # fmt: skip
    zero = handler.no_batches_aggregation_result({"total": 0})
    assert zero.result == {"worker_count": 0, "scenario": "no_batches", "total": 0}


def test_aggregation_scenarios() -> None:
    plan = {"result": {"batch_processing_outcome": {"type": "no_batches"}}}
    found = BatchAggregationScenario.detect({"plan": plan}, "plan", "work_")
    assert (found.is_no_batches, found.no_batches(), found.worker_count) == (True, True, 0)
    assert found.batchable_result == plan["result"]
    with pytest.raises(ValueError, match="Missing batchable step dependency: other"):
        BatchAggregationScenario.detect({"plan": plan}, "other", "work_")


class _Raw:
    status_code = 422
    headers = {"content-type": "application/json", "retry-after": "soon"}
    text = '{"error": "no"}'

    def json(self) -> Any:
        return {"error": "no"}


def test_api_vocabulary() -> None:
    class Api(ApiHandler):
        def call(self, context: StepContext) -> StepHandlerCallResult:
            return self.success()

    handler = Api()
    assert isinstance(handler, APIMixin)
    assert handler.api_capabilities == ["http", "api"]
    assert handler.capabilities == ["process", "http", "api"]
    raw = _Raw()
    response = ApiResponse(raw)
    assert response.raw_response is raw
    assert (response.is_client_error, response.is_server_error) == (True, False)
    assert (response.ok, response.retry_after, response.body) == (False, 60, {"error": "no"})
    failed = handler.api_failure(response)
    assert (failed.error_type, failed.error_message) == ("unprocessable_entity", "HTTP 422: no")


def test_generated_classes_are_functional_handlers() -> None:
    decorate: HandlerDecorator[Any] = step_handler("x")
    made: Any = decorate(lambda: None)
    assert issubclass(made._handler_class, FunctionalHandler)


def test_the_shared_classifier() -> None:
    assert isinstance(get_classifier(), ErrorClassifier)
    assert is_permanent(PermanentError("x")) and is_retryable(OSError())
    assert get_classifier().classify(exc=KeyError())["classification"] == "permanent_class"
