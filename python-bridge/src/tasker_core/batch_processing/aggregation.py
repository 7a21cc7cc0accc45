"""What a convergence step finds behind it: batch workers, or a plan without work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass
class BatchAggregationScenario:
    """`batch_results` maps worker step names to their unwrapped results."""

    is_no_batches: bool
    batchable_result: dict[str, Any]
    batch_results: dict[str, dict[str, Any]]
    worker_count: int

    def no_batches(self) -> bool:
        return self.is_no_batches

    @classmethod
    def detect(
        cls,
        dependency_results: Mapping[str, Any],
        batchable_step_name: str,
        batch_worker_prefix: str,
    ) -> BatchAggregationScenario:
        """Reads raw dependency results. Raises ValueError when the expected steps are missing."""
        if batchable_step_name not in dependency_results:
            raise ValueError(f"Missing batchable step dependency: {batchable_step_name}")
        plan = _unwrapped(dependency_results[batchable_step_name])
        outcome = plan.get("batch_processing_outcome")
        if isinstance(outcome, dict):
            kind = cast("dict[str, Any]", outcome).get("type")
            if kind == "no_batches":
                return cls(True, plan, {}, 0)
        results = {
            name: _unwrapped(value)
            for name, value in dependency_results.items()
            if name.startswith(batch_worker_prefix)
        }
        if not results:
            raise ValueError(
                f"No batch worker results: `{batchable_step_name}` planned batches, but no "
                f"dependency starts with `{batch_worker_prefix}`"
            )
        return cls(False, plan, results, len(results))


def _unwrapped(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and "result" in value:
        value = cast("dict[str, Any]", value)["result"]
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
