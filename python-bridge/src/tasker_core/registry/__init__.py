"""Resolution of handler names; `list` and `info` of the task templates defined in code."""

from __future__ import annotations

from typing import Any

from tasker_core.registry.chain import ResolverChain
from tasker_core.registry.definition import HandlerDefinition
from tasker_core.registry.errors import ResolutionError, ResolverNotFoundError
from tasker_core.registry.method_dispatch import MethodDispatchWrapper
from tasker_core.registry.resolver import (
    BaseResolver,
    ClassLookupResolver,
    ExplicitMappingResolver,
    RegistryResolver,
)


def list(namespace: str | None = None) -> Any:
    """The tasks defined in code as ``["<namespace>/<name>", ...]``, sorted."""
    return _tasks().list(namespace)


def info(namespace: str, name: str, version: str | None = None) -> dict[str, Any]:
    """``{name, namespace, version, description, schema, steps}`` of one task, by default of its
    highest version. Raises LookupError naming what is registered.
    """
    return _tasks().info(namespace, name, version)


def _tasks() -> Any:
    # Late: definitions build on the handler classes, which build on this package.
    from tasker_core.definitions import TaskRegistry

    return TaskRegistry.instance()


__all__ = [
    "BaseResolver",
    "ClassLookupResolver",
    "ExplicitMappingResolver",
    "HandlerDefinition",
    "MethodDispatchWrapper",
    "RegistryResolver",
    "ResolutionError",
    "ResolverChain",
    "ResolverNotFoundError",
    "info",
    "list",
]
