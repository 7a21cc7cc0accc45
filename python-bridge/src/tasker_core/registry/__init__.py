"""Resolution of handler names."""

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
]
