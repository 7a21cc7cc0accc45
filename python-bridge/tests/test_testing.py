"""tasker_core.testing and the pytest plugin, as a project that uses them sees them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from host import ROOT
from tasker_core import EventBridge, HandlerRegistry, PermanentError, StepContext, StepHandler
from tasker_core.definitions import TaskRegistry
from tasker_core.step_handler import depends_on, inputs, step_handler
from tasker_core.testing import (
    StepControl,
    reset_singletons,
    run_handler,
    step_context,
    step_event,
)

pytest_plugins = ["pytester"]


@step_handler("pay")
@depends_on(order="validate")
@inputs("card")
def pay(order: Any, card: str) -> dict[str, Any]:
    return {"paid": order["total"], "card": card}


class Slow(StepHandler):
    handler_name = "slow"

    async def call(self, context: StepContext) -> Any:
        context.heartbeat(0.5, extend_ms=10)
        return self.success({"attempt": context.retry_count, "config": context.step_config})


def test_functions_classes_and_instances_run() -> None:
    paid = run_handler(pay, context={"card": "x"}, dependencies={"validate": {"total": 3}})
    assert paid.result == {"paid": 3, "card": "x"}
    control = StepControl()
    slow = run_handler(Slow, control=control, attempts=2, config={"a": 1})
    assert slow.result == {"attempt": 2, "config": {"a": 1}}
    assert control.beats == [(0.5, 10)]
    assert run_handler(Slow()).is_success


def test_what_escapes_a_class_handler_is_raised() -> None:
    class Fails(StepHandler):
        def call(self, context: StepContext) -> Any:
            raise PermanentError("no")

    with pytest.raises(PermanentError):
        run_handler(Fails)


def test_cancellation_can_be_played() -> None:
    control = StepControl()
    context = step_context("waits", control=control)
    assert context.cancelled is False
    threading.Timer(0.01, control.cancel, ("task_cancelled",)).start()
    assert context.wait_cancelled(20) is True
    assert (context.cancelled, context.cancel_reason) == (True, "task_cancelled")


def test_an_event_is_what_a_worker_gets() -> None:
    event = step_event(
        "x", checkpoint={"cursor": 3}, max_attempts=5, namespace="shop", step_name="s"
    )
    context = StepContext.from_ffi_event(event, "x")
    assert (context.checkpoint_cursor, context.max_retries) == (3, 5)
    wrapper = context.task_sequence_step
    assert (wrapper.task.namespace_name, wrapper.workflow_step.name) == ("shop", "s")
    assert str(context.task_uuid) == event.task_uuid
    assert step_event(config={"a": 1}).task_sequence_step["workflow_step"]["inputs"] == {"a": 1}


def test_singletons_are_forgotten() -> None:
    before = (HandlerRegistry.instance(), EventBridge.instance(), TaskRegistry.instance())
    reset_singletons()
    after = (HandlerRegistry.instance(), EventBridge.instance(), TaskRegistry.instance())
    assert all(a is not b for a, b in zip(before, after, strict=True))


def test_the_plugins_fixtures(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    pytester.makepyfile(
        """
        from tasker_core import HandlerRegistry, StepHandler
        from tasker_core.step_handler import step_handler

        @step_handler("double")
        def double(context):
            context.heartbeat(1.0)
            return {"doubled": 2 * context.get_input("n")}

        def test_run(run_step, step_control):
            result = run_step(double, context={"n": 2}, control=step_control)
            assert result.result == {"doubled": 4}
            assert step_control.beats == [(1.0, None)]

        def test_registry(tasker_registry):
            assert tasker_registry is HandlerRegistry.instance()
            assert tasker_registry.list_handlers() == []
            tasker_registry.register("double", double._handler_class)

        def test_registry_is_new(tasker_registry):
            assert tasker_registry.list_handlers() == []

        def test_context(make_step_context):
            assert make_step_context("x", context={"a": 1}).get_input("a") == 1
        """
    )
    # An installed package is found by its entry point; here it is named.
    pytester.runpytest_subprocess("-p", "tasker_core.pytest_plugin").assert_outcomes(passed=4)
