"""The resolvers in order of priority."""

from __future__ import annotations

from typing import Any

from tasker_core.registry.definition import HandlerDefinition
from tasker_core.registry.errors import ResolverNotFoundError
from tasker_core.registry.method_dispatch import MethodDispatchWrapper
from tasker_core.registry.resolver import (
    BaseResolver,
    ClassLookupResolver,
    ExplicitMappingResolver,
)


class ResolverChain:
    """Asks each resolver in ascending priority; a resolver hint narrows it to one."""

    def __init__(self) -> None:
        self._resolvers: list[BaseResolver] = []

    @classmethod
    def default(cls) -> ResolverChain:
        """Registered names first, then import paths."""
        return cls().add_resolver(ExplicitMappingResolver()).add_resolver(ClassLookupResolver())

    def add_resolver(self, resolver: BaseResolver) -> ResolverChain:
        self._resolvers = sorted([*self._resolvers, resolver], key=lambda each: each.priority)
        return self

    def remove_resolver(self, name: str) -> bool:
        kept = [each for each in self._resolvers if each.name != name]
        removed = len(kept) < len(self._resolvers)
        self._resolvers = kept
        return removed

    def get_resolver(self, name: str) -> BaseResolver | None:
        return next((each for each in self._resolvers if each.name == name), None)

    @property
    def explicit_resolver(self) -> ExplicitMappingResolver | None:
        found = (each for each in self._resolvers if isinstance(each, ExplicitMappingResolver))
        return next(found, None)

    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        """A handler or None. Raises ResolverNotFoundError for an unknown resolver hint."""
        if definition.resolver:
            hinted = self.get_resolver(definition.resolver)
            if hinted is None:
                raise ResolverNotFoundError(
                    f"`{definition.callable}` asks for resolver `{definition.resolver}`; "
                    f"known are {', '.join(self.resolver_names)}"
                )
            return hinted.resolve(definition, config)
        for resolver in self._resolvers:
            if resolver.can_resolve(definition, config):
                handler = resolver.resolve(definition, config)
                if handler is not None:
                    return handler
        return None

    def can_resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> bool:
        return any(each.can_resolve(definition, config) for each in self._resolvers)

    def registered_callables(self) -> list[str]:
        return [name for each in self._resolvers for name in each.registered_callables()]

    def register(self, key: str, handler: Any) -> None:
        """Raises ValueError when the chain has no explicit mapping."""
        explicit = self.explicit_resolver
        if explicit is None:
            raise ValueError(f"cannot register `{key}`: the chain has no explicit mapping resolver")
        explicit.register(key, handler)

    def wrap_for_method_dispatch(self, handler: Any, definition: HandlerDefinition) -> Any | None:
        """The handler itself, a wrapper for another method, or None when the method is missing."""
        if not definition.uses_method_dispatch():
            return handler
        try:
            return MethodDispatchWrapper(handler, definition.effective_method())
        except AttributeError:
            return None

    def chain_info(self) -> list[dict[str, Any]]:
        return [
            {"name": each.name, "priority": each.priority, "callables": each.registered_callables()}
            for each in self._resolvers
        ]

    @property
    def resolver_names(self) -> list[str]:
        return [each.name for each in self._resolvers]

    def list_resolvers(self) -> list[tuple[str, int]]:
        return [(each.name, each.priority) for each in self._resolvers]

    def __len__(self) -> int:
        return len(self._resolvers)
