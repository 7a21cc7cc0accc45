"""Template discovery, the YAML it reads, and the handlers a registry finds by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tasker_core import (
    BaseResolver,
    HandlerDefinition,
    HandlerDiscovery,
    HandlerRegistry,
    MethodDispatchWrapper,
    RegistryResolver,
    ResolutionError,
    ResolverNotFoundError,
    StepHandler,
    TemplateParser,
    TemplatePath,
    _yaml,
)
from tasker_core.template_discovery import WORKSPACE_MARKERS

TEMPLATE = """
name: order
namespace_name: {namespace}
version: 1.0.0
description: >-
  Takes an order
  and ships it
steps:
  - name: validate
    handler: {{callable: shop_code.handlers.Validate}}
  - name: ship
    dependencies: [validate]
    handler:
      callable: shop_code.handlers.Ship   # a class
      initialization: {{carrier: sea}}
  - name: again
    handler: {{callable: shop_code.handlers.Ship}}
  - name: odd
"""


class Handler(StepHandler):
    def call(self, context: Any) -> Any:
        return self.success({"by": "call"})

    def other(self, context: Any) -> Any:
        return self.success({"by": "other"})


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tasks = tmp_path / "config" / "tasks" / "deep"
    tasks.mkdir(parents=True)
    (tasks / "order.yaml").write_text(TEMPLATE.format(namespace="shop"))
    (tasks.parent / "b.yml").write_text(TEMPLATE.format(namespace="other"))
    (tasks.parent / "broken.yaml").write_text("a: [1\n")
    for variable in ("TASKER_TEMPLATE_PATH", "WORKSPACE_PATH", "TASKER_ENV"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    return tmp_path


def test_where_templates_are(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TemplatePath.find_template_config_directory() is None
    (shop / WORKSPACE_MARKERS[-1]).touch()
    found = TemplatePath.find_template_config_directory()
    assert found == shop / "config" / "tasks"
    assert [each.name for each in TemplatePath.discover_template_files()] == [
        "b.yml", "broken.yaml", "order.yaml",
    ]  # fmt: skip
    monkeypatch.setenv("WORKSPACE_PATH", str(shop / "nowhere"))
    assert TemplatePath.find_template_config_directory() == found
    monkeypatch.setenv("TASKER_TEMPLATE_PATH", str(shop))
    assert TemplatePath.find_template_config_directory() == shop
    assert TemplatePath.discover_template_files(shop / "nowhere") == []


def test_what_templates_name(shop: Path) -> None:
    path = shop / "config" / "tasks" / "deep" / "order.yaml"
    callables = ["shop_code.handlers.Validate", "shop_code.handlers.Ship"]
    assert TemplateParser.extract_handler_callables(path) == callables
    assert TemplateParser.extract_handlers_from_template({"steps": None}) == []
    assert TemplateParser.extract_template_metadata(path) == {
        "name": "order",
        "namespace": "shop",
        "version": "1.0.0",
        "description": "Takes an order and ships it",
        "file_path": str(path),
        "handlers": callables,
    }
    broken = path.parents[1] / "broken.yaml"
    assert TemplateParser.extract_template_metadata(broken) == {}
    directory = shop / "config" / "tasks"
    assert HandlerDiscovery.discover_all_handlers(directory) == sorted(callables)
    names = [each["namespace"] for each in HandlerDiscovery.discover_template_metadata(directory)]
    assert names == ["other", "shop"]
    by_namespace = HandlerDiscovery.discover_handlers_by_namespace(directory)
    assert by_namespace == {"other": sorted(callables), "shop": sorted(callables)}


def test_a_registry_finds_the_classes_of_templates(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "package.json").touch()
    code = shop / "shop_code"
    code.mkdir()
    (code / "__init__.py").touch()
    (code / "handlers.py").write_text(
        "from tasker_core import StepHandler\n"
        "class Ship(StepHandler):\n"
        "    handler_name = 'shop.ship'\n"
        "    def call(self, context): return self.success()\n"
    )
    monkeypatch.syspath_prepend(str(shop))
    try:
        registry = HandlerRegistry.instance()
        assert registry.list_handlers() == ["shop.ship"]
        assert registry.get_handler_class("shop.ship") is not None
        assert registry.bootstrap_handlers() == 0
        info = registry.template_discovery_info()
        assert info["template_path"] == str(shop / "config" / "tasks")
        assert (len(info["template_files"]), info["bootstrapped"]) == (3, True)
        assert info["environment"] == "development"
        assert list(info["handlers_by_namespace"]) == ["other", "shop"]
        assert HandlerRegistry().bootstrap_handlers() == 1
    finally:
        for name in [each for each in sys.modules if each.startswith("shop_code")]:
            del sys.modules[name]


def test_in_tests_imported_modules_are_scanned(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("some_handlers")
    module.Scanned = type("Scanned", (Handler,), {"handler_name": "scanned"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "some_handlers", module)
    assert "scanned" not in HandlerRegistry.instance(skip_bootstrap=True).list_handlers()
    monkeypatch.setenv("TASKER_ENV", "test")
    assert "scanned" in HandlerRegistry.instance().list_handlers()


def test_resolvers() -> None:
    class Mine(RegistryResolver):
        _name = "mine"
        pattern = r"mine\."

        def resolve_handler(self, definition: Any, config: dict[str, Any]) -> Any:
            return Handler()

    mine = Mine()
    assert isinstance(mine, BaseResolver) and mine._match_pattern("mine.x")
    assert not mine._match_pattern("other.mine.x")
    registry = HandlerRegistry()
    chain = registry.resolver_chain.add_resolver(mine)
    assert chain.chain_info()[1] == {"name": "mine", "priority": 50, "callables": []}
    registry.register("a", Handler)
    assert chain.registered_callables() == ["a"]
    assert registry.resolve("mine.x") is not None
    with pytest.raises(ResolutionError) as caught:
        registry.resolve(HandlerDefinition("a", resolver="unknown"))
    assert isinstance(caught.value, ResolverNotFoundError)
    wrapped = chain.wrap_for_method_dispatch(Handler(), HandlerDefinition("a", "other"))
    assert isinstance(wrapped, MethodDispatchWrapper) and wrapped.target_method == "other"
    assert chain.wrap_for_method_dispatch(Handler(), HandlerDefinition("a", "missing")) is None


YAML: list[tuple[str, Any]] = [
    ("", None),
    ("just text\n", "just text"),
    ("---\na: 1\n---\nb: 2\n", {"a": 1}),
    ("a: 1\nb: -2\nc: 1.5\nd: ~\ne: true\nf: 'it''s'\ng: \"q # \\n\"\n",
     {"a": 1, "b": -2, "c": 1.5, "d": None, "e": True, "f": "it's", "g": "q # \n"}),
    ("- a\n- b: 1\n  c: 2\n-   d: 3\n    e: 4\n- - 1\n  - 2\n-\n  x: 1\n",
     ["a", {"b": 1, "c": 2}, {"d": 3, "e": 4}, [1, 2], {"x": 1}]),
    ("a:\n- 1\n- 2\nb: [x, {y: 1, z: [2]}, 'c, d']\nc: [\n  1,\n  2\n]\nd: {}\n",
     {"a": [1, 2], "b": ["x", {"y": 1, "z": [2]}, "c, d"], "c": [1, 2], "d": {}}),
    ("a: |\n  one\n   two\n\n  # text\nb: >-\n  fold\n  me\n\n  next\nc: |+\n  x\n\n",
     {"a": "one\n two\n\n# text\n", "b": "fold me\nnext", "c": "x\n\n"}),
    ("a: long\n  text # comment\n# comment\nurl: http://x/#y\nA::B: 1\n",
     {"a": "long text", "url": "http://x/#y", "A::B": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), YAML)
def test_yaml_is_read_without_a_library(text: str, value: Any) -> None:
    assert _yaml.read(text) == value
    assert _yaml.load(text) == value


@pytest.mark.parametrize(
    "text",
    ["a: [1\n", "a: 1\n  b: 2\n", "a: &x 1\n", "a: *x\n", "\ta: 1\n", "a: [1 2}\n", 'a: "\\q"\n'],
)
def test_what_is_not_yaml_is_refused(text: str) -> None:
    with pytest.raises(_yaml.YamlError):
        _yaml.read(text)
