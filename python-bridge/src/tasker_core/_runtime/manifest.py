"""What this process can run, for the body of `hello`."""

from __future__ import annotations

from typing import Any

from tasker_core.definitions import TaskRegistry
from tasker_core.handler import HandlerRegistry

_KINDS = frozenset({"decision", "batch_analyzer", "batch_worker"})


def manifest(registry: HandlerRegistry, pool: str) -> list[dict[str, Any]]:
    """One entry per registered name, sorted; then the task templates defined in code."""
    tasks = TaskRegistry.instance()
    tasks.register_handlers(registry)
    handlers = [_entry(registry, name, pool) for name in sorted(registry.list_handlers())]
    return handlers + [{"template": each.to_template()} for each in tasks.all()]


def _entry(registry: HandlerRegistry, name: str, pool: str) -> dict[str, Any]:
    handler_class = registry.get_handler_class(name)
    entry: dict[str, Any] = {"callable": name, "kind": _kind(handler_class), "pool": pool}
    version: object = getattr(handler_class, "handler_version", None)
    if isinstance(version, str):
        entry["version"] = version
    return entry


def _kind(handler_class: type[Any] | None) -> str:
    """Decorators say it; a class is read from its mixins."""
    said: object = getattr(handler_class, "_bridge_kind", None)
    if said in _KINDS:
        return str(said)
    bases = {base.__name__ for base in getattr(handler_class, "__mro__", ())}
    if "DecisionMixin" in bases:
        return "decision"
    return "step"
