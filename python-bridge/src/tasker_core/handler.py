"""HandlerRegistry: the handlers of this process, by name."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import re
import sys
import threading
from types import ModuleType
from typing import Any, ClassVar, cast

from tasker_core._runtime.event_discovery import register_events
from tasker_core.event_bridge import EventBridge, EventNames
from tasker_core.models import HandlerWrapper
from tasker_core.registry.chain import ResolverChain
from tasker_core.registry.definition import HandlerDefinition
from tasker_core.registry.resolver import ExplicitMappingResolver, is_handler_class
from tasker_core.step_handler.base import StepHandler
from tasker_core.template_discovery import HandlerDiscovery, TemplatePath

_log = logging.getLogger("tasker.registry")

_HANDLER_MODULES = re.compile("handlers|step_handler|workflow|test")


class HandlerRegistry:
    """Names to handlers. `instance()` is the one the worker serves from."""

    _instance: ClassVar[HandlerRegistry | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._chain = ResolverChain.default()
        self._bootstrapped = False
        self._bootstrap_guard = threading.Lock()

    @classmethod
    def instance(cls, skip_bootstrap: bool = False) -> HandlerRegistry:
        """The shared registry. The first call without `skip_bootstrap` discovers handlers."""
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
            registry = cls._instance
        if not skip_bootstrap:
            registry.bootstrap_handlers()
        return registry

    @classmethod
    def reset_instance(cls) -> None:
        with cls._instance_lock:
            cls._instance = None

    @property
    def resolver_chain(self) -> ResolverChain:
        return self._chain

    def register(self, name: str, handler_class: type[StepHandler]) -> None:
        """Raises ValueError unless `handler_class` is a StepHandler subclass."""
        if not is_handler_class(handler_class):
            raise ValueError(
                f"cannot register `{name}`: {handler_class!r} is not a StepHandler subclass"
            )
        current = self.get_handler_class(name)
        if (
            current is not None
            and current is not handler_class
            and not _same(current, handler_class)
        ):
            _log.warning("handler %s is replaced: %r by %r", name, current, handler_class)
        self._chain.register(name, handler_class)
        EventBridge.instance().publish(EventNames.HANDLER_REGISTERED, name, handler_class)

    def unregister(self, name: str) -> bool:
        return self._explicit.unregister(name)

    def resolve(self, handler: str | HandlerDefinition | HandlerWrapper) -> Any | None:
        """A fresh handler for the name or definition, or None."""
        definition = _definition(handler)
        found = self._chain.resolve(definition)
        if found is None:
            return None
        return self._chain.wrap_for_method_dispatch(found, definition)

    def get_handler_class(self, name: str) -> type[StepHandler] | None:
        entry = self._explicit.entry(name)
        return cast("type[StepHandler]", entry) if isinstance(entry, type) else None

    def is_registered(self, name: str) -> bool:
        return self._explicit.entry(name) is not None

    def list_handlers(self) -> list[str]:
        return self._explicit.registered_callables()

    def handler_count(self) -> int:
        return len(self._explicit.registered_callables())

    def clear(self) -> None:
        self._explicit.clear()

    def discover_handlers(
        self, package_name: str, base_class: type[StepHandler] | None = None
    ) -> int:
        """Import a package with all submodules and register what it defines; returns how many."""
        try:
            package = importlib.import_module(package_name)
        except Exception:
            _log.warning("package %s was skipped", package_name, exc_info=True)
            return 0
        modules = [package]
        for info in pkgutil.walk_packages(getattr(package, "__path__", []), f"{package_name}."):
            try:
                modules.append(importlib.import_module(info.name))
            except Exception:
                _log.warning("module %s was skipped", info.name, exc_info=True)
        names = {name for each in modules for name in self.register_module(each, base_class)}
        for each in modules:
            register_events(each)
        return len(names)

    def register_module(
        self, module: ModuleType, base_class: type[StepHandler] | None = None
    ) -> list[str]:
        """Register the handler classes and decorated functions a module holds; returns names."""
        names: list[str] = []
        for value in list(vars(module).values()):
            handler_class = value if is_handler_class(value) else _attached_class(value)
            if handler_class is None or not is_handler_class(handler_class):
                continue
            if base_class is not None and not issubclass(handler_class, base_class):
                continue
            name = cast("type[StepHandler]", handler_class).handler_name
            if name:
                self.register(name, handler_class)
                names.append(name)
        return names

    def bootstrap_handlers(self) -> int:
        """Register what can be found without being told where; returns how many. Works once.

        With TASKER_ENV=test, handlers of modules that are imported already; otherwise, or when
        there are none, the callables of the templates, imported as ``module.Class``.
        """
        with self._bootstrap_guard:
            if self._bootstrapped:
                return 0
            self._bootstrapped = True
        names: set[str] = set()
        if environment() == "test":
            for module_name, module in list(sys.modules.items()):
                if _HANDLER_MODULES.search(module_name) and not module_name.startswith("tasker_"):
                    names.update(self.register_module(module))
        if not names:
            names.update(self._register_from_templates())
        return len(names)

    def template_discovery_info(self) -> dict[str, Any]:
        """Where templates are looked for, and which handlers they name."""
        directory = TemplatePath.find_template_config_directory()
        files = TemplatePath.discover_template_files(directory)
        return {
            "template_path": None if directory is None else str(directory),
            "template_files": [str(each) for each in files],
            "discovered_handlers": HandlerDiscovery.discover_all_handlers(directory),
            "handlers_by_namespace": HandlerDiscovery.discover_handlers_by_namespace(directory),
            "environment": environment(),
            "bootstrapped": self._bootstrapped,
        }

    def _register_from_templates(self) -> list[str]:
        names: list[str] = []
        for path in HandlerDiscovery.discover_all_handlers():
            module_name, _, class_name = path.rpartition(".")
            if not module_name:
                continue
            try:
                found: Any = getattr(importlib.import_module(module_name), class_name, None)
            except ModuleNotFoundError:
                continue  # a logical name, not an import path
            except Exception:
                _log.warning("%s cannot be imported", path, exc_info=True)
                continue
            if is_handler_class(found) and found.handler_name:
                self.register(found.handler_name, found)
                names.append(found.handler_name)
        return names

    @property
    def _explicit(self) -> ExplicitMappingResolver:
        explicit = self._chain.explicit_resolver
        if explicit is None:
            raise ValueError("the resolver chain has no explicit mapping resolver")
        return explicit


def environment() -> str:
    """TASKER_ENV, ``development`` when it is not set."""
    return os.environ.get("TASKER_ENV") or "development"


def _attached_class(value: Any) -> Any:
    # Not getattr: a module may hold objects that invent any attribute asked of them.
    members = cast("dict[str, Any]", getattr(value, "__dict__", {}))
    return members.get("_handler_class")


def _same(left: type[StepHandler], right: type[StepHandler]) -> bool:
    # A module executed twice (through its package and by the scan) defines its classes twice.
    return (left.__module__, left.__qualname__) == (right.__module__, right.__qualname__)


def _definition(handler: str | HandlerDefinition | HandlerWrapper) -> HandlerDefinition:
    if isinstance(handler, str):
        return HandlerDefinition.from_callable(handler)
    if isinstance(handler, HandlerDefinition):
        return handler
    return HandlerDefinition(
        handler.callable, handler.handler_method, handler.resolver, handler.initialization
    )


__all__ = ["HandlerRegistry", "StepHandler"]
