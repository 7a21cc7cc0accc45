"""The handlers of the shapes as classes; `functional_handlers.py` has the same ones as decorated functions."""

import csv
import os
import time
from pathlib import Path

from tasker_core.batch_processing import Batchable
from tasker_core.errors import PermanentError, RetryableError
from tasker_core.step_handler import DecisionHandler, StepHandler


class Seed(StepHandler):
    handler_name = "python.class.seed"

    def call(self, context):
        return self.success({"value": context.get_input("n")})


class Add(StepHandler):
    handler_name = "python.class.add"

    def call(self, context):
        parents = [context.get_dependency_result(name) for name in context.step_config["from"]]
        return self.success({"value": sum(each["value"] for each in parents) + context.step_config["plus"]})


class Join(StepHandler):
    handler_name = "python.class.join"

    async def call(self, context):
        left = context.get_dependency_result("left")
        right = context.get_dependency_result("right")
        return self.success({"value": left["value"] * right["value"], "left": left, "right": right})


class Approve(StepHandler):
    handler_name = "python.class.approve"

    def call(self, context):
        step = context.task_sequence_step.workflow_step
        return self.success({"by": step.name, "amount": context.get_input("amount")})


class Collect(StepHandler):
    handler_name = "python.class.collect"

    def call(self, context):
        there = context.get_dependency_result_keys()
        return self.success({"present": [name for name in context.get_config("of") if name in there]})


class Route(DecisionHandler):
    handler_name = "python.class.route"

    def call(self, context):
        amount = context.get_input("amount")
        if amount <= 0:
            return self.skip_branches("nothing to approve", routing_context={"amount": amount})
        steps = ["auto_approve"]
        if amount >= 1_000:
            steps = ["manager_approval"]
        if amount >= 5_000:
            steps.append("finance_review")
        return self.decision_success(steps, routing_context={"amount": amount})


class Choose(DecisionHandler):
    handler_name = "python.class.choose"

    def call(self, context):
        chosen = context.get_input(context.get_config("choice"))
        return self.route_to_steps(chosen) if chosen else self.skip_branches("nothing chosen")


class Analyze(StepHandler, Batchable):
    handler_name = "python.class.analyze"

    def call(self, context):
        rows = len(read_rows(context.get_input("csv")))
        if rows == 0:
            return self.no_batches_outcome("the file is empty")
        return self.batch_analyzer_success(
            cursor_configs=self.create_cursor_ranges(rows, context.get_input("batch_size")),
            total_items=rows,
            worker_template_name="process",
        )


class Process(StepHandler, Batchable):
    handler_name = "python.class.process"

    def call(self, context):
        nothing = self.handle_no_op_worker(context)
        if nothing is not None:
            return self.success({key: nothing.result[key] for key in ("no_op", "processed_count")})
        share = self.get_batch_context(context)
        if share.start_cursor == context.get_input("fail_at"):
            return self.failure(f"row {share.start_cursor} is broken", "permanent_error", retryable=False)
        if context.get_input("hold"):
            context.wait_cancelled(30)
        rows = read_rows(context.get_input("csv"))[share.start_cursor : share.end_cursor]
        amount = sum(int(row["amount"]) for row in rows)
        return self.success({"ids": [int(row["id"]) for row in rows], "amount": amount})


class Tally(Batchable, StepHandler):
    handler_name = "python.class.tally"

    def call(self, context):
        share = self.get_batch_context(context)
        start = share.checkpoint_cursor if share.has_checkpoint() else share.start_cursor
        if start == context.get_input("fail_at") and not context.is_retry():
            raise RetryableError(f"interrupted at row {start}")
        done = share.accumulated_results or {"ids": [], "amount": 0}
        end = min(start + context.get_input("every"), share.end_cursor)
        for row in read_rows(context.get_input("csv"))[start:end]:
            done["ids"].append(int(row["id"]))
            done["amount"] += int(row["amount"])
        if end < share.end_cursor:
            return self.checkpoint_yield(end, len(done["ids"]), done)
        return self.success(done)


class Total(StepHandler, Batchable):
    handler_name = "python.class.total"

    def call(self, context):
        scenario = self.detect_aggregation_scenario(context.dependency_results, "analyze", "process_")
        zero = {"rows": 0, "amount": 0}
        return self.aggregate_batch_worker_results(scenario, zero, self.added_up)

    def added_up(self, results):
        parts = results.values()
        return {
            "rows": sum(len(part.get("ids", [])) for part in parts),
            "amount": sum(part.get("amount", 0) for part in parts),
        }


class Flaky(StepHandler):
    handler_name = "python.class.flaky"

    def call(self, context):
        if context.retry_count >= context.get_input("fail_times"):
            return self.success({"failures": context.retry_count, "was_last": context.is_last_retry()})
        message = f"failure {context.retry_count + 1}"
        if context.get_input("retry_after") is not None:
            raise RetryableError(message, retry_after=context.get_input("retry_after"))
        return self.failure(message, "retryable_error", retryable=True)


class Refuse(StepHandler):
    handler_name = "python.class.refuse"

    def call(self, context):
        return self.failure(
            "the card was declined", "permanent_error", retryable=False, error_code="DECLINED"
        )


class Crash(StepHandler):
    handler_name = "python.class.crash"

    def call(self, context):
        return self.success({"never": [][1]})


class Items(StepHandler, Batchable):
    handler_name = "python.class.items"

    def call(self, context):
        start = context.checkpoint_cursor or 0
        done = context.accumulated_results or {"sum": 0, "starts": []}
        if start == context.get_input("fail_at") and not context.is_retry():
            raise RetryableError(f"interrupted at item {start}")
        while start == context.get_input("pause_at") and not os.path.exists(context.get_input("key")):
            time.sleep(0.02)
        end = min(start + context.get_input("every"), context.get_input("items"))
        done["sum"] += sum(range(start + 1, end + 1))
        done["starts"].append(start)
        if end < context.get_input("items"):
            return self.checkpoint_yield(end, end, done)
        return self.success({**done, "retry_count": context.retry_count})


class Sleep(StepHandler):
    handler_name = "python.class.sleep"

    def call(self, context):
        sign = Path(context.get_input("signs")) / str(context.step_uuid)
        sign.with_suffix(".started").touch()
        if context.wait_cancelled(30):
            sign.with_suffix(".told").write_text(context.cancel_reason or "")
        return self.success({"was": "too late"})


class Gate(StepHandler):
    handler_name = "python.class.gate"

    def call(self, context):
        if not os.path.exists(context.get_input("key")):
            raise PermanentError("the gate is closed")
        return self.success({"gate": "open"})


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
