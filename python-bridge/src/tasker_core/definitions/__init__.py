"""Task templates in code, next to their handlers.

    @task_handler("order", namespace="shop", version="1.0.0")
    class Order:
        @step()
        def validate(self, context):
            return {"total": 3}

        @step(depends_on=["validate"], retry_limit=5, timeout_ms=2000)
        async def charge(self, validate):
            return {"charged": validate["total"]}

A worker that runs the handlers registers the template like a YAML file.
"""

from tasker_core.definitions.decorators import define_task, step, task_handler
from tasker_core.definitions.definition import StepDefinition, TaskDefinition
from tasker_core.definitions.task_registry import TaskRegistry

__all__ = [
    "StepDefinition",
    "TaskDefinition",
    "TaskRegistry",
    "define_task",
    "step",
    "task_handler",
]
