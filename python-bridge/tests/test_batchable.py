"""Batch arithmetic, plans, reports and aggregation."""

from __future__ import annotations

from typing import Any

import pytest

from tasker_core import (
    Batchable,
    BatchAggregationScenario,
    BatchWorkerContext,
    BatchWorkerOutcome,
    CursorConfig,
    StepContext,
    StepHandler,
    StepHandlerResult,
)
from tasker_core.types import RustCursorConfig, aggregate_batch_results, create_batches
from test_step_context import make_context


class Worker(StepHandler, Batchable):
    handler_name = "batch.worker"

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success()


worker = Worker()


@pytest.mark.parametrize("total", [0, 1, 7, 99, 100, 101, 1000])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_every_item_is_covered_exactly_once(total: int, size: int) -> None:
    for ranges in (
        [(c.start_cursor, c.end_cursor) for c in worker.create_cursor_ranges(total, size)],
        [(c.cursor_start, c.cursor_end) for c in worker.create_cursor_configs(total, size)],
    ):
        assert [i for start, end in ranges for i in range(start, end)] == list(range(total))
        assert all(end > start for start, end in ranges)


def test_max_batches_makes_larger_batches() -> None:
    ranges = worker.create_cursor_ranges(1000, 10, max_batches=3)
    assert [(c.start_cursor, c.end_cursor) for c in ranges] == [(0, 334), (334, 668), (668, 1000)]


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="batch_size must be > 0"):
        worker.create_cursor_ranges(10, 0)
    with pytest.raises(ValueError, match="worker_count"):
        worker.create_cursor_configs(10, 0)


def test_worker_shares_are_numbered() -> None:
    configs = worker.create_cursor_configs(5, 3)
    assert [c.to_dict() for c in configs][-1] == {
        "batch_id": "003",
        "cursor_start": 4,
        "cursor_end": 5,
        "row_count": 1,
        "worker_index": 2,
        "total_workers": 3,
    }


def test_a_plan() -> None:
    answer = worker.batch_analyzer_success(
        worker.create_batch_outcome(5, 3, batch_metadata={"m": 1}),
        worker_template_name="process",
    )
    assert answer.result == {
        "batch_processing_outcome": {
            "type": "create_batches",
            "worker_template_name": "process",
            "worker_count": 2,
            "cursor_configs": [
                {"batch_id": "001", "start_cursor": 0, "end_cursor": 3, "batch_size": 3},
                {"batch_id": "002", "start_cursor": 3, "end_cursor": 5, "batch_size": 2},
            ],
            "total_items": 5,
        },
        "worker_count": 2,
        "total_items": 5,
        "batch_metadata": {"m": 1},
    }
    assert answer.metadata == {"batch_analyzer": True}


def test_a_plan_without_ranges_says_why() -> None:
    assert worker.batch_analyzer_success().result == {
        "batch_processing_outcome": {"type": "no_batches"},
        "reason": "no_cursor_configs_provided",
    }
    empty = worker.batch_analyzer_success(cursor_configs=[], batch_metadata={"reason": "none left"})
    assert empty.result == {
        "batch_processing_outcome": {"type": "no_batches"},
        "reason": "none left",
    }
    assert empty.metadata == {"batch_analyzer": True, "no_batches": True}


def test_worker_reports() -> None:
    assert worker.batch_worker_success(items_processed=4, errors=["e"]).result == {
        "items_processed": 4,
        "items_succeeded": 4,
        "items_failed": 0,
        "items_skipped": 0,
        "last_cursor": None,
        "batch_metadata": {},
        "errors": ["e"],
    }
    bad = worker.batch_worker_success()
    assert (bad.error_type, bad.retryable) == ("invalid_args", False)
    outcome = worker.create_worker_outcome(10, items_succeeded=8, items_failed=2, last_cursor=9)
    partial = worker.batch_worker_partial_failure(outcome)
    assert partial.result is not None
    assert partial.result["partial_failure"] is True
    assert partial.result["partial_failure_message"] == "2 of 10 items failed"
    assert partial.metadata == {"batch_worker": True, "had_failures": True}


def test_checkpoint_yield() -> None:
    answer = worker.checkpoint_yield({"id": 5}, 50)
    assert answer.result == {
        "type": "checkpoint_yield",
        "cursor": {"id": 5},
        "items_processed": 50,
    }
    assert answer.metadata["checkpoint_yield"] is True


