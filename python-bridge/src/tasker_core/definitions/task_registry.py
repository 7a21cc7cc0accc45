"""The task templates this process defines in code, several versions side by side."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from tasker_core.definitions.definition import TaskDefinition
from tasker_core.handler import HandlerRegistry


class TaskRegistry:
    """Safe under concurrent registration and lookup. `instance()` is the one of the worker."""

    _instance: ClassVar[TaskRegistry | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[tuple[str, str], TaskDefinition] = {}

    @classmethod
    def instance(cls) -> TaskRegistry:
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    @classmethod
    def reset_instance(cls) -> None:
        with cls._instance_lock:
            cls._instance = None

    def register(self, definition: TaskDefinition) -> None:
        """The same name and version replaces what was registered."""
        with self._lock:
            self._tasks[definition.key, definition.version] = definition

    def all(self) -> list[TaskDefinition]:
        """Every version, in the order of registration."""
        with self._lock:
            return list(self._tasks.values())

    def list(self, namespace: str | None = None) -> list[str]:
        """``<namespace>/<name>``, sorted, each once."""
        found = {each.key for each in self.all() if namespace in (None, each.namespace)}
        return sorted(found)

    def get(self, namespace: str, name: str, version: str | None = None) -> TaskDefinition:
        """Without a version the highest. Raises LookupError naming what is registered."""
        key = f"{namespace}/{name}"
        versions = {each.version: each for each in self.all() if each.key == key}
        if version is None and versions:
            return max(versions.values(), key=lambda each: each.precedence)
        if version is not None and version in versions:
            return versions[version]
        if versions:
            raise LookupError(
                f"task {key} has no version {version} (versions: {', '.join(versions)})"
            )
        raise LookupError(f"there is no task {key} (tasks: {', '.join(self.list()) or 'none'})")

    def info(self, namespace: str, name: str, version: str | None = None) -> dict[str, Any]:
        """`TaskDefinition.info` of that version, or of the highest. Raises LookupError."""
        return self.get(namespace, name, version).info()

    def register_handlers(self, registry: HandlerRegistry) -> None:
        """Register the handlers of every step that is defined here."""
        for definition in self.all():
            for each in definition.steps:
                if each.handler_class is not None:
                    registry.register(each.callable, each.handler_class)
