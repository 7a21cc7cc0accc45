"""Batch processing for class handlers."""

from tasker_core.batch_processing.batchable import (
    Batchable,
    BatchAggregationScenario,
    BatchWorkerConfig,
)

__all__ = ["BatchAggregationScenario", "BatchWorkerConfig", "Batchable"]
