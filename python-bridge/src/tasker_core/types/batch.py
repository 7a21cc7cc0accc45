"""Batch processing: cursors, what an analyzer plans and what a worker reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, cast

from tasker_core.types._model import Model, many, whole_number
from tasker_core.types.context import StepContext


@dataclass
class CursorConfig(Model):
    """The half-open range ``start_cursor <= i < end_cursor``."""

    start_cursor: int
    end_cursor: int
    step_size: int = 1
    metadata: dict[str, Any] = field(default_factory=lambda: {})

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "start_cursor": whole_number,
        "end_cursor": whole_number,
        "step_size": whole_number,
    }


@dataclass
class BatchAnalyzerOutcome(Model):
    """The ranges an analyzer splits the work into."""

    cursor_configs: list[CursorConfig] = field(default_factory=lambda: [])
    total_items: int | None = None
    batch_metadata: dict[str, Any] = field(default_factory=lambda: {})

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"cursor_configs": many(CursorConfig)}

    @classmethod
    def from_ranges(
        cls,
        ranges: list[tuple[int, int]],
        step_size: int = 1,
        total_items: int | None = None,
        batch_metadata: dict[str, Any] | None = None,
    ) -> BatchAnalyzerOutcome:
        configs = [CursorConfig(start, end, step_size) for start, end in ranges]
        return cls(configs, total_items, batch_metadata or {})


@dataclass
class BatchWorkerOutcome(Model):
    """What one batch worker did."""

    items_processed: int = 0
    items_succeeded: int = 0
    items_failed: int = 0
    items_skipped: int = 0
    results: list[Any] = field(default_factory=lambda: [])
    errors: list[Any] = field(default_factory=lambda: [])
    last_cursor: Any = None
    batch_metadata: dict[str, Any] = field(default_factory=lambda: {})


@dataclass
class BatchWorkerContext(Model):
    """The range a batch worker has to process, and the checkpoint it continues from."""

    batch_id: str
    cursor_config: CursorConfig
    batch_index: int
    total_batches: int
    batch_metadata: dict[str, Any] = field(default_factory=lambda: {})
    checkpoint: dict[str, Any] = field(default_factory=lambda: {})

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "cursor_config": CursorConfig.model_validate
    }

    @property
    def start_cursor(self) -> int:
        return self.cursor_config.start_cursor

    @property
    def end_cursor(self) -> int:
        return self.cursor_config.end_cursor

    @property
    def step_size(self) -> int:
        return self.cursor_config.step_size

    @property
    def checkpoint_cursor(self) -> Any:
        return self.checkpoint.get("cursor")

    @property
    def accumulated_results(self) -> dict[str, Any] | None:
        return self.checkpoint.get("accumulated_results")

    @property
    def checkpoint_items_processed(self) -> int:
        return self.checkpoint.get("items_processed") or 0

    def has_checkpoint(self) -> bool:
        return self.checkpoint_cursor is not None

    @classmethod
    def from_step_context(cls, ctx: StepContext) -> BatchWorkerContext | None:
        """From the step's inputs, else `batch_context` of its configuration or of the task."""
        checkpoint = ctx.checkpoint or {}
        cursor = ctx.step_inputs.get("cursor")
        if isinstance(cursor, dict):
            given = cast("dict[str, Any]", cursor)
            return cls(
                given.get("batch_id") or "",
                CursorConfig(
                    given.get("start_cursor") or 0,
                    given.get("end_cursor") or 0,
                    given.get("step_size") or given.get("batch_size") or 1,
                ),
                0,
                1,
                ctx.step_inputs.get("batch_metadata") or {},
                checkpoint,
            )
        for source in (ctx.step_config, ctx.input_data):
            described = source.get("batch_context")
            if isinstance(described, dict):
                return cls._from_batch_context(cast("dict[str, Any]", described), checkpoint)
        return None

    @classmethod
    def _from_batch_context(
        cls, given: dict[str, Any], checkpoint: dict[str, Any]
    ) -> BatchWorkerContext:
        cursor = cast("dict[str, Any]", given.get("cursor_config") or {})
        return cls(
            given.get("batch_id") or "",
            CursorConfig.model_validate({"start_cursor": 0, "end_cursor": 0, **cursor}),
            given.get("batch_index") or 0,
            given.get("total_batches") or 1,
            given.get("batch_metadata") or {},
            checkpoint,
        )


class FailureStrategy(str, Enum):
    """What a failing item does to its batch."""

    CONTINUE_ON_FAILURE = "continue_on_failure"
    FAIL_FAST = "fail_fast"
    ISOLATE = "isolate"


@dataclass
class RustCursorConfig(Model):
    """The cursor in a batch worker's inputs; its bounds may be of any type."""

    batch_id: str
    start_cursor: Any
    end_cursor: Any
    batch_size: int

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"batch_size": whole_number}


@dataclass
class BatchMetadata(Model):
    """The `batch_metadata` in a batch worker's inputs."""

    cursor_field: str
    failure_strategy: FailureStrategy

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"failure_strategy": FailureStrategy}


@dataclass
class RustBatchWorkerInputs(Model):
    """The inputs the core gives a batch worker step."""

    cursor: RustCursorConfig
    batch_metadata: BatchMetadata
    is_no_op: bool

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "cursor": RustCursorConfig.model_validate,
        "batch_metadata": BatchMetadata.model_validate,
    }


@dataclass
class NoBatchesOutcome(Model):
    """A batch plan without work."""

    type: str = "no_batches"


@dataclass
class CreateBatchesOutcome(Model):
    """A batch plan: one worker per cursor."""

    worker_template_name: str
    worker_count: int
    cursor_configs: list[RustCursorConfig]
    total_items: int
    type: str = "create_batches"

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "cursor_configs": many(RustCursorConfig)
    }


@dataclass
class BatchAggregationResult(Model):
    """The sum over batch workers."""

    total_processed: int = 0
    total_succeeded: int = 0
    total_failed: int = 0
    total_skipped: int = 0
    batch_count: int = 0
    success_rate: float = 0.0
    errors: list[Any] = field(default_factory=lambda: [])
    error_count: int = 0


def no_batches() -> NoBatchesOutcome:
    return NoBatchesOutcome()


def create_batches(
    worker_template_name: str,
    worker_count: int,
    cursor_configs: list[RustCursorConfig],
    total_items: int,
) -> CreateBatchesOutcome:
    """Raises ValueError when there is not exactly one cursor per worker."""
    if len(cursor_configs) != worker_count:
        raise ValueError(
            f"expected one cursor per worker, got {len(cursor_configs)} cursors "
            f"for {worker_count} workers"
        )
    return CreateBatchesOutcome(worker_template_name, worker_count, cursor_configs, total_items)


def aggregate_batch_results(
    worker_results: list[dict[str, Any] | None], max_errors: int = 100
) -> BatchAggregationResult:
    """Sum worker results; None entries do not count."""
    total = BatchAggregationResult()
    errors: list[Any] = []
    for result in worker_results:
        if result is None:
            continue
        total.batch_count += 1
        total.total_processed += result.get("items_processed") or 0
        total.total_succeeded += result.get("items_succeeded") or 0
        total.total_failed += result.get("items_failed") or 0
        total.total_skipped += result.get("items_skipped") or 0
        errors.extend(result.get("errors") or [])
    if total.total_processed:
        total.success_rate = total.total_succeeded / total.total_processed
    total.errors = errors[:max_errors]
    total.error_count = len(errors)
    return total
