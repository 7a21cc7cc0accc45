"""TaskerClient against a real local HTTP server that answers in the shapes of rest.md."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from rest_double import STEP, RestDouble
from tasker_core import (
    ClientHealthResponse,
    ClientPaginationInfo,
    ClientStepAuditResponse,
    ClientStepResponse,
    ClientTaskListResponse,
    ClientTaskResponse,
    TaskerClient,
    _tasker_core,
)
from tasker_core.client import (
    ClientSettings,
    HealthResponse,
    PaginationInfo,
    StepAuditResponse,
    StepReadiness,
    StepResponse,
    TaskerClientError,
    TaskListResponse,
    TaskResponse,
)


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RestDouble]:
    double = RestDouble()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TASKER_ORCHESTRATION_URL", double.url)
    yield double
    double.close()


def test_the_root_calls_the_answers_after_the_client() -> None:
    assert (ClientTaskResponse, ClientTaskListResponse) == (TaskResponse, TaskListResponse)
    assert (ClientStepResponse, ClientStepAuditResponse) == (StepResponse, StepAuditResponse)
    assert (ClientHealthResponse, ClientPaginationInfo) == (HealthResponse, PaginationInfo)


def client(**options: Any) -> TaskerClient:
    return TaskerClient(retry_pauses=(0.0,), **options)


def test_a_task_is_created_read_listed_and_cancelled(rest: RestDouble) -> None:
    tasker = client(initiator="me", source_system="tests")
    task = tasker.create_task("order", namespace="shop", context={"n": 1}, priority=5, tags=["x"])
    assert isinstance(task, ClientTaskResponse)
    method, path, headers, body = rest.requests[0]
    assert (method, path) == ("POST", "/v1/tasks")
    assert headers["User-Agent"].startswith("tasker-worker/")
    assert uuid.UUID(body.pop("correlation_id"))
    assert body == {
        "name": "order",
        "namespace": "shop",
        "version": "1.0.0",
        "context": {"n": 1},
        "initiator": "me",
        "source_system": "tests",
        "reason": "Task requested",
        "priority": 5,
        "tags": ["x"],
        "options": None,
        "parent_correlation_id": None,
    }
    assert (task.status, task.total_steps, task.priority) == ("pending", 1, 5)
    assert (task.pending_steps, task.in_progress_steps, task.ready_steps) == (2, 3, 6)
    assert (task.completed_steps, task.failed_steps) == (4, 5)
    assert isinstance(task.steps[0], StepReadiness) and task.steps[0].name == "first"
    with pytest.raises(FrozenInstanceError):
        task.status = "x"  # type: ignore[misc]
    assert tasker.get_task(task.task_uuid) == task
    assert tasker.get_task(uuid.UUID(task.task_uuid)) == task
    assert tasker.cancel_task(task.task_uuid) == {"cancelled": True}
    assert tasker.get_task(task.task_uuid).status == "cancelled"


def test_limit_and_offset_become_pages(rest: RestDouble) -> None:
    for n in range(5):
        client().create_task("order", context={"n": n})
    listed = client().list_tasks(limit=2, offset=2, namespace="default", status="pending")
    assert rest.requests[-1][1] == "/v1/tasks?page=2&per_page=2&namespace=default&status=pending"
    assert isinstance(listed, ClientTaskListResponse)
    assert [task.context["n"] for task in listed.tasks] == [2, 1]
    assert listed.pagination == ClientPaginationInfo(2, 2, 5, 3, True, True)
    with pytest.raises(ValueError, match="limit"):
        client().list_tasks(limit=0)


def test_steps_and_their_audit(rest: RestDouble) -> None:
    task = client().create_task("order")
    [step] = client().list_task_steps(task.task_uuid)
    assert isinstance(step, ClientStepResponse)
    assert step.results is not None and step.results["result"] == {"n": 1}
    assert client().get_step(task.task_uuid, STEP) == step
    [audit] = client().get_step_audit_history(task.task_uuid, STEP)
    assert isinstance(audit, ClientStepAuditResponse)
    assert (audit.execution_time_ms, audit.worker_uuid) == (12, None)
    assert client().list_task_steps(str(uuid.uuid4())) == []


def test_health(rest: RestDouble) -> None:
    health = client().health_check()
    assert isinstance(health, ClientHealthResponse)
    assert (health.healthy, health.status) == (True, "healthy")
    rest.faults.append((503, {"error": {"code": "SERVICE_UNAVAILABLE", "message": "no"}}, {}))
    with pytest.raises(RuntimeError, match="health_check failed: 503"):
        client().health_check()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.create_task("unknown"), "create_task failed: 404 .*Task template not found"),
        (lambda c: c.get_task(STEP), "get_task failed: 404 Not Found: Resource not found"),
        (lambda c: c.cancel_task(STEP), "cancel_task failed: 404"),
    ],
)
def test_refusals_carry_the_servers_words(rest: RestDouble, call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message) as caught:
        call(client())
    assert isinstance(caught.value, TaskerClientError)
    assert (caught.value.status_code, caught.value.code) == (404, "NOT_FOUND")
    assert len(rest.requests) == 1


def test_what_cannot_be_sent_is_a_value_error(rest: RestDouble) -> None:
    for call in (
        lambda: client().get_task("not-a-uuid"),
        lambda: client().get_step(STEP, "nope"),
        lambda: client().create_task("x", context={"n": float("nan")}),
        lambda: client().create_task(""),
        lambda: client().create_task("x", correlation_id="nope"),
    ):
        with pytest.raises(ValueError):
            call()
    assert rest.requests == []


def test_a_duplicate_is_a_conflict(rest: RestDouble) -> None:
    client().create_task("order", idempotency_key="k")
    with pytest.raises(TaskerClientError, match="A task with this identity already exists") as e:
        client().create_task("order", context={"n": 2}, idempotency_key="k")
    assert e.value.status_code == 409


def test_a_lost_answer_does_not_create_a_second_task(rest: RestDouble) -> None:
    rest.faults.append("lost")
    task = client().create_task("order", context={"n": 1})
    assert list(rest.tasks) == [task.task_uuid]
    assert [method for method, *_ in rest.requests] == ["POST", "GET", "GET"]
    assert len(task.steps) == 1


def test_a_lost_answer_and_a_lost_look_end_in_the_conflicts_task(rest: RestDouble) -> None:
    rest.faults += ["lost", "refused"]
    task = client().create_task("order", context={"n": 1})
    assert list(rest.tasks) == [task.task_uuid]
    assert [method for method, *_ in rest.requests] == ["POST", "GET", "POST", "GET", "GET"]


def test_a_correlation_id_of_the_callers_is_not_taken_for_proof(rest: RestDouble) -> None:
    shared = str(uuid.uuid4())
    first = client().create_task("order", context={"n": 1}, correlation_id=shared)
    rest.faults.append("refused")
    second = client().create_task("order", context={"n": 2}, correlation_id=shared)
    assert first.task_uuid != second.task_uuid


def test_trouble_of_the_server_is_waited_out(rest: RestDouble) -> None:
    busy = (503, {"error": {"code": "BACKPRESSURE", "message": "later"}}, {"Retry-After": "0"})
    rest.faults += [busy, (200, {"tasks": []}, {}), "refused", (200, {"tasks": []}, {})]
    assert client().create_task("order").status == "pending"
    assert [m for m, *_ in rest.requests] == ["POST", "GET", "POST", "GET", "POST"]
    rest.faults += ["refused", busy]
    assert client().list_tasks().pagination.total_count == 1
    rest.faults += ["refused"] * 3
    with pytest.raises(TaskerClientError, match="no answer from") as caught:
        client().get_task(STEP)
    assert caught.value.status_code is None
    assert rest.faults == []


def test_an_answer_that_is_not_json(rest: RestDouble) -> None:
    rest.faults.append((200, b"<html>", {}))
    with pytest.raises(TaskerClientError, match="not JSON"):
        client().get_task(STEP)
    rest.faults.append((200, {"task_uuid": "x"}, {}))
    with pytest.raises(ValueError, match="has no `name`"):
        client().get_task(STEP)
    worker_shape = {"error": "template_not_found", "message": "no such", "timestamp": "t"}
    rest.faults.append((404, worker_shape, {}))
    with pytest.raises(TaskerClientError, match="404 Not Found: no such") as caught:
        client().get_task(STEP)
    assert caught.value.code == "template_not_found"


def test_a_server_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        settings = ClientSettings(url, timeout_ms=50, max_retries=0)
        with pytest.raises(RuntimeError, match="get_task failed: no answer"):
            client(settings=settings).get_task(STEP)


def test_credentials(rest: RestDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKER_API_KEY", "key")
    monkeypatch.setenv("TASKER_API_KEY_HEADER", "X-Key")
    client().health_check()
    assert rest.requests[-1][2]["X-Key"] == "key"
    monkeypatch.setenv("TASKER_AUTH_TOKEN", "both")
    client().health_check()
    assert rest.requests[-1][2]["Authorization"] == "Bearer both"
    assert "X-Key" not in rest.requests[-1][2]
    monkeypatch.setenv("TASKER_ORCHESTRATION_AUTH_TOKEN", "own")
    client().health_check()
    assert rest.requests[-1][2]["Authorization"] == "Bearer own"
    assert "own" not in repr(client().settings)


NEEDS_TOML = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="the standard library reads TOML from Python 3.11 on"
)


@NEEDS_TOML
def test_the_configuration_file_is_overridden_by_the_environment(
    rest: RestDouble, tmp_path: Path
) -> None:
    (tmp_path / "tasker-client.toml").write_text(
        '[orchestration]\nbase_url = "http://file:1/base/"\ntimeout_ms = 7\n'
        'auth.method = {type = "ApiKey", value = {key = "k"}}\n'
    )
    from_file = ClientSettings.load({"HOME": str(tmp_path)})
    assert (from_file.base_url, from_file.timeout_ms) == ("http://file:1/base/", 7)
    assert (from_file.api_key, from_file.api_key_header) == ("k", "X-API-Key")
    env = {
        "HOME": str(tmp_path),
        "TASKER_ORCHESTRATION_URL": "http://env:2",
        "TASKER_ORCHESTRATION_TIMEOUT_MS": "9",
    }
    merged = ClientSettings.load(env)
    assert (merged.base_url, merged.timeout_ms, merged.api_key) == ("http://env:2", 9, "k")
    with pytest.raises(ValueError, match="TASKER_ORCHESTRATION_TIMEOUT_MS"):
        ClientSettings.load({**env, "TASKER_ORCHESTRATION_TIMEOUT_MS": "soon"})


@NEEDS_TOML
def test_profiles(rest: RestDouble, tmp_path: Path) -> None:
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "tasker.toml").write_text(
        "[profile.default.orchestration]\nmax_retries = 9\n"
        '[profile.there.orchestration]\nbase_url = "https://there"\n'
        'auth.method = {type = "BearerToken", value = "t"}\n'
    )
    there = ClientSettings.load({"HOME": str(tmp_path), "TASKER_CLIENT_PROFILE": "there"})
    assert (there.base_url, there.max_retries, there.auth_token) == ("https://there", 9, "t")
    with pytest.raises(ValueError, match=r"no client profile `here` .known: default, there"):
        ClientSettings.load({"HOME": str(tmp_path), "TASKER_CLIENT_PROFILE": "here"})
    (tmp_path / ".config" / "tasker.toml").write_text("not toml")
    with pytest.raises(ValueError, match=r"tasker\.toml"):
        ClientSettings.load({"HOME": str(tmp_path), "TASKER_CLIENT_PROFILE": "there"})


def test_defaults_and_bad_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ClientSettings.load({"HOME": str(tmp_path)}) == ClientSettings()
    assert ClientSettings().base_url == "http://localhost:8080"
    for bad in ({"base_url": "ftp://x"}, {"timeout_ms": 0}, {"max_retries": -1}):
        with pytest.raises(ValueError):
            ClientSettings(**bad)  # type: ignore[arg-type]
    default = TaskerClient()
    assert (default.initiator, default.source_system) == ("tasker-core-python", "tasker-core")


def test_the_native_functions(rest: RestDouble) -> None:
    request = {
        "name": "order", "namespace": "shop", "version": "1.0.0", "context": {},
        "initiator": "i", "source_system": "s", "reason": "r",
    }  # fmt: skip
    task = _tasker_core.client_create_task(request)
    task_uuid = task["task_uuid"]
    assert _tasker_core.client_get_task(task_uuid) == task
    assert _tasker_core.client_list_tasks(10, 0, "shop")["pagination"]["total_count"] == 1
    assert _tasker_core.client_list_task_steps(task_uuid)[0]["step_uuid"] == STEP
    assert _tasker_core.client_get_step(task_uuid, STEP)["name"] == "first"
    assert _tasker_core.client_get_step_audit_history(task_uuid, STEP)[0]["success"] is True
    assert _tasker_core.client_cancel_task(task_uuid) == {"cancelled": True}
    assert _tasker_core.client_health_check() == {"healthy": True}
    with pytest.raises(ValueError, match="`initiator`"):
        _tasker_core.client_create_task({"name": "n", "namespace": "n", "version": "1"})
