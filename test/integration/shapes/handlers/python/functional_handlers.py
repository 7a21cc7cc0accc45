"""The handlers of the shapes as decorated functions; `class_handlers.py` has the same ones as classes."""

import csv
import os
import time
from pathlib import Path

from tasker_core.errors import PermanentError, RetryableError
from tasker_core.step_handler import (
    BatchConfig,
    Decision,
    batch_analyzer,
    batch_worker,
    decision_handler,
    depends_on,
    inputs,
    step_handler,
)
from tasker_core.types import StepHandlerResult


@step_handler("python.functional.seed")
@inputs("n")
def seed(n):
    return {"value": n}


@step_handler("python.functional.add")
def add(context):
    values = [context.get_dependency_field(name, "value") for name in context.get_config("from")]
    return {"value": sum(values) + context.get_config("plus")}


@step_handler("python.functional.join")
@depends_on(left="left", right="right")
def join(left, right):
    return {"value": left["value"] * right["value"], "left": left, "right": right}


@step_handler("python.functional.approve")
@inputs("amount")
def approve(amount, context):
    return {"by": context.task_sequence_step.workflow_step.name, "amount": amount}


@step_handler("python.functional.collect")
def collect(context):
    wanted = context.get_config("of")
    return {"present": [name for name in wanted if context.get_dependency_result(name) is not None]}


@decision_handler("python.functional.route")
@inputs("amount")
def route(amount):
    if amount <= 0:
        return Decision.skip("nothing to approve", amount=amount)
    if amount < 1_000:
        return Decision.route(["auto_approve"], amount=amount)
    if amount < 5_000:
        return Decision.route(["manager_approval"], amount=amount)
    return Decision.route(["manager_approval", "finance_review"], amount=amount)


@decision_handler("python.functional.choose")
def choose(context):
    chosen = context.get_input(context.get_config("choice"))
    return Decision.route(chosen) if chosen else Decision.skip("nothing chosen")


@batch_analyzer("python.functional.analyze", worker_template="process")
@inputs("csv", "batch_size")
def analyze(csv, batch_size):
    rows = len(Path(csv).read_text().splitlines()) - 1
    return BatchConfig(total_items=rows, batch_size=batch_size)


@batch_worker("python.functional.process")
@inputs("csv", "fail_at", "hold")
def process(csv, fail_at, hold, batch_context, context):
    if context.step_inputs["is_no_op"]:
        return {"no_op": True, "processed_count": 0}
    start, end = batch_context.start_cursor, batch_context.end_cursor
    if start == fail_at:
        raise PermanentError(f"row {start} is broken")
    if hold:
        context.wait_cancelled(30)
    rows = read_rows(csv)[start:end]
    return {"ids": [int(row["id"]) for row in rows], "amount": sum(int(row["amount"]) for row in rows)}


@batch_worker("python.functional.tally")
@inputs("csv", "every", "fail_at")
def tally(csv, every, fail_at, batch_context, context):
    start = batch_context.checkpoint_cursor or batch_context.start_cursor
    if start == fail_at and context.retry_count == 0:
        raise RetryableError(f"interrupted at row {start}")
    done = batch_context.accumulated_results or {"ids": [], "amount": 0}
    end = min(start + every, batch_context.end_cursor)
    rows = read_rows(csv)[start:end]
    done = {
        "ids": done["ids"] + [int(row["id"]) for row in rows],
        "amount": done["amount"] + sum(int(row["amount"]) for row in rows),
    }
    if end == batch_context.end_cursor:
        return done
    progress = {"cursor": end, "items_processed": len(done["ids"]), "accumulated_results": done}
    return StepHandlerResult.success(progress, {"checkpoint_yield": True})


@step_handler("python.functional.total")
def total(context):
    parts = context.get_all_dependency_results("process_")
    if any(part.get("no_op") for part in parts):
        return {"worker_count": 0, "scenario": "no_batches", "rows": 0, "amount": 0}
    return {
        "worker_count": len(parts),
        "scenario": "with_batches",
        "rows": sum(len(part.get("ids", [])) for part in parts),
        "amount": sum(part.get("amount", 0) for part in parts),
    }


@step_handler("python.functional.flaky")
@inputs("fail_times", "retry_after")
def flaky(fail_times, retry_after, context):
    if context.retry_count < fail_times:
        raise RetryableError(f"failure {context.retry_count + 1}", retry_after=retry_after)
    return {"failures": context.retry_count, "was_last": context.is_last_retry()}


@step_handler("python.functional.refuse")
def refuse():
    raise PermanentError("the card was declined", error_code="DECLINED")


@step_handler("python.functional.crash")
def crash():
    return {"never": [][1]}


@step_handler("python.functional.items")
@inputs("items", "every", "fail_at")
def items(items, every, fail_at, context):
    start = context.checkpoint_cursor or 0
    done = context.accumulated_results or {"sum": 0, "starts": []}
    if start == fail_at and context.retry_count == 0:
        raise RetryableError(f"interrupted at item {start}")
    while start == context.get_input("pause_at") and not os.path.exists(context.get_input("key")):
        time.sleep(0.02)
    end = min(start + every, items)
    done = {"sum": done["sum"] + sum(range(start + 1, end + 1)), "starts": [*done["starts"], start]}
    if end == items:
        return {**done, "retry_count": context.retry_count}
    progress = {"cursor": end, "items_processed": end, "accumulated_results": done}
    return StepHandlerResult.success(progress, {"checkpoint_yield": True})


@step_handler("python.functional.sleep")
@inputs("signs")
def sleep(signs, context):
    sign = Path(signs) / f"{context.step_uuid}"
    sign.with_suffix(".started").touch()
    if context.wait_cancelled(30):
        sign.with_suffix(".told").write_text(context.cancel_reason or "")
    return {"was": "too late"}


@step_handler("python.functional.gate")
@inputs("key")
def gate(key):
    if not os.path.exists(key):
        raise PermanentError("the gate is closed")
    return {"gate": "open"}


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
