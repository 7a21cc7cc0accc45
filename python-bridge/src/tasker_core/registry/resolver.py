"""How a name in a template becomes a handler: the resolver kinds."""

from __future__ import annotations

import importlib
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from tasker_core.registry.definition import HandlerDefinition
from tasker_core.step_handler.base import StepHandler

_log = logging.getLogger("tasker.registry")


class BaseResolver(ABC):
    """One way of finding handlers. The chain asks resolvers in ascending `priority`."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    @abstractmethod
    def priority(self) -> int: ...

    @abstractmethod
    def can_resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> bool: ...

    @abstractmethod
    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        """A handler, or None when this resolver has none."""

    def registered_callables(self) -> list[str]:
        return []


class RegistryResolver(BaseResolver):
    """Base for resolvers that recognise callables by `pattern` (a regex) or `prefix`."""

    _name: ClassVar[str] = "custom_resolver"
    _priority: ClassVar[int] = 50
    pattern: ClassVar[str | re.Pattern[str] | None] = None
    prefix: ClassVar[str | None] = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def priority(self) -> int:
        return self._priority

    def can_resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> bool:
        return self._match_pattern(definition.callable)

    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        return self.resolve_handler(definition, config or {})

    def resolve_handler(self, definition: HandlerDefinition, config: dict[str, Any]) -> Any | None:
        raise NotImplementedError(f"{type(self).__name__} must define resolve_handler")

    def _match_pattern(self, callable: str) -> bool:
        if self.pattern is not None and re.match(self.pattern, callable):
            return True
        return self.prefix is not None and callable.startswith(self.prefix)


class ExplicitMappingResolver(BaseResolver):
    """Names that were registered, verbatim.

    An entry is a handler class, an instance having `call`, or a factory taking the
    configuration dict.
    """

    def __init__(self, name: str = "explicit_mapping") -> None:
        self._name = name
        self._entries: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def priority(self) -> int:
        return 10

    def register(self, key: str, handler: Any) -> None:
        self._entries[key] = handler

    def unregister(self, key: str) -> bool:
        return self._entries.pop(key, None) is not None

    def entry(self, key: str) -> Any | None:
        """What was registered, not instantiated."""
        return self._entries.get(key)

    def clear(self) -> None:
        self._entries.clear()

    def can_resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> bool:
        return definition.callable in self._entries

    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        entry = self._entries.get(definition.callable)
        if entry is None:
            return None
        settings = config or definition.initialization
        if isinstance(entry, type):
            return instantiate(entry, settings)
        if callable(getattr(entry, "call", None)):
            return entry
        return _made_by(entry, settings) if callable(entry) else None

    def registered_callables(self) -> list[str]:
        return list(self._entries)


class ClassLookupResolver(BaseResolver):
    """Dotted import paths ending in a capitalised class name."""

    _PATH: ClassVar[re.Pattern[str]] = re.compile(r"^(?:[A-Za-z_]\w*\.)+[A-Z]\w*$")

    @property
    def name(self) -> str:
        return "class_lookup"

    @property
    def priority(self) -> int:
        return 100

    def can_resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> bool:
        return self._PATH.match(definition.callable) is not None

    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        if not self.can_resolve(definition):
            return None
        module_name, _, class_name = definition.callable.rpartition(".")
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
        except ModuleNotFoundError:
            return None
        except Exception:
            _log.warning("%s cannot be imported", definition.callable, exc_info=True)
            return None
        if not isinstance(found, type) or not callable(getattr(found, "call", None)):
            return None
        return instantiate(found, config or definition.initialization)


def instantiate(handler_class: type[Any], config: dict[str, Any]) -> Any | None:
    """`cls()`, or `cls(config=...)` when that raises TypeError; None when neither works."""
    try:
        return handler_class()
    except TypeError:
        pass
    except Exception:
        _log.warning("handler %r cannot be instantiated", handler_class, exc_info=True)
        return None
    try:
        return handler_class(config=config)
    except Exception:
        _log.warning("handler %r cannot be instantiated", handler_class, exc_info=True)
        return None


def _made_by(factory: Callable[[dict[str, Any]], Any], config: dict[str, Any]) -> Any | None:
    try:
        return factory(config)
    except Exception:
        _log.warning("handler factory %r failed", factory, exc_info=True)
        return None


def is_handler_class(value: Any) -> bool:
    """True for a concrete or abstract subclass of StepHandler."""
    # Not isinstance(value, type): to Python 3.10 `list[int]` is a class, until it is asked of what.
    is_class = issubclass(type(value), type)
    return is_class and issubclass(value, StepHandler) and value is not StepHandler
