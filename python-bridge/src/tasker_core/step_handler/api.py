"""A step handler that calls an HTTP service."""

from __future__ import annotations

from tasker_core.step_handler.base import StepHandler
from tasker_core.step_handler.mixins.api import APIMixin, ApiResponse


class ApiHandler(APIMixin, StepHandler):
    """Set `base_url`, then use `self.get(...)`, `self.post(...)` and `self.api_success(...)`."""

    @property
    def capabilities(self) -> list[str]:
        return ["process", "http", "api"]


__all__ = ["ApiHandler", "ApiResponse"]
