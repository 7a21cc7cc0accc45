"""The core's functions as this process sees them: plain dicts in and out.

Programs written against the native extension call these; the typed forms are in
`tasker_core.bootstrap`, `tasker_core.observability` and `tasker_core.client`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasker_core import logging as _logging
from tasker_core._version import __version__
from tasker_core._worker import current as _worker
from tasker_core.client import TaskerClient
from tasker_core.domain_events.poller import poll_in_process_events
from tasker_core.exceptions import WorkerAlreadyRunningError
from tasker_core.handler import environment
from tasker_core.types.events import LogContext
from tasker_core.types.worker import BootstrapConfig, WorkerState

_Fields = Mapping[str, Any] | LogContext | None


def bootstrap_worker(config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Start the worker of this process; see `tasker_core.bootstrap.bootstrap_worker`."""
    try:
        runtime = _worker.bootstrap(BootstrapConfig.model_validate(config or {}))
        status, message = "started", "Worker started"
    except WorkerAlreadyRunningError as error:
        runtime = _worker.current()
        status, message = "already_running", str(error)
    return {
        "success": status == "started",
        "handle_id": runtime.handle_id,
        "worker_id": runtime.worker_id,
        "status": status,
        "message": message,
        "error_message": None,
    }


def stop_worker() -> str:
    """Finish what runs (25 s at most), disconnect, stop a host that was started here."""
    runtime = _worker.stop()
    return "No worker is running" if runtime is None else f"Worker {runtime.worker_id} stopped"


def get_worker_status() -> dict[str, Any]:
    """The state of this process's worker; the fields of WorkerStatus."""
    runtime = _worker.last()
    if runtime is None:
        return {"running": False, "environment": environment(), "supported_namespaces": []}
    namespaces: list[str] = [runtime.config.namespace]
    if runtime.host is not None:
        namespaces = list(runtime.host.ready.get("namespaces") or namespaces)
    return {
        "running": runtime.is_running,
        "environment": environment(),
        "worker_core_status": runtime.state.value,
        "web_api_enabled": False,
        "supported_namespaces": namespaces,
        "database_pool_size": 0,
        "database_pool_idle": 0,
        "error": runtime.error,
    }


def transition_to_graceful_shutdown() -> str:
    """Take no new steps; those in flight may finish. Raises WorkerNotInitializedError."""
    _worker.current().drain()
    return WorkerState.SHUTTING_DOWN.value


def is_worker_running() -> bool:
    runtime = _worker.last()
    return runtime is not None and runtime.is_running


def poll_step_events() -> dict[str, Any] | None:
    """The next step event, or None at once when there is none.

    Raises WorkerNotInitializedError, and FFIError when the host cannot be reached.
    """
    return _worker.current().connect().poll()


def complete_step_event(event_id: str, completion: Mapping[str, Any]) -> bool:
    """Answer a step event with the dump of a StepExecutionResult.

    False when the event is unknown or expired. Raises ConversionError, without answering, when
    the result cannot be sent as JSON.
    """
    return _worker.current().connect().complete(event_id, completion)


def checkpoint_yield_step_event(event_id: str, checkpoint: Mapping[str, Any]) -> bool:
    """End a delivery with ``{step_uuid, cursor, items_processed, accumulated_results?}``.

    The step is dispatched again at once with a new event id. False when that cannot be.
    """
    return _worker.current().connect().checkpoint(event_id, checkpoint)


def get_ffi_dispatch_metrics() -> dict[str, Any]:
    """The fields of FfiDispatchMetrics."""
    return _worker.current().connect().metrics().model_dump()


def check_starvation_warnings() -> list[dict[str, Any]]:
    """Log a warning for each step event that nobody polls, and return them as dicts."""
    found = _worker.current().connect().starving()
    for each in found:
        _logging.log_warn(
            "step event waits to be polled",
            {"event_id": each.event_id, "pending_age_ms": each.pending_age_ms},
        )
    return [each.model_dump() for each in found]


def cleanup_timeouts() -> int:
    """Fail step events that were not completed in time; returns how many."""
    return _worker.current().connect().cleanup()


def get_health_check() -> dict[str, Any]:
    """The fields of HealthCheck. Raises WorkerNotInitializedError."""
    runtime = _worker.current()
    session = runtime.session
    connected = session is not None and session.is_connected
    # Before the first poll there is nothing to be connected for.
    healthy = connected or (session is None and runtime.error is None)
    bridge = {
        "name": "bridge",
        "status": "healthy" if healthy else "unhealthy",
        "pool_size": runtime.slots,
        "pool_idle": runtime.slots - (session.in_progress if session else 0),
    }
    components = {"bridge": bridge}
    if runtime.host is not None:
        alive = runtime.host.is_alive()
        components["host"] = {"name": "host", "status": "healthy" if alive else "unhealthy"}
    return {
        "status": "healthy" if healthy else "degraded",
        "is_running": runtime.is_running,
        "components": components,
        "rust": {"core_version": get_rust_version(), "state": runtime.state.value},
        "python": {"version": __version__, **_worker.describe()},
    }


