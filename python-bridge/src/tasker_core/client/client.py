"""TaskerClient: the operations of the REST interface that programs need."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tasker_core._protocol import json_text
from tasker_core.client.http import HttpTransport, TaskerClientError
from tasker_core.client.responses import (
    HealthResponse,
    StepAuditResponse,
    StepResponse,
    TaskListResponse,
    TaskResponse,
)
from tasker_core.client.settings import ClientSettings

_MAX_PAUSE_SECONDS = 30.0
_LOOK_BACK = 100


class TaskerClient:
    """Talks to the server that the environment or the client configuration names.

    Safe from any thread. Every method raises RuntimeError (TaskerClientError: ``<op> failed: ...``)
    when the server refuses or does not answer, ValueError for what cannot be sent.

    Requests that got no answer or a 5xx are repeated, `max_retries` tries in all, after the
    `retry_pauses` or what the server's Retry-After asks for. A task is not created twice by that:
    before it is sent again the client looks for the one that carries the correlation id it made
    up. (With a `correlation_id` of your own, give an `idempotency_key` too: the repetition then
    ends in a 409 rather than in a second task.)
    """

    def __init__(
        self,
        initiator: str = "tasker-core-python",
        source_system: str = "tasker-core",
        *,
        settings: ClientSettings | None = None,
        retry_pauses: Sequence[float] = (2.0, 4.0),
    ) -> None:
        self.initiator = initiator
        self.source_system = source_system
        self.settings = ClientSettings.load() if settings is None else settings
        self._transport = HttpTransport(self.settings)
        self._retry_pauses = tuple(retry_pauses) or (0.0,)

    def create_task(
        self,
        name: str,
        *,
        namespace: str = "default",
        context: Mapping[str, Any] | None = None,
        version: str = "1.0.0",
        reason: str = "Task requested",
        **kwargs: Any,
    ) -> TaskResponse:
        """Create a task. `kwargs` are further fields of the request: `priority`, `tags`,
        `idempotency_key`, `correlation_id`, `parent_correlation_id`, `options`, `requested_at`.
        """
        request = {
            "name": name,
            "namespace": namespace,
            "version": version,
            "context": dict(context or {}),
            "initiator": self.initiator,
            "source_system": self.source_system,
            "reason": reason,
            **kwargs,
        }
        return TaskResponse.from_dict(self.post_task(request))

    def get_task(self, task_uuid: str | uuid.UUID) -> TaskResponse:
        return TaskResponse.from_dict(self.read_task(task_uuid))

    def list_tasks(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        namespace: str | None = None,
        status: str | None = None,
    ) -> TaskListResponse:
        """One page, newest first; `offset` is rounded down to a whole page of `limit`."""
        return TaskListResponse.from_dict(self.read_tasks(limit, offset, namespace, status))

    def cancel_task(self, task_uuid: str | uuid.UUID) -> dict[str, Any]:
        """Returns ``{"cancelled": True}``; a finished task is an error."""
        path = f"/v1/tasks/{_id('task_uuid', task_uuid)}"
        self._transport.send("cancel_task", "DELETE", path)
        return {"cancelled": True}

    def list_task_steps(self, task_uuid: str | uuid.UUID) -> list[StepResponse]:
        """The steps in the order of their creation; empty for an unknown task."""
        return [StepResponse.from_dict(each) for each in self.read_steps(task_uuid)]

    def get_step(self, task_uuid: str | uuid.UUID, step_uuid: str | uuid.UUID) -> StepResponse:
        return StepResponse.from_dict(self.read_step(task_uuid, step_uuid))

    def get_step_audit_history(
        self, task_uuid: str | uuid.UUID, step_uuid: str | uuid.UUID
    ) -> list[StepAuditResponse]:
        """What workers submitted for the step, newest first."""
        found = self.read_step_audit(task_uuid, step_uuid)
        return [StepAuditResponse.from_dict(each) for each in found]

    def health_check(self) -> HealthResponse:
        """Asked once, without repetition. Raises when the server does not answer."""
        answer: dict[str, Any] = self._transport.send("health_check", "GET", "/health") or {}
        status = answer.get("status")
        return HealthResponse(status == "healthy", status, answer.get("timestamp"))

    def post_task(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Create a task from a TaskRequest; the answer as it came."""
        full = _task_request(request)
        body = _json(full)
        # An id of the caller's may be shared by several tasks: it would not tell which is ours.
        is_ours = not request.get("correlation_id")
        for attempt in range(1, self._tries + 1):
            try:
                return self._transport.send("create_task", "POST", "/v1/tasks", body=body)
            except TaskerClientError as error:
                unheard = error.is_transient or (error.status_code == 409 and attempt > 1)
                created = self._created(full) if unheard and is_ours else None
                if created is not None:
                    return created
                if attempt == self._tries or not error.is_transient:
                    raise
                self._pause(attempt, error)
        raise AssertionError("unreachable")

    def read_task(self, task_uuid: str | uuid.UUID) -> dict[str, Any]:
        return self._get("get_task", f"/v1/tasks/{_id('task_uuid', task_uuid)}")

    def read_tasks(
        self, limit: int = 50, offset: int = 0, namespace: str | None = None,
        status: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        if limit < 1 or offset < 0:
            raise ValueError(f"expected limit >= 1 and offset >= 0, got {limit} and {offset}")
        query = {
            "page": offset // limit + 1,
            "per_page": limit,
            "namespace": namespace,
            "status": status,
        }
        return self._get("list_tasks", "/v1/tasks", query)

    def read_steps(self, task_uuid: str | uuid.UUID) -> list[dict[str, Any]]:
        return self._get("list_task_steps", _steps(task_uuid))

    def read_step(self, task_uuid: str | uuid.UUID, step_uuid: str | uuid.UUID) -> dict[str, Any]:
        return self._get("get_step", f"{_steps(task_uuid)}/{_id('step_uuid', step_uuid)}")

    def read_step_audit(
        self, task_uuid: str | uuid.UUID, step_uuid: str | uuid.UUID
    ) -> list[dict[str, Any]]:
        path = f"{_steps(task_uuid)}/{_id('step_uuid', step_uuid)}/audit"
        return self._get("get_step_audit_history", path)

    @property
    def _tries(self) -> int:
        return max(1, self.settings.max_retries)

    def _get(self, operation: str, path: str, query: Mapping[str, Any] | None = None) -> Any:
        attempt = 1
        while True:
            try:
                return self._transport.send(operation, "GET", path, query)
            except TaskerClientError as error:
                if attempt >= self._tries or not error.is_transient:
                    raise
                self._pause(attempt, error)
                attempt += 1

    def _pause(self, attempt: int, error: TaskerClientError) -> None:
        pause = self._retry_pauses[min(attempt, len(self._retry_pauses)) - 1]
        time.sleep(min(_MAX_PAUSE_SECONDS, max(pause, error.retry_after or 0.0)))

    def _created(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        query = {
            "page": 1,
            "per_page": _LOOK_BACK,
            "namespace": request["namespace"],
            "initiator": request["initiator"],
            "source_system": request["source_system"],
        }
        try:
            listed = self._transport.send("create_task", "GET", "/v1/tasks", query)
            for task in listed["tasks"]:
                if task.get("correlation_id") == request["correlation_id"]:
                    path = f"/v1/tasks/{_id('task_uuid', task['task_uuid'])}"
                    return self._transport.send("create_task", "GET", path)
        except (TaskerClientError, KeyError, TypeError):
            return None
        return None


def _task_request(request: Mapping[str, Any]) -> dict[str, Any]:
    full: dict[str, Any] = {
        "options": None,
        "priority": None,
        "parent_correlation_id": None,
        "tags": [],
        **request,
    }
    for name in ("name", "namespace", "version", "initiator", "source_system", "reason"):
        if not isinstance(full.get(name), str) or not full[name]:
            raise ValueError(f"task request: expected `{name}` to be text, got {full.get(name)!r}")
    # Sent always: it is how a task whose answer was lost is recognised.
    full["correlation_id"] = str(_id("correlation_id", full.get("correlation_id") or uuid.uuid4()))
    return full


def _json(value: Any) -> bytes:
    try:
        return json_text.dumps(value)
    except json_text.NotJsonError as error:
        raise ValueError(f"task request: {error}") from error


def _steps(task_uuid: str | uuid.UUID) -> str:
    return f"/v1/tasks/{_id('task_uuid', task_uuid)}/workflow_steps"


def _id(name: str, value: str | uuid.UUID) -> uuid.UUID:
    try:
        return value if isinstance(value, uuid.UUID) else uuid.UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"expected `{name}` to be a UUID, got {value!r}") from None
