"""Task templates in code: what they become, how their steps run, how they are listed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host import step_body
from rest_double import RestDouble
from tasker_core import FfiStepEvent, HandlerRegistry, StepContext, StepHandlerResult, registry
from tasker_core.definitions import TaskDefinition, TaskRegistry, define_task, step, task_handler
from tasker_core.step_handler import Decision, depends_on

ORDER = """
from tasker_core.definitions import step, task_handler
from tasker_core.step_handler import Decision


@task_handler("order", namespace="shop", version="1.2.0", input={"type": "object"})
class Order:
    @step()
    def validate(self, context):
        return {"total": context.get_input("n")}

    @step(depends_on="validate", retry_limit=5, timeout_ms=1500, description="Takes the money")
    async def charge(self, validate, context):
        return {"charged": validate["total"], "config": context.step_config}

    ship = step(handler="orders.ship", depends_on=["charge"], handler_config={"by": "sea"})
"""


def context_of(name: str, results: dict[str, Any], inputs: dict[str, Any]) -> StepContext:
    body = step_body(name, inputs)
    body["dependency_results"] = {key: {"result": value} for key, value in results.items()}
    uuid = "01890a5d-ac96-774b-bcce-b302099a8057"
    return StepContext.from_ffi_event(FfiStepEvent("e", uuid, uuid, uuid, None, None, body), name)


def run(definition: TaskDefinition, name: str, *, results: Any = None, inputs: Any = None) -> Any:
    [each] = [each for each in definition.steps if each.name == name]
    assert each.handler_class is not None
    handler: Any = each.handler_class()
    returned = handler.call(context_of(name, results or {}, inputs or {}))
    return asyncio.run(returned) if asyncio.iscoroutine(returned) else returned


def test_a_class_becomes_a_template(start_host: Any, tmp_path: Path) -> None:
    (tmp_path / "order.py").write_text(ORDER)
    host = start_host(handlers=tmp_path / "order.py")
    names = [each["callable"] for each in host.handlers if "callable" in each]
    assert names == ["shop.order@1.2.0:charge", "shop.order@1.2.0:validate"]
    [template] = [each["template"] for each in host.handlers if "template" in each]
    validate, charge, ship = template.pop("steps")
    assert template == {
        "name": "order",
        "namespace_name": "shop",
        "version": "1.2.0",
        "input_schema": {"type": "object"},
    }
    assert validate == {
        "name": "validate",
        "handler": {"callable": "shop.order@1.2.0:validate"},
        "dependencies": [],
        "retry": {"retryable": True, "max_attempts": 3},
    }
    assert (charge["dependencies"], charge["timeout_seconds"]) == (["validate"], 2)
    assert charge["retry"]["max_attempts"] == 5
    assert charge["description"] == "Takes the money"
    assert ship["handler"] == {"callable": "orders.ship", "initialization": {"by": "sea"}}
    assert host.run("shop.order@1.2.0:validate", {"n": 7})[1] == {"total": 7}


def test_methods_get_what_they_name() -> None:
    @task_handler("sums")
    class Sums:
        def __init__(self) -> None:
            self.calls = 0

        @step()
        def first(self) -> dict[str, Any]:
            self.calls += 1
            return {"calls": self.calls}

        @step(depends_on=["first"])
        async def second(self, first: Any, context: StepContext) -> dict[str, Any]:
            return {"first": first, "name": context.handler_name}

        @step(depends_on=["first", "second"])
        @depends_on(renamed="second")
        def third(self, renamed: Any) -> None:
            raise ValueError(f"no {renamed}")

    definition: TaskDefinition = Sums.definition  # type: ignore[attr-defined]
    assert run(definition, "first").result == {"calls": 1}
    # A new instance for each step: nothing is kept in between.
    assert run(definition, "first").result == {"calls": 1}
    second = run(definition, "second", results={"first": {"n": 1}})
    assert second.result == {"first": {"n": 1}, "name": "second"}
    third: StepHandlerResult = run(definition, "third", results={"second": 2})
    assert (third.is_success, third.error_message) == (False, "no 2")
    assert Sums().first() == {"calls": 1}


def test_inputs_are_read_into_the_model() -> None:
    class Input:
        amount: int

        def __init__(self, amount: int) -> None:
            self.amount = amount

        @staticmethod
        def model_json_schema() -> dict[str, Any]:
            return {"type": "object", "required": ["amount"]}

    @step()
    def take(inputs: Any) -> dict[str, Any]:
        return {"took": inputs.amount}

    definition = define_task("take", input=Input, steps=[take])
    assert definition.schema == {"type": "object", "required": ["amount"]}
    assert run(definition, "take", inputs={"amount": 4}).result == {"took": 4}
    assert take.__name__ == "take"


def test_step_types_get_their_mixins() -> None:
    @step("choose", depends_on="begin", type="decision")
    def choose() -> Decision:
        return Decision.route(["next"])

    definition = define_task("chooses", steps=[step("begin", handler="x"), choose])
    chosen = run(definition, "choose").result["decision_point_outcome"]
    assert chosen == {"type": "create_steps", "step_names": ["next"]}
    assert definition.to_template()["steps"][1]["type"] == "decision"


def test_versions_live_side_by_side() -> None:
    for version in ("1.9.0", "1.10.0", "1.10.0-rc1"):
        define_task("order", "shop", version, steps=[step("a", handler="x")])
    define_task("other", steps=[step("a", handler="x")])
    assert registry.list() == ["default/other", "shop/order"]
    assert registry.list("shop") == ["shop/order"]
    assert registry.info("shop", "order")["version"] == "1.10.0"
    info = registry.info("shop", "order", "1.9.0")
    assert (info["version"], info["schema"]) == ("1.9.0", None)
    assert info["steps"] == [
        {
            "name": "a",
            "callable": "x",
            "depends_on": [],
            "retryable": True,
            "retry_limit": 3,
            "timeout_ms": None,
            "description": None,
            "handler_config": {},
        }
    ]
    with pytest.raises(LookupError, match=r"versions: 1\.9\.0, 1\.10\.0, 1\.10\.0-rc1"):
        registry.info("shop", "order", "3.0.0")
    with pytest.raises(LookupError, match="tasks: default/other, shop/order"):
        registry.info("shop", "nothing")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: define_task("t", steps=[step("a", handler="x", depends_on="b")]), "`b`, which is"),
        (lambda: define_task("t", steps=[step("a", handler="x")] * 2), "two steps named `a`"),
        (lambda: define_task("t", version="one", steps=[]), "like 1.0.0"),
        (lambda: define_task("t", steps=[step("a")]), "neither a function"),
        (lambda: define_task("t", steps=[len]), "expected a @step function"),
        (lambda: define_task("t", steps=[step("a", handler="x", retry_limit=0)]), "retry_limit"),
        (lambda: define_task("t", steps=[step("a", handler="x", timeout_ms=0)]), "timeout_ms"),
        (lambda: define_task("", steps=[]), "a name"),
        (lambda: task_handler("t")(type("T", (), {})), "no method decorated"),
        (
            lambda: define_task(
                "t",
                steps=[
                    step("a", handler="x", depends_on="b"),
                    step("b", handler="x", depends_on="a"),
                ],
            ),
            "a, b wait for each other",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
    assert registry.list() == []


def test_the_registry_may_be_used_from_many_threads() -> None:
    def define(n: int) -> None:
        for minor in range(50):
            define_task(f"t{n}", version=f"1.{minor}.0", steps=[step("a", handler="x")])
            registry.list()
            registry.info("default", f"t{n}")

    threads = [threading.Thread(target=define, args=(n,)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(TaskRegistry.instance().all()) == 8 * 50


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch) -> Iterator[RestDouble]:
    double = RestDouble()
    monkeypatch.setenv("TASKER_ORCHESTRATION_URL", double.url)
    yield double
    double.close()


def test_run_task_creates_a_task_of_this_version(rest: RestDouble) -> None:
    definition = define_task("order", "shop", "2.0.0", steps=[step("a", handler="x")])
    task_uuid = definition.run_task({"n": 1}, reason="because")
    created = rest.tasks[task_uuid]
    assert (created["name"], created["namespace"], created["version"]) == ("order", "shop", "2.0.0")
    assert (created["context"], created["reason"]) == ({"n": 1}, "because")


def test_a_registry_takes_the_handlers_of_definitions() -> None:
    @step()
    def only() -> dict[str, Any]:
        return {}

    define_task("one", steps=[only])
    handlers = HandlerRegistry()
    TaskRegistry.instance().register_handlers(handlers)
    assert handlers.list_handlers() == ["default.one@0.1.0:only"]
    assert handlers.resolve("default.one@0.1.0:only") is not None


def test_pydantic_models_are_inputs_and_results() -> None:
    pydantic = pytest.importorskip("pydantic")
    order_model = pydantic.create_model("OrderInput", amount=(int, ...), note=(str | None, None))
    paid_model = pydantic.create_model("Paid", amount=(int, ...))

    @step()
    def pay(inputs: Any) -> Any:
        return paid_model(amount=inputs.amount)

    @step(depends_on="pay")
    @depends_on(paid=("pay", paid_model))
    def tell(paid: Any) -> dict[str, Any]:
        return {"told": paid.amount, "typed": isinstance(paid, paid_model)}

    definition = define_task("pays", input=order_model, steps=[pay, tell])
    assert definition.schema is not None and definition.schema["required"] == ["amount"]
    assert run(definition, "pay", inputs={"amount": 4}).result == {"amount": 4}
    assert run(definition, "tell", results={"pay": {"amount": 4}}).result == {
        "told": 4, "typed": True,
    }  # fmt: skip
    refused = run(definition, "pay", inputs={"amount": "many"})
    assert (refused.is_success, refused.error_type) == (False, "handler_error")
