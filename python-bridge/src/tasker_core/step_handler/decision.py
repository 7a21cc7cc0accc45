"""A step handler that decides which steps come next."""

from __future__ import annotations

from tasker_core.step_handler.base import StepHandler
from tasker_core.step_handler.mixins.decision import DecisionMixin


class DecisionHandler(DecisionMixin, StepHandler):
    """Derive and answer with `decision_success` or `skip_branches`."""

    @property
    def capabilities(self) -> list[str]:
        return ["process", "decision", "routing"]


__all__ = ["DecisionHandler"]
