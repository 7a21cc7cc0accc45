"""The outcome of a decision step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from tasker_core.types._model import Model


class DecisionType(str, Enum):
    """Whether a decision creates steps."""

    CREATE_STEPS = "create_steps"
    NO_BRANCHES = "no_branches"


@dataclass
class DecisionPointOutcome(Model):
    """Which steps a decision creates, or why it creates none."""

    decision_type: DecisionType
    next_step_names: list[str] = field(default_factory=lambda: [])
    dynamic_steps: list[dict[str, Any]] | None = None
    reason: str | None = None
    routing_context: dict[str, Any] = field(default_factory=lambda: {})

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"decision_type": DecisionType}

    @classmethod
    def create_steps(
        cls,
        step_names: list[str],
        dynamic_steps: list[dict[str, Any]] | None = None,
        routing_context: dict[str, Any] | None = None,
    ) -> DecisionPointOutcome:
        return cls(
            DecisionType.CREATE_STEPS,
            step_names,
            dynamic_steps,
            routing_context=routing_context or {},
        )

    @classmethod
    def no_branches(
        cls, reason: str, routing_context: dict[str, Any] | None = None
    ) -> DecisionPointOutcome:
        return cls(DecisionType.NO_BRANCHES, reason=reason, routing_context=routing_context or {})
