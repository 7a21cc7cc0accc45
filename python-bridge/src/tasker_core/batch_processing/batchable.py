"""The Batchable mixin: plan batches, run one, collect their results."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tasker_core.batch_processing.aggregation import BatchAggregationScenario
from tasker_core.batch_processing.cursors import (
    BatchWorkerConfig,
    ranges_by_size,
    ranges_by_workers,
)
from tasker_core.types.batch import (
    BatchAnalyzerOutcome,
    BatchWorkerContext,
    BatchWorkerOutcome,
    CursorConfig,
    RustBatchWorkerInputs,
    aggregate_batch_results,
)
from tasker_core.types.context import StepContext
from tasker_core.types.results import StepHandlerResult

Metadata = dict[str, Any] | None


class Batchable:
    """Mix into a StepHandler: ``class Analyze(StepHandler, Batchable)``."""

    # Planning

    def create_cursor_config(
        self, start: int, end: int, step_size: int = 1, metadata: Metadata = None
    ) -> CursorConfig:
        return CursorConfig(start, end, step_size, metadata or {})

    def create_cursor_ranges(
        self,
        total_items: int,
        batch_size: int,
        step_size: int = 1,
        max_batches: int | None = None,
    ) -> list[CursorConfig]:
        """Consecutive half-open ranges. Raises ValueError for a batch size below 1."""
        return ranges_by_size(total_items, batch_size, step_size, max_batches)

    def create_cursor_configs(self, total_items: int, worker_count: int) -> list[BatchWorkerConfig]:
        """One share per worker. Raises ValueError for a worker count below 1."""
        return ranges_by_workers(total_items, worker_count)

    def create_batch_outcome(
        self, total_items: int, batch_size: int, step_size: int = 1, batch_metadata: Metadata = None
    ) -> BatchAnalyzerOutcome:
        ranges = ranges_by_size(total_items, batch_size, step_size)
        return BatchAnalyzerOutcome(ranges, total_items, batch_metadata or {})

    def create_batch_outcome_from_ranges(
        self,
        ranges: list[tuple[int, int]],
        step_size: int = 1,
        total_items: int | None = None,
        batch_metadata: Metadata = None,
    ) -> BatchAnalyzerOutcome:
        return BatchAnalyzerOutcome.from_ranges(ranges, step_size, total_items, batch_metadata)

    def batch_analyzer_success(
        self,
        outcome: BatchAnalyzerOutcome | None = None,
        metadata: Metadata = None,
        worker_template_name: str = "batch_worker",
        cursor_configs: Sequence[CursorConfig | BatchWorkerConfig] | None = None,
        total_items: int | None = None,
        batch_metadata: Metadata = None,
    ) -> StepHandlerResult:
        """The batch plan. Keyword `cursor_configs` wins over `outcome`; no ranges, no batches."""
        configs: Sequence[CursorConfig | BatchWorkerConfig]
        if cursor_configs is not None:
            configs = cursor_configs
        elif outcome is not None:
            configs = outcome.cursor_configs
            total_items = outcome.total_items if total_items is None else total_items
            batch_metadata = outcome.batch_metadata if batch_metadata is None else batch_metadata
        else:
            return self.no_batches_outcome("no_cursor_configs_provided")
        if not configs:
            reason = (batch_metadata or {}).get("reason") or "empty_dataset"
            return self.no_batches_outcome(reason, batch_metadata)
        cursors = [_cursor(index, config) for index, config in enumerate(configs)]
        total = sum(c["batch_size"] for c in cursors) if total_items is None else total_items
        result: dict[str, Any] = {
            "batch_processing_outcome": {
                "type": "create_batches",
                "worker_template_name": worker_template_name,
                "worker_count": len(cursors),
                "cursor_configs": cursors,
                "total_items": total,
            },
            "worker_count": len(cursors),
            "total_items": total,
        }
        if batch_metadata:
            result["batch_metadata"] = batch_metadata
        return StepHandlerResult(
            True, result, metadata={**(metadata or {}), "batch_analyzer": True}
        )

    def no_batches_outcome(self, reason: str, metadata: Metadata = None) -> StepHandlerResult:
        result = {
            "batch_processing_outcome": {"type": "no_batches"},
            "reason": reason,
            **(metadata or {}),
        }
        return StepHandlerResult(
            True, result, metadata={"batch_analyzer": True, "no_batches": True}
        )

    # Working

    def get_batch_worker_inputs(self, context: StepContext) -> RustBatchWorkerInputs | None:
        """The inputs the core gave this worker, or None when empty or of another shape."""
        if not context.step_inputs:
            return None
        try:
            return RustBatchWorkerInputs.model_validate(context.step_inputs)
        except ValueError:
            return None

    def handle_no_op_worker(self, context: StepContext) -> StepHandlerResult | None:
        """The answer of a placeholder worker, or None for a real one."""
        inputs = self.get_batch_worker_inputs(context)
        if inputs is None or not inputs.is_no_op:
            return None
        return StepHandlerResult(
            True,
            {
                "batch_id": inputs.cursor.batch_id,
                "no_op": True,
                "processed_count": 0,
                "message": "No batches to process",
                "processed_at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            },
        )

    def get_batch_context(self, context: StepContext) -> BatchWorkerContext | None:
        return BatchWorkerContext.from_step_context(context)

    def create_batch_context(
        self,
        cursor_config: CursorConfig,
        batch_index: int,
        total_batches: int,
        batch_metadata: Metadata = None,
    ) -> BatchWorkerContext:
        return BatchWorkerContext(
            str(uuid.uuid4()), cursor_config, batch_index, total_batches, batch_metadata or {}
        )

    def create_worker_outcome(
        self,
        items_processed: int,
        items_succeeded: int = 0,
        items_failed: int = 0,
        items_skipped: int = 0,
        results: list[Any] | None = None,
        errors: list[Any] | None = None,
        last_cursor: Any = None,
        batch_metadata: Metadata = None,
    ) -> BatchWorkerOutcome:
        """`items_succeeded` 0 means all processed items."""
        return BatchWorkerOutcome(
            items_processed,
            items_succeeded or items_processed,
            items_failed,
            items_skipped,
            results or [],
            errors or [],
            last_cursor,
            batch_metadata or {},
        )

    def batch_worker_success(
        self,
        outcome: BatchWorkerOutcome | None = None,
        metadata: Metadata = None,
        items_processed: int | None = None,
        items_succeeded: int | None = None,
        items_failed: int = 0,
        items_skipped: int = 0,
        results: list[Any] | None = None,
        errors: list[Any] | None = None,
        last_cursor: Any = None,
        batch_metadata: Metadata = None,
    ) -> StepHandlerResult:
        """The worker's report, from keywords or from an outcome."""
        if items_processed is not None:
            outcome = BatchWorkerOutcome(
                items_processed,
                items_processed if items_succeeded is None else items_succeeded,
                items_failed,
                items_skipped,
                results or [],
                errors or [],
                last_cursor,
                batch_metadata or {},
            )
        if outcome is None:
            return StepHandlerResult.failure(
                "batch_worker_success needs an outcome or items_processed", "invalid_args", False
            )
        return StepHandlerResult(
            True, _report(outcome), metadata={**(metadata or {}), "batch_worker": True}
        )

    def batch_worker_partial_failure(
        self, outcome: BatchWorkerOutcome, message: str | None = None, metadata: Metadata = None
    ) -> StepHandlerResult:
        """A success that says some items failed."""
        result = _report(outcome)
        result["partial_failure"] = True
        result["partial_failure_message"] = (
            f"{outcome.items_failed} of {outcome.items_processed} items failed"
            if message is None
            else message
        )
        flags = {"batch_worker": True, "had_failures": True}
        return StepHandlerResult(True, result, metadata={**(metadata or {}), **flags})

    def checkpoint_yield(
        self,
        cursor: Any,
        items_processed: int,
        accumulated_results: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """End this run here; the core stores the progress and calls the step again."""
        result: dict[str, Any] = {
            "type": "checkpoint_yield",
            "cursor": cursor,
            "items_processed": items_processed,
        }
        if accumulated_results is not None:
            result["accumulated_results"] = accumulated_results
        flags = {"checkpoint_yield": True, "batch_worker": True}
        return StepHandlerResult(True, result, metadata=flags)

    # Collecting

    def detect_aggregation_scenario(
        self,
        dependency_results: Mapping[str, Any],
        batchable_step_name: str,
        batch_worker_prefix: str,
    ) -> BatchAggregationScenario:
        return BatchAggregationScenario.detect(
            dependency_results, batchable_step_name, batch_worker_prefix
        )

    def no_batches_aggregation_result(self, zero_metrics: Metadata = None) -> StepHandlerResult:
        return StepHandlerResult(
            True, {"worker_count": 0, "scenario": "no_batches", **(zero_metrics or {})}
        )

    def aggregate_batch_worker_results(
        self,
        scenario: BatchAggregationScenario,
        zero_metrics: Metadata = None,
        aggregation_fn: Callable[[dict[str, dict[str, Any]]], dict[str, Any]] | None = None,
    ) -> StepHandlerResult:
        if scenario.is_no_batches:
            return self.no_batches_aggregation_result(zero_metrics)
        if aggregation_fn is None:
            aggregated: dict[str, Any] = {"batch_results": scenario.batch_results}
        else:
            aggregated = aggregation_fn(scenario.batch_results)
        counts = {"worker_count": scenario.worker_count, "scenario": "with_batches"}
        return StepHandlerResult(True, {**aggregated, **counts})

    @staticmethod
    def aggregate_worker_results(worker_results: list[dict[str, Any] | None]) -> dict[str, Any]:
        """The sum as a plain dict; `batch_count` counts None entries too."""
        total = aggregate_batch_results(worker_results).model_dump()
        return {**total, "batch_count": len(worker_results)}


def _cursor(index: int, config: CursorConfig | BatchWorkerConfig) -> dict[str, Any]:
    if isinstance(config, CursorConfig):
        start, end = config.start_cursor, config.end_cursor
    else:
        start, end = config.cursor_start, config.cursor_end
    return {
        "batch_id": f"{index + 1:03d}",
        "start_cursor": start,
        "end_cursor": end,
        "batch_size": end - start,
    }


def _report(outcome: BatchWorkerOutcome) -> dict[str, Any]:
    report: dict[str, Any] = {
        "items_processed": outcome.items_processed,
        "items_succeeded": outcome.items_succeeded,
        "items_failed": outcome.items_failed,
        "items_skipped": outcome.items_skipped,
        "last_cursor": outcome.last_cursor,
        "batch_metadata": outcome.batch_metadata,
    }
    if outcome.results:
        report["results"] = outcome.results
    if outcome.errors:
        report["errors"] = outcome.errors
    return report


__all__ = ["BatchAggregationScenario", "BatchWorkerConfig", "Batchable"]
