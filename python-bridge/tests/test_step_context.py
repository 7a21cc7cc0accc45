"""StepContext and the wrappers, against the contract's TaskSequenceStep."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tasker_core import FfiStepEvent, StepContext, TaskSequenceStepWrapper

TASK = "01890a5d-ac96-774b-bcce-b302099a8057"


def make_context(**parts: Any) -> StepContext:
    tss: dict[str, Any] = {
        "task": {
            "task": {"task_uuid": TASK, "context": {"amount": 5, "nothing": None}},
            "task_name": "pay",
            "task_version": "1.2.0",
            "namespace_name": "shop",
        },
        "workflow_step": {
            "workflow_step_uuid": TASK,
            "task_uuid": TASK,
            "name": "charge_001",
            "attempts": 1,
            "max_attempts": 3,
            "inputs": {"k": "v"},
            "checkpoint": {
                "cursor": 7,
                "items_processed": 70,
                "accumulated_results": {"sum": 1},
            },
        },
        "dependency_results": {
            "load_1": {"success": True, "result": {"rows": {"count": 2}}},
            "load_2": {"success": True, "result": None},
            "load_3": {"result": {"result": "inner"}},
            "raw": {"rows": 1},
        },
        "step_definition": {
            "name": "charge",
            "handler": {
                "callable": "shop.charge",
                "method": "run",
                "initialization": {"currency": "EUR"},
            },
        },
        **parts,
    }
    event = FfiStepEvent("e1", TASK, TASK, TASK, task_sequence_step=tss)
    return StepContext.from_ffi_event(event, "shop.charge")


def test_fields_come_from_the_event() -> None:
    context = make_context()
    assert context.task_uuid == context.step_uuid == context.correlation_id == UUID(TASK)
    assert context.handler_name == "shop.charge"
    assert context.input_data == {"amount": 5, "nothing": None}
    assert context.step_config == {"currency": "EUR"}
    assert context.step_inputs == {"k": "v"}
    assert (context.retry_count, context.max_retries) == (1, 3)


def test_missing_parts_become_empty() -> None:
    event = FfiStepEvent("e1", TASK, TASK, TASK, task_sequence_step={})
    context = StepContext.from_ffi_event(event, "h")
    assert context.input_data == context.dependency_results == context.step_config == {}
    assert (context.retry_count, context.max_retries) == (0, 3)
    assert context.checkpoint is None
    flat = StepContext.from_ffi_event(
        FfiStepEvent("e", TASK, TASK, TASK, task_sequence_step={"task": {"context": {"a": 1}}}),
        "h",
    )
    assert flat.get_input("a") == 1


def test_dependencies_are_unwrapped_exactly_once() -> None:
    context = make_context()
    assert context.get_dependency_result("load_1") == {"rows": {"count": 2}}
    assert context.get_dependency_result("load_3") == {"result": "inner"}
    assert context.get_dependency_result("raw") == {"rows": 1}
    assert context.get_dependency_result("missing") is None
    assert context.get_dependency_field("load_1", "rows", "count") == 2
    assert context.get_dependency_field("load_1", "rows", "count", "deeper") is None
    assert context.get_dependency_field("missing", "rows") is None
    # load_2 has no value and is left out.
    assert context.get_all_dependency_results("load_") == [
        {"rows": {"count": 2}},
        {"result": "inner"},
    ]
    assert context.get_dependency_result_keys() == ["load_1", "load_2", "load_3", "raw"]


def test_inputs_config_and_retries() -> None:
    context = make_context()
    assert context.get_input("amount") == 5
    assert context.get_input("absent") is None
    assert context.get_input_or("nothing", 9) == 9
    assert context.get_config("currency") == "EUR"
    assert context.is_retry() and not context.is_last_retry()
    context.retry_count = 2
    assert context.is_last_retry()


def test_checkpoint_accessors() -> None:
    context = make_context()
    assert context.has_checkpoint()
    assert context.checkpoint_cursor == 7
    assert context.checkpoint_items_processed == 70
    assert context.accumulated_results == {"sum": 1}
    bare = make_context(workflow_step={"checkpoint": "text"})
    assert bare.checkpoint is None and not bare.has_checkpoint()
    assert bare.checkpoint_items_processed == 0


def test_outside_a_worker_nothing_is_cancelled() -> None:
    context = make_context()
    assert context.cancelled is False
    assert context.cancel_reason is None
    assert context.wait_cancelled(0.0) is False
    context.heartbeat(0.5)
    with pytest.raises(ValueError, match="timeout"):
        context.wait_cancelled()


def test_dump_and_validate_are_inverse() -> None:
    context = make_context()
    dumped = context.model_dump(mode="json")
    assert dumped["task_uuid"] == TASK
    assert StepContext.model_validate(dumped).model_dump() == context.model_dump()
    del dumped["event"]
    with pytest.raises(ValueError, match="missing `event`"):
        StepContext.model_validate(dumped)


def test_wrappers() -> None:
    sequence = make_context().task_sequence_step
    assert isinstance(sequence, TaskSequenceStepWrapper)
    assert sequence.task.task_name == "pay"
    assert sequence.task.namespace_name == "shop"
    assert sequence.get_task_field("amount") == 5
    assert sequence.workflow_step.name == "charge_001"
    assert sequence.workflow_step.attempts == 1
    assert sequence.workflow_step.retryable is True
    assert sequence.step_definition.timeout_seconds == 30
    assert sequence.step_definition.handler.handler_method == "run"
    assert sequence.get_results("load_1") == {"rows": {"count": 2}}
    results = sequence.dependency_results
    assert results["load_1"] == results.get_result("load_1")
    assert results.get_result("load_1")["success"] is True
    assert "raw" in results and list(results) == results.keys()
