"""What a template says about a handler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class HandlerDefinition:
    """`callable` names the handler; `handler_method` and `resolver` are optional hints."""

    callable: str
    handler_method: str | None = None
    resolver: str | None = None
    initialization: dict[str, Any] = field(default_factory=lambda: {})

    def effective_method(self) -> str:
        return self.handler_method or "call"

    def uses_method_dispatch(self) -> bool:
        return self.handler_method is not None and self.handler_method != "call"

    def has_resolver_hint(self) -> bool:
        return bool(self.resolver)

    @classmethod
    def from_callable(cls, callable: str) -> HandlerDefinition:
        return cls(callable)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HandlerDefinition:
        """Reads the template's form, where the method is called `method`."""
        return cls(
            data["callable"],
            data.get("method"),
            data.get("resolver"),
            dict(data.get("initialization") or {}),
        )
