"""The value types: defaults, constructors, dumps; and the wrappers over a step's data."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tasker_core import (
    BatchAnalyzerOutcome,
    BatchWorkerContext,
    BootstrapResult,
    ComponentHealth,
    DecisionPointOutcome,
    DecisionType,
    DependencyResultsWrapper,
    DomainEventMetadata,
    ErrorType,
    ExecutionResult,
    FfiDispatchMetrics,
    FfiStepEvent,
    HealthCheck,
    LogContext,
    ResultStatus,
    StarvationWarning,
    StepContext,
    StepDefinitionWrapper,
    StepError,
    StepExecutionResult,
    StepHandlerResult,
    TaskWrapper,
    WorkerAlreadyRunningError,
    WorkerConfig,
    WorkerMetrics,
    WorkerState,
    WorkerStatus,
    WorkflowStepWrapper,
    log_debug,
    log_error,
    log_info,
    log_trace,
    log_warn,
)
from tasker_core.domain_events import PublishContext, StepResult
from tasker_core.testing import step_context, step_event
from tasker_core.types import (
    BatchAggregationResult,
    BatchMetadata,
    CreateBatchesOutcome,
    FailureStrategy,
    NoBatchesOutcome,
    RustBatchWorkerInputs,
    RustCursorConfig,
    StepHandlerCallResult,
    aggregate_batch_results,
    create_batches,
    no_batches,
)


def test_enumerations() -> None:
    assert [each.value for each in ErrorType] == [
        "permanent_error", "retryable_error", "validation_error", "timeout", "handler_error",
    ]  # fmt: skip
    assert ErrorType.is_standard(ErrorType.PERMANENT_ERROR)
    assert ErrorType.is_standard("timeout") and not ErrorType.is_standard("mine")
    retryable = {each for each in ErrorType if ErrorType.is_typically_retryable(each.value)}
    assert retryable == {ErrorType.RETRYABLE_ERROR, ErrorType.TIMEOUT}
    assert ErrorType.VALIDATION_ERROR == "validation_error"
    assert (ResultStatus.SUCCESS, ResultStatus.FAILURE) == ("completed", "error")
    assert FailureStrategy("fail_fast") is FailureStrategy.FAIL_FAST
    assert FailureStrategy.CONTINUE_ON_FAILURE == "continue_on_failure"
    assert FailureStrategy.ISOLATE == "isolate"
    assert WorkerState.STARTING == "starting" and WorkerState.SHUTTING_DOWN == "shutting_down"
    assert WorkerState.ERROR == "error"


def test_step_handler_results() -> None:
    good, bad = StepHandlerResult.success({"a": 1}), StepHandlerResult.failure("no")
    assert good.is_success_result() and not good.is_failure_result()
    assert bad.is_failure_result() and bad.error_type == ErrorType.HANDLER_ERROR.value
    assert bad.retryable is True
    assert good.model_dump(by_alias=True)["success"] is True
    assert StepHandlerResult.model_validate({"success": False, "error_message": "x"}) != good
    legacy = StepHandlerCallResult(True)
    assert (legacy.result, legacy.error_message, legacy.metadata) == ({}, None, {})


def test_step_execution_results() -> None:
    done = StepExecutionResult.success_result("s", "t", {"a": 1}, 12, "w", "c", {"m": 1})
    assert (done.success, done.status, done.metadata) == (True, "completed", {"m": 1})
    for retryable, status in (
        (True, ResultStatus.RETRYABLE_ERROR),
        (False, ResultStatus.PERMANENT_ERROR),
    ):
        error = StepError("E", "m", retryable=retryable)
        failed = StepExecutionResult.failure_result("s", "t", error, 12, "w")
        assert (failed.success, failed.status) == (False, status.value)
        assert StepExecutionResult.model_validate(failed.model_dump()) == failed
    assert StepError("E", "m").stack_trace is None


def test_events_are_frozen_and_keep_their_trace() -> None:
    event = FfiStepEvent("e", "t", "s", "c")
    assert (event.task_correlation_id, event.parent_correlation_id) == (None, None)
    assert (event.trace_id, event.span_id, event.task_sequence_step) == (None, None, {})
    with pytest.raises(AttributeError):
        event.event_id = "other"  # type: ignore[misc]


def test_decision_outcomes() -> None:
    chosen = DecisionPointOutcome.create_steps(["a"], [{"name": "b"}], {"why": 1})
    assert chosen.decision_type is DecisionType.CREATE_STEPS
    assert (chosen.next_step_names, chosen.dynamic_steps) == (["a"], [{"name": "b"}])
    none = DecisionPointOutcome.no_branches("nothing to do")
    assert (none.decision_type, none.reason) == (DecisionType.NO_BRANCHES, "nothing to do")
    assert DecisionPointOutcome.model_validate(chosen.model_dump("json")) == chosen


def test_batch_outcomes() -> None:
    outcome = BatchAnalyzerOutcome.from_ranges([(0, 5), (5, 7)], 2, 7, {"k": 1})
    assert [each.end_cursor for each in outcome.cursor_configs] == [5, 7]
    assert no_batches() == NoBatchesOutcome("no_batches")
    cursor = RustCursorConfig("001", 0, 5, 5)
    plan = create_batches("work", 1, [cursor], 5)
    assert isinstance(plan, CreateBatchesOutcome) and plan.type == "create_batches"
    with pytest.raises(ValueError, match="one cursor per worker"):
        create_batches("work", 2, [cursor], 5)
    inputs = RustBatchWorkerInputs.model_validate(
        {
            "cursor": {"batch_id": "001", "start_cursor": 0, "end_cursor": 5, "batch_size": 5},
            "batch_metadata": {"cursor_field": "id", "failure_strategy": "isolate"},
            "is_no_op": False,
            "more": 1,
        }
    )
    assert inputs.cursor == cursor
    assert inputs.batch_metadata == BatchMetadata("id", FailureStrategy.ISOLATE)
    assert BatchAggregationResult().batch_count == 0
    total = aggregate_batch_results(
        [{"items_processed": 2, "items_succeeded": 1, "items_failed": 1, "items_skipped": 0}, None]
    )
    assert (total.total_succeeded, total.total_failed, total.total_skipped) == (1, 1, 0)


@pytest.mark.parametrize(
    ("event", "batch_id", "bounds"),
    [
        (
            {"inputs": {"cursor": {"batch_id": "7", "start_cursor": 1, "end_cursor": 4}}},
            "7",
            (1, 4),
        ),
        (
            {"config": {"batch_context": {"batch_id": "c", "cursor_config": {"end_cursor": 3}}}},
            "c",
            (0, 3),
        ),
        (
            {"context": {"batch_context": {"batch_id": "t", "total_batches": 2}}},
            "t",
            (0, 0),
        ),
    ],
)
def test_batch_worker_contexts(event: Any, batch_id: str, bounds: tuple[int, int]) -> None:
    context = step_context(checkpoint={"cursor": 2, "items_processed": 1}, **event)
    found = BatchWorkerContext.from_step_context(ctx=context)
    assert found is not None
    assert (found.batch_id, (found.start_cursor, found.end_cursor)) == (batch_id, bounds)
    assert (found.checkpoint_cursor, found.checkpoint_items_processed) == (2, 1)
    assert found.has_checkpoint() and found.step_size == 1
    assert BatchWorkerContext.from_step_context(step_context()) is None


def test_wrappers() -> None:
    event = step_event("h", context={"a": 1}, dependencies={"d": 5}, config={"k": 1}, attempts=1)
    wrapper = StepContext.from_ffi_event(event, "h").task_sequence_step
    assert isinstance(wrapper.task, TaskWrapper)
    assert (wrapper.get_task_field("a"), wrapper.task.task_version) == (1, "1.0.0")
    results = wrapper.dependency_results
    assert isinstance(results, DependencyResultsWrapper)
    assert results["d"] == results.get_result("d") != 5
    assert results.get_results("d") == wrapper.get_dependency_result("d") == 5
    assert ("d" in results, list(results), results.keys()) == (True, ["d"], ["d"])
    step = wrapper.workflow_step
    assert isinstance(step, WorkflowStepWrapper)
    assert (step.attempts, step.in_process, step.processed, step.processed_at) == (
        1, False, False, None,
    )  # fmt: skip
    definition = wrapper.step_definition
    assert isinstance(definition, StepDefinitionWrapper)
    assert (definition.handler.callable, definition.handler.initialization) == ("h", {"k": 1})
    assert (definition.publishes_events, definition.timeout_seconds) == ([], 30)


def test_worker_types() -> None:
    result = BootstrapResult(True, "h", "w", "started", "m")
    assert (result.handle_id, result.error_message) == ("h", None)
    status = WorkerStatus(False)
    assert (status.web_api_enabled, status.supported_namespaces) == (False, [])
    assert (status.database_pool_size, status.database_pool_idle) == (0, 0)
    metrics = FfiDispatchMetrics()
    assert (metrics.oldest_pending_age_ms, metrics.newest_pending_age_ms) == (None, None)
    assert StarvationWarning("e", "s", 2000, 1000).threshold_ms == 1000
    health = HealthCheck.model_validate(
        {
            "status": "healthy",
            "is_running": True,
            "components": {"a": {"name": "a", "status": "ok"}},
        }
    )
    assert health.components["a"] == ComponentHealth("a", "ok")
    assert (health.rust, health.components["a"].pool_idle) == ({}, None)
    assert WorkerMetrics().steps_failed == 0
    config = WorkerConfig()
    assert (config.starvation_threshold_ms, config.handler_timeout_ms) == (1000, 30_000)
    assert issubclass(WorkerAlreadyRunningError, Exception)


def test_event_types() -> None:
    context = PublishContext("a.b", StepResult(True, {"n": 1}))
    assert context.step_result.result == {"n": 1}
    assert (context.event_declaration, context.step_context) == (None, None)
    metadata = DomainEventMetadata("t", "c", "now", "me")
    assert (metadata.step_name, metadata.namespace) == (None, None)
    assert ExecutionResult(True).error_type is None


LOGGERS: list[tuple[Callable[..., None], int]] = [
    (log_error, logging.ERROR),
    (log_warn, logging.WARNING),
    (log_info, logging.INFO),
    (log_debug, logging.DEBUG),
    (log_trace, 5),
]


@pytest.mark.parametrize(("log", "level"), LOGGERS)
def test_logging(log: Callable[..., None], level: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(1, logger="tasker"):
        log("100%", LogContext(correlation_id="c", operation="pay"))
        log("dict", {"n": 1, "none": None})
    first, second = caplog.records
    assert (first.levelno, first.getMessage()) == (level, "100%")
    fields: Any = [each.__dict__["tasker_fields"] for each in (first, second)]
    assert fields == [{"correlation_id": "c", "operation": "pay"}, {"n": "1", "none": "None"}]
