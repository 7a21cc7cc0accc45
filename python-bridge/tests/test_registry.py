"""Registration, resolution, method dispatch."""

from __future__ import annotations

from typing import Any

import pytest

from tasker_core import (
    ClassLookupResolver,
    ExplicitMappingResolver,
    HandlerDefinition,
    HandlerRegistry,
    HandlerWrapper,
    MethodDispatchWrapper,
    RegistryResolver,
    ResolverChain,
    ResolverNotFoundError,
    StepContext,
    StepHandler,
    StepHandlerResult,
)


class Plain(StepHandler):
    handler_name = "shop.step_handlers.Plain"

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({"who": "call"})

    def refund(self, context: StepContext) -> StepHandlerResult:
        return self.success({"who": "refund"})


class Configured(Plain):
    handler_name = "configured"

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config


class Broken(Plain):
    handler_name = "broken"

    def __init__(self) -> None:
        raise RuntimeError("no")


def test_a_fresh_handler_per_resolution() -> None:
    registry = HandlerRegistry.instance()
    registry.register(Plain.handler_name, Plain)
    first = registry.resolve(Plain.handler_name)
    second = registry.resolve(Plain.handler_name)
    assert isinstance(first, Plain) and first is not second
    assert registry.list_handlers() == ["shop.step_handlers.Plain"]
    assert registry.handler_count() == 1
    assert registry.is_registered(Plain.handler_name)
    assert registry.unregister(Plain.handler_name)
    assert not registry.unregister(Plain.handler_name)
    assert registry.resolve(Plain.handler_name) is None
    assert HandlerRegistry.instance() is registry


def test_only_handler_classes_are_registered() -> None:
    with pytest.raises(ValueError, match="not a StepHandler subclass"):
        HandlerRegistry().register("x", dict)  # type: ignore[arg-type]


def test_configuration_is_given_when_asked_for() -> None:
    registry = HandlerRegistry()
    registry.register("configured", Configured)
    registry.register("broken", Broken)
    found = registry.resolve(HandlerDefinition("configured", initialization={"a": 1}))
    assert isinstance(found, Configured) and found.config == {"a": 1}
    assert registry.resolve("broken") is None


def test_entries_may_be_instances_and_factories() -> None:
    chain = ResolverChain.default()
    instance = Plain()
    chain.register("instance", instance)
    chain.register("factory", lambda config: Configured(config))
    assert chain.resolve(HandlerDefinition("instance")) is instance
    made = chain.resolve(HandlerDefinition("factory", initialization={"b": 2}))
    assert isinstance(made, Configured) and made.config == {"b": 2}


def test_method_dispatch() -> None:
    registry = HandlerRegistry()
    registry.register("plain", Plain)
    wrapped = registry.resolve(HandlerDefinition("plain", "refund"))
    assert isinstance(wrapped, MethodDispatchWrapper)
    assert wrapped.call(None).result == {"who": "refund"}
    assert wrapped.name == Plain.handler_name
    assert isinstance(wrapped.unwrap(), Plain)
    assert registry.resolve(HandlerDefinition("plain", "missing")) is None
    assert isinstance(registry.resolve(HandlerWrapper("plain", handler_method="call")), Plain)
    with pytest.raises(AttributeError, match="missing"):
        MethodDispatchWrapper(Plain(), "missing")


def test_class_lookup_imports_dotted_paths() -> None:
    resolver = ClassLookupResolver()
    assert resolver.can_resolve(HandlerDefinition(f"{__name__}.Plain"))
    assert isinstance(resolver.resolve(HandlerDefinition(f"{__name__}.Plain")), Plain)
    for name in ("plain", f"{__name__}.lower", "no.such.Module", f"{__name__}.Any"):
        assert resolver.resolve(HandlerDefinition(name)) is None


class Payments(RegistryResolver):
    _name = "payments"
    _priority = 5
    pattern = r"pay:\w+"
    prefix = "legacy/"

    def resolve_handler(self, definition: HandlerDefinition, config: dict[str, Any]) -> Any:
        return Plain()


def test_custom_resolvers_take_part_by_priority() -> None:
    chain = ResolverChain.default().add_resolver(Payments())
    assert chain.resolver_names == ["payments", "explicit_mapping", "class_lookup"]
    assert chain.list_resolvers()[0] == ("payments", 5)
    assert len(chain) == 3
    for name in ("pay:card", "legacy/card"):
        assert isinstance(chain.resolve(HandlerDefinition(name)), Plain)
    assert chain.resolve(HandlerDefinition("other")) is None
    assert isinstance(chain.resolve(HandlerDefinition("any", resolver="payments")), Plain)
    with pytest.raises(ResolverNotFoundError, match="nowhere"):
        chain.resolve(HandlerDefinition("pay:card", resolver="nowhere"))
    assert chain.remove_resolver("payments") and not chain.remove_resolver("payments")
    assert chain.get_resolver("payments") is None
    assert isinstance(chain.explicit_resolver, ExplicitMappingResolver)


def test_definitions() -> None:
    given = HandlerDefinition.from_dict({"callable": "a", "method": "go", "resolver": "r"})
    assert given.effective_method() == "go" and given.uses_method_dispatch()
    assert given.has_resolver_hint()
    plain = HandlerDefinition.from_callable("a")
    assert plain.effective_method() == "call" and not plain.uses_method_dispatch()
    assert not HandlerDefinition("a", "call").uses_method_dispatch()


def test_discovery_of_a_package(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_handlers_for_discovery"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "broken.py").write_text("raise RuntimeError('no')\n")
    (package / "good.py").write_text(
        "from tasker_core import StepHandler\n"
        "from tasker_core.step_handler import step_handler\n"
        "class Named(StepHandler):\n"
        "    handler_name = 'd.named'\n"
        "    def call(self, context): ...\n"
        "class Nameless(StepHandler):\n"
        "    def call(self, context): ...\n"
        "@step_handler('d.function')\n"
        "def function(): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = HandlerRegistry()
    assert registry.discover_handlers("some_handlers_for_discovery") == 2
    assert sorted(registry.list_handlers()) == ["d.function", "d.named"]
    assert registry.discover_handlers("no_such_package_at_all") == 0


def test_an_alias_of_a_class_is_no_handler() -> None:
    module = type(pytest)("aliases")
    module.numbers = list[int]  # type: ignore[attr-defined]
    assert HandlerRegistry().register_module(module) == []
