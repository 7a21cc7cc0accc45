"""Value types of the handler API: plain classes with `model_validate` and `model_dump`."""

from tasker_core.types.batch import (
    BatchAggregationResult,
    BatchAnalyzerOutcome,
    BatchMetadata,
    BatchWorkerContext,
    BatchWorkerOutcome,
    CreateBatchesOutcome,
    CursorConfig,
    FailureStrategy,
    NoBatchesOutcome,
    RustBatchWorkerInputs,
    RustCursorConfig,
    aggregate_batch_results,
    create_batches,
    no_batches,
)
from tasker_core.types.context import StepContext
from tasker_core.types.decision import DecisionPointOutcome, DecisionType
from tasker_core.types.events import FfiStepEvent, LogContext
from tasker_core.types.results import (
    ErrorType,
    ResultStatus,
    StepError,
    StepExecutionResult,
    StepHandlerCallResult,
    StepHandlerResult,
)

__all__ = [
    "BatchAggregationResult",
    "BatchAnalyzerOutcome",
    "BatchMetadata",
    "BatchWorkerContext",
    "BatchWorkerOutcome",
    "CreateBatchesOutcome",
    "CursorConfig",
    "DecisionPointOutcome",
    "DecisionType",
    "ErrorType",
    "FailureStrategy",
    "FfiStepEvent",
    "LogContext",
    "NoBatchesOutcome",
    "ResultStatus",
    "RustBatchWorkerInputs",
    "RustCursorConfig",
    "StepContext",
    "StepError",
    "StepExecutionResult",
    "StepHandlerCallResult",
    "StepHandlerResult",
    "aggregate_batch_results",
    "create_batches",
    "no_batches",
]