def get_metrics() -> dict[str, Any]:
    """The fields of WorkerMetrics. Raises WorkerNotInitializedError."""
    runtime = _worker.current()
    session = runtime.session
    metrics: dict[str, Any] = {"environment": environment()}
    if session is not None:
        dispatch = session.metrics()
        metrics |= {
            "dispatch_channel_pending": dispatch.pending_count,
            "oldest_pending_age_ms": dispatch.oldest_pending_age_ms,
            "newest_pending_age_ms": dispatch.newest_pending_age_ms,
            "starvation_detected": dispatch.starvation_detected,
            "starving_event_count": dispatch.starving_event_count,
            "steps_processed": session.succeeded + session.failed,
            "steps_succeeded": session.succeeded,
            "steps_failed": session.failed,
            "steps_in_progress": session.in_progress,
        }
    return metrics


def get_worker_config() -> dict[str, Any]:
    """The fields of WorkerConfig. Raises WorkerNotInitializedError."""
    runtime = _worker.current()
    status = get_worker_status()
    return {
        "environment": environment(),
        "supported_namespaces": status["supported_namespaces"],
        "max_concurrent_handlers": runtime.slots,
    }


def client_create_task(request: Mapping[str, Any]) -> dict[str, Any]:
    """Create a task from a TaskRequest dict; returns the TaskResponse as the server sent it."""
    return _client().post_task(request)


def client_get_task(task_uuid: str) -> dict[str, Any]:
    return _client().read_task(task_uuid)


def client_list_tasks(
    limit: int = 50, offset: int = 0, namespace: str | None = None, status: str | None = None
) -> dict[str, Any]:
    return _client().read_tasks(limit, offset, namespace, status)


def client_cancel_task(task_uuid: str) -> dict[str, Any]:
    return _client().cancel_task(task_uuid)


def client_list_task_steps(task_uuid: str) -> list[dict[str, Any]]:
    return _client().read_steps(task_uuid)


def client_get_step(task_uuid: str, step_uuid: str) -> dict[str, Any]:
    return _client().read_step(task_uuid, step_uuid)


def client_get_step_audit_history(task_uuid: str, step_uuid: str) -> list[dict[str, Any]]:
    return _client().read_step_audit(task_uuid, step_uuid)


def client_health_check() -> dict[str, Any]:
    """``{"healthy": True}`` when the server says so."""
    return {"healthy": _client().health_check().healthy}


def log_error(message: str, fields: _Fields = None) -> None:
    _logging.log_error(message, fields)


def log_warn(message: str, fields: _Fields = None) -> None:
    _logging.log_warn(message, fields)


def log_info(message: str, fields: _Fields = None) -> None:
    _logging.log_info(message, fields)


def log_debug(message: str, fields: _Fields = None) -> None:
    _logging.log_debug(message, fields)


def log_trace(message: str, fields: _Fields = None) -> None:
    _logging.log_trace(message, fields)


def get_version() -> str:
    return __version__


def get_rust_version() -> str:
    """What stands in for the native layer: this package and the protocol it speaks."""
    return f"tasker-bridge {__version__} (protocol 1, no native layer)"


def health_check() -> bool:
    """True: the package is loaded and usable."""
    return True


def _client() -> TaskerClient:
    return TaskerClient()


__all__ = [
    "__version__",
    "bootstrap_worker",
    "check_starvation_warnings",
    "checkpoint_yield_step_event",
    "cleanup_timeouts",
    "client_cancel_task",
    "client_create_task",
    "client_get_step",
    "client_get_step_audit_history",
    "client_get_task",
    "client_health_check",
    "client_list_task_steps",
    "client_list_tasks",
    "complete_step_event",
    "get_ffi_dispatch_metrics",
    "get_health_check",
    "get_metrics",
    "get_rust_version",
    "get_version",
    "get_worker_config",
    "get_worker_status",
    "health_check",
    "is_worker_running",
    "log_debug",
    "log_error",
    "log_info",
    "log_trace",
    "log_warn",
    "poll_in_process_events",
    "poll_step_events",
    "stop_worker",
    "transition_to_graceful_shutdown",
]
