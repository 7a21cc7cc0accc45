"""A local HTTP server that answers in the shapes of contract/rest.md, with faults to order."""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

NOW = "2026-01-02T03:04:05.678901Z"
STEP = "01890a5d-ac96-774b-bcce-b302099a8058"


class RestDouble:
    """`faults` are served before anything else, one per request: ``(status, body, headers)``,
    "lost" (done, but the connection breaks before the answer) or "refused" (broken before).
    """

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.faults: list[Any] = []
        self.keys: dict[str, str] = {}
        double = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                double.serve(self)

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def serve(self, http: BaseHTTPRequestHandler) -> None:
        length = int(http.headers.get("Content-Length") or 0)
        body = json.loads(http.rfile.read(length)) if length else None
        self.requests.append((http.command, http.path, dict(http.headers), body))
        fault = self.faults.pop(0) if self.faults else None
        if fault == "refused":
            http.connection.close()
            return
        if isinstance(fault, tuple):
            status, content, headers = fault
        else:
            status, content = self.answer(http.command, urlsplit(http.path), body)
            headers = {}
        if fault == "lost":
            http.connection.close()
            return
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        http.send_response(status)
        for name, value in headers.items():
            http.send_header(name, value)
        http.send_header("Content-Length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)

    def answer(self, method: str, url: Any, body: Any) -> tuple[int, Any]:
        parts = url.path.strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if parts == ["health"]:
            return 200, {"status": "healthy", "timestamp": NOW}
        if parts == ["v1", "tasks"]:
            return self.create(body) if method == "POST" else self.list(query)
        task = self.tasks.get(parts[2])
        if len(parts) == 3:
            if task is None:
                return 404, _error("NOT_FOUND", "Resource not found")
            if method == "DELETE":
                if task["status"] == "complete":
                    return 400, _error("BAD_REQUEST", "Cannot cancel a completed task")
                task["status"] = "cancelled"
            return 200, task
        step = _step(parts[2])
        if len(parts) == 4:
            return 200, [step] if task else []
        if parts[-1] == "audit":
            return 200, [_audit(parts[2])]
        return 200, step

    def create(self, request: dict[str, Any]) -> tuple[int, Any]:
        missing = {"name", "namespace", "version", "context", "initiator", "source_system"}
        if missing - set(request):
            return 422, _error("JSON_ERROR", f"missing field {sorted(missing - set(request))[0]}")
        if request["name"] == "unknown":
            return 404, _error("NOT_FOUND", "Task template not found: default/unknown/1.0.0")
        key = request.get("idempotency_key") or json.dumps(request["context"], sort_keys=True)
        if key in self.keys:
            return 409, _error("CONFLICT", "A task with this identity already exists")
        task = _task(request)
        self.keys[key] = task["task_uuid"]
        self.tasks[task["task_uuid"]] = task
        return 200, task

    def list(self, query: dict[str, str]) -> tuple[int, Any]:
        page, size = int(query.get("page", 1)), int(query.get("per_page", 25))
        wanted = [
            {**task, "steps": []}
            for task in reversed(self.tasks.values())
            if all(
                task[name] == query[name]
                for name in ("namespace", "initiator", "source_system")
                if name in query
            )
        ]
        pages = -(-len(wanted) // size)
        return 200, {
            "tasks": wanted[(page - 1) * size : page * size],
            "pagination": {
                "page": page,
                "per_page": size,
                "total_count": len(wanted),
                "total_pages": pages,
                "has_next": page < pages,
                "has_previous": page > 1,
            },
        }


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _task(request: dict[str, Any]) -> dict[str, Any]:
    task_uuid = str(uuid.uuid4())
    counts = ("total", "pending", "in_progress", "completed", "failed", "ready")
    copied = ("name", "namespace", "version", "context", "initiator", "source_system", "reason")
    return {
        "task_uuid": task_uuid,
        **{name: request[name] for name in copied},
        "status": "pending",
        "created_at": NOW,
        "updated_at": NOW,
        "completed_at": None,
        "priority": request.get("priority") or 0,
        "tags": request.get("tags"),
        "correlation_id": request["correlation_id"],
        "parent_correlation_id": request.get("parent_correlation_id"),
        **{f"{name}_steps": n for n, name in enumerate(counts, 1)},
        "execution_status": "has_ready_steps",
        "recommended_action": "execute_ready_steps",
        "completion_percentage": 0.0,
        "health_status": "healthy",
        "steps": [_readiness(task_uuid)],
        "a_field_of_a_later_version": True,
    }


def _readiness(task_uuid: str) -> dict[str, Any]:
    return {
        "workflow_step_uuid": STEP,
        "task_uuid": task_uuid,
        "named_step_uuid": STEP,
        "name": "first",
        "current_state": "pending",
        "dependencies_satisfied": True,
        "retry_eligible": True,
        "ready_for_execution": True,
        "last_failure_at": None,
        "next_retry_at": None,
        "total_parents": 0,
        "completed_parents": 0,
        "attempts": 0,
        "max_attempts": 3,
        "backoff_request_seconds": None,
        "last_attempted_at": None,
    }


def _step(task_uuid: str) -> dict[str, Any]:
    dropped = ("workflow_step_uuid", "named_step_uuid", "backoff_request_seconds")
    kept = {k: v for k, v in _readiness(task_uuid).items() if k not in dropped}
    stored = {"success": True, "result": {"n": 1}}
    return {
        **kept,
        "step_uuid": STEP,
        "created_at": NOW,
        "updated_at": NOW,
        "completed_at": NOW,
        "results": stored,
    }


def _audit(task_uuid: str) -> dict[str, Any]:
    # Fields that are null are left out here (rest.md 2.6).
    return {
        "audit_uuid": STEP,
        "workflow_step_uuid": STEP,
        "transition_uuid": STEP,
        "task_uuid": task_uuid,
        "recorded_at": NOW,
        "success": True,
        "execution_time_ms": 12,
        "result": {"type": "EnqueueForOrchestration", "data": {}},
        "step_name": "first",
        "from_state": "in_progress",
        "to_state": "enqueued_for_orchestration",
    }
