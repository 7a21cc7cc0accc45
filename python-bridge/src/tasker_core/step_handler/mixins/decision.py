"""Decisions: which steps come next."""

from __future__ import annotations

from typing import Any

from tasker_core.types.decision import DecisionPointOutcome
from tasker_core.types.results import ErrorType, StepHandlerResult

Metadata = dict[str, Any] | None


class DecisionMixin:
    """Mix into a StepHandler; `DecisionHandler` is the ready-made class."""

    @property
    def decision_capabilities(self) -> list[str]:
        return ["decision", "routing"]

    def decision_success(
        self, steps: list[str], routing_context: Metadata = None, metadata: Metadata = None
    ) -> StepHandlerResult:
        """Create these steps."""
        return self.decision_success_with_outcome(
            DecisionPointOutcome.create_steps(steps, routing_context=routing_context), metadata
        )

    def decision_success_with_outcome(
        self, outcome: DecisionPointOutcome, metadata: Metadata = None
    ) -> StepHandlerResult:
        result: dict[str, Any] = {
            "decision_point_outcome": {
                "type": outcome.decision_type.value,
                "step_names": outcome.next_step_names,
            }
        }
        if outcome.dynamic_steps:
            result["dynamic_steps"] = outcome.dynamic_steps
        return self._decided(result, outcome.routing_context, metadata)

    def decision_no_branches(
        self, outcome: DecisionPointOutcome, metadata: Metadata = None
    ) -> StepHandlerResult:
        result: dict[str, Any] = {
            "decision_point_outcome": {"type": outcome.decision_type.value},
            "reason": outcome.reason,
        }
        return self._decided(result, outcome.routing_context, metadata)

    def route_to_steps(
        self, step_names: list[str], routing_context: Metadata = None, metadata: Metadata = None
    ) -> StepHandlerResult:
        return self.decision_success(step_names, routing_context, metadata)

    def skip_branches(
        self, reason: str, routing_context: Metadata = None, metadata: Metadata = None
    ) -> StepHandlerResult:
        """Create no steps, and say why."""
        return self.decision_no_branches(
            DecisionPointOutcome.no_branches(reason, routing_context), metadata
        )

    def decision_failure(
        self,
        message: str,
        error_type: str | ErrorType = "decision_error",
        retryable: bool = False,
        metadata: Metadata = None,
    ) -> StepHandlerResult:
        return StepHandlerResult.failure(
            message, error_type, retryable, {**(metadata or {}), **self._signature()}
        )

    def _decided(
        self, result: dict[str, Any], routing_context: Metadata, metadata: Metadata
    ) -> StepHandlerResult:
        if routing_context:
            result["routing_context"] = routing_context
        return StepHandlerResult(True, result, metadata={**(metadata or {}), **self._signature()})

    def _signature(self) -> dict[str, Any]:
        return {
            "decision_handler": getattr(self, "name", type(self).__name__),
            "decision_version": getattr(self, "version", "1.0.0"),
        }