def inputs_context(is_no_op: bool) -> StepContext:
    return make_context(
        workflow_step={
            "inputs": {
                "cursor": {
                    "batch_id": "002",
                    "start_cursor": 10,
                    "end_cursor": 20,
                    "batch_size": 10,
                },
                "batch_metadata": {"cursor_field": "id", "failure_strategy": "fail_fast"},
                "is_no_op": is_no_op,
                "__template_step_name": "process",
            }
        }
    )


def test_worker_inputs_and_no_op() -> None:
    inputs = worker.get_batch_worker_inputs(inputs_context(False))
    assert inputs is not None
    assert (inputs.cursor.start_cursor, inputs.batch_metadata.failure_strategy.value) == (
        10,
        "fail_fast",
    )
    assert worker.handle_no_op_worker(inputs_context(False)) is None
    answer = worker.handle_no_op_worker(inputs_context(True))
    assert answer is not None and answer.result is not None
    assert answer.result["no_op"] is True and answer.result["batch_id"] == "002"
    assert worker.get_batch_worker_inputs(make_context()) is None


def test_batch_context_sources() -> None:
    found = worker.get_batch_context(inputs_context(False))
    assert isinstance(found, BatchWorkerContext)
    assert (found.batch_id, found.start_cursor, found.end_cursor, found.step_size) == (
        "002",
        10,
        20,
        10,
    )
    described = {
        "batch_id": "x",
        "cursor_config": {"start_cursor": 1, "end_cursor": 2},
        "batch_index": 3,
        "total_batches": 4,
    }
    from_config = make_context(
        step_definition={"handler": {"initialization": {"batch_context": described}}}
    )
    found = worker.get_batch_context(from_config)
    assert found is not None
    assert (found.batch_id, found.batch_index, found.checkpoint_cursor) == ("x", 3, 7)
    assert worker.get_batch_context(make_context()) is None


def results(kind: str, **workers: Any) -> dict[str, Any]:
    plan = {"result": {"batch_processing_outcome": {"type": kind}}}
    return {"analyze": plan, **{name: {"result": value} for name, value in workers.items()}}


def test_aggregation() -> None:
    scenario = worker.detect_aggregation_scenario(
        results("create_batches", w_1={"items_processed": 2}, w_2=None), "analyze", "w_"
    )
    assert isinstance(scenario, BatchAggregationScenario)
    assert scenario.batch_results == {"w_1": {"items_processed": 2}, "w_2": {}}
    answer = worker.aggregate_batch_worker_results(scenario, aggregation_fn=lambda r: {"n": len(r)})
    assert answer.result == {"n": 2, "worker_count": 2, "scenario": "with_batches"}
    none = worker.detect_aggregation_scenario(results("no_batches"), "analyze", "w_")
    assert none.no_batches()
    assert worker.aggregate_batch_worker_results(none, {"total": 0}).result == {
        "worker_count": 0,
        "scenario": "no_batches",
        "total": 0,
    }


def test_aggregation_needs_its_steps() -> None:
    with pytest.raises(ValueError, match="Missing batchable step dependency: analyze"):
        worker.detect_aggregation_scenario({}, "analyze", "w_")
    with pytest.raises(ValueError, match="`w_`"):
        worker.detect_aggregation_scenario(results("create_batches"), "analyze", "w_")


def test_sums() -> None:
    reports: list[dict[str, Any] | None] = [
        {"items_processed": 4, "items_succeeded": 3, "items_failed": 1, "errors": ["e"] * 150},
        None,
    ]
    total = Batchable.aggregate_worker_results(reports)
    assert (total["total_processed"], total["batch_count"], total["success_rate"]) == (4, 2, 0.75)
    assert (len(total["errors"]), total["error_count"]) == (100, 150)
    assert aggregate_batch_results(reports).batch_count == 1
    with pytest.raises(ValueError, match="one cursor per worker"):
        create_batches("w", 2, [RustCursorConfig("001", 0, 1, 1)], 1)


def test_models_validate_and_dump() -> None:
    assert CursorConfig.model_validate({"start_cursor": 1, "end_cursor": 2.0, "more": 3}) == (
        CursorConfig(1, 2)
    )
    with pytest.raises(ValueError, match="missing `end_cursor`"):
        CursorConfig.model_validate({"start_cursor": 1})
    with pytest.raises(ValueError, match="expected an integer"):
        CursorConfig.model_validate({"start_cursor": "a", "end_cursor": 2})
    assert BatchWorkerOutcome(1).model_dump(mode="json")["items_processed"] == 1
