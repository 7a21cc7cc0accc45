"""Create, read and cancel tasks over the REST interface of a Tasker server."""

from tasker_core.client.client import TaskerClient
from tasker_core.client.http import TaskerClientError
from tasker_core.client.responses import (
    HealthResponse,
    PaginationInfo,
    StepAuditResponse,
    StepReadiness,
    StepResponse,
    TaskListResponse,
    TaskResponse,
)
from tasker_core.client.settings import ClientSettings

__all__ = [
    "ClientSettings",
    "HealthResponse",
    "PaginationInfo",
    "StepAuditResponse",
    "StepReadiness",
    "StepResponse",
    "TaskListResponse",
    "TaskResponse",
    "TaskerClient",
    "TaskerClientError",
]
