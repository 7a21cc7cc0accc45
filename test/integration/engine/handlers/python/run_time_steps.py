"""Decisions and batches, in class and in functional form."""

from tasker_core.batch_processing import Batchable
from tasker_core.step_handler import (
    BatchConfig,
    Decision,
    DecisionHandler,
    StepHandler,
    batch_analyzer,
    batch_worker,
    decision_handler,
    inputs,
    step_handler,
)


@decision_handler("python.route")
@inputs("amount")
def route(amount):
    if amount < 0:
        return Decision.skip("nothing to approve")
    if amount < 1_000:
        return Decision.route(["auto_approve"])
    return Decision.route(["manager_approval", "finance_review"], amount=amount)


class RouteClass(DecisionHandler):
    handler_name = "python.route_class"

    def call(self, context):
        amount = context.get_input("amount")
        if amount < 0:
            return self.skip_branches("nothing to approve")
        steps = ["auto_approve"] if amount < 1_000 else ["manager_approval", "finance_review"]
        return self.decision_success(steps, routing_context={"amount": amount})


@step_handler("python.approve")
def approve(context):
    return {"approved": True}


@step_handler("python.finalize")
def finalize(context):
    names = context.get_dependency_result_keys()
    return {"approvals": sorted(n for n in names if n.endswith(("_approve", "_approval", "_review")))}


@batch_analyzer("python.analyze", worker_template="process")
@inputs("items")
def analyze(items):
    return BatchConfig(total_items=items, batch_size=10)


class AnalyzeClass(StepHandler, Batchable):
    handler_name = "python.analyze_class"

    def call(self, context):
        items = context.get_input("items")
        if items == 0:
            return self.no_batches_outcome("no items")
        return self.batch_analyzer_success(
            cursor_configs=self.create_cursor_ranges(items, 10),
            total_items=items,
            worker_template_name="process",
        )


@batch_worker("python.process")
def process(batch_context, context):
    if context.step_inputs.get("is_no_op"):
        return {"count": 0}
    factor = context.step_inputs["factor"]
    return {"count": (batch_context.end_cursor - batch_context.start_cursor) * factor}


@step_handler("python.sum")
def total(context):
    parts = context.get_all_dependency_results("process_")
    return {"workers": len(parts), "total": sum(part["count"] for part in parts)}
